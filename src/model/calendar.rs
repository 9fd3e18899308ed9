//! Which days are worked: weekends, holidays and the Saturdays that make up for them.
//!
//! A calendar knows the days between which it was written and no others: what the Government has not
//! laid down yet cannot be reckoned, so beyond them there is neither a working day nor a day off.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::model::text::Bilingual;
use crate::model::time::Day;

/// The most days that one calendar may cover.
const MOST_DAYS: i32 = 366 * 30;

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first day of the week.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The day of the week of a day: 1970-01-01 was a Thursday.
    pub fn of(day: Day) -> Self {
        Self::ALL[(day.0 + 3).rem_euclid(7) as usize]
    }
}

/// `calendars.yaml`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendars {
    /// The calendars, by the name that rules know them by.
    pub calendars: BTreeMap<String, Settings>,
}

/// A calendar as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What people call it.
    pub title: Bilingual,
    /// The first day that it knows.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Day,
    /// The last day that it knows.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub until: Day,
    /// The weekly days off.
    #[serde(default = "saturday_and_sunday")]
    pub weekend: Vec<Weekday>,
    /// Days off besides them.
    #[serde(default)]
    pub holidays: Vec<Holiday>,
    /// Days that are worked although they are off by the rest.
    #[serde(default)]
    pub working: Vec<WrittenDay>,
}

/// One holiday, or several days of it in a row.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The day, or the first of them.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub day: Day,
    /// The last of them.
    #[serde(default)]
    pub until: Option<WrittenDay>,
    /// What it is called.
    pub name: Bilingual,
}

/// A day as `yyyy-MM-dd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct WrittenDay(
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub Day,
);

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || de::Error::custom(format!("'{text}' is not a day such as 2025-09-02"));
    Day::parse(&text).ok_or_else(wrong)
}

fn saturday_and_sunday() -> Vec<Weekday> {
    vec![Weekday::Saturday, Weekday::Sunday]
}

/// A checked calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    from: Day,
    until: Day,
    weekend: Vec<Weekday>,
    off: BTreeSet<Day>,
    worked: BTreeSet<Day>,
}

impl Calendar {
    /// Checks what is written; all problems with their dotted places.
    pub fn compile(written: &Settings) -> Result<Self, Vec<(String, String)>> {
        let Settings { from, until, .. } = *written;
        let mut problems = Vec::new();
        let mut wrong = |at: String, message: String| problems.push((at, message));
        if until < from || until.0 - from.0 > MOST_DAYS {
            let message = "must not be before 'from', nor more than 30 years after it";
            return Err(vec![("until".to_owned(), message.to_owned())]);
        }
        let outside = |day: Day| format!("{day} is outside the calendar, {from} to {until}");
        let knows = |day: Day| from <= day && day <= until;
        let mut off = BTreeSet::new();
        for (i, holiday) in written.holidays.iter().enumerate() {
            let last = holiday.until.map_or(holiday.day, |until| until.0);
            if !knows(holiday.day) {
                wrong(format!("holidays.{i}.day"), outside(holiday.day));
            } else if last < holiday.day {
                wrong(format!("holidays.{i}.until"), format!("is before {}", holiday.day));
            } else if !knows(last) {
                wrong(format!("holidays.{i}.until"), outside(last));
            } else {
                off.extend((holiday.day.0..=last.0).map(Day));
            }
        }
        for (i, WrittenDay(day)) in written.working.iter().enumerate() {
            if !knows(*day) {
                wrong(format!("working.{i}"), outside(*day));
            } else if !off.contains(day) && !written.weekend.contains(&Weekday::of(*day)) {
                wrong(format!("working.{i}"), format!("{day} is worked anyway: leave it out"));
            }
        }
        let worked = written.working.iter().map(|day| day.0).collect();
        let weekend = written.weekend.clone();
        if problems.is_empty() {
            Ok(Self { from, until, weekend, off, worked })
        } else {
            Err(problems)
        }
    }

    /// Whether a day is worked; nothing outside the days that the calendar knows.
    pub fn is_working(&self, day: Day) -> Option<bool> {
        let is_known = self.from <= day && day <= self.until;
        let is_off = || self.off.contains(&day) || self.weekend.contains(&Weekday::of(day));
        is_known.then(|| self.worked.contains(&day) || !is_off())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn written(text: &str) -> Settings {
        let head = "title: {vi: a, en: a}\nfrom: 2024-01-01\nuntil: 2024-12-31\n";
        serde_saphyr::from_str(&format!("{head}{text}")).unwrap()
    }

    #[test]
    fn weekends_holidays_and_made_up_saturdays_are_told_apart_within_the_known_days() {
        let text = "holidays:\n- {day: 2024-04-29, until: 2024-05-01, name: {vi: a, en: a}}\nworking: [2024-05-04]";
        let calendar = Calendar::compile(&written(text)).unwrap();
        for (date, is_working) in [
            ("2024-04-26", Some(true)),
            ("2024-04-27", Some(false)),
            ("2024-04-29", Some(false)),
            ("2024-05-01", Some(false)),
            ("2024-05-02", Some(true)),
            ("2024-05-04", Some(true)),
            ("2024-05-05", Some(false)),
            ("2025-01-02", None),
            ("2023-12-29", None),
        ] {
            assert_eq!(calendar.is_working(day(date)), is_working, "{date}");
        }
    }

    #[test]
    fn days_outside_backwards_or_to_no_purpose_are_problems_at_their_places() {
        let text = "holidays:\n- {day: 2025-01-01, name: {vi: a, en: a}}\n- {day: 2024-05-02, until: 2024-05-01, name: {vi: a, en: a}}\n\
                    - {day: 2024-12-31, until: 2025-01-01, name: {vi: a, en: a}}\nworking: [2024-05-03, 2026-01-10]";
        let problems = Calendar::compile(&written(text)).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|(at, _)| at.as_str()).collect();
        let wanted =
            ["holidays.0.day", "holidays.1.until", "holidays.2.until", "working.0", "working.1"];
        assert_eq!(places, wanted);
    }
}
