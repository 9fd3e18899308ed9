//! Pages in the text format of Prometheus: taken whole or, cut inside a line, not at all.
#![no_main]

mod decoding;

use std::sync::LazyLock;

use ioc_gateway::decode::Decoder;
use libfuzzer_sys::fuzz_target;

static DECODERS: LazyLock<[(Decoder, usize); 2]> = LazyLock::new(|| {
    let map = ["/name", "/value", "/timestamp", "/labels/a"];
    [
        (decoding::decoder("{kind: prometheus, metrics: [m, o]}", None, &map, &[]), 4),
        (decoding::decoder("{kind: prometheus}", None, &["m", "o{a=\"b\"}"], &[]), 2),
    ]
});

fuzz_target!(|page: &[u8]| {
    for (decoder, picks) in &*DECODERS {
        let taken = decoding::decode(decoder, page, *picks).is_some();
        assert!(!taken || page.ends_with(b"\n"));
    }
});
