//! In which form an answer is written: `format=` if it is given, or else what `Accept` prefers.
//!
//! Addresses that list something offer JSON, CSV and NDJSON, all others JSON alone. What nobody
//! offers is refused with the names of what is: a table read as JSON is a slip that costs an hour.

use super::error::{ApiError, ParameterError, brief};
use super::query::Query;
use super::routes::{Content, Operation};

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
    Ndjson,
    /// A flowchart in the language of Mermaid.
    Mermaid,
    /// A graph in the language of Graphviz.
    Dot,
}

impl Format {
    /// The forms of a list, the usual one first.
    const OF_LISTS: [Self; 3] = [Self::Json, Self::Csv, Self::Ndjson];

    /// The forms of what can be drawn.
    const OF_DRAWINGS: [Self; 3] = [Self::Json, Self::Mermaid, Self::Dot];

    /// The word of `format=`, which is the end of a file's name too.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
        }
    }

    /// The media type, without parameters.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
            Self::Mermaid => "text/vnd.mermaid",
            Self::Dot => "text/vnd.graphviz",
        }
    }

    /// Other names under which clients ask for it.
    const fn also(self) -> &'static [&'static str] {
        match self {
            Self::Json | Self::Csv | Self::Mermaid | Self::Dot => &[],
            Self::Ndjson => &["application/ndjson", "application/jsonl"],
        }
    }
}

/// The forms that an operation offers.
pub(super) fn offered(operation: &Operation) -> &'static [Format] {
    match operation.content {
        Content::Listed(_) => &Format::OF_LISTS,
        Content::Drawn(_) => &Format::OF_DRAWINGS,
        Content::Json(_) | Content::Map(_) | Content::Text(_) => &[Format::Json],
    }
}

/// The form asked for.
pub(super) fn asked(
    operation: &Operation,
    query: &Query,
    accept: Option<&str>,
) -> Result<Format, ApiError> {
    let offered = offered(operation);
    if let Some(word) = query.get("format") {
        let found = offered.iter().find(|format| format.word() == word);
        let words = offered.iter().map(|format| format.word());
        return found.copied().ok_or_else(|| refusal("format", word, words));
    }
    match accept {
        Some(accept) if operation.negotiates() => preferred(accept, offered).ok_or_else(|| {
            refusal("Accept", accept, offered.iter().map(|format| format.media_type()))
        }),
        _ => Ok(Format::Json),
    }
}

fn refusal(name: &str, value: &str, offered: impl Iterator<Item = &'static str>) -> ApiError {
    let reason = format!("asks for '{}', which this address does not offer", brief(value));
    ApiError::NotAcceptable(ParameterError::new(name, reason).allowing(offered))
}

/// What the client likes best of what there is; of two that it likes alike, the one it names first.
fn preferred(accept: &str, offered: &[Format]) -> Option<Format> {
    let liked = |format: &Format| {
        let ranges = accept.split(',').enumerate().filter_map(|(place, range)| {
            let mut parts = range.split(';').map(str::trim);
            let rank = rank(parts.next()?, *format)?;
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, quality);
            Some((rank, quality, place))
        });
        // The most exact range decides, whatever the broader ones say.
        let (_, quality, place) = ranges.max_by_key(|(rank, ..)| *rank)?;
        (quality > 0.0).then_some((quality, place))
    };
    let mut best: Option<(Format, f32, usize)> = None;
    for format in offered {
        let Some((quality, place)) = liked(format) else { continue };
        let is_better = |(_, known, first): (Format, f32, usize)| {
            quality > known || (quality >= known && place < first)
        };
        if best.is_none_or(is_better) {
            best = Some((*format, quality, place));
        }
    }
    best.map(|(format, ..)| format)
}

/// A quality that cannot be read counts as the full one.
fn quality(text: &str) -> f32 {
    text.parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(1.0)
}

/// How exactly a range names a format, if it does.
fn rank(range: &str, format: Format) -> Option<u8> {
    let (kind, _) = format.media_type().split_once('/')?;
    let is = |name: &&str| range.eq_ignore_ascii_case(name);
    if std::iter::once(&format.media_type()).chain(format.also()).any(is) {
        Some(2)
    } else if range.strip_suffix("/*").is_some_and(|wanted| wanted.eq_ignore_ascii_case(kind)) {
        Some(1)
    } else {
        (range == "*/*").then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_liking_decides_and_then_its_order() {
        for (accept, format) in [
            ("*/*", Some(Format::Json)),
            ("application/json", Some(Format::Json)),
            ("text/csv", Some(Format::Csv)),
            ("TEXT/CSV; charset=utf-8", Some(Format::Csv)),
            ("text/csv, */*;q=0.1", Some(Format::Csv)),
            ("text/*", Some(Format::Csv)),
            ("application/x-ndjson", Some(Format::Ndjson)),
            ("application/jsonl, application/json", Some(Format::Ndjson)),
            ("application/json;q=0.5, text/csv;q=0.9", Some(Format::Csv)),
            ("application/json;q=0, */*", Some(Format::Csv)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Format::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("", None),
        ] {
            assert_eq!(preferred(accept, &Format::OF_LISTS), format, "{accept}");
        }
        assert_eq!(preferred("text/csv", &[Format::Json]), None);
    }
}
