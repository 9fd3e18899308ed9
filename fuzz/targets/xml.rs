//! XML pages: no proper beginning of a page that was taken is taken too.
#![no_main]

mod decoding;

use std::sync::LazyLock;

use ioc_gateway::decode::Decoder;
use libfuzzer_sys::fuzz_target;

static DECODERS: LazyLock<[Decoder; 2]> = LazyLock::new(|| {
    let map = ["/a", "/b/@c", "/b/d", "/@e"];
    [
        decoding::decoder("{kind: xml}", Some("/r/l/i"), &map, &["/r/@n", "/r/k"]),
        decoding::decoder("{kind: xml}", None, &map, &[]),
    ]
});

fuzz_target!(|page: &[u8]| {
    for decoder in &*DECODERS {
        let taken = decoding::decode(decoder, page, 4).is_some();
        let root_ends = page.trim_ascii_end().ends_with(b">");
        let has_more = page.windows(4).any(|four| four == b"<!--") || page.windows(2).any(|two| two == b"<?");
        if taken && root_ends && !has_more && page.len() < 512 {
            let end = page.trim_ascii_end().len();
            for cut in 0..end {
                assert!(decoder.decode(&page[..cut]).is_err(), "cut at {cut}");
            }
        }
    }
});
