//! Arrays inside a record, reduced: every reduction by example, and everything an array may be.

use super::*;

const CONTRACT: &str = "
contract: dossiers
version: 1
title: {vi: Hồ sơ, en: Dossiers}
accountable_unit: u
purpose: p
legal_basis: l
retention: 5y
key: [dossier]
version_by: updated_at
area: area
sla: {fresh_within: 30m}
properties:
  dossier: {type: identifier}
  area: {type: area}
  updated_at: {type: timestamp}
  has_fee: {type: boolean}
  open_fees: {type: integer, max: 5}
  priced: {type: integer}
  fees: {type: decimal, decimals: 2, min: 0, max: 1000000}
  least: {type: decimal, decimals: 2}
  most: {type: decimal, decimals: 2}
  all_paid: {type: boolean}
  any_late: {type: boolean}
  all_small: {type: boolean}
  first_asked: {type: timestamp}
  last_way: {type: code, list: channel}
  notes: {type: integer}
  scores: {type: integer}
measures: {}
";

const MAP: &str = "
dossier: /id
area: /xa
updated_at: {at: /capnhat, format: yyyyMMddHHmmss}
has_fee: {at: /phi, reduce: any}
open_fees: {at: /phi, reduce: count, where: {/trangthai: ['0', '']}}
priced: {at: /phi, item: /gia, reduce: count}
fees: {at: /phi, item: /gia, reduce: sum}
least: {at: /phi, item: /gia, reduce: min}
most: {at: /phi, item: /gia, reduce: max}
all_paid: {at: /phi, reduce: all, where: {/trangthai: [1]}}
any_late: {at: /phi, item: /tre, reduce: any, values: {CO: true, KHONG: false}}
all_small: {at: /phi, item: /nho, reduce: all}
first_asked: {at: /bosung, item: /luc, reduce: first, format: yyyyMMddHHmmss}
last_way: {at: /bosung, item: /kenh, reduce: last}
notes: {at: /a/ghi, reduce: count}
scores: {at: /diem, item: '', reduce: max}
";

fn normaliser() -> Normaliser {
    let known = super::normaliser();
    let mut words = Dictionaries::default();
    let text = "code,wire,vi,en\nonline,2,a,a\ncounter,1,b,b\n";
    let channel = CodeList::read("channel", text, &mut words).unwrap();
    let lists = Lists::from([("channel".to_owned(), Arc::new(channel))]);
    let contract: Contract = serde_saphyr::from_str(CONTRACT).unwrap();
    let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
    let map = coerced(&serde_saphyr::from_str(MAP).unwrap(), &Coercion::ALL_TEXT);
    Normaliser::compile(&schema, &known.areas, &map, known.hasher).unwrap()
}

fn normalise(fields: &str) -> Normalised {
    let normaliser = normaliser();
    let picks = Picks::new(Some(""), normaliser.pointers(), &[])
        .unwrap()
        .with_arrays(normaliser.arrays())
        .unwrap();
    let page =
        format!("[{{\"id\":\"H41-1\",\"xa\":\"16681\",\"capnhat\":\"20240402080000\",{fields}}}]");
    let now = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap();
    let decoded = decode(page.as_bytes(), &picks).unwrap();
    assert!(!format!("{decoded:?}").contains("CANARY"), "{decoded:?}");
    normaliser.page(&decoded.records, Surroundings { now, target: None })
}

/// What each reduced property is; null is `None`.
fn values(fields: &str) -> Vec<(&'static str, Option<i64>)> {
    let out = normalise(fields);
    assert!(out.rejects.is_empty(), "{fields}: {:?}", out.rejects);
    let schema = normaliser().schema;
    let names = [
        "has_fee",
        "open_fees",
        "priced",
        "fees",
        "least",
        "most",
        "all_paid",
        "any_late",
        "all_small",
        "first_asked",
        "last_way",
        "notes",
        "scores",
    ];
    let value = |name| out.observations.row(0)[schema.slot(name).unwrap()];
    names.map(|name| (name, Some(value(name)).filter(|value| *value != NULL))).to_vec()
}

fn reject(fields: &str) -> (Reason, String) {
    let out = normalise(fields);
    assert_eq!(out.observations.len(), 0, "{fields}");
    (out.rejects[0].reason, out.rejects[0].rule.clone())
}

