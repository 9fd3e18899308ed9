//! Periods: how people ask for one, and how they follow each other.
//!
//! A period is a run of whole local days with a name that sorts and is read back: `2024`, `2024-Q1`,
//! `2024-03`, `2024-W13` (ISO 8601 weeks, Monday first), `2024-03-31`; or one hour of a day,
//! `2024-03-31T08`, for indicators whose measures are kept by the hour. Two words follow the data
//! rather than the calendar: `latest` and `latest_closed`, so that a wall board shows the newest day
//! that the sources have reported instead of an empty today.

use serde::{Deserialize, Serialize};

use crate::indicator::reading::Period;
use crate::model::time::{Day, HOUR, Stamp, days};

/// Years that can be asked for; records before 2000 are not believed, day numbers end in 2179.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2178;

/// The lengths of periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grain {
    /// An hour of a local day; the zone has no summer time, so every day has 24.
    Hour,
    /// A local day.
    Day,
    /// A week from Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
}

/// The days that an indicator's sources have reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The newest day of which at least a part is covered for every contract behind it.
    pub newest: Option<Day>,
    /// The newest day that every source behind it covers to its end.
    pub closed: Option<Day>,
}

impl Grain {
    /// All of them, shortest first.
    pub const ALL: [Self; 6] =
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// Those that every indicator can be asked for by: whole days and more.
    pub const OF_DAYS: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Reads [`Grain::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.as_str() == text)
    }

    /// The periods that have a day in `first..end`, in order. They may begin before `first` and end
    /// after `end`: a period is never cut.
    pub fn periods(self, first: Day, end: Day) -> impl Iterator<Item = Period> {
        let start = (first < end).then(|| Period::containing(first, self));
        std::iter::successors(start, Period::next).take_while(move |period| period.first < end)
    }
}

impl Period {
    /// Reads a period as asked for; `latest` and `latest_closed` need to know how far the data go
    /// and fall back to today and yesterday while nothing has come in.
    pub fn parse(text: &str, today: Day, extent: Extent) -> Result<Self, String> {
        let yesterday = today.plus(-1);
        match text {
            "latest" => {
                let newest = extent.newest.unwrap_or(today).min(today);
                return Ok(Self::containing(newest, Grain::Day));
            }
            "latest_closed" => {
                let closed = extent.closed.unwrap_or(yesterday).min(yesterday);
                return Ok(Self::containing(closed, Grain::Day));
            }
            _ => {}
        }
        // The name of a period is unique, so what reads back to other text was no name.
        read(text)
            .filter(|(moment, _)| YEARS.contains(&i32::from(moment.0.date().year())))
            .map(Self::named)
            .filter(|period| period.id == text)
            .ok_or_else(|| {
                format!(
                    "'{text}' is not a period; write for example 2024, 2024-Q1, 2024-03, \
                     2024-W13, 2024-03-31, 2024-03-31T08, latest or latest_closed (years {} to {})",
                    YEARS.start(),
                    YEARS.end()
                )
            })
    }

    /// The period of a length in which an hour of a day lies.
    fn named(((day, hour), grain): ((Day, u8), Grain)) -> Self {
        let period = Self::containing(day, grain);
        if grain == Grain::Hour { period.at(hour) } else { period }
    }

    /// An hour of the day on which it begins.
    fn at(self, hour: u8) -> Self {
        let first = self.first;
        Self { id: format!("{first}T{hour:02}"), first, end: first.plus(1), hour: Some(hour) }
    }

    /// Its first moment.
    pub fn starts(&self) -> Stamp {
        Stamp(self.first.start().0 + HOUR * i64::from(self.hour.unwrap_or(0)))
    }

    /// The first moment after it.
    pub fn ends(&self) -> Stamp {
        match self.hour {
            Some(_) => Stamp(self.starts().0 + HOUR),
            None => self.end.start(),
        }
    }

    /// The days that it lies in.
    #[must_use]
    pub fn of_days(&self) -> Self {
        Self { hour: None, ..self.clone() }
    }

    /// The period of a length in which `day` lies, or begins for an hour.
    pub fn containing(day: Day, grain: Grain) -> Self {
        let date = day.date();
        let (year, month) = (i32::from(date.year()), date.month() as u32);
        let first_of =
            |month: u32| Day(days(year + (month as i32 - 1) / 12, (month - 1) % 12 + 1, 1));
        let of = |id: String, first: Day, end: Day| Self { id, first, end, hour: None };
        match grain {
            Grain::Hour => of(String::new(), day, day.plus(1)).at(0),
            Grain::Day => of(day.to_string(), day, day.plus(1)),
            Grain::Week => {
                let week = date.iso_week_date();
                let first = day.plus(-i32::from(week.weekday().to_monday_zero_offset()));
                let id = format!("{:04}-W{:02}", week.year(), week.week());
                of(id, first, first.plus(7))
            }
            Grain::Month => {
                of(format!("{year:04}-{month:02}"), first_of(month), first_of(month + 1))
            }
            Grain::Quarter => {
                let quarter = (month - 1) / 3;
                let id = format!("{year:04}-Q{}", quarter + 1);
                of(id, first_of(quarter * 3 + 1), first_of(quarter * 3 + 4))
            }
            Grain::Year => of(format!("{year:04}"), first_of(1), first_of(13)),
        }
    }

    /// The length, told by the days: no two lengths overlap.
    pub fn grain(&self) -> Grain {
        match self.end.0 - self.first.0 {
            _ if self.hour.is_some() => Grain::Hour,
            ..=1 => Grain::Day,
            2..=7 => Grain::Week,
            8..=31 => Grain::Month,
            32..=92 => Grain::Quarter,
            _ => Grain::Year,
        }
    }

    /// The whole period that it is called by, of which it may be a part.
    #[must_use]
    pub fn whole(&self) -> Self {
        read(&self.id).map_or_else(|| self.clone(), Self::named)
    }

    /// The period of the same length before this one.
    #[must_use]
    pub fn previous(&self) -> Self {
        if let Some(hour) = self.hour {
            return match hour.checked_sub(1) {
                Some(before) => self.clone().at(before),
                None => Self::containing(self.first.plus(-1), Grain::Hour).at(23),
            };
        }
        Self::containing(self.first.plus(-1), self.grain())
    }

    /// The period of the same length after this one; `None` at the end of the calendar.
    pub fn next(&self) -> Option<Self> {
        if let Some(hour) = self.hour.filter(|hour| *hour < 23) {
            return Some(self.clone().at(hour + 1));
        }
        let next = Self::containing(self.end, self.grain());
        (next.first == self.end).then_some(next)
    }

    /// The same period of the year before; a week keeps its number (53 falls to 52), 29 February
    /// becomes 28.
    #[must_use]
    pub fn year_ago(&self) -> Self {
        let date = self.first.date();
        let grain = self.grain();
        let day = if grain == Grain::Week {
            let week = date.iso_week_date();
            let first = first_monday(i32::from(week.year()) - 1);
            let same = first.plus(7 * (i32::from(week.week()) - 1));
            same.min(first_monday(i32::from(week.year())).plus(-7))
        } else {
            let (year, month) = (i32::from(date.year()) - 1, date.month() as u32);
            let leap_day = month == 2 && date.day() == 29;
            Day(days(year, month, if leap_day { 28 } else { date.day() as u32 }))
        };
        let same = Self::containing(day, grain);
        self.hour.map_or(same.clone(), |hour| same.at(hour))
    }

    /// How many days it has.
    pub fn days(&self) -> i32 {
        self.end.0 - self.first.0
    }
}

/// Monday of ISO week 1: the week with 4 January.
fn first_monday(year: i32) -> Day {
    let fourth = Day(days(year, 1, 4));
    fourth.plus(-i32::from(fourth.date().weekday().to_monday_zero_offset()))
}

/// A day in the named period with its hour, and the period's length.
fn read(text: &str) -> Option<((Day, u8), Grain)> {
    if !text.is_ascii() || text.len() < 4 || text.len() > 13 {
        return None;
    }
    if let Some((day, hour)) = text.split_once('T') {
        let hour = number(hour).filter(|at| hour.len() == 2 && *at < 24)?;
        return Some(((Day::parse(day)?, hour as u8), Grain::Hour));
    }
    if text.len() >= 10 {
        return Day::parse(text).map(|day| ((day, 0), Grain::Day));
    }
    let (day, grain) = of_days(text)?;
    Some(((day, 0), grain))
}

/// A day in the named period of more than one, and its length.
fn of_days(text: &str) -> Option<(Day, Grain)> {
    let (year, rest) = text.split_at(4);
    let year = number(year)? as i32;
    match rest.as_bytes() {
        [] => Some((Day(days(year, 1, 1)), Grain::Year)),
        [b'-', b'Q', quarter @ b'1'..=b'4'] => {
            Some((Day(days(year, u32::from(quarter - b'1') * 3 + 1, 1)), Grain::Quarter))
        }
        [b'-', b'W', ..] => {
            let week = number(&rest[2..]).filter(|week| (1..=53).contains(week))?;
            Some((first_monday(year).plus(7 * (week as i32 - 1)), Grain::Week))
        }
        [b'-', _, _] => {
            let month = number(&rest[1..]).filter(|month| (1..=12).contains(month))?;
            Some((Day(days(year, month, 1)), Grain::Month))
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn period(text: &str) -> Period {
        Period::parse(text, day("2024-04-02"), Extent::default()).unwrap()
    }

    fn bounds(text: &str) -> (String, String) {
        let period = period(text);
        (period.first.to_string(), period.end.to_string())
    }

    #[test]
    fn every_length_has_its_name_and_days() {
        let expect = [
            ("2024", "2024-01-01", "2025-01-01"),
            ("2024-Q1", "2024-01-01", "2024-04-01"),
            ("2024-Q4", "2024-10-01", "2025-01-01"),
            ("2024-02", "2024-02-01", "2024-03-01"),
            ("2024-12", "2024-12-01", "2025-01-01"),
            ("2024-W13", "2024-03-25", "2024-04-01"),
            ("2020-W53", "2020-12-28", "2021-01-04"),
            ("2024-03-31", "2024-03-31", "2024-04-01"),
            ("2024-03-31T08", "2024-03-31", "2024-04-01"),
        ];
        for (text, first, end) in expect {
            assert_eq!(bounds(text), (first.to_owned(), end.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_period_is_refused_with_examples() {
        for text in [
            "",
            "24",
            "2024-13",
            "2024-00",
            "2024-Q5",
            "2024-Q0",
            "2024-W00",
            "2024-W54",
            "2023-W53",
            "2024-02-30",
            "2024-3",
            "1999",
            "2179",
            "9999",
            "2024-W1",
            "2024-q1",
            "yesterday",
            "2024-03-31T24",
            "2024-03-31T8",
            "2024-03-31T08:00",
            "2024-02-30T08",
            "2024-03T08",
            "T08",
            "２０２４",
            "+024",
            "2024-+3",
        ] {
            let problem = Period::parse(text, day("2024-04-02"), Extent::default()).unwrap_err();
            assert!(problem.contains("2024-W13"), "{text}");
        }
    }

    #[test]
    fn periods_follow_each_other_without_gap_and_back() {
        for grain in Grain::ALL {
            let mut period = Period::containing(day("2019-06-15"), grain);
            for _ in 0..400 {
                assert_eq!(period.grain(), grain, "{}", period.id);
                let next = period.next().unwrap();
                assert_eq!(next.starts(), period.ends());
                assert_eq!(next.previous(), period);
                let year = i32::from(period.first.date().year());
                if YEARS.contains(&year) && YEARS.contains(&(year - 1)) {
                    let read = Period::parse(&period.id, day("2024-04-02"), Extent::default());
                    assert_eq!(read.as_ref(), Ok(&period));
                }
                if year > 2170 {
                    break;
                }
                period = next;
            }
        }
    }

    #[test]
    fn latest_follows_the_data_and_never_the_future() {
        let today = day("2024-04-02");
        let latest = |text, newest: Option<&str>, closed: Option<&str>| {
            let extent = Extent { newest: newest.map(day), closed: closed.map(day) };
            Period::parse(text, today, extent).unwrap().id
        };
        assert_eq!(latest("latest", Some("2024-03-30"), None), "2024-03-30");
        assert_eq!(latest("latest", Some("2024-05-01"), None), "2024-04-02");
        assert_eq!(latest("latest", None, None), "2024-04-02");
        assert_eq!(latest("latest_closed", None, Some("2024-03-29")), "2024-03-29");
        assert_eq!(latest("latest_closed", None, Some("2024-04-02")), "2024-04-01");
        assert_eq!(latest("latest_closed", None, None), "2024-04-01");
    }

    #[test]
    fn a_series_of_periods_is_never_cut() {
        let ids = |grain: Grain, first, end| -> Vec<String> {
            grain.periods(day(first), day(end)).map(|period| period.id).collect()
        };
        assert_eq!(ids(Grain::Month, "2024-01-31", "2024-03-01"), ["2024-01", "2024-02"]);
        assert_eq!(ids(Grain::Day, "2024-02-28", "2024-03-01"), ["2024-02-28", "2024-02-29"]);
        assert!(ids(Grain::Year, "2024-01-01", "2024-01-01").is_empty());
        let hours = ids(Grain::Hour, "2024-02-28", "2024-03-01");
        assert_eq!((hours.len(), &*hours[8], &*hours[47]), (48, "2024-02-28T08", "2024-02-29T23"));
    }

    #[test]
    fn a_year_ago_is_the_same_period_of_the_year_before() {
        for (text, before) in [
            ("2024", "2023"),
            ("2024-Q1", "2023-Q1"),
            ("2024-03", "2023-03"),
            ("2024-02-29", "2023-02-28"),
            ("2024-W13", "2023-W13"),
            ("2020-W53", "2019-W52"),
            ("2024-02-29T23", "2023-02-28T23"),
        ] {
            assert_eq!(period(text).year_ago().id, before);
        }
    }
}
