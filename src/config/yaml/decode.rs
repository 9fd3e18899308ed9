//! From a tree to typed settings, with every problem instead of the first.
//!
//! serde stops at its first fault. So each fault is recorded, repaired in an overlay (an unknown key
//! is struck out, a wrong value is struck out, a missing key is filled) and the tree is decoded
//! again until nothing is left to find. What a repair itself brings about (the missing key after a
//! wrong value was struck, a cross-check that failed on a filler) is not reported. Settings are only
//! handed out when nothing had to be repaired.

use serde::de::DeserializeOwned;

use super::fault::{Fault, Found, Kind, Site};
use super::filler::SAMPLES;
use super::locate::locate;
use super::node::{Node, Value};
use super::overlay::Overlay;
use super::problem::Problem;
use super::view::View;
use super::words::{Words, list_of, say};
use crate::model::nearest::nearest;

/// The key that tells the variants of a tagged enum apart, everywhere in the configuration.
pub(super) const TAG: &str = "kind";
/// The most problems of one file; more help nobody.
const MAX_PROBLEMS: usize = 100;
/// The most repairs of one file.
const MAX_ROUNDS: usize = 1_000;

/// Decodes settings and records every problem; `None` if it met any.
///
/// What `problems` already complains of (a secret, a variable that is not set) is not told twice.
pub fn decode<T: DeserializeOwned>(
    node: &Node,
    file: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let mut search = Search {
        root: node,
        file,
        overlay: Overlay::default(),
        known: problems,
        found: Vec::new(),
        told_before: false,
    };
    let settings = search.run();
    let mut found = search.found;
    found.sort();
    problems.append(&mut found);
    settings
}

struct Search<'a> {
    root: &'a Node,
    file: &'a str,
    overlay: Overlay,
    known: &'a [Problem],
    found: Vec<Problem>,
    /// Whether a fault was left out because an earlier check had told it.
    told_before: bool,
}

