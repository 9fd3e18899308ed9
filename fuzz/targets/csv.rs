//! CSV pages in every encoding, compared with the usual reader wherever both take the page.
#![no_main]

mod decoding;

use std::sync::LazyLock;

use ioc_gateway::decode::Decoder;
use ioc_gateway::model::record::Value;
use libfuzzer_sys::fuzz_target;

static DECODERS: LazyLock<Vec<Decoder>> = LazyLock::new(|| {
    let formats = [
        "{kind: csv, header: false}",
        "{kind: csv, header: false, encoding: windows-1258}",
        "{kind: csv, header: false, encoding: utf-16}",
    ];
    let by_place = formats.map(|format| decoding::decoder(format, None, &["1", "2"], &[]));
    let named = decoding::decoder("{kind: csv, delimiter: ';'}", None, &["a", "b"], &[]);
    by_place.into_iter().chain([named]).collect()
});

fuzz_target!(|page: &[u8]| {
    for decoder in &DECODERS[1..] {
        decoding::decode(decoder, page, 2);
    }
    let Some(decoded) = decoding::decode(&DECODERS[0], page, 2) else { return };
    let body = page.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(page);
    // The usual reader ends rows at a lone carriage return too.
    let is_lone = |pair: &[u8]| pair[0] == b'\r' && pair[1] != b'\n';
    if !decoded.records.malformed.is_empty() || body.windows(2).any(is_lone) {
        return;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
    let rows: Vec<_> = reader.byte_records().collect::<Result<_, _>>().expect("a sound table");
    assert_eq!(rows.len(), decoded.records.count);
    for (i, row) in rows.iter().enumerate() {
        for (value, field) in decoded.records.record(i).iter().zip(row) {
            match value {
                Value::Null => assert!(field.is_empty()),
                Value::Text(text) => assert_eq!(text.as_bytes(), field),
                other => panic!("{}", other.shape()),
            }
        }
    }
});
