//! Moments and days as Vietnamese systems write them.
//!
//! Formats are fixed-width patterns of `yyyy MM dd HH mm ss` and literal characters, or one of
//! `rfc3339`, `unix_seconds`, `unix_millis`, `excel_serial`. Without an offset a moment is local time
//! (Asia/Ho_Chi_Minh). Nothing is guessed: a text that does not fit its declared format to the
//! character is no date.

use crate::model::time::{DAY, LOCAL_OFFSET, days};

/// One declared format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A fixed-width pattern.
    Pattern(Box<[Part]>),
    /// RFC 3339 with an offset.
    Rfc3339,
    /// Whole seconds since 1970 in UTC.
    UnixSeconds,
    /// Milliseconds since 1970 in UTC; the rest below a second is cut off.
    UnixMillis,
    /// Days since 30 December 1899 in local time, as spreadsheets keep dates; a fraction is the time
    /// of day, to the nearest second.
    ExcelSerial,
}

/// One part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Four digits of year.
    Year,
    /// Two digits of month.
    Month,
    /// Two digits of day.
    Day,
    /// Two digits of hour.
    Hour,
    /// Two digits of minute.
    Minute,
    /// Two digits of second.
    Second,
    /// This very byte.
    Literal(u8),
}

impl Format {
    /// Reads a format's name or pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "rfc3339" => return Ok(Self::Rfc3339),
            "unix_seconds" => return Ok(Self::UnixSeconds),
            "unix_millis" => return Ok(Self::UnixMillis),
            "excel_serial" => return Ok(Self::ExcelSerial),
            _ => {}
        }
        const NAMES: [(&str, Part); 6] = [
            ("yyyy", Part::Year),
            ("MM", Part::Month),
            ("dd", Part::Day),
            ("HH", Part::Hour),
            ("mm", Part::Minute),
            ("ss", Part::Second),
        ];
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            if let Some((name, part)) = NAMES.iter().find(|(name, _)| rest.starts_with(name)) {
                parts.push(*part);
                rest = &rest[name.len()..];
            } else if first.is_ascii_punctuation() || first == b' ' || first == b'T' {
                parts.push(Part::Literal(first));
                rest = &rest[1..];
            } else {
                return Err(format!(
                    "'{text}' is not a date format; write for example yyyyMMddHHmmss, dd/MM/yyyy HH:mm:ss, rfc3339"
                ));
            }
        }
        for needed in [Part::Year, Part::Month, Part::Day] {
            if !parts.contains(&needed) {
                return Err(format!("the date format '{text}' needs yyyy, MM and dd"));
            }
        }
        Ok(Self::Pattern(parts.into()))
    }

    /// The moment that `text` means, in seconds since 1970.
    pub fn moment(&self, text: &str) -> Option<i64> {
        match self {
            Self::Pattern(parts) => {
                let (day, second) = pattern(parts, text.as_bytes())?;
                Some(i64::from(day) * DAY + second - LOCAL_OFFSET)
            }
            Self::Rfc3339 => rfc3339(text),
            Self::UnixSeconds => text.parse().ok(),
            Self::UnixMillis => text.parse::<i64>().ok().map(|millis| millis.div_euclid(1000)),
            Self::ExcelSerial => serial(text).map(|local| local - LOCAL_OFFSET),
        }
    }

    /// The local day that `text` means, in days since 1970.
    pub fn day(&self, text: &str) -> Option<i64> {
        match self {
            Self::Pattern(parts) => pattern(parts, text.as_bytes()).map(|(day, _)| i64::from(day)),
            _ => {
                self.moment(text).map(|moment| moment.saturating_add(LOCAL_OFFSET).div_euclid(DAY))
            }
        }
    }

    /// Writes a moment in this format, in local time.
    pub fn write(&self, moment: i64) -> String {
        use crate::model::time::Stamp;
        let text = Stamp(moment).rfc3339();
        let Self::Pattern(parts) = self else {
            return match self {
                Self::UnixSeconds => moment.to_string(),
                Self::UnixMillis => moment.saturating_mul(1000).to_string(),
                Self::ExcelSerial => {
                    let local = moment.saturating_add(LOCAL_OFFSET) + EPOCH * DAY;
                    let (day, second) = (local.div_euclid(DAY), local.rem_euclid(DAY));
                    format!("{day}.{:010}", i128::from(second) * 10_000_000_000 / i128::from(DAY))
                }
                _ => text,
            };
        };
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Year => out.push_str(&text[0..4]),
                Part::Month => out.push_str(&text[5..7]),
                Part::Day => out.push_str(&text[8..10]),
                Part::Hour => out.push_str(&text[11..13]),
                Part::Minute => out.push_str(&text[14..16]),
                Part::Second => out.push_str(&text[17..19]),
                Part::Literal(byte) => out.push(char::from(*byte)),
            }
        }
        out
    }
}

/// The day of 1970-01-01, as spreadsheets count. They believe that 1900 had a 29 February, so days
/// before March 1900 are none.
const EPOCH: i64 = 25_569;