impl Search<'_> {
    fn run<T: DeserializeOwned>(&mut self) -> Option<T> {
        for _ in 0..MAX_ROUNDS {
            let fault = match T::deserialize(View { node: self.root, overlay: &self.overlay }) {
                Ok(settings) if self.overlay.is_empty() => return Some(settings),
                Ok(_) => return None,
                Err(fault) => fault,
            };
            let goes_on = self.take::<T>(&fault);
            if !goes_on || self.found.len() >= MAX_PROBLEMS {
                // Nothing may be refused without a word.
                if self.found.is_empty() && !self.told_before {
                    self.record_value(
                        say(&fault.kind, &self.root.trail(self.root.id)),
                        self.root.id,
                    );
                }
                return None;
            }
        }
        None
    }

    /// Records a fault and repairs it; false when there is nothing left to repair.
    fn take<T: DeserializeOwned>(&mut self, fault: &Fault) -> bool {
        match fault.site {
            Some(Site::Filler(mapping, key)) => self.refill(mapping, key),
            Some(Site::Key(id)) => {
                self.record_key(&fault.kind, id);
                self.strike(id)
            }
            Some(Site::Value(id)) => self.take_value::<T>(fault, id),
            None => self.take_value::<T>(fault, self.root.id),
        }
    }

    fn take_value<T: DeserializeOwned>(&mut self, fault: &Fault, id: u32) -> bool {
        let id = locate::<T>(self.root, &mut self.overlay, fault, id);
        let node = self.root.trail(id).node;
        match &fault.kind {
            Kind::UnknownKey { key, .. } => {
                let id = self.entry_of(key, id);
                match id {
                    Some(id) => {
                        self.record_key(&fault.kind, id);
                        self.strike(id)
                    }
                    None => self.take_whole::<T>(fault, node),
                }
            }
            Kind::MissingKey(key) => self.take_missing::<T>(node, key),
            _ => self.take_whole::<T>(fault, node),
        }
    }

    /// The entry of an unknown key: the one that was found, or the one inside what was found.
    fn entry_of(&self, key: &str, id: u32) -> Option<u32> {
        let trail = self.root.trail(id);
        if trail.key.is_some_and(|own| own.text() == key) {
            return Some(id);
        }
        let entry = trail.node.get(key)?;
        (!self.overlay.is_struck(entry)).then_some(entry.id)
    }

    /// A value that is wrong as a whole, or only because of earlier repairs.
    fn take_whole<T: DeserializeOwned>(&mut self, fault: &Fault, node: &Node) -> bool {
        if let Some((key, _)) = self.overlay.fillers(node.id).last() {
            return self.refill(node.id, key);
        }
        if !self.overlay.is_damaged(node) {
            let words = say(&fault.kind, &self.root.trail(node.id));
            let words = self.words_of_the_type::<T>(fault, node).unwrap_or(words);
            self.record_value(words, node.id);
        }
        self.strike(node.id)
    }

    /// For a number where text was expected: what the type itself says of that text. "'5' is not a
    /// duration" helps more than "write it in quotes".
    fn words_of_the_type<T: DeserializeOwned>(
        &mut self,
        fault: &Fault,
        node: &Node,
    ) -> Option<Words> {
        let Kind::Mismatch { found: Found::Number(_), .. } = &fault.kind else { return None };
        let (Value::Integer(_, written) | Value::Float(_, written)) = &node.value else {
            return None;
        };
        self.overlay.as_text = Some(node.id);
        let outcome = T::deserialize(View { node: self.root, overlay: &self.overlay });
        self.overlay.as_text = None;
        let second = outcome.err().filter(|second| second.site == fault.site)?;
        match &second.kind {
            Kind::Other(message) if message.contains(&format!("'{written}'")) => {
                Some(say(&second.kind, &self.root.trail(node.id)))
            }
            _ => None,
        }
    }

    fn take_missing<T: DeserializeOwned>(&mut self, node: &Node, key: &'static str) -> bool {
        if self.overlay.fillers(node.id).iter().any(|(filled, _)| *filled == key) {
            return self.refill(node.id, key);
        }
        let struck = node
            .entries()
            .filter(|(_, value)| self.overlay.is_struck(value))
            .any(|(own, _)| own.text() == key || nearest(own.text(), [key]).is_some());
        if !struck {
            self.record_missing::<T>(node, key);
        }
        if key == TAG {
            // Without its kind nothing can be said about the rest of the mapping.
            return self.strike(node.id);
        }
        self.overlay.fill(node.id, key);
        true
    }

    fn refill(&mut self, mapping: u32, key: &str) -> bool {
        self.overlay.refill(mapping, key, SAMPLES) || self.strike(mapping)
    }

    /// Strikes a node out, or what it stands in if that is of no use; false at the root.
    fn strike(&mut self, id: u32) -> bool {
        id != self.root.id && self.overlay.strike(id)
    }

    fn record_key(&mut self, kind: &Kind, id: u32) {
        let trail = self.root.trail(id);
        let place =
            trail.key.map_or_else(|| trail.node.place(self.file), |key| key.place(self.file));
        let words = match kind {
            // A key that is a word of a closed list, or a number.
            Kind::UnknownWord { word, allowed } => {
                say(&Kind::UnknownKey { key: word.clone(), allowed }, &trail)
            }
            Kind::Mismatch { .. } | Kind::Other(_) | Kind::MissingKey(_) => {
                Words { message: "the key does not have the expected form".to_owned(), hint: None }
            }
            Kind::UnknownKey { .. } => say(kind, &trail),
        };
        let at = trail.owner_dotted();
        self.record(Problem { place, at, message: words.message, hint: words.hint });
    }

    fn record_value(&mut self, words: Words, id: u32) {
        let trail = self.root.trail(id);
        let place = trail.node.place(self.file);
        let at = trail.dotted();
        if !at.is_empty() && self.told(&at) {
            self.told_before = true;
            return;
        }
        self.record(Problem { place, at, message: words.message, hint: words.hint });
    }

    /// Whether this place of this file has been complained of already.
    fn told(&self, at: &str) -> bool {
        self.known.iter().any(|known| known.at == at && known.place.file == self.file)
    }

    fn record_missing<T: DeserializeOwned>(&mut self, node: &Node, key: &'static str) {
        let mut others = node.entries().filter(|(_, value)| !self.overlay.is_struck(value));
        let misspelt = others.find(|(own, _)| nearest(own.text(), [TAG]).is_some());
        if let (TAG, Some((own, value))) = (key, misspelt) {
            let fault = Kind::UnknownKey { key: own.text().to_owned(), allowed: &[TAG] };
            self.record_key(&fault, value.id);
            return;
        }
        let trail = self.root.trail(node.id);
        // A mapping starts at its first entry; what lacks the key is the name above it.
        let place = trail.key.map_or_else(|| node.place(self.file), |key| key.place(self.file));
        let mut problem = Problem::new(place, trail.dotted(), format!("missing key '{key}'"));
        if key == TAG {
            problem.hint = self.kinds_of::<T>(node);
        }
        // Several keys may be missing at one place.
        self.found.push(problem);
    }

    /// The kinds that a tagged enum has, asked for by giving it a wrong one.
    fn kinds_of<T: DeserializeOwned>(&mut self, node: &Node) -> Option<String> {
        self.overlay.fill(node.id, TAG);
        let outcome = T::deserialize(View { node: self.root, overlay: &self.overlay });
        self.overlay.refill(node.id, TAG, 0);
        match outcome.err()?.kind {
            Kind::UnknownWord { allowed, .. } => Some(list_of(allowed)),
            _ => None,
        }
    }

    fn record(&mut self, problem: Problem) {
        if self.known.iter().any(|known| known.place == problem.place) {
            self.told_before = true;
        } else {
            self.found.push(problem);
        }
    }
}
