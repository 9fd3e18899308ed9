//! Drafts from pages of every format: the types are right and no value is in them.

use url::Url;

use super::draft::Draft;
use super::sample::{Kind, Sample};

fn draft(page: &[u8]) -> (Sample, String) {
    let sample = Sample::read(page, None, None).unwrap();
    let url = Url::parse("http://127.0.0.1:9/api/rows?limit=50&key=CANARY-secret").unwrap();
    let draft = Draft::of(&sample, "rows", &url, None);
    let text: Vec<_> = draft.files.iter().map(|(name, text)| format!("{name}\n{text}")).collect();
    (sample, text.join("\n"))
}

fn holds(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "no '{line}' in\n{text}");
    }
    assert!(!text.contains("CANARY"), "a value is shown:\n{text}");
}

/// Three records as the portal writes them: all texts, some of them empty.
fn portal() -> String {
    let record = |n: u32, status: u32| {
        format!(
            r#"{{"MaHoSo": "CANARY-{n}", "TrangThaiHoSo": "CANARY{}", "NgayTiepNhan": "2024040{n}093000",
            "NgayTra": "", "HoTen": "CANARY person", "SoGiayTo": "04009900000{n}", "GhiChu": "CANARY some free text {n}",
            "MaXa": "1668{n}", "LePhi": "{n}5000", "TaiLieuNop": [{{"ten": "CANARY"}}], "Khan": true,
            "ChuHoSo": {{"Email": "CANARY@x.vn"}}, "TheoMa": {{"0400990000{n}1": "CANARY"}}}}"#,
            status % 2
        )
    };
    let records: Vec<_> = (1..7).map(|n| record(n, n)).collect();
    format!(r#"{{"error_code": "0", "next": null, "data": {{"items": [{}]}}}}"#, records.join(","))
}

#[test]
fn json_is_drafted_by_type_and_what_looks_personal_is_left_out_by_name_and_by_form() {
    let (sample, text) = draft(portal().as_bytes());
    assert_eq!((sample.kind, sample.rows.len()), (Kind::Json, 6));
    holds(
        &text,
        &[
            "key: [ma_ho_so]",
            "version_by: ngay_tiep_nhan",
            "area: ma_xa",
            "ma_ho_so: {type: identifier, required: true}",
            "trang_thai_ho_so: {type: code, list: rows_trang_thai_ho_so, required: true}",
            "lists/rows_trang_thai_ho_so.csv\ncode,vi,en\n",
            "le_phi: {type: integer, required: true}",
            "khan: {type: boolean, required: true}",
            "tai_lieu_nop_count: {at: \"/TaiLieuNop\", reduce: count}",
            "ngay_tiep_nhan: {at: \"/NgayTiepNhan\", format: \"yyyyMMddHHmmss\"}",
            "#   /HoTen: looks like the name of a person",
            "#   /SoGiayTo: ",
            "#   /GhiChu: free text",
            "#   /NgayTra: empty in the whole sample",
            "#   /TheoMa: an object whose keys are data",
            "records: \"/data/items\"",
            "/error_code, /next; see paginator",
            "query: {\"limit\": 50, \"key\": FILL_IN}",
            "coerce: [text_to_number]",
        ],
    );
    assert!(!text.contains("0400990"), "{text}");
}

#[test]
fn lines_tables_elements_and_samples_are_told_apart() {
    let lines = "{\"id\": \"CANARY-1\", \"at\": \"2024-04-02T08:00:00+07:00\", \"n\": 1.25}\n\
                 {\"id\": \"CANARY-2\", \"at\": \"2024-04-02T09:00:00+07:00\", \"n\": 2}\n";
    let (sample, text) = draft(lines.as_bytes());
    assert_eq!(sample.kind, Kind::Ndjson);
    holds(
        &text,
        &["format: {kind: ndjson}", "n: {type: decimal, decimals: 2, required: true}", "rfc3339"],
    );

    let table = "ma;ngay;so_phong\nCANARY1;02/04/2024;12\nCANARY2;03/04/2024;7\n";
    let (sample, text) = draft(table.as_bytes());
    assert_eq!(sample.kind, Kind::Csv);
    holds(
        &text,
        &["delimiter: \";\", header: true", "format: \"dd/MM/yyyy\"", "so_phong: \"so_phong\""],
    );
    let headless = draft(b"CANARY-2024-0001,1\nCANARY-2024-0002,2\n").1;
    holds(&headless, &["header: false", "field_1: \"1\""]);

    let elements = "<Ds><Dot>1</Dot><HoSo loai=\"CANARYa\"><Ma>CANARY1</Ma><Ngay>2024-04-02</Ngay></HoSo>\
                    <HoSo loai=\"CANARYb\"><Ma>CANARY2</Ma><Ngay>2024-04-03</Ngay></HoSo></Ds>";
    let (sample, text) = draft(elements.as_bytes());
    assert_eq!((sample.kind, sample.records.as_deref()), (Kind::Xml, Some("/Ds/HoSo")));
    holds(&text, &["loai: \"/@loai\"", "ma: \"/Ma\"", "{at: \"/Ngay\", format: \"yyyy-MM-dd\"}"]);

    let samples = "# TYPE node_load1 gauge\nnode_load1 0.42\nnode_cpu_seconds_total{cpu=\"CANARY=,\\\"}\",mode=\"CANARY\"} 5\n";
    let (sample, text) = draft(samples.as_bytes());
    assert_eq!(sample.kind, Kind::Prometheus);
    holds(
        &text,
        &[
            "node_load_1: {type: decimal",
            "fleet: {targets_file: FILL_IN",
            "#   node_cpu_seconds_total{cpu, mode}: a series",
        ],
    );
}

#[test]
fn a_page_without_records_or_of_no_format_is_refused_without_a_word_of_it() {
    for page in ["", "CANARY", "{\"CANARY\": ", "<CANARY", "[]", "<!DOCTYPE CANARY><a/>"] {
        let refused = Sample::read(page.as_bytes(), None, None).unwrap_err();
        assert!(!refused.contains("CANARY"), "{refused}");
    }
    let named = Sample::read(br#"{"a": [], "b": 1}"#, None, Some("/b")).unwrap_err();
    assert!(named.contains("no array at '/b'"), "{named}");
}
