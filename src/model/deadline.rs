//! By when a report has to be in, as a steward writes it: "in by 07:30 on working days".
//!
//! The rule stands at the bottom because a contract speaks of it; [`crate::lateness`] reckons with it.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::model::calendar::Weekday;

/// When a report is due, and what it must hold by then.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InBy {
    /// The local time of day: `07:30`.
    pub time: TimeOfDay,
    /// On which days.
    pub on: Rhythm,
    /// `weekly`: the day of the week.
    #[serde(default)]
    pub weekday: Option<Weekday>,
    /// `monthly`: the day of the month; the last one in months that are shorter.
    #[serde(default)]
    pub day: Option<u8>,
    /// The calendar in `calendars.yaml` that says which days are worked. `working_days` needs one;
    /// a weekly or monthly report that falls on a day off is due on the next working day.
    #[serde(default)]
    pub calendar: Option<String>,
    /// How far the data must reach.
    #[serde(default)]
    pub data_through: Reach,
}

/// On which days a report is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// Every day, for the day before.
    Daily,
    /// Every working day, for the days since the working day before.
    WorkingDays,
    /// Once a week, for the seven days before.
    Weekly,
    /// Once a month, for the month before.
    Monthly,
}

/// How far the data of a report must reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// To the end of the period that it is for.
    #[default]
    PeriodEnd,
    /// Into the last (working) day of that period: for data whose newest record is its last event.
    LastDay,
}

/// A local time of day, in seconds from midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub u32);

impl TimeOfDay {
    /// Reads `07:30`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a time of day such as \"07:30\", in quotes");
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str, below: u32| {
            let is_plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|number| is_plain && *number < below)
        };
        let (hour, minute) = number(hour, 24).zip(number(minute, 60)).ok_or_else(wrong)?;
        Ok(Self(hour * 3600 + minute * 60))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A local time of day: 07:30.",
            "type": "string",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"
        })
    }
}

impl InBy {
    /// What makes no sense in the rule; places below `at`.
    pub fn check(&self, at: &str, calendars: &[&str]) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut wrong =
            |key: &str, message: String| problems.push((format!("{at}.{key}"), message));
        let is_weekly = self.on == Rhythm::Weekly;
        if is_weekly != self.weekday.is_some() {
            let message = "goes with 'on: weekly', which needs it: 'weekday: monday'";
            wrong(if is_weekly { "on" } else { "weekday" }, format!("'weekday' {message}"));
        }
        let is_monthly = self.on == Rhythm::Monthly;
        if is_monthly != self.day.is_some() {
            let message = "goes with 'on: monthly', which needs it: 'day: 5'";
            wrong(if is_monthly { "on" } else { "day" }, format!("'day' {message}"));
        }
        if self.day.is_some_and(|day| !(1..=31).contains(&day)) {
            wrong("day", "must be from 1 to 31".to_owned());
        }
        match (&self.calendar, self.on) {
            (None, Rhythm::WorkingDays) => {
                wrong("on", "working days need a 'calendar' that says which they are".to_owned());
            }
            (Some(_), Rhythm::Daily) => {
                let message = "every day needs none: leave it out, or say 'on: working_days'";
                wrong("calendar", message.to_owned());
            }
            (Some(name), _) if !calendars.contains(&name.as_str()) => {
                let known = crate::model::nearest::nearest(name, calendars.iter().copied())
                    .map_or_else(String::new, |near| format!(" – did you mean '{near}'?"));
                let message = format!("there is no calendar '{name}' in calendars.yaml{known}");
                wrong("calendar", message);
            }
            _ => {}
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_two_and_two_digits_of_one_day() {
        assert_eq!(TimeOfDay::parse("07:30").unwrap().to_string(), "07:30");
        assert_eq!(TimeOfDay::parse("23:59"), Ok(TimeOfDay(86_340)));
        for text in ["24:00", "7:30", "07:60", "0730", "07:30:00", "+7:30", ""] {
            assert!(TimeOfDay::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_says_what_its_rhythm_needs_and_nothing_else() {
        for (text, places) in [
            ("{time: '07:30', on: daily}", ""),
            ("{time: '07:30', on: working_days, calendar: vietnam}", ""),
            ("{time: '07:30', on: weekly, weekday: monday, calendar: vietnam}", ""),
            ("{time: '07:30', on: monthly, day: 31}", ""),
            ("{time: '07:30', on: working_days}", "r.on"),
            ("{time: '07:30', on: working_days, calendar: vietnm}", "r.calendar"),
            ("{time: '07:30', on: daily, calendar: vietnam, day: 2}", "r.day r.calendar"),
            ("{time: '07:30', on: weekly}", "r.on"),
            ("{time: '07:30', on: monthly, day: 32}", "r.day"),
            ("{time: '07:30', on: daily, weekday: sunday}", "r.weekday"),
        ] {
            let rule: InBy = serde_saphyr::from_str(text).unwrap();
            let found = rule.check("r", &["vietnam"]);
            let found: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
            assert_eq!(found.join(" "), places, "{text}");
        }
    }
}
