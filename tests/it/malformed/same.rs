//! The same records in four formats are the same observations, to the last bit of every row and key.

use std::fmt::Write as _;

use ioc_gateway::model::time::Stamp;
use ioc_gateway::normalise::{Normalised, Surroundings};

use super::golden::Bench;

const RECORDS: usize = 500;
const FIELDS: [&str; 10] =
    ["id", "xa", "kenh", "ban", "han", "phi", "linhvuc", "tra", "nhan", "sua"];

/// Texts of the wire; `None` is a field that is not there.
type Record = [Option<String>; 10];

#[test]
fn the_same_records_are_the_same_observations_in_json_ndjson_csv_and_xml() {
    let records = records();
    let bench = Bench::new();
    let pages = [
        ("json", json(&records)),
        ("ndjson", ndjson(&records)),
        ("csv", csv(&records)),
        ("xml", xml(&records)),
    ];
    let [first, rest @ ..] = pages.map(|(name, page)| (name, normalised(&bench, name, &page)));
    let accepted = first.1.observations.len();
    assert_eq!(accepted + first.1.rejects.len(), RECORDS);
    assert!(accepted > RECORDS / 5 && first.1.rejects.len() > RECORDS / 10, "{accepted}");
    let reasons = |page: &Normalised| {
        let told = page.rejects.iter().map(|reject| (reject.reason, reject.rule.clone()));
        told.collect::<Vec<_>>()
    };
    for (name, other) in rest {
        assert_eq!(other.observations, first.1.observations, "{name}");
        assert_eq!(reasons(&other), reasons(&first.1), "{name}");
        assert_eq!(other.audit.unknown_codes, first.1.audit.unknown_codes, "{name}");
    }
}

fn normalised(bench: &Bench, name: &str, page: &[u8]) -> Normalised {
    let golden = bench.golden(name);
    let decoded = golden.decoder.decode(page).unwrap();
    let now = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap();
    golden.normaliser.page(&decoded.records, Surroundings { now, target: None })
}

/// Mostly sound records, with everything in them that a format must quote or escape.
fn records() -> Vec<Record> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut pick =
        |choices: &[Option<&str>]| choices[random.usize(..choices.len())].map(str::to_owned);
    let mut records = Vec::new();
    for i in 0..RECORDS {
        let odd = ["", ",", ";", "\"", "<&>", "\n", "đ", " x", "]]>", "\\", "'"][i % 11];
        records.push([
            Some(format!("CANARY{odd}-{i}")),
            pick(&[[Some("16681"); 6].as_slice(), &[Some("99999"), Some("16555")]].concat()),
            pick(&[Some("1"), Some("2"), Some("1"), Some("2"), None, Some("9")]),
            pick(&[
                Some("0"),
                Some("12"),
                Some("1000"),
                Some("13"),
                Some("1001"),
                None,
                Some("7"),
                Some("500"),
            ]),
            pick(&[Some("2024-05-01"), Some("2024-02-30"), None, Some("2030-12-31")]),
            pick(&[Some("12.5"), Some("0.05"), Some("1000000"), None, Some("12.555")]),
            pick(&[Some("land"), Some("đất đai"), Some("unheard, \"of\"")]),
            pick(&[Some("true"), Some("false"), None]),
            Some(format!("202403{:02}0800{:02}", i % 30 + 1, i % 60)),
            Some(format!("202404{:02}0800{:02}", i % 2 + 1, i % 60)),
        ]);
    }
    records
}

fn object(record: &Record) -> String {
    let mut fields = Vec::new();
    for (name, text) in FIELDS.iter().zip(record) {
        let Some(text) = text else { continue };
        let is_typed = matches!(*name, "ban" | "phi" | "tra");
        let literal = if is_typed { text.clone() } else { serde_json::to_string(text).unwrap() };
        fields.push(format!("\"{name}\": {literal}"));
    }
    format!("{{{}}}", fields.join(", "))
}

fn json(records: &[Record]) -> Vec<u8> {
    let objects: Vec<_> = records.iter().map(object).collect();
    format!("{{\"data\": [{}]}}", objects.join(",\n")).into_bytes()
}

fn ndjson(records: &[Record]) -> Vec<u8> {
    records.iter().map(|record| object(record) + "\n").collect::<String>().into_bytes()
}

fn csv(records: &[Record]) -> Vec<u8> {
    let mut page = FIELDS.join(",") + "\r\n";
    for record in records {
        let quoted = record.iter().map(|text| match text {
            Some(text) => format!("\"{}\"", text.replace('"', "\"\"")),
            None => String::new(),
        });
        page += &(quoted.collect::<Vec<_>>().join(",") + "\r\n");
    }
    page.into_bytes()
}

fn xml(records: &[Record]) -> Vec<u8> {
    let mut page = String::from("<?xml version=\"1.0\"?><r><list>");
    for record in records {
        page += "<i>";
        for (name, text) in FIELDS.iter().zip(record) {
            let Some(text) = text else { continue };
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace("]]>", "]]&gt;");
            let _ = write!(page, "<{name}>{escaped}</{name}>");
        }
        page += "</i>\n";
    }
    (page + "</list></r>").into_bytes()
}
