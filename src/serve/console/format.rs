//! Numbers and times as Vietnamese readers write them: `1.234,5`, `94,1 %`, `02/04/2024 16:55`.
//!
//! Only the console speaks like this; the API keeps to machine formats. A number and its sign stay
//! on one line.

use crate::model::time::{Day, LOCAL_OFFSET, Stamp};

/// The unit of ratios, which are shown as percentages.
pub(super) const PERCENT: &str = "percent";

/// A value of an indicator: ratios as percentages, whole amounts without decimals.
pub(super) fn value(value: f64, unit: &str, decimals: u8) -> String {
    if unit == PERCENT {
        return format!("{}\u{a0}%", number(value * 100.0, decimals, true));
    }
    number(value, decimals, false)
}

/// An amount without decimals where it is whole.
pub(super) fn amount(value: f64) -> String {
    number(value, 1, false)
}

/// A count.
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn number(value: f64, decimals: u8, keep: bool) -> String {
    let decimals = if !keep && value.fract() == 0.0 { 0 } else { usize::from(decimals) };
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let nothing = text.bytes().all(|b| b == b'0' || b == b'.');
    let sign = if value < 0.0 && !nothing { "−" } else { "" };
    let comma = if fraction.is_empty() { "" } else { "," };
    format!("{sign}{}{comma}{fraction}", grouped(whole))
}

/// Digits with a point before each group of three.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    out
}

/// `02/04/2024`.
pub(super) fn day(day: Day) -> String {
    let date = day.date();
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

/// `02/04`.
pub(super) fn short_day(day: Day) -> String {
    let date = day.date();
    format!("{:02}/{:02}", date.day(), date.month())
}

/// `02/04/2024 16:55`, local time.
pub(super) fn time(at: Stamp) -> String {
    let second = (at.0 + LOCAL_OFFSET).rem_euclid(86_400);
    format!("{} {:02}:{:02}", day(at.day()), second / 3600, second / 60 % 60)
}

/// A length of time in the largest sensible unit, in both languages: `25 phút`, `25 min`.
pub(super) fn age(seconds: i64) -> (String, String) {
    let (count, vi, en) = match seconds.max(0) {
        s @ ..3600 => (s / 60, "phút", "min"),
        s @ ..172_800 => (s / 3600, "giờ", "h"),
        s => (s / 86_400, "ngày", "d"),
    };
    (format!("{} {vi}", grouped(&count.to_string())), format!("{count} {en}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_points_with_a_comma_before_decimals() {
        for (given, expected) in [
            (0.0, "0"),
            (1234.5, "1.234,5"),
            (1_234_567.0, "1.234.567"),
            (-0.04, "0,0"),
            (-12.34, "−12,3"),
            (999.96, "1.000,0"),
        ] {
            assert_eq!(value(given, "dossiers", 1), expected, "{given}");
        }
    }

    #[test]
    fn ratios_are_percentages() {
        assert_eq!(value(0.9412, PERCENT, 1), "94,1\u{a0}%");
        assert_eq!(value(1.0, PERCENT, 1), "100,0\u{a0}%");
        assert_eq!(value(0.5, PERCENT, 0), "50\u{a0}%");
    }

    #[test]
    fn times_are_local_and_ages_are_round() {
        let at = Stamp::parse("2024-04-02T17:30:05Z").unwrap();
        assert_eq!(time(at), "03/04/2024 00:30");
        assert_eq!(age(90 * 60), ("1 giờ".to_owned(), "1 h".to_owned()));
        assert_eq!(age(59).0, "0 phút");
        assert_eq!(age(3 * 86_400).0, "3 ngày");
    }
}
