//! Records that keep their contract, and records that do not.

mod arrays;
mod replay;
mod strict;
mod texts;
mod validity;

use super::*;
use crate::decode::Picks;
use crate::decode::json::decode;
use crate::model::area::AreaList;
use crate::model::contract::Contract;
use crate::model::dictionary::Dictionaries;
use crate::model::drift::Kind;
use crate::model::list::CodeList;
use crate::model::schema::Lists;

const CONTRACT: &str = "
contract: dossiers
version: 3
title: {vi: Hồ sơ, en: Dossiers}
accountable_unit: u
purpose: p
legal_basis: l
retention: 5y
key: [dossier]
version_by: updated_at
area: area
area_at: received_at
retracted: deleted
sla: {fresh_within: 30m}
properties:
  dossier: {type: identifier}
  area: {type: area}
  channel: {type: code, list: channel, empty: counter}
  procedure: {type: code, list: procedure, unknown: other}
  deleted: {type: boolean}
  due_at: {type: timestamp, future: true}
  fee: {type: decimal, decimals: 1, min: 0, max: 100}
  finished_at: {type: timestamp}
  received_at: {type: timestamp, required: true}
  updated_at: {type: timestamp, required: true}
quality:
  - {check: 'finished_at == null || finished_at >= received_at', otherwise: quarantine}
  - {check: 'fee != 13', otherwise: warn}
measures: {}
";

const MAP: &str = "
dossier: /id
area: /xa
channel: {at: /kenh, values: {QUAY: counter}}
procedure: {at: /tthc, strip_suffix: .H41}
deleted: /xoa
due_at: {at: /han, format: [yyyyMMddHHmmss, dd/MM/yyyy]}
fee: /phi
finished_at: {at: /xong, format: yyyyMMddHHmmss}
received_at: {at: /nhan, format: yyyyMMddHHmmss}
updated_at: {at: /capnhat, format: yyyyMMddHHmmss}
";

const CHANNELS: &str = "code,wire,vi,en\nonline,2,a,a\ncounter,1,b,b\n";

fn normaliser() -> Normaliser {
    normaliser_of(CONTRACT, MAP, CHANNELS)
}

pub(super) fn normaliser_of(contract: &str, map: &str, channels: &str) -> Normaliser {
    let mut words = Dictionaries::default();
    let channel = CodeList::read("channel", channels, &mut words).unwrap();
    let procedure =
        CodeList::read("procedure", "code,vi,en\n1.000001,a,a\nother,b,b\n", &mut words).unwrap();
    let lists = Lists::from([
        ("channel".to_owned(), Arc::new(channel)),
        ("procedure".to_owned(), Arc::new(procedure)),
    ]);
    let day = |text| Day::parse(text).unwrap();
    let areas = [
        AreaList {
            name: "z",
            text: "code,name\n16681,Small\n16999,Gone\n",
            from: day("2000-01-01"),
            until: Some(day("2024-03-01")),
        },
        AreaList {
            name: "a",
            text: "code,name\n16681,Small\n",
            from: day("2024-03-01"),
            until: Some(day("2025-07-01")),
        },
        AreaList {
            name: "b",
            text: "code,name\n16681,Big\n",
            from: day("2025-07-01"),
            until: None,
        },
    ];
    let areas =
        Arc::new(Areas::read(&areas, "old_code,new_code\n16681,16681\n", &mut words).unwrap());
    let contract: Contract = serde_saphyr::from_str(contract).unwrap();
    let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
    let map = coerced(&serde_saphyr::from_str(map).unwrap(), &Coercion::ALL_TEXT);
    Normaliser::compile(&schema, &areas, &map, KeyHasher::new(b"k", "dossiers")).unwrap()
}

fn normalise(records: &str) -> Normalised {
    normalise_by(&normaliser(), records)
}

fn normalise_by(normaliser: &Normaliser, records: &str) -> Normalised {
    let picks = Picks::new(Some(""), normaliser.pointers(), &[]).unwrap();
    let now = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap();
    normaliser.page(
        &decode(records.as_bytes(), &picks).unwrap().records,
        Surroundings { now, target: None },
    )
}

/// A good record with some fields replaced; null takes a field away.
fn record(changes: &serde_json::Value) -> String {
    let mut record = serde_json::json!({"id": "H41-1", "xa": "16681", "kenh": "2", "tthc": "1.000001.H41", "xoa": false,
        "han": "20240501000000", "phi": "12.5", "xong": "", "nhan": "20240401080000", "capnhat": "20240402080000"});
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    format!("[{record}]")
}

#[test]
fn a_good_record_becomes_a_typed_row() {
    let out = normalise(&record(&serde_json::json!({})));
    assert!(out.rejects.is_empty(), "{:?}", out.rejects);
    let normaliser = normaliser();
    let slot = |name: &str| out.observations.row(0)[normaliser.schema.slot(name).unwrap()];
    assert_eq!(slot("fee"), 125);
    assert_eq!(slot("finished_at"), NULL);
    assert_eq!(Stamp(slot("received_at")).rfc3339(), "2024-04-01T08:00:00+07:00");
    assert_eq!(normaliser.areas.get(slot("area") as u16).unwrap().name, "Small");
    assert_eq!(slot("dossier"), NULL, "an identifier stays in the key alone");
}

