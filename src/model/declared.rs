//! The words of text properties that the configuration itself speaks of.
//!
//! A text property is a code whose list nobody knows beforehand (a version of an app, a reason that a
//! vendor makes up): its values get their numbers when they first come in, from the one thread that
//! writes, in the same transaction as the rows that use them. Were they to be declared, it would be a
//! code list under another name, and what is new would be invisible until somebody looked. The price
//! is a limit: a dimension's bits are fixed when the configuration is read, so beyond `max_values`
//! every new text is `other` and is counted.
//!
//! `other` and the texts that an expression or an indicator compares with need numbers before any
//! record has brought them; that is what is done here.

use crate::model::contract::{Contract, PropertyType};
use crate::model::dictionary::Dictionaries;
use crate::model::expr::{Binary, Syntax, Tree, parse};
use crate::model::text::normal;

/// The text that stands for all beyond the limit.
pub const OTHER: &str = "other";

/// What the name of a text property's dictionary begins with.
pub const TEXT: &str = "text:";

/// The name of a text property's dictionary.
pub fn dictionary(contract: &str, property: &str) -> String {
    format!("{TEXT}{contract}.{property}")
}

/// Numbers `other` and every literal that the contract's expressions compare a text property with.
pub fn texts(contract: &Contract, words: &mut Dictionaries) {
    let kept = contract.properties.iter().filter(|(_, kept)| kept.kind == PropertyType::Text);
    for (name, _) in kept {
        words.entry(&dictionary(&contract.contract, name)).intern(OTHER);
    }
    let measures = contract.measures.values();
    let texts = contract
        .quality
        .iter()
        .map(|check| &check.check)
        .chain(&contract.retracted)
        .chain(contract.derived.values().map(|derived| &derived.value))
        .chain(measures.flat_map(|measure| measure.only.iter().chain(&measure.distribution)));
    for tree in texts.filter_map(|text| parse(text).ok()) {
        tree.each(&mut |tree| {
            if let Syntax::Pair(Binary::Equal | Binary::NotEqual | Binary::In, left, right) =
                &tree.syntax
            {
                compared(contract, left, right, words);
                compared(contract, right, left, words);
            }
        });
    }
}

/// Numbers the texts that an indicator wants of a contract's dimensions.
pub fn wanted<'w>(
    contract: &Contract,
    wanted: impl Iterator<Item = (&'w str, &'w [String])>,
    words: &mut Dictionaries,
) {
    for (name, texts) in wanted {
        if contract.properties.get(name).is_some_and(|kept| kept.kind == PropertyType::Text) {
            let entry = words.entry(&dictionary(&contract.contract, name));
            texts.iter().for_each(|text| _ = entry.intern(&normal(text)));
        }
    }
}

fn compared(contract: &Contract, name: &Tree, with: &Tree, words: &mut Dictionaries) {
    let Syntax::Name(name) = &name.syntax else { return };
    if contract.properties.get(name).is_none_or(|kept| kept.kind != PropertyType::Text) {
        return;
    }
    let entry = words.entry(&dictionary(&contract.contract, name));
    with.each(&mut |tree| {
        if let Syntax::Text(word) = &tree.syntax {
            entry.intern(&normal(word));
        }
    });
}
