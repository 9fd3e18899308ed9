//! What must hold of every page that any decoder reads.

use ioc_gateway::decode::{Decoded, Decoder, Format, MAX_RECORDS};

/// A decoder as a steward writes it.
pub(crate) fn decoder(
    format: &str,
    records: Option<&str>,
    map: &[&str],
    around: &[&str],
) -> Decoder {
    let format: Format = serde_saphyr::from_str(format).expect("the format is right");
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    Decoder::compile(&format, records, &owned(map), &owned(around)).expect("the paths are right")
}

/// Decodes, and checks what holds of any page.
pub(crate) fn decode<'a>(decoder: &Decoder, page: &'a [u8], picks: usize) -> Option<Decoded<'a>> {
    let decoded = decoder.decode(page).ok()?;
    let records = &decoded.records;
    assert_eq!(records.picks, picks);
    assert_eq!(records.values.len(), records.count * picks);
    assert!(records.count <= MAX_RECORDS);
    assert!(records.malformed.is_sorted_by(|a, b| a < b), "each once, in order");
    assert!(records.malformed.last().is_none_or(|last| *last < records.count));
    Some(decoded)
}
