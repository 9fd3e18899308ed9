//! One value: from the wire to the whole number of its slot, or the reason why not.
//!
//! A number is a number and a text is a text; what else a source may send is declared
//! ([`super::Coercion`]). Codes, areas and identifiers are compared without white space around them and
//! in composed letters. Nothing is rounded, and what has no exact value has none.

use std::borrow::Cow;

use super::coerce::Coercion;
use super::mapping::Entry;
use crate::model::contract::PropertyType;
use crate::model::observation::Reason;
use crate::model::record::Value;
use crate::model::row::{EARLIEST, EARLIEST_DAY, LATEST, LATEST_DAY, NULL};
use crate::model::schema::Field;
use crate::model::text::normal;
use crate::model::time::Stamp;

/// The latest moment and day that are believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Horizon {
    pub(super) moment: i64,
    pub(super) day: i64,
}

impl Horizon {
    /// What is believed at `now`.
    pub(super) fn of(now: Stamp) -> Self {
        Self { moment: now.0 + super::MAX_AHEAD, day: i64::from(now.day().0) + 1 }
    }
}

/// A slot's value, and whether an unknown code was taken as `other`.
pub(super) struct Slot {
    pub(super) value: i64,
    pub(super) is_other: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the other ways to read a value can fail")]
const fn plain(value: i64) -> Result<Slot, Reason> {
    Ok(Slot { value, is_other: false })
}

/// The text of a code, an area or an identifier as it is compared; `None` if there is none.
pub(super) fn text<'v>(
    value: &'v Value<'_>,
    entry: &Entry,
) -> Result<Option<Cow<'v, str>>, Reason> {
    let text = match value {
        Value::Absent | Value::Null => return Ok(None),
        Value::Text(text) => normal(text),
        // A code of digits may come as a whole number; `1e3` and `1.0` are no spelling of any code.
        Value::Number(digits) if is_whole(digits) => Cow::Borrowed(*digits),
        Value::Number(_) | Value::Boolean(_) | Value::Unfit | Value::Items(_) => {
            return Err(Reason::WrongType);
        }
    };
    let text = match entry.strip_suffix.as_ref() {
        Some(suffix) => stripped(text, suffix),
        None => text,
    };
    if text.is_empty() { empty(entry).map(|()| None) } else { Ok(Some(text)) }
}

fn is_whole(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

fn stripped<'v>(text: Cow<'v, str>, suffix: &str) -> Cow<'v, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix(suffix).unwrap_or(text)),
        Cow::Owned(text) => {
            Cow::Owned(text.strip_suffix(suffix).map_or(text.clone(), str::to_owned))
        }
    }
}

/// An empty text where a value belongs.
fn empty(entry: &Entry) -> Result<(), Reason> {
    if entry.coerce.has(Coercion::EmptyToNull) { Ok(()) } else { Err(Reason::WrongType) }
}

/// Reads any property but identifiers and areas.
pub(super) fn read(
    value: &Value<'_>,
    field: &Field,
    entry: &Entry,
    horizon: Horizon,
) -> Result<Slot, Reason> {
    match field.kind {
        PropertyType::Boolean => boolean(value, entry).and_then(plain),
        PropertyType::Code => code(value, field, entry),
        PropertyType::Timestamp => {
            let Some(text) = digits(value, entry)? else { return plain(NULL) };
            let moment = entry
                .formats
                .iter()
                .find_map(|format| format.moment(text))
                .ok_or(Reason::WrongType)?;
            let latest = if field.future { LATEST } else { horizon.moment };
            between(moment, EARLIEST, LATEST)?;
            if moment > latest { Err(Reason::FutureDated) } else { plain(moment) }
        }
        PropertyType::Date => {
            let Some(text) = digits(value, entry)? else { return plain(NULL) };
            let day = entry
                .formats
                .iter()
                .find_map(|format| format.day(text))
                .ok_or(Reason::WrongType)?;
            let latest = if field.future { LATEST_DAY } else { horizon.day };
            between(day, EARLIEST_DAY, LATEST_DAY)?;
            if day > latest { Err(Reason::FutureDated) } else { plain(day) }
        }
        PropertyType::Integer | PropertyType::Decimal => {
            match number(value, field.decimals, entry)? {
                None => plain(NULL),
                Some(number) => within(number, field).and_then(plain),
            }
        }
        PropertyType::Identifier | PropertyType::Area | PropertyType::Text => {
            Err(Reason::WrongType)
        }
    }
}