/// Local seconds since 1970 of a spreadsheet's day with its fraction.
fn serial(text: &str) -> Option<i64> {
    let (day, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if day.is_empty() || day.len() > 7 || !is_number(day) || !is_number(fraction) {
        return None;
    }
    let day: i64 = day.parse().ok().filter(|day| (61..=2_958_465).contains(day))?;
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_i128.pow(fraction.len() as u32);
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
    let second = (parts * i128::from(DAY) * 2 + scale) / (scale * 2);
    Some((day - EPOCH) * DAY + second as i64)
}

/// Day number and second of the day.
fn pattern(parts: &[Part], mut text: &[u8]) -> Option<(i32, i64)> {
    let (mut year, mut month, mut day, mut hour, mut minute, mut second) = (0, 0, 0, 0, 0, 0);
    for part in parts {
        match part {
            Part::Literal(byte) => text = text.strip_prefix(&[*byte])?,
            Part::Year => year = take(&mut text, 4)?,
            Part::Month => month = take(&mut text, 2)?,
            Part::Day => day = take(&mut text, 2)?,
            Part::Hour => hour = take(&mut text, 2)?,
            Part::Minute => minute = take(&mut text, 2)?,
            Part::Second => second = take(&mut text, 2)?,
        }
    }
    let sound =
        text.is_empty() && (1..=12).contains(&month) && day >= 1 && day <= length(year, month);
    if !sound || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((days(year as i32, month, day), i64::from(hour * 3600 + minute * 60 + second)))
}

fn take(text: &mut &[u8], digits: usize) -> Option<u32> {
    let (head, rest) = text.split_at_checked(digits)?;
    *text = rest;
    head.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}

fn length(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// `2024-04-02T17:00:00+07:00` at full speed; fractions and rarer spellings by the library.
fn rfc3339(text: &str) -> Option<i64> {
    const HEAD: [Part; 11] = [
        Part::Year,
        Part::Literal(b'-'),
        Part::Month,
        Part::Literal(b'-'),
        Part::Day,
        Part::Literal(b'T'),
        Part::Hour,
        Part::Literal(b':'),
        Part::Minute,
        Part::Literal(b':'),
        Part::Second,
    ];
    let bytes = text.as_bytes();
    if let Some((head, tail)) = bytes.split_at_checked(19) {
        let offset = match tail {
            b"Z" => Some(0),
            b"+07:00" => Some(LOCAL_OFFSET),
            _ => None,
        };
        if let (Some(offset), Some((day, second))) = (offset, pattern(&HEAD, head)) {
            return Some(i64::from(day) * DAY + second - offset);
        }
    }
    // The library takes offsets of up to 25 hours; a day has fewer.
    if let [.., b'+' | b'-', tens, ones, b':', _, _] = bytes
        && [*tens, *ones] >= *b"24"
    {
        return None;
    }
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond().div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(format: &str, text: &str) -> Option<String> {
        let format = Format::parse(format).unwrap();
        format.moment(text).map(|moment| crate::model::time::Stamp(moment).rfc3339())
    }

    #[test]
    fn moments_are_read_as_declared() {
        let noon = Some("2024-02-29T12:30:05+07:00".to_owned());
        assert_eq!(moment("yyyyMMddHHmmss", "20240229123005"), noon);
        assert_eq!(moment("dd/MM/yyyy HH:mm:ss", "29/02/2024 12:30:05"), noon);
        assert_eq!(moment("rfc3339", "2024-02-29T12:30:05+07:00"), noon);
        assert_eq!(moment("rfc3339", "2024-02-29T05:30:05Z"), noon);
        assert_eq!(moment("rfc3339", "2024-02-29T06:30:05.999+01:00"), noon);
        assert_eq!(moment("unix_millis", "1709184605999"), noon);
        assert_eq!(Format::parse("dd/MM/yyyy").unwrap().day("01/01/1970"), Some(0));
    }

    #[test]
    fn what_does_not_fit_is_no_date() {
        for text in [
            "",
            "20240230000000",
            "20241301000000",
            "2024010100000",
            "202401010000000",
            "20240101240000",
            "2024010a000000",
            "２０２４",
        ] {
            assert_eq!(moment("yyyyMMddHHmmss", text), None, "{text}");
        }
        for text in [
            "2024-02-30T00:00:00Z",
            "2024-01-01",
            "yesterday",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00+24:00",
        ] {
            assert_eq!(moment("rfc3339", text), None, "{text}");
        }
        for format in ["", "yyyy-MM", "dd.MM.yy", "%Y-%m-%d", "iso"] {
            assert!(Format::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn a_spreadsheets_day_is_local_and_to_the_second() {
        let format = Format::parse("excel_serial").unwrap();
        // 2024-10-01 is day 45566; 18:00 local is 11:00 in UTC.
        assert_eq!(format.moment("45566.75"), Some(1_727_780_400));
        assert_eq!(format.day("45566"), Some(19_997));
        // A third of a day, as floats have it.
        assert_eq!(format.moment("45566.333333333336"), format.moment("45566.33333333333"));
        assert_eq!(format.moment(&format.write(1_727_780_401)), Some(1_727_780_401));
        for none in ["", "60", "0", "-1", "45566,5", "1e4", "2024-10-01", "29584660", "45566.5.1"] {
            assert_eq!(format.moment(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for format in ["yyyyMMddHHmmss", "dd/MM/yyyy HH:mm:ss", "rfc3339", "unix_seconds"] {
            let format = Format::parse(format).unwrap();
            for moment in (0..4_000_000_000).step_by(97_777_777) {
                assert_eq!(format.moment(&format.write(moment)), Some(moment));
            }
        }
    }
}
