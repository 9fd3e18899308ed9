//! Codes that are valid for a time, by the record's own date; and keys while they are replaced.

use super::*;

/// `old` ends and `new` begins with July 2025; `any` is always valid.
const DATED: &str = "code,wire,vi,en,valid_from,valid_until\n\
                     online,2,a,a,,2025-07-01\nmail,3,c,c,2025-07-01,\ncounter,1,b,b,,\nother,,d,d,,\n";

fn read(contract: &str, record: &str) -> Normalised {
    let normaliser = normaliser_of(contract, MAP, DATED);
    page(&normaliser, record)
}

fn page(normaliser: &Normaliser, record: &str) -> Normalised {
    let picks = Picks::new(Some(""), normaliser.pointers(), &[]).unwrap();
    let now = Stamp::parse("2026-01-05T12:00:00+07:00").unwrap();
    let decoded = decode(record.as_bytes(), &picks).unwrap();
    normaliser.page(&decoded.records, Surroundings { now, target: None })
}

fn of(channel: &str, received: &str) -> String {
    record(&serde_json::json!({"kenh": channel, "nhan": received, "capnhat": "20260102080000"}))
}

#[test]
fn a_code_is_understood_by_the_day_of_its_record_and_not_of_its_arrival() {
    let cases = [
        ("2", "20250630235959", true),
        ("2", "20250701000000", false),
        ("3", "20250630235959", false),
        ("3", "20250701000000", true),
        ("1", "20200101000000", true),
    ];
    for (channel, received, is_valid) in cases {
        let out = read(CONTRACT, &of(channel, received));
        assert_eq!(out.rejects.is_empty(), is_valid, "{channel} on {received}");
        if let Some(reject) = out.rejects.first() {
            assert_eq!((reject.reason, reject.rule.as_str()), (Reason::UnknownCode, "channel"));
            assert_eq!(out.audit.flaws, [((Kind::NewCode, "channel".to_owned()), 1)].into());
        }
    }
}

#[test]
fn a_property_may_say_by_which_of_its_dates_a_code_is_understood() {
    let listed = "{type: code, list: channel, empty: counter}";
    assert!(CONTRACT.contains(listed));
    let by_update = CONTRACT
        .replace(listed, "{type: code, list: channel, empty: counter, list_at: updated_at}");
    assert_eq!(read(&by_update, &of("2", "20250101000000")).rejects.len(), 1);
    assert_eq!(read(&by_update, &of("3", "20250101000000")).rejects.len(), 0);
}

/// S17: a code that the list does not have on that day.
#[test]
fn outside_its_time_a_code_becomes_other_where_that_is_wanted_and_is_counted() {
    let listed = "{type: code, list: channel, empty: counter}";
    let other = CONTRACT.replace(listed, "{type: code, list: channel, unknown: other}");
    let out = read(&other, &of("2", "20250801000000"));
    let normaliser = normaliser_of(&other, MAP, DATED);
    let slot = normaliser.schema.slot("channel").unwrap();
    let list = normaliser.schema.fields[slot].list.clone().unwrap();
    assert_eq!(out.observations.row(0)[slot], i64::from(list.number("other").unwrap()));
    assert_eq!(out.audit.unknown_codes["channel"], 1);
    assert_eq!(read(&other, &of("2", "20250601000000")).audit.unknown_codes.len(), 0);
}

#[test]
fn a_list_without_dates_asks_for_none() {
    let normaliser = normaliser_of(CONTRACT, MAP, CHANNELS);
    assert!(normaliser.dated.is_empty());
    assert!(!normaliser_of(CONTRACT, MAP, DATED).dated.is_empty());
}

#[test]
fn while_keys_are_replaced_every_record_and_reject_is_told_under_both() {
    let (old, new) = (KeyHasher::new(b"old", "dossiers"), KeyHasher::new(b"new", "dossiers"));
    let with = |hasher: &KeyHasher, previous: Option<&KeyHasher>| {
        let mut normaliser = normaliser_of(CONTRACT, MAP, CHANNELS).after(previous.cloned());
        normaliser.hasher = hasher.clone();
        normaliser
    };
    let good = record(&serde_json::json!({}));
    let bad = record(&serde_json::json!({"xa": "99999"}));
    let withdrawn = record(&serde_json::json!({"xoa": true}));
    let text = |record: &str| record[1..record.len() - 1].to_owned();
    let all = format!("[{},{},{}]", text(&good), text(&bad), text(&withdrawn));
    let [before, during, after] = [
        page(&with(&old, None), &all),
        page(&with(&new, Some(&old)), &all),
        page(&with(&new, None), &all),
    ];
    assert_eq!(during.observations.keys, after.observations.keys);
    assert_eq!(during.observations.former, before.observations.keys);
    assert_ne!(before.observations.keys, after.observations.keys);
    assert!(before.observations.former.is_empty() && after.observations.former.is_empty());
    assert_eq!(during.rejects[0].former, Some(before.rejects[0].fingerprint));
    assert_eq!(during.rejects[0].fingerprint, after.rejects[0].fingerprint);
    assert_eq!(after.rejects[0].former, None);
}

#[test]
fn the_hardest_check_decides_and_only_accepted_records_are_warned_of() {
    let checks = "'finished_at == null || finished_at >= received_at', otherwise: quarantine}\n  \
                  - {check: 'fee != 13', otherwise: warn";
    assert!(CONTRACT.contains(checks));
    let warn_first = CONTRACT.replace(
        checks,
        "'fee != 13', otherwise: warn}\n  - {check: 'fee != 14', otherwise: quarantine}\n  \
         - {check: 'fee < 14', otherwise: reject_page}\n  - {check: 'fee < 12', otherwise: quarantine",
    );
    let audit = |fee: u32| {
        let out = read(&warn_first, &record(&serde_json::json!({"phi": fee})));
        (out.audit.refused_by, out.rejects.len(), out.audit.warnings.len())
    };
    assert_eq!(audit(14), (Some("fee < 14".to_owned()), 0, 0), "though it would be kept aside too");
    assert_eq!(audit(13), (None, 1, 0), "kept aside, so not warned of");
    assert_eq!(audit(11), (None, 0, 0));
}
