//! NDJSON pages: a page is its lines, so two of them in one are the records of both.
#![no_main]

mod decoding;

use std::sync::LazyLock;

use ioc_gateway::decode::Decoder;
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<Decoder> =
    LazyLock::new(|| decoding::decoder("{kind: ndjson}", None, &["/a", "/b/c"], &[]));

fuzz_target!(|page: &[u8]| {
    let Some(decoded) = decoding::decode(&DECODER, page, 2) else { return };
    let whole = [b"{\"a\":1}\n", page.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(page)].concat();
    let longer = decoding::decode(&DECODER, &whole, 2).expect("one more line breaks nothing");
    assert_eq!(longer.records.count, decoded.records.count + 1);
    assert_eq!(longer.records.values[2..], decoded.records.values);
});
