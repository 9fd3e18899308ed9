//! One value: from the wire to the whole number of its slot, or the reason why not.
//!
//! Coercions are few and the same everywhere: an empty text is null; whole numbers and decimals may
//! come as texts of digits (many Vietnamese systems send every value as a text); booleans may come as
//! `true/false`, `True/False` or `0/1`. Nothing is rounded.

use super::mapping::Entry;
use crate::model::contract::PropertyType;
use crate::model::observation::Reason;
use crate::model::record::Value;
use crate::model::row::{EARLIEST, EARLIEST_DAY, LATEST, LATEST_DAY, NULL};
use crate::model::schema::Field;

/// The latest moment and day that are believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Horizon {
    pub(super) moment: i64,
    pub(super) day: i64,
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

/// The text of a scalar, trimmed; `None` if it is null, absent or empty.
pub(super) fn text<'v>(value: &'v Value<'_>, entry: &Entry) -> Result<Option<&'v str>, Reason> {
    let text = match value {
        Value::Absent | Value::Null => return Ok(None),
        Value::Text(text) => text.trim(),
        Value::Number(digits) => digits,
        Value::Boolean(_) | Value::Unfit => return Err(Reason::WrongType),
    };
    let text = entry
        .strip_suffix
        .as_ref()
        .map_or(text, |suffix| text.strip_suffix(suffix.as_str()).unwrap_or(text));
    Ok((!text.is_empty()).then_some(text))
}

/// Reads any property but identifiers and areas.
pub(super) fn read(
    value: &Value<'_>,
    field: &Field,
    entry: &Entry,
    horizon: Horizon,
) -> Result<Slot, Reason> {
    if field.kind == PropertyType::Boolean {
        return boolean(value).and_then(plain);
    }
    let Some(text) = text(value, entry)? else {
        return plain(field.empty.map_or(NULL, i64::from));
    };
    match field.kind {
        PropertyType::Code => code(text, field, entry),
        PropertyType::Timestamp => {
            let moment = entry
                .formats
                .iter()
                .find_map(|format| format.moment(text))
                .ok_or(Reason::WrongType)?;
            let latest = if field.future { LATEST } else { horizon.moment };
            within(moment, EARLIEST, LATEST)?;
            if moment > latest { Err(Reason::FutureDated) } else { plain(moment) }
        }
        PropertyType::Date => {
            let day = entry
                .formats
                .iter()
                .find_map(|format| format.day(text))
                .ok_or(Reason::WrongType)?;
            let latest = if field.future { LATEST_DAY } else { horizon.day };
            within(day, EARLIEST_DAY, LATEST_DAY)?;
            if day > latest { Err(Reason::FutureDated) } else { plain(day) }
        }
        PropertyType::Integer | PropertyType::Decimal => {
            let number = decimal(text, field.decimals).ok_or(Reason::WrongType)?;
            within(number, field.bounds.0, field.bounds.1)?;
            plain(number)
        }
        PropertyType::Boolean | PropertyType::Identifier | PropertyType::Area => {
            Err(Reason::WrongType)
        }
    }
}

fn within(value: i64, low: i64, high: i64) -> Result<(), Reason> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(Reason::OutOfRange) }
}

fn boolean(value: &Value<'_>) -> Result<i64, Reason> {
    match value {
        Value::Absent | Value::Null => Ok(NULL),
        Value::Boolean(value) => Ok(i64::from(*value)),
        Value::Text(text) => match text.trim() {
            "" => Ok(NULL),
            "1" | "true" | "True" => Ok(1),
            "0" | "false" | "False" => Ok(0),
            _ => Err(Reason::WrongType),
        },
        Value::Number("1") => Ok(1),
        Value::Number("0") => Ok(0),
        Value::Number(_) | Value::Unfit => Err(Reason::WrongType),
    }
}

fn code(text: &str, field: &Field, entry: &Entry) -> Result<Slot, Reason> {
    if let Some(number) = entry.values.get(text) {
        return plain(i64::from(*number));
    }
    let known = field.list.as_ref().and_then(|list| list.from_wire(text));
    match (known, field.other) {
        (Some(number), _) => plain(i64::from(number)),
        (None, Some(other)) => Ok(Slot { value: i64::from(other), is_other: true }),
        (None, None) => Err(Reason::UnknownCode),
    }
}

/// Digits with at most `decimals` decimals, as a whole number scaled by ten to that power.
fn decimal(text: &str, decimals: u8) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || digits.ends_with('.') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(decimals).checked_sub(fraction.len())?;
    let value = whole.parse::<i64>().ok()?.checked_mul(10_i64.pow(u32::from(decimals)))?;
    let rest = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<i64>().ok()? * 10_i64.pow(missing as u32)
    };
    let value = value.checked_add(rest)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_exact_or_refused() {
        let cases = [
            ("12", 0, Some(12)),
            ("-12", 0, Some(-12)),
            ("0012", 0, Some(12)),
            ("12.50", 2, Some(1250)),
            ("12.5", 2, Some(1250)),
            ("12.00", 0, Some(12)),
            ("-0", 0, Some(0)),
            ("-0.05", 2, Some(-5)),
            ("9223372036854775807", 0, Some(i64::MAX)),
            ("9223372036854775808", 0, None),
            ("92233720368547758.08", 2, None),
            ("12.505", 2, None),
            ("12.", 2, None),
            (".5", 2, None),
            ("1e3", 0, None),
            ("1,5", 1, None),
            ("NaN", 0, None),
            ("+1", 0, None),
            ("--1", 0, None),
            ("0x10", 0, None),
            ("", 0, None),
            ("-", 0, None),
        ];
        for (text, decimals, expected) in cases {
            assert_eq!(decimal(text, decimals), expected, "{text}");
        }
    }
}
