//! Contracts as stewards write them: read, checked and refused in words, with every problem placed.
#![no_main]

use ioc_gateway::config::yaml;
use ioc_gateway::model::contract::Contract;
use ioc_gateway::model::dictionary::Dictionaries;
use ioc_gateway::model::schema::{Lists, Schema};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut problems = Vec::new();
    let Some(mut node) = yaml::parse(text, "f.yaml", &mut problems) else {
        assert!(!problems.is_empty(), "refused without a word");
        return;
    };
    yaml::refuse_inline_secrets(&node, "f.yaml", &mut problems);
    yaml::interpolate(&mut node, "f.yaml", &|_| None, &mut problems);
    let contract = yaml::decode::<Contract>(&node, "f.yaml", &mut problems);
    assert!(contract.is_some() || !problems.is_empty(), "refused without a word");
    let lines = text.split(['\n', '\r']).count() as u32;
    assert!(problems.iter().all(|problem| problem.place.line <= lines + 1));
    let Some(contract) = contract else { return };
    let words = Dictionaries::default();
    if let Err(problems) = Schema::compile(&contract, &Lists::new(), &words) {
        assert!(!problems.is_empty(), "refused without a word");
    }
});
