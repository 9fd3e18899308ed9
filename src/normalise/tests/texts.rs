//! Text properties and derived ones, from the wire to the row.

use super::*;
use crate::model::declared::{self, OTHER};
use crate::model::observation::PROVISIONAL;

const EXTRA: &str = "
  late: {type: text, max_length: 8}
derived:
  days: {type: integer, value: '(finished_at - received_at) / 86400'}
  dear: {type: boolean, value: 'costs > 2.5 && late != null'}
  costs: {type: decimal, decimals: 2, value: 'fee / 2'}
  again_at: {type: timestamp, value: \"finished_at + duration('24h')\"}
  never_at: {type: timestamp, value: 'updated_at + 9000000000'}
  known: {type: boolean, value: \"late in ['rain', 'flood']\"}
quality:
  - {check: 'days == null || days < 300', otherwise: quarantine}
";

fn normaliser() -> Normaliser {
    let known = super::normaliser();
    let mut words = Dictionaries::default();
    let lists = ["channel", "procedure"].map(|name| {
        let text = "code,wire,vi,en\nonline,2,a,a\ncounter,1,b,b\nother,0,c,c\n";
        let list = CodeList::read(name, text, &mut words).unwrap();
        (name.to_owned(), Arc::new(list))
    });
    let text = CONTRACT.replace("\nquality:", EXTRA).replace(
        "- {check: 'finished_at == null || finished_at >= received_at', otherwise: quarantine}\n  ",
        "",
    );
    let contract: Contract = serde_saphyr::from_str(&text).unwrap();
    declared::texts(&contract, &mut words);
    let schema = Arc::new(Schema::compile(&contract, &lists.into(), &words).unwrap());
    let map = format!("{MAP}late: /tre\n");
    let map = coerced(&serde_saphyr::from_str(&map).unwrap(), &Coercion::ALL_TEXT);
    Normaliser::compile(&schema, &known.areas, &map, known.hasher).unwrap()
}

fn normalise(records: &str) -> Normalised {
    let normaliser = normaliser();
    let picks = Picks::new(Some(""), normaliser.pointers(), &[]).unwrap();
    let now = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap();
    let decoded = decode(records.as_bytes(), &picks).unwrap();
    normaliser.page(&decoded.records, Surroundings { now, target: None })
}

fn slot(out: &Normalised, row: usize, name: &str) -> i64 {
    out.observations.row(row)[normaliser().schema.slot(name).unwrap()]
}

#[test]
fn a_text_is_bounded_and_has_one_spelling() {
    let cases = [
        (" rain ", Ok(())),
        ("", Ok(())),
        ("12345678", Ok(())),
        ("đường12", Ok(())),
        ("duo\u{31b}\u{300}ng123", Ok(())),
        ("123456789", Err(Reason::OutOfRange)),
        ("a\u{0}b", Err(Reason::WrongType)),
        ("a\nb", Err(Reason::WrongType)),
    ];
    for (text, expected) in cases {
        let out = normalise(&record(&serde_json::json!({"tre": text})));
        let found = out.rejects.first().map_or(Ok(()), |reject| Err(reject.reason));
        assert_eq!(found, expected, "{text:?}");
    }
    let out = normalise(&record(&serde_json::json!({"tre": true})));
    assert_eq!((out.rejects[0].reason, out.rejects[0].rule.as_str()), (Reason::WrongType, "late"));
}

#[test]
fn known_texts_have_numbers_and_new_ones_wait_for_theirs() {
    let records: Vec<_> = ["flood", "wind", "rain", "wi\u{6e}d", OTHER, "snow", ""]
        .iter()
        .map(|text| {
            serde_json::from_str::<serde_json::Value>(&record(&serde_json::json!({"tre": text})))
                .unwrap()
        })
        .map(|page| page[0].clone())
        .collect();
    let out = normalise(&serde_json::Value::from(records).to_string());
    let found: Vec<_> = (0..7).map(|row| slot(&out, row, "late")).collect();
    assert_eq!(found, [3, PROVISIONAL, 2, PROVISIONAL, 1, PROVISIONAL + 1, NULL]);
    assert_eq!(out.observations.unseen[0].words, ["wind", "snow"]);
    let known: Vec<_> = (0..7).map(|row| slot(&out, row, "known")).collect();
    assert_eq!(known, [1, 0, 1, 0, 0, 0, 0], "a literal is known before it ever came");
}

#[test]
fn derived_properties_follow_from_the_others_in_any_order() {
    let out = normalise(&record(
        &serde_json::json!({"xong": "20240402080100", "phi": 12.5, "tre": "rain"}),
    ));
    assert!(out.rejects.is_empty(), "{:?}", out.rejects);
    assert_eq!(slot(&out, 0, "days"), 1);
    assert_eq!(slot(&out, 0, "costs"), 620, "whole steps of the fee's decimals, cut towards zero");
    assert_eq!(slot(&out, 0, "dear"), 1);
    assert_eq!(Stamp(slot(&out, 0, "again_at")).rfc3339(), "2024-04-03T08:01:00+07:00");
    assert_eq!(slot(&out, 0, "never_at"), NULL, "beyond what a row can hold");
    let out = normalise(&record(&serde_json::json!({})));
    assert_eq!((slot(&out, 0, "days"), slot(&out, 0, "again_at")), (NULL, NULL));
    assert_eq!(slot(&out, 0, "dear"), 0);
}

#[test]
fn a_check_may_speak_of_what_is_derived_and_a_map_may_not() {
    let changes = serde_json::json!({"nhan": "20230401080000", "xong": "20240402080100"});
    let out = normalise(&record(&changes));
    assert_eq!(out.rejects[0].rule, "days == null || days < 300");
    assert!(!out.rejects[0].held.contains("days"), "it is computed again");
    let known = normaliser();
    let map = serde_saphyr::from_str(&format!("{MAP}late: /tre\ndays: /ngay\n")).unwrap();
    let problems =
        Normaliser::compile(&known.schema, &known.areas, &map, known.hasher.clone()).unwrap_err();
    assert_eq!(problems, [("days".to_owned(), "'days' is derived and not mapped".to_owned())]);
}

#[test]
fn derived_properties_that_cannot_mean_anything_are_refused_with_their_places() {
    let cases = [
        ("a: {type: integer, value: b}\n  b: {type: integer, value: 'a + 1'}", "derived.a.value"),
        ("a: {type: integer, value: a}", "derived.a.value"),
        ("a: {type: integer, value: 'fee'}", "derived.a.value"),
        ("a: {type: decimal, value: 'fee'}", "derived.a.value"),
        ("a: {type: decimal, decimals: 10, value: 'fee'}", "derived.a.decimals"),
        ("a: {type: boolean, value: 'fee + 1'}", "derived.a.value"),
        ("a: {type: boolean, value: 'fee > nothing'}", "derived.a.value@6"),
        ("a: {type: boolean, value: 'fee >'}", "derived.a.value@5"),
        ("a: {type: code, value: channel}", "derived.a.type"),
        ("fee: {type: boolean, value: 'true'}", "derived.fee"),
        ("A: {type: boolean, value: 'true'}", "derived.A"),
    ];
    for (derived, place) in cases {
        let text = CONTRACT.replace("\nquality:", &format!("\nderived:\n  {derived}\nquality:"));
        let contract: Contract = serde_saphyr::from_str(&text).unwrap();
        let mut words = Dictionaries::default();
        let lists = ["channel", "procedure"].map(|name| {
            let text = "code,vi,en\ncounter,b,b\nother,c,c\n";
            (name.to_owned(), Arc::new(CodeList::read(name, text, &mut words).unwrap()))
        });
        let problems = Schema::compile(&contract, &lists.into(), &words).unwrap_err();
        assert_eq!(problems[0].0, place, "{derived}: {problems:?}");
    }
}
