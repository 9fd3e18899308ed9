//! Prometheus' text format 0.0.4, and what OpenMetrics has in common with it.
//!
//! A page reads in one of two ways. With an allow-list of metrics each of their samples is a record.
//! Without one the page is a single record and the map names series, which is what a device that
//! tells its own state looks like. Samples are floats on the wire but counts in meaning, so `1.5e+06`
//! is written out as 1500000 digit by digit; `NaN` is how the format says "no value" and is null;
//! infinities are never right. As in Prometheus itself one broken line refuses the whole page, and
//! since every line must end in a line feed, a page that is cut inside a line is always noticed.

use std::borrow::Cow;

use super::{
    DecodeError, Decoded, MARKUP, MAX_FIELDS, MAX_RECORDS, MAX_VALUE, NUL, is_markup, without_bom,
};
use crate::model::record::Value;

const FORMAT: &str = "the text format of Prometheus";
const NOT_UTF8: &str = "characters that are not UTF-8";
const NO_SAMPLE: &str = "a line that is no sample";
const AFTER_END: &str = "something after the end";

/// The most places that an exponent may move the point.
const FARTHEST: i32 = 40;

/// What is wanted of the samples.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    /// Each sample of these metrics is a record.
    Each {
        /// Names of metrics.
        metrics: Vec<Box<str>>,
        /// The wanted parts of a sample.
        parts: Vec<Part>,
    },
    /// The page is one record of the values of these series.
    Page(Vec<Series>),
}

/// A wanted part of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Name,
    Value,
    Timestamp,
    Label(Box<str>),
}

/// A wanted series: the samples of a metric that carry these labels, whatever else they carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    metric: Box<str>,
    labels: Vec<(Box<str>, Box<str>)>,
}

impl Samples {
    pub(super) fn new(metrics: &[String], map: &[String]) -> Result<Self, String> {
        if metrics.is_empty() {
            let series: Vec<_> =
                map.iter().map(|text| Series::parse(text)).collect::<Result<_, _>>()?;
            let twice = series.iter().enumerate().find(|(i, one)| series[..*i].contains(one));
            return match twice {
                Some((i, _)) => Err(format!("'{}' is taken twice", map[i])),
                None => Ok(Self::Page(series)),
            };
        }
        if let Some(name) = metrics.iter().find(|name| !is_name(name, true)) {
            return Err(format!("'{name}' is not the name of a metric"));
        }
        let parts = map.iter().map(|path| match path.as_str() {
            "/name" => Ok(Part::Name),
            "/value" => Ok(Part::Value),
            "/timestamp" => Ok(Part::Timestamp),
            path => match path.strip_prefix("/labels/") {
                Some(label) if is_name(label, false) => Ok(Part::Label(label.into())),
                _ => Err(format!(
                    "a sample has no '{path}': it has /name, /value, /timestamp and /labels/x"
                )),
            },
        });
        Ok(Self::Each {
            metrics: metrics.iter().map(|name| name.as_str().into()).collect(),
            parts: parts.collect::<Result<_, _>>()?,
        })
    }

    const fn picks(&self) -> usize {
        match self {
            Self::Each { parts, .. } => parts.len(),
            Self::Page(series) => series.len(),
        }
    }
}

impl Series {
    fn parse(text: &str) -> Result<Self, String> {
        let mistaken =
            || format!("'{text}' is not a series such as kiosk_up or kiosk_paper{{tray=\"1\"}}");
        let mut rest = text.trim();
        let metric = name(&mut rest, true).ok_or_else(mistaken)?;
        let labels = labels(&mut rest).map_err(|_| mistaken())?;
        if !rest.is_empty() {
            return Err(mistaken());
        }
        let labels = labels.into_iter().map(|(name, value)| (name.into(), value.into()));
        Ok(Self { metric: metric.into(), labels: labels.collect() })
    }

    fn is(&self, sample: &Sample<'_>) -> bool {
        *self.metric == *sample.name
            && self.labels.iter().all(|(name, value)| {
                sample.labels.iter().any(|(known, held)| **name == **known && **value == **held)
            })
    }
}