#[test]
fn every_reduction_says_what_its_word_says() {
    let found = values(
        r#""phi":[{"gia":"12.5","trangthai":"1","tre":"KHONG","nho":"1","ten":"CANARY-NAME"},
                  {"gia":7,"trangthai":"0","tre":"CO","nho":true},
                  {"trangthai":"1","tre":null,"nho":"1"}],
           "bosung":[{"luc":"20240401080000","kenh":"2"},{"luc":"20240401090000","kenh":1}],
           "a":{"ghi":["CANARY-NOTE",{"x":1},null,[2]]},"diem":[3,"9",null,-1]"#,
    );
    let asked = Stamp::parse("2024-04-01T08:00:00+07:00").unwrap().0;
    let expected = [
        ("has_fee", Some(1)),
        ("open_fees", Some(1)),
        ("priced", Some(2)),
        ("fees", Some(1950)),
        ("least", Some(700)),
        ("most", Some(1250)),
        ("all_paid", Some(0)),
        ("any_late", Some(1)),
        ("all_small", Some(1)),
        ("first_asked", Some(asked)),
        ("last_way", Some(2)),
        ("notes", Some(4)),
        ("scores", Some(9)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_empty_array_is_not_the_same_as_none() {
    let empty = values(r#""phi":[],"bosung":[],"a":{"ghi":[]},"diem":[]"#);
    let expected = [
        ("has_fee", Some(0)),
        ("open_fees", Some(0)),
        ("priced", Some(0)),
        ("fees", Some(0)),
        ("least", None),
        ("most", None),
        ("all_paid", Some(1)),
        ("any_late", Some(0)),
        ("all_small", Some(1)),
        ("first_asked", None),
        ("last_way", None),
        ("notes", Some(0)),
        ("scores", None),
    ];
    assert_eq!(empty, expected);
    for fields in [
        r#""x":1"#,
        r#""phi":null,"bosung":null,"a":{"ghi":null},"diem":null"#,
        r#""phi":"","bosung":" ","a":{},"diem":"""#,
        r#""a":null"#,
    ] {
        assert!(values(fields).iter().all(|(_, value)| value.is_none()), "{fields}");
    }
}

#[test]
fn items_without_a_value_are_passed_over_and_make_all_false() {
    let found = values(r#""phi":[{"gia":null,"nho":true},{"gia":""},{}]"#);
    let of = |name: &str| found.iter().find(|(found, _)| *found == name).unwrap().1;
    assert_eq!((of("priced"), of("fees"), of("least")), (Some(0), Some(0), None));
    assert_eq!(of("all_small"), Some(0));
    assert_eq!(of("open_fees"), Some(3), "no state is the empty text");
    let refund = values(r#""phi":[{"gia":-5},{"gia":"20.01"}]"#);
    assert_eq!(refund[3], ("fees", Some(1501)), "bounds are the sum's, not each item's");
}

#[test]
fn what_is_wrong_inside_an_array_is_told_of_the_property() {
    let cases = [
        (r#""phi":{"gia":1}"#, Reason::WrongType, "all_paid"),
        (r#""phi":"CANARY""#, Reason::WrongType, "all_paid"),
        (r#""phi":5"#, Reason::WrongType, "all_paid"),
        (r#""phi":true"#, Reason::WrongType, "all_paid"),
        (r#""phi":[{"gia":1},7]"#, Reason::WrongType, "all_paid"),
        (r#""phi":[null]"#, Reason::WrongType, "all_paid"),
        (r#""phi":[{"gia":"1e3"}]"#, Reason::WrongType, "fees"),
        (r#""phi":[{"gia":[1]}]"#, Reason::WrongType, "fees"),
        (r#""phi":[{"gia":1.005}]"#, Reason::WrongType, "fees"),
        (
            r#""phi":[{"gia":92233720368547758},{"gia":92233720368547758}]"#,
            Reason::OutOfRange,
            "fees",
        ),
        (r#""phi":[{"gia":-1}]"#, Reason::OutOfRange, "fees"),
        (r#""phi":[{"gia":999999},{"gia":1.01}]"#, Reason::OutOfRange, "fees"),
        (r#""phi":[{"tre":"maybe"}]"#, Reason::WrongType, "any_late"),
        (r#""phi":[{},{},{},{},{},{}]"#, Reason::OutOfRange, "open_fees"),
        (r#""bosung":[{"kenh":"7"},{"kenh":"2"}]"#, Reason::UnknownCode, "last_way"),
        (r#""bosung":[{"luc":"2024-04-01"}]"#, Reason::WrongType, "first_asked"),
        (r#""diem":[[1]]"#, Reason::WrongType, "scores"),
        (r#""diem":[1.5]"#, Reason::WrongType, "scores"),
    ];
    for (fields, reason, property) in cases {
        assert_eq!(reject(fields), (reason, property.to_owned()), "{fields}");
    }
}

#[test]
fn an_array_that_nobody_can_read_whole_makes_its_record_malformed() {
    let items = |count: usize| vec!["1"; count].join(",");
    assert_eq!(values(&format!("\"diem\":[{}]", items(1000)))[12], ("scores", Some(1)));
    let malformed = (Reason::Malformed, String::new());
    assert_eq!(reject(&format!("\"diem\":[{}]", items(1001))), malformed);
    assert_eq!(reject(r#""phi":[{"gia":1,"gia":2}]"#), malformed);
    assert_eq!(reject(r#""phi":[],"phi":[]"#), malformed);
    assert_eq!(
        values(r#""phi":[{"ten":1,"ten":2}]"#)[0],
        ("has_fee", Some(1)),
        "nobody looks there"
    );
}

#[test]
fn a_page_has_a_limit_of_items_too() {
    let normaliser = normaliser();
    let picks = Picks::new(Some(""), normaliser.pointers(), &[]).unwrap();
    let picks = picks.with_arrays(normaliser.arrays()).unwrap();
    let record = format!("{{\"diem\":[{}]}}", vec!["1"; 1000].join(","));
    let page = format!("[{}]", vec![record; 7].join(","));
    let records = decode(page.as_bytes(), &picks).unwrap().records;
    assert_eq!((records.count, records.malformed), (7, vec![5, 6]));
}

#[test]
fn a_rejects_array_is_shown_by_its_shape_and_held_by_what_is_mapped() {
    let out = super::arrays::normalise(
        r#""phi":[{"gia":"x","ten":"CANARY-NAME"},{"gia":"2","trangthai":"1"}]"#,
    );
    let reject = &out.rejects[0];
    assert!(reject.shape.contains("\"fees\":\"array\""), "{}", reject.shape);
    assert!(!reject.held.contains("CANARY") && reject.held.contains("\"2\""), "{}", reject.held);
}

#[test]
fn a_reduction_that_cannot_mean_anything_is_refused() {
    let normaliser = normaliser();
    for (map, property) in [
        ("fees: {at: /phi, item: /gia, reduce: any}", "fees"),
        ("has_fee: {at: /phi, reduce: count}", "has_fee"),
        ("fees: {at: /phi, reduce: sum}", "fees"),
        ("has_fee: {at: /phi, reduce: all}", "has_fee"),
        ("dossier: {at: /phi, item: /id, reduce: first}", "dossier"),
        ("has_fee: {label: phi, reduce: any}", "has_fee"),
        ("has_fee: {at: /phi, item: /x}", "has_fee"),
        ("fees: /phi\nhas_fee: {at: /phi, reduce: any}", "has_fee"),
        ("fees: {at: /phi, item: /gia, reduce: sum}\nnotes: /phi", "notes"),
        ("last_way: {at: /phi, item: /k, reduce: min}", "last_way"),
    ] {
        let map =
            format!("dossier: /id\narea: /xa\nupdated_at: {{at: /u, format: rfc3339}}\n{map}");
        let map = map.replacen(
            "dossier: /id\n",
            if property == "dossier" { "" } else { "dossier: /id\n" },
            1,
        );
        let settings = serde_saphyr::from_str(&map).unwrap();
        let problems = Normaliser::compile(
            &normaliser.schema,
            &normaliser.areas,
            &settings,
            normaliser.hasher.clone(),
        )
        .unwrap_err();
        assert_eq!(
            problems.iter().map(|at| at.0.as_str()).collect::<Vec<_>>(),
            [property],
            "{map}"
        );
    }
    for map in ["{at: /a, reduce: any, where: {gia: x}}", "{at: /a, item: b, reduce: sum}"] {
        let settings: MapSettings = serde_saphyr::from_str(map).unwrap();
        let paths: Vec<_> = settings.only.keys().chain(&settings.item).cloned().collect();
        let picks = Picks::new(Some(""), &["/a".to_owned()], &[]).unwrap();
        assert!(picks.with_arrays(&[(0, paths)]).is_err(), "{map}");
    }
}