#[test]
fn codes_are_found_by_map_list_and_default() {
    let normaliser = normaliser();
    let list =
        normaliser.schema.fields[normaliser.schema.slot("channel").unwrap()].list.clone().unwrap();
    for (wire, code) in [
        ("\"2\"", "online"),
        ("2", "online"),
        ("\"QUAY\"", "counter"),
        ("\"\"", "counter"),
        ("null", "counter"),
    ] {
        let out = normalise(&record(
            &serde_json::json!({"kenh": serde_json::from_str::<serde_json::Value>(wire).unwrap()}),
        ));
        assert_eq!(
            out.observations.row(0)[normaliser.schema.slot("channel").unwrap()],
            i64::from(list.number(code).unwrap()),
            "{wire}"
        );
    }
    let out = normalise(&record(&serde_json::json!({"tthc": "9.999999"})));
    assert_eq!((out.observations.len(), out.audit.unknown_codes["procedure"]), (1, 1));
}

#[test]
fn every_kind_of_bad_record_is_kept_with_its_reason() {
    let cases = [
        (serde_json::json!({"nhan": ""}), Reason::Missing, "received_at"),
        (serde_json::json!({"id": ""}), Reason::Missing, "dossier"),
        (serde_json::json!({"id": null}), Reason::Missing, "dossier"),
        (serde_json::json!({"id": true}), Reason::WrongType, "dossier"),
        (serde_json::json!({"xa": ""}), Reason::Missing, "area"),
        (serde_json::json!({"nhan": "2024-04-01"}), Reason::WrongType, "received_at"),
        (serde_json::json!({"nhan": {"a": 1}}), Reason::WrongType, "received_at"),
        (serde_json::json!({"phi": "muoi hai"}), Reason::WrongType, "fee"),
        (serde_json::json!({"phi": "12,5"}), Reason::WrongType, "fee"),
        (serde_json::json!({"phi": 12.55}), Reason::WrongType, "fee"),
        (serde_json::json!({"phi": 100.1}), Reason::OutOfRange, "fee"),
        (serde_json::json!({"nhan": "19700101000000"}), Reason::OutOfRange, "received_at"),
        (serde_json::json!({"capnhat": "20240402121001"}), Reason::FutureDated, "updated_at"),
        (serde_json::json!({"han": "99990101000000"}), Reason::OutOfRange, "due_at"),
        (serde_json::json!({"kenh": "7"}), Reason::UnknownCode, "channel"),
        (serde_json::json!({"xa": "99999"}), Reason::UnknownArea, "area"),
        (serde_json::json!({"xa": "16999"}), Reason::AreaWithoutSuccessor, "area"),
        (serde_json::json!({"xoa": "maybe"}), Reason::WrongType, "deleted"),
        (
            serde_json::json!({"xong": "20240331000000"}),
            Reason::CheckFailed,
            "finished_at == null || finished_at >= received_at",
        ),
    ];
    for (changes, reason, rule) in cases {
        let out = normalise(&record(&changes));
        assert_eq!(out.observations.len(), 0, "{changes}");
        assert_eq!(
            (out.rejects[0].reason, out.rejects[0].rule.as_str()),
            (reason, rule),
            "{changes}"
        );
    }
    // On a day on which the code was in force there is nothing wrong with it.
    let then = serde_json::json!({"xa": "16999", "nhan": "20240229080000"});
    assert_eq!(normalise(&record(&then)).observations.len(), 1);
    let out = normalise("[5, {\"id\":\"a\",\"id\":\"b\"}]");
    assert!(
        out.rejects.len() == 2
            && out.rejects.iter().all(|reject| reject.reason == Reason::Malformed)
    );
}

/// S19: clocks that are ahead; stamps without a zone, of 1970 and of 9999 stand in
/// `tests/malformed/dates.tsv`.
#[test]
fn a_clock_ten_minutes_ahead_is_still_believed_and_a_promise_may_lie_ahead() {
    let out =
        normalise(&record(&serde_json::json!({"capnhat": "20240402121000", "han": "01/05/2030"})));
    assert_eq!(out.observations.len(), 1);
}

#[test]
fn one_bad_record_stops_no_other() {
    let good = record(&serde_json::json!({}));
    let bad = record(&serde_json::json!({"xa": "99999", "id": "H41-2"}));
    let page = format!(
        "[{},{},{}]",
        &good[1..good.len() - 1],
        &bad[1..bad.len() - 1],
        &good[1..good.len() - 1]
    );
    let out = normalise(&page);
    assert_eq!((out.observations.len(), out.rejects.len()), (2, 1));
}

#[test]
fn a_failed_warning_is_counted_and_the_record_accepted() {
    let out = normalise(&record(&serde_json::json!({"phi": 13})));
    assert_eq!((out.observations.len(), out.audit.warnings.values().sum::<u64>()), (1, 1));
}

