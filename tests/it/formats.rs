//! One system's records in every format, pulled by the real program: the same cells.

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Overlay, Reply, Upstream, run_in};

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

/// The example's configuration in another format: its `records`, and how it addresses a field.
fn overlay(format: &str, records: &str, at: impl Fn(&str) -> String) -> Overlay {
    let overlay = points(&["certification"]);
    let path = overlay.config().join("sources/certification.yaml");
    let mut text = std::fs::read_to_string(path).unwrap();
    let wanted = format!("    format: {format}\n{records}");
    text = replaced(&text, "    records: /items\n", &wanted);
    for field in FIELDS {
        text = replaced(&text, &format!("/{field}"), &at(field));
    }
    overlay.write("sources/certification.yaml", &text);
    overlay
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the shipped example no longer has '{from}'");
    text.replace(from, to)
}

/// What one turn says, and the cells that it leaves.
fn pulled(overlay: &Overlay, body: &str) -> (String, String) {
    let body = body.to_owned();
    let upstream = Upstream::start(move |_| Reply::new("200 OK", "", &body));
    run(overlay, &upstream)
}

fn run(overlay: &Overlay, upstream: &Upstream) -> (String, String) {
    let variables = addresses(&[("certification", upstream)]);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let turn = run_in(overlay.folder(), &["source", "pull"], &variables);
    let export = ["measure", "export", "certification_acts.paper_copies", "--store", "iocgw.db"];
    let cells = run_in(overlay.folder(), &export, &variables);
    assert_eq!(cells.status.code(), Some(0), "{}", text(cells.stderr));
    // What went wrong is told on standard error.
    let said = text(turn.stdout) + &text(turn.stderr);
    assert!(!said.contains("CANARY"), "{said}");
    (said, text(cells.stdout))
}

fn cell(record: &serde_json::Value, field: &str) -> String {
    let value = &record[field];
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn the_same_records_leave_the_same_cells_in_every_format() {
    let mut records = vec![record("one"), record("two")];
    records[1]["site_type"] = "CANARY-unheard-of".into();
    let json = pulled(
        &overlay("{kind: json}", "    records: /items\n", |at| format!("/{at}")),
        &page(&records),
    );
    assert!(
        json.0.contains("received 2 = accepted 1 + superseded 0 + duplicate 0 + quarantined 1"),
        "{}",
        json.0
    );
    assert!(json.1.contains("30"), "{}", json.1);

    let lines: String = records.iter().map(|record| record.to_string() + "\n").collect();
    let ndjson = overlay("{kind: ndjson}", "", |at| format!("/{at}"));
    assert_eq!(pulled(&ndjson, &lines), json);

    let row = |record: &serde_json::Value| {
        FIELDS.map(|field| cell(record, field)).join(";") + ";CANARY-clerk\n"
    };
    let rows: String = records.iter().map(row).collect();
    let table = format!("{};clerk\n{rows}", FIELDS.join(";"));
    let csv = overlay("{kind: csv, delimiter: ';'}", "", str::to_owned);
    assert_eq!(pulled(&csv, &table), json);

    let element = |record: &serde_json::Value| {
        let fields = FIELDS.map(|field| format!("<c:{field}>{}</c:{field}>", cell(record, field)));
        format!("<c:act><c:clerk>CANARY</c:clerk>{}</c:act>", fields.concat())
    };
    let elements: String = records.iter().map(element).collect();
    let tree = format!("<c:acts xmlns:c='urn:c'><c:list>{elements}</c:list></c:acts>");
    let xml = overlay("{kind: xml}", "    records: /acts/list/act\n", |at| format!("/{at}"));
    assert_eq!(pulled(&xml, &tree), json);

    let sample = |record: &serde_json::Value| {
        let label = |field| format!("{field}=\"{}\"", cell(record, field));
        let labels = FIELDS.map(label).join(",");
        format!("copies{{clerk=\"CANARY\",{labels}}} {}\n", record["certified_copies"])
    };
    let samples: String = records.iter().map(sample).collect();
    let prometheus = overlay("{kind: prometheus, metrics: [copies]}", "", |at| match at {
        "certified_copies" => "/value".to_owned(),
        at => format!("/labels/{at}"),
    });
    assert_eq!(pulled(&prometheus, &format!("up 1\n{samples}")), json);
}

#[test]
fn a_table_whose_end_may_be_cut_off_is_not_believed() {
    let csv = overlay("{kind: csv}", "", str::to_owned);
    let record = record("one");
    let mut table = format!("{}\n", FIELDS.join(","));
    table += &FIELDS.map(|field| cell(&record, field)).join(",");
    let whole = pulled(&csv, &table);
    assert!(whole.0.contains("received 1 = accepted 1"), "{}", whole.0);

    let csv = overlay("{kind: csv}", "", str::to_owned);
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let bytes = format!("{head}{table}").into_bytes();
    let upstream = Upstream::start(move |_| Reply::Bytes(bytes.clone()));
    let (said, _) = run(&csv, &upstream);
    assert!(said.contains("received 0 = accepted 0"), "{said}");
    assert!(said.contains("it may be cut"), "{said}");
}
