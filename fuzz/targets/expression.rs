//! Expressions over a record: refused with their place, or right for every row without a panic.
#![no_main]

use std::sync::{Arc, LazyLock};

use ioc_gateway::model::contract::Contract;
use ioc_gateway::model::dictionary::Dictionaries;
use ioc_gateway::model::expr;
use ioc_gateway::model::list::CodeList;
use ioc_gateway::model::row::NULL;
use ioc_gateway::model::schema::{Lists, Schema};
use libfuzzer_sys::fuzz_target;

const CONTRACT: &str = "
{contract: c, version: 1, title: {vi: c, en: c}, accountable_unit: u, purpose: p, legal_basis: l,
 retention: 1y, key: [k], version_by: t, area: a, sla: {fresh_within: 1h}, measures: {},
 properties: {k: {type: identifier}, a: {type: area}, t: {type: timestamp}, u: {type: timestamp},
  d: {type: date}, i: {type: integer}, x: {type: decimal, decimals: 2}, b: {type: boolean},
  c: {type: code, list: l}}}";

static SCHEMA: LazyLock<(Schema, Dictionaries)> = LazyLock::new(|| {
    let mut words = Dictionaries::default();
    let list = CodeList::read("l", "code,vi,en,group\nm,m,m,g\nn,n,n,\n", &mut words);
    let lists = Lists::from([("l".to_owned(), Arc::new(list.expect("the list is right")))]);
    let contract: Contract = serde_saphyr::from_str(CONTRACT).expect("the contract is right");
    let schema = Schema::compile(&contract, &lists, &words).expect("the contract is right");
    (schema, words)
});

/// Rows at the edges of what a slot holds.
const EDGES: [i64; 7] = [NULL, NULL + 1, -1, 0, 1, 1_700_000_000, i64::MAX];

fuzz_target!(|text: &str| {
    if let Err(flaw) = expr::parse(text) {
        assert!(flaw.offset <= text.chars().count() && !flaw.message.is_empty());
    }
    let (schema, words) = &*SCHEMA;
    let compiled = [schema.condition(text, words), schema.expression(text, words)];
    for expr in compiled.into_iter().flatten() {
        for i in 0..EDGES.len() {
            let slots = schema.fields.len();
            let row: Vec<i64> = (0..slots).map(|slot| EDGES[(i + slot) % EDGES.len()]).collect();
            let first = (expr.holds(&row), expr.value(&row));
            assert_eq!(first, (expr.holds(&row), expr.value(&row)));
        }
    }
});
