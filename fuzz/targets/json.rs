//! JSON pages, compared with a whole tree wherever one can be built.
#![no_main]

mod decoding;

use std::sync::LazyLock;

use ioc_gateway::decode::Decoder;
use ioc_gateway::model::record::Value;
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<Decoder> =
    LazyLock::new(|| decoding::decoder("{kind: json}", Some("/d"), &["/a", "/b/c"], &["/n"]));

fuzz_target!(|page: &[u8]| {
    let Some(decoded) = decoding::decode(&DECODER, page, 2) else { return };
    let body = page.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(page);
    let Ok(tree) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    let items = tree["d"].as_array().expect("records were found");
    assert_eq!(items.len(), decoded.records.count);
    for (i, item) in items.iter().enumerate() {
        if decoded.records.malformed.contains(&i) {
            continue;
        }
        for (value, wanted) in decoded.records.record(i).iter().zip(["/a", "/b/c"]) {
            match (value, item.pointer(wanted)) {
                (Value::Text(text), Some(serde_json::Value::String(other))) => {
                    assert_eq!(text.as_ref(), other);
                }
                (Value::Boolean(value), Some(other)) => assert_eq!(Some(*value), other.as_bool()),
                (Value::Number(_), Some(other)) => assert!(other.is_number()),
                (Value::Null, Some(other)) => assert!(other.is_null()),
                (Value::Absent, None) | (Value::Unfit, Some(_)) => {}
                (value, other) => panic!("{} but {other:?}", value.shape()),
            }
        }
    }
});