#[test]
fn a_withdrawal_needs_no_more_than_key_and_version() {
    let out = normalise("[{\"id\":\"H41-1\",\"xoa\":true,\"capnhat\":\"20240402080000\"}]");
    assert_eq!(out.observations.retracted, [true]);
    let out = normalise("[{\"id\":\"H41-1\",\"xoa\":true}]");
    assert_eq!(out.rejects.len(), 1);
}

#[test]
fn a_reject_shows_shapes_and_keeps_identifiers_only_as_hashes() {
    let out = normalise(&record(&serde_json::json!({"id": "H41.SECRET-77", "xa": "99999"})));
    let reject = &out.rejects[0];
    assert!(reject.shape.contains("\"area\":\"text\"") && !reject.shape.contains("99999"));
    assert!(!format!("{reject:?}").contains("SECRET"));
    assert!(reject.held.contains("99999"), "what a replay needs is kept");
    assert_eq!(
        reject.fingerprint,
        normalise(&record(&serde_json::json!({"id": "H41.SECRET-77", "xa": "99999"}))).rejects[0]
            .fingerprint
    );
    assert_ne!(
        reject.fingerprint,
        normalise(&record(&serde_json::json!({"id": "H41.SECRET-78", "xa": "99999"}))).rejects[0]
            .fingerprint
    );
}

#[test]
fn a_map_that_does_not_fit_its_contract_is_refused_with_every_problem() {
    let normaliser = normaliser();
    let map = "{dossier: /id, area: {label: xa, poll: up}, channel: {at: /kenh, values: {a: b}}, received_at: /nhan, colour: /x, fee: {at: /f, format: rfc3339}}";
    let map = serde_saphyr::from_str(map).unwrap();
    let problems =
        Normaliser::compile(&normaliser.schema, &normaliser.areas, &map, normaliser.hasher.clone())
            .unwrap_err();
    let mut names: Vec<_> = problems.iter().map(|problem| problem.0.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["area", "channel", "colour", "fee", "received_at", "updated_at"]);
}

#[test]
fn a_page_tells_what_it_showed_about_its_contract_without_values() {
    let one = |changes: serde_json::Value| {
        let text = record(&changes);
        text[1..text.len() - 1].to_owned()
    };
    let page = [
        one(serde_json::json!({})),
        one(serde_json::json!({"nhan": null, "la": "CANARY", "la2": {"CANARY": 1}})),
        one(serde_json::json!({"kenh": "CANARY"})),
        one(serde_json::json!({"kenh": "CANARY", "la": "CANARY"})),
        one(serde_json::json!({"tthc": "CANARY"})),
        one(serde_json::json!({"phi": 13})),
        "7".to_owned(),
    ];
    let audit = normalise(&format!("[{}]", page.join(","))).audit;
    assert_eq!((audit.records, audit.rejects, audit.unmapped), (7, 4, Some(2)));
    let flaws = [
        ((Kind::Missing, "received_at".to_owned()), 1),
        ((Kind::WrongType, String::new()), 1),
        ((Kind::NewCode, "channel".to_owned()), 2),
        ((Kind::NewCode, "procedure".to_owned()), 1),
    ];
    assert_eq!(audit.flaws, flaws.into());
    assert_eq!(audit.unknown_codes, [("procedure".to_owned(), 1)].into());
    assert_eq!(audit.warnings, [("fee != 13".to_owned(), 1)].into());
    assert!(!format!("{audit:?}").contains("CANARY"));
}

#[test]
fn unmapped_fields_are_counted_in_the_first_records_of_a_page_only() {
    let plain = record(&serde_json::json!({}));
    let more = record(&serde_json::json!({"la": 1, "la2": 2}));
    let (plain, more) = (&plain[1..plain.len() - 1], &more[1..more.len() - 1]);
    let page = |before: usize| {
        let records: Vec<&str> = std::iter::repeat_n(plain, before).chain([more]).collect();
        normalise(&format!("[{}]", records.join(","))).audit.unmapped
    };
    assert_eq!((page(15), page(16)), (Some(2), Some(0)));
    assert_eq!(normalise("[]").audit.unmapped, None);
}

#[test]
fn a_record_that_fails_a_check_that_refuses_pages_ends_its_page() {
    let strict =
        CONTRACT.replace("'fee != 13', otherwise: warn", "'fee != 13', otherwise: reject_page");
    let normaliser = normaliser_of(&strict, MAP, CHANNELS);
    let picks = Picks::new(Some(""), normaliser.pointers(), &[]).unwrap();
    let now = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap();
    let page = record(&serde_json::json!({"phi": 13}));
    let decoded = decode(page.as_bytes(), &picks).unwrap();
    let out = normaliser.page(&decoded.records, Surroundings { now, target: None });
    assert_eq!(out.audit.refused_by.as_deref(), Some("fee != 13"));
    assert_eq!((out.observations.len(), out.rejects.len()), (0, 0));
    // A withdrawn record is not judged: what it says no longer matters.
    let page = record(&serde_json::json!({"phi": 13, "xoa": true}));
    let decoded = decode(page.as_bytes(), &picks).unwrap();
    let out = normaliser.page(&decoded.records, Surroundings { now, target: None });
    assert_eq!(out.audit.refused_by, None);
}
