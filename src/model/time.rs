//! Moments and local days.
//!
//! The province lives at UTC+7 all year (Asia/Ho_Chi_Minh, no daylight saving since 1975), so a
//! local day is plain integer arithmetic on whole seconds. Buckets are always cut in local days;
//! anything that needs months, weeks or names of days goes through `jiff`.

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// Seconds by which local time is ahead of UTC (Asia/Ho_Chi_Minh).
pub const LOCAL_OFFSET: i64 = 7 * 3600;

/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// Seconds in an hour.
pub const HOUR: i64 = 3_600;

/// A moment: whole seconds since 1970-01-01T00:00:00Z. Serialised as RFC 3339 with +07:00.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub i64);

/// A local calendar day: days since 1970-01-01. Serialised as `yyyy-MM-dd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Stamp {
    /// The local day that this moment falls on.
    pub fn day(self) -> Day {
        Day((self.0 + LOCAL_OFFSET).div_euclid(DAY) as i32)
    }

    /// RFC 3339 in local time: `2024-04-02T17:00:00+07:00`.
    pub fn rfc3339(self) -> String {
        let local = self.0 + LOCAL_OFFSET;
        let second = local.rem_euclid(DAY);
        let date = Day(local.div_euclid(DAY) as i32);
        format!("{date}T{:02}:{:02}:{:02}+07:00", second / 3600, second / 60 % 60, second % 60)
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_second()))
    }
}

impl Day {
    /// The first second of the day.
    pub fn start(self) -> Stamp {
        Stamp(i64::from(self.0) * DAY - LOCAL_OFFSET)
    }

    /// The day `count` days later.
    #[must_use]
    pub fn plus(self, count: i32) -> Self {
        Self(self.0 + count)
    }

    /// The day as a calendar date; days outside years 1 to 9999 are clamped.
    pub fn date(self) -> Date {
        let (year, month, day) = civil(self.0);
        Date::new(year.clamp(1, 9999) as i16, month as i8, day as i8).unwrap_or(Date::MAX)
    }

    /// The day of a calendar date.
    pub fn from_date(date: Date) -> Self {
        Self(days(i32::from(date.year()), date.month() as u32, date.day() as u32))
    }

    /// Reads `yyyy-MM-dd`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<Date>().ok().filter(|_| text.len() == 10).map(Self::from_date)
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (the usual era-of-400-years arithmetic).
pub fn days(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = month as i32 + if month > 2 { -3 } else { 9 };
    let of_year = (153 * month + 2) / 5 + day as i32 - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(day: i32) -> (i32, u32, u32) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (
        era * 400 + year + i32::from(month <= 2),
        month as u32,
        (of_year - (153 * shifted + 2) / 5 + 1) as u32,
    )
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Stamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_with_the_calendar() {
        for day in (-700_000..2_900_000).step_by(37) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day));
            if let Ok(date) = date {
                assert_eq!(Day::from_date(date), Day(day));
                assert_eq!(Day(day).date(), date);
            }
        }
    }

    #[test]
    fn a_local_day_begins_at_17_utc() {
        let midnight = Stamp::parse("2024-04-01T17:00:00Z").unwrap();
        assert_eq!(midnight.day().to_string(), "2024-04-02");
        assert_eq!(Stamp(midnight.0 - 1).day().to_string(), "2024-04-01");
        assert_eq!(midnight.rfc3339(), "2024-04-02T00:00:00+07:00");
        assert_eq!(midnight.day().start(), midnight);
    }
}