/// Decodes a page.
pub(super) fn decode<'a>(page: &'a [u8], samples: &Samples) -> Result<Decoded<'a>, DecodeError> {
    let page = without_bom(page);
    let refuse = |what, at| DecodeError::syntax(FORMAT, what, page, at);
    if page.trim_ascii().is_empty() {
        return Err(DecodeError::empty());
    }
    if is_markup(page) {
        return Err(refuse(MARKUP, 0));
    }
    if let Some(at) = page.iter().position(|byte| *byte == 0) {
        return Err(refuse(NUL, at));
    }
    let text = match std::str::from_utf8(page) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => {
            return Err(refuse(NOT_UTF8, error.valid_up_to()));
        }
        Err(_) => return Err(DecodeError::Truncated(page.len())),
    };
    if !text.ends_with('\n') {
        return Err(DecodeError::Truncated(page.len()));
    }
    let mut decoded = Decoded::default();
    decoded.records.picks = samples.picks();
    let mut taking = Taking { samples, decoded, sound: true };
    taking.begin();
    let (mut at, mut is_over) = (0, false);
    for line in text.split_inclusive('\n') {
        let content = line.trim_matches([' ', '\t', '\r', '\n']);
        if is_over && !content.is_empty() {
            return Err(refuse(AFTER_END, at));
        }
        is_over |= content == "# EOF";
        if !content.is_empty() && !content.starts_with('#') {
            let sample = Sample::parse(content).map_err(|fault| match fault {
                Fault::Broken => refuse(NO_SAMPLE, at),
                Fault::TooMany => {
                    DecodeError::Limit(format!("a sample of more than {MAX_FIELDS} labels"))
                }
            })?;
            taking.take(&sample)?;
        }
        at += line.len();
    }
    Ok(taking.finish())
}

/// The records as they come about.
struct Taking<'p, 'a> {
    samples: &'p Samples,
    decoded: Decoded<'a>,
    sound: bool,
}

impl<'a> Taking<'_, 'a> {
    /// A page that is one record has it however little it tells.
    fn begin(&mut self) {
        if let Samples::Page(series) = self.samples {
            self.decoded.records.count = 1;
            self.decoded.records.values.resize_with(series.len(), Value::default);
        }
    }

    fn take(&mut self, sample: &Sample<'a>) -> Result<(), DecodeError> {
        let records = &mut self.decoded.records;
        match self.samples {
            Samples::Page(series) => {
                for (value, wanted) in records.values.iter_mut().zip(series) {
                    if wanted.is(sample) {
                        // Of two samples that fit, which is meant? Nobody can tell.
                        self.sound &= *value == Value::Absent;
                        *value = plain(sample.value);
                    }
                }
            }
            Samples::Each { metrics, parts } => {
                if !metrics.iter().any(|name| **name == *sample.name) {
                    return Ok(());
                }
                if records.count == MAX_RECORDS {
                    return Err(DecodeError::too_many());
                }
                records.count += 1;
                for part in parts {
                    let value = sample.part(part);
                    if matches!(&value, Value::Text(text) if text.len() > MAX_VALUE) {
                        return Err(DecodeError::too_long());
                    }
                    records.values.push(value);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Decoded<'a> {
        if !self.sound {
            self.decoded.records.malformed.push(0);
        }
        self.decoded
    }
}

/// One line of a page.
struct Sample<'a> {
    name: &'a str,
    labels: Labels<'a>,
    value: &'a str,
    timestamp: Option<&'a str>,
}

type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

enum Fault {
    Broken,
    TooMany,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Result<Self, Fault> {
        let mut rest = line;
        let name = name(&mut rest, true).ok_or(Fault::Broken)?;
        let has_gap = rest.starts_with([' ', '\t', '{']);
        let labels = labels(&mut rest)?;
        // An exemplar of OpenMetrics is told by a '#' of its own; it is nothing that is mapped.
        let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
        let value = words.next().filter(|word| is_number(word)).ok_or(Fault::Broken)?;
        let mut timestamp = words.next();
        let mut after = None;
        if timestamp == Some("#") {
            (timestamp, after) = (None, Some("#"));
        }
        after = after.or_else(|| words.next());
        let is_whole = has_gap
            && timestamp.is_none_or(|moment| is_number(moment) && !is_special(moment))
            && after.is_none_or(|word| word == "#" && words.next().is_some());
        if is_whole { Ok(Self { name, labels, value, timestamp }) } else { Err(Fault::Broken) }
    }

    fn part(&self, part: &Part) -> Value<'a> {
        match part {
            Part::Name => Value::Text(Cow::Borrowed(self.name)),
            Part::Value => plain(self.value),
            Part::Timestamp => self.timestamp.map_or(Value::Absent, plain),
            // A label that is empty is the same as one that is not there.
            Part::Label(wanted) => self
                .labels
                .iter()
                .find(|(name, value)| **wanted == **name && !value.is_empty())
                .map_or(Value::Absent, |(_, value)| Value::Text(value.clone())),
        }
    }
}

