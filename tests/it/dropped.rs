//! Registers that are dropped into a folder, by the real program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::certification::{points, record};
use crate::support::{Gateway, Overlay, workbook};

const FIELDS: [&str; 10] = [
    "site_code",
    "day",
    "commune_code",
    "site_type",
    "certified_copies",
    "e_certified_copies",
    "chip_checks_ok",
    "chip_checks_failed",
    "fees_vnd",
    "updated_at",
];

/// A source whose register is dropped into the overlay's folder `drop`.
fn overlay(name: &str, format: &str, day: &str) -> (Overlay, PathBuf) {
    let overlay = points(&[]);
    let folder = overlay.folder().join("drop");
    std::fs::create_dir(&folder).unwrap();
    let text = format!(
        "source: register
source_kind: certification_points
title: {{vi: Sổ chứng thực, en: Register of certifications}}
accountable_unit: vp-ubnd
file: {{path: \"${{DROP_DIR}}/{name}\", settle: 0s, body_limit: 64KiB}}
streams:
  acts:
    contract: certification_acts
    interval: 1s
    format: {format}
    data_through: modified
    coerce: [text_to_number]
    map:
      site:         site_code
      act_date:     {{at: day, format: {day}}}
      commune:      commune_code
      site_type:    site_type
      paper_copies: certified_copies
      e_copies:     e_certified_copies
      chip_ok:      chip_checks_ok
      chip_failed:  chip_checks_failed
      fees_vnd:     fees_vnd
      updated_at:   {{at: updated_at, format: rfc3339}}
"
    );
    overlay.write("sources/register.yaml", &text);
    (overlay, folder)
}

fn start(overlay: &Overlay, folder: &Path) -> Gateway {
    let variables = BTreeMap::from([("DROP_DIR".to_owned(), folder.display().to_string())]);
    Gateway::start(&overlay.config(), overlay.folder(), &variables)
}

/// The header and a row for each record, as texts.
fn rows(records: &[Value]) -> Vec<Vec<String>> {
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |record: &Value| FIELDS.map(|field| cell(&record[field])).to_vec();
    let header = FIELDS.map(str::to_owned).to_vec();
    std::iter::once(header).chain(records.iter().map(row)).collect()
}

fn csv(records: &[Value]) -> String {
    rows(records).iter().map(|row| row.join(",") + "\n").collect()
}

/// Made beside its place and moved there, as whoever drops a file should.
fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let beside = folder.join(format!(".{name}.part"));
    std::fs::write(&beside, bytes).unwrap();
    std::fs::rename(beside, folder.join(name)).unwrap();
}

fn source_when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    gateway.wait_until(what, "/v1/sources/register", |answer| is_so(&answer.json())).json()
}

fn received(source: &Value) -> u64 {
    source["records"]["received"].as_u64().unwrap()
}

fn runs(source: &Value) -> u64 {
    source["streams"][0]["history"].as_array().unwrap().len() as u64
}

#[test]
fn a_dropped_register_is_taken_once_and_again_when_it_has_changed() {
    let (overlay, folder) = overlay("*.csv", "{kind: csv}", "yyyy-MM-dd");
    let gateway = start(&overlay, &folder);
    let empty = source_when(&gateway, "the missing file told", |s| !s["last_error"].is_null());
    assert!(empty["last_error"]["message"].as_str().unwrap().contains("no file"), "{empty}");

    put(&folder, "a.csv", csv(&[record("a"), record("b")]).as_bytes());
    let first =
        source_when(&gateway, "the register", |s| received(s) == 2 && s["last_error"].is_null());
    let before = runs(&first);
    let later = source_when(&gateway, "two more turns", |s| runs(s) >= before + 2);
    assert_eq!(received(&later), 2, "an unchanged file is not taken again");
    let through = |source: &Value| source["freshness"]["data_through"].clone();
    assert!(!through(&later).is_null() && through(&later) == through(&first), "{later}");
    assert!(folder.join("a.csv").exists(), "nothing is ever deleted");

    let mut newer = record("b");
    newer["certified_copies"] = 90.into();
    newer["updated_at"] = "2025-08-05T08:00:00+07:00".into();
    put(&folder, "a.csv", csv(&[record("a"), newer]).as_bytes());
    let changed = source_when(&gateway, "the changed register", |s| received(s) == 4);
    assert_eq!(
        (&changed["records"]["accepted"], &changed["records"]["duplicate"]),
        (&json!(3), &json!(1)),
        "{changed}"
    );

    put(&folder, "b.csv", b"site_code,day\nCANARY-x,2025-08-04\n");
    let broken = source_when(&gateway, "the broken file told", |s| !s["last_error"].is_null());
    let message = broken["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("b.csv") && !message.contains("CANARY"), "{message}");
    std::fs::remove_file(folder.join("b.csv")).unwrap();
    std::os::unix::fs::symlink(folder.join("a.csv"), folder.join("c.csv")).unwrap();
    let link = source_when(&gateway, "the link refused", |s| {
        s["last_error"]["message"].as_str().is_some_and(|message| message.contains("c.csv"))
    });
    assert_eq!(received(&link), 4);
    std::fs::remove_file(folder.join("c.csv")).unwrap();

    gateway.stop();
    let gateway = start(&overlay, &folder);
    let again = source_when(&gateway, "a turn after the restart", |s| s["last_error"].is_null());
    assert_eq!(received(&again), 4, "what was taken is known after a restart");
}

#[test]
fn a_workbook_is_taken_like_any_register() {
    let (overlay, folder) = overlay("so.xlsx", "{kind: xlsx, sheet: \"Sổ\"}", "excel_serial");
    let mut records = [record("a"), record("b")];
    for record in &mut records {
        record["day"] = 45873.into(); // 2025-08-04
    }
    put(&folder, "so.xlsx", &workbook("Sổ", &rows(&records), true));
    let gateway = start(&overlay, &folder);
    // A record counts as soon as it is committed; what it says holds when its turn has ended.
    let has_ended = |s: &Value| !s["freshness"]["data_through"].is_null();
    let source = source_when(&gateway, "the workbook", |s| received(s) == 2 && has_ended(s));
    assert_eq!(source["records"]["accepted"], 2, "{source}");
    let value = gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json();
    assert_eq!((&value["value"], &value["denominator"]), (&json!(0.25), &json!(80)));
    put(&folder, "so.xlsx", b"PK CANARY");
    let broken = source_when(&gateway, "the broken one told", |s| !s["last_error"].is_null());
    assert!(broken["last_error"]["message"].as_str().unwrap().contains("so.xlsx"), "{broken}");
}