/// The text of a moment or a day; a number counts by its digits.
fn digits<'v>(value: &'v Value<'_>, entry: &Entry) -> Result<Option<&'v str>, Reason> {
    let text = match value {
        Value::Absent | Value::Null => return Ok(None),
        Value::Text(text) => text.trim(),
        Value::Number(digits) => digits,
        Value::Boolean(_) | Value::Unfit | Value::Items(_) => return Err(Reason::WrongType),
    };
    let text = entry
        .strip_suffix
        .as_ref()
        .map_or(text, |suffix| text.strip_suffix(suffix.as_str()).unwrap_or(text));
    if text.is_empty() { empty(entry).map(|()| None) } else { Ok(Some(text)) }
}

/// A number scaled by ten to the power of `decimals`.
pub(super) fn number(
    value: &Value<'_>,
    decimals: u8,
    entry: &Entry,
) -> Result<Option<i64>, Reason> {
    let digits = match value {
        Value::Absent | Value::Null => return Ok(None),
        Value::Number(digits) => digits,
        Value::Text(text) => match text.trim() {
            "" => return empty(entry).map(|()| None),
            text if entry.coerce.has(Coercion::TextToNumber) => {
                let suffix = entry.strip_suffix.as_deref().unwrap_or_default();
                text.strip_suffix(suffix).unwrap_or(text)
            }
            _ => return Err(Reason::WrongType),
        },
        Value::Boolean(_) | Value::Unfit | Value::Items(_) => return Err(Reason::WrongType),
    };
    decimal(digits, decimals).map(Some)
}

/// A number within its property's bounds.
pub(super) fn within(value: i64, field: &Field) -> Result<i64, Reason> {
    between(value, field.bounds.0, field.bounds.1).map(|()| value)
}

fn between(value: i64, low: i64, high: i64) -> Result<(), Reason> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(Reason::OutOfRange) }
}

/// 1, 0 or null.
pub(super) fn boolean(value: &Value<'_>, entry: &Entry) -> Result<i64, Reason> {
    let (text, coercion) = match value {
        Value::Absent | Value::Null => return Ok(NULL),
        Value::Boolean(value) => return Ok(i64::from(*value)),
        Value::Text(text) => (normal(text), Coercion::TextToBoolean),
        Value::Number(digits) => (Cow::Borrowed(*digits), Coercion::NumberToBoolean),
        Value::Unfit | Value::Items(_) => return Err(Reason::WrongType),
    };
    if let Some(number) = entry.values.get(&*text) {
        return Ok(i64::from(*number));
    }
    match (&*text, entry.coerce.has(coercion)) {
        ("", _) => empty(entry).map(|()| NULL),
        ("1", true) => Ok(1),
        ("0", true) => Ok(0),
        ("true" | "True", true) if coercion == Coercion::TextToBoolean => Ok(1),
        ("false" | "False", true) if coercion == Coercion::TextToBoolean => Ok(0),
        _ => Err(Reason::WrongType),
    }
}

fn code(value: &Value<'_>, field: &Field, entry: &Entry) -> Result<Slot, Reason> {
    let is_empty = || matches!(value, Value::Text(text) if text.trim().is_empty());
    let text = match text(value, entry) {
        // The contract or the map says what an empty code means, so it need not be declared again.
        Err(_) if is_empty() && (field.empty.is_some() || entry.values.contains_key("")) => None,
        read => read?,
    };
    let Some(text) = text else {
        let mapped = entry.values.get("").filter(|_| is_empty()).copied();
        return plain(mapped.or(field.empty).map_or(NULL, i64::from));
    };
    if let Some(number) = entry.values.get(&*text) {
        return plain(i64::from(*number));
    }
    let known = field.list.as_ref().and_then(|list| list.from_wire(&text));
    match (known, field.other) {
        (Some(number), _) => plain(i64::from(number)),
        (None, Some(other)) => Ok(Slot { value: i64::from(other), is_other: true }),
        (None, None) => Err(Reason::UnknownCode),
    }
}

/// Digits with at most `decimals` decimals, as a whole number scaled by ten to that power.
fn decimal(text: &str, decimals: u8) -> Result<i64, Reason> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || digits.ends_with('.') {
        return Err(Reason::WrongType);
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(decimals).checked_sub(fraction.len()).ok_or(Reason::WrongType)?;
    let scaled = |whole: i64| {
        let value = whole.checked_mul(10_i64.pow(u32::from(decimals)))?;
        let rest = if fraction.is_empty() {
            0
        } else {
            fraction.parse::<i64>().ok()? * 10_i64.pow(missing as u32)
        };
        value.checked_add(rest)
    };
    // Only digits are left, so what does not parse is too large.
    let value = whole.parse().ok().and_then(scaled).ok_or(Reason::OutOfRange)?;
    Ok(if negative { -value } else { value })
}