fn is_name(text: &str, is_metric: bool) -> bool {
    let mut rest = text;
    name(&mut rest, is_metric).is_some() && rest.is_empty()
}

/// Takes a name off the front.
fn name<'a>(rest: &mut &'a str, is_metric: bool) -> Option<&'a str> {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (is_metric && byte == b':');
    let end = rest.bytes().position(|byte| !fits(byte)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    begins.then_some(name)
}

/// Takes `{a="b",c="d"}` off the front; no labels if it does not stand there.
fn labels<'a>(rest: &mut &'a str) -> Result<Labels<'a>, Fault> {
    let mut labels = Labels::new();
    let skip = |rest: &mut &'a str| *rest = rest.trim_start_matches([' ', '\t']);
    let eat = |rest: &mut &'a str, c: char| {
        let after = rest.strip_prefix(c);
        *rest = after.unwrap_or(rest);
        after.is_some()
    };
    skip(rest);
    if !eat(rest, '{') {
        return Ok(labels);
    }
    loop {
        skip(rest);
        if eat(rest, '}') {
            return Ok(labels);
        }
        let name = name(rest, false).ok_or(Fault::Broken)?;
        skip(rest);
        if !eat(rest, '=') {
            return Err(Fault::Broken);
        }
        skip(rest);
        if !eat(rest, '"') || labels.iter().any(|(known, _)| *known == name) {
            return Err(Fault::Broken);
        }
        if labels.len() == MAX_FIELDS {
            return Err(Fault::TooMany);
        }
        labels.push((name, quoted(rest)?));
        skip(rest);
        if !eat(rest, ',') && !rest.starts_with('}') {
            return Err(Fault::Broken);
        }
    }
}

/// Takes a text and its closing quote off the front.
fn quoted<'a>(rest: &mut &'a str) -> Result<Cow<'a, str>, Fault> {
    let (mut is_escaped, mut has_escapes) = (false, false);
    let end = rest.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        has_escapes |= is_escaped;
        is_end
    });
    let (text, after) = rest.split_at(end.ok_or(Fault::Broken)?);
    *rest = &after[1..];
    if !has_escapes {
        return Ok(Cow::Borrowed(text));
    }
    let (mut plain, mut characters) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = characters.next() {
        plain.push(match c {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                _ => return Err(Fault::Broken),
            },
            c => c,
        });
    }
    Ok(Cow::Owned(plain))
}

/// Whether a word is a number as the format writes them.
fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

/// Whether a number is none: `NaN`, an infinity.
fn is_special(word: &str) -> bool {
    word.contains(['n', 'N'])
}

/// A number as its digits, without an exponent.
fn plain(number: &str) -> Value<'_> {
    if is_special(number) {
        let is_nan = number.trim_start_matches(['+', '-']).eq_ignore_ascii_case("nan");
        return if is_nan { Value::Null } else { Value::Unfit };
    }
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number.strip_prefix('+').unwrap_or(number)),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_plain = unsigned == mantissa && !whole.is_empty() && !mantissa.ends_with('.');
    if is_plain && !number.starts_with('+') {
        return Value::Number(number);
    }
    let Some(shift) = exponent.parse::<i32>().ok().filter(|places| places.abs() <= FARTHEST) else {
        return Value::Unfit;
    };
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i32 + shift;
    let (before, after) = if point <= 0 {
        ("0".to_owned(), "0".repeat(point.unsigned_abs() as usize) + &digits)
    } else {
        let point = point as usize;
        let padded = digits.clone() + &"0".repeat(point.saturating_sub(digits.len()));
        (padded[..point].to_owned(), padded[point..].to_owned())
    };
    let dot = if after.is_empty() { "" } else { "." };
    Value::Text(Cow::Owned(format!("{sign}{before}{dot}{after}")))
}
