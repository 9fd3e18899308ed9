//! From `period=`, `from=`, `to=`, `last=` and `grain=` to days, and nothing else.
//!
//! Everything is cut in local days and a bucket is always whole: a series from the middle of a month
//! by month begins with that whole month, because half a month under the name of a month would be
//! a wrong figure.

use super::context::Asked;
use super::error::{ApiError, ParameterError, brief};
use super::query::Query;
use super::routes::parameter::day;
use crate::indicator::{Definition, Grain, Period, Place, World, quality, series};
use crate::model::time::{Day, Stamp};

/// The most points in one answer.
pub(super) const POINTS: usize = 10_000;

/// What `period=` may look like.
const EXAMPLES: [&str; 8] = [
    "2024",
    "2024-Q1",
    "2024-03",
    "2024-W13",
    "2024-03-31",
    "2024-03-31T08",
    "latest",
    "latest_closed",
];

macro_rules! periods {
    ($hours:literal) => {
        concat!(
            "^((20[0-9]{2}|21[0-6][0-9])(-Q[1-4]|-W(0[1-9]|[1-4][0-9]|5[0-2])|-(0[1-9]|1[0-2]))?|",
            day!(),
            $hours,
            "|latest|latest_closed)$"
        )
    };
}

/// The same as a pattern, for the reference.
pub(super) const PERIODS: &str = periods!("(T([01][0-9]|2[0-3]))?");

/// The same where all periods are of whole days.
pub(super) const PERIODS_OF_DAYS: &str = periods!("");

/// What `last=` may look like.
pub(super) const LAST: &str = "^[1-9][0-9]{0,3}[dwmy]$";

/// The years of days that can be asked for, as of periods.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2178;

/// The longest `last=`, in days.
const LAST_LIMIT: i32 = 3660;

/// The period asked for by `period=`; `latest` without one.
pub(super) fn asked_period(
    asked: &Asked<'_>,
    definition: &Definition,
    query: &Query,
) -> Result<Period, ApiError> {
    named_period(asked, definition, query.get("period").unwrap_or("latest"))
}

/// The period called `text`, which may be `latest` or `latest_closed`.
pub(super) fn named_period(
    asked: &Asked<'_>,
    definition: &Definition,
    text: &str,
) -> Result<Period, ApiError> {
    if text == "latest" {
        return Ok(newest(asked, definition));
    }
    let extent = quality::extent(&asked.world(), definition);
    let period = Period::parse(&brief(text), asked.now.day(), extent).map_err(|_| {
        let reason = format!("has the value '{}', which is not a period", brief(text));
        ApiError::from(ParameterError::new("period", reason).allowing(EXAMPLES))
    })?;
    check_grain(definition, period.grain())?;
    Ok(period)
}

/// Refuses hours of an indicator that knows days only.
fn check_grain(definition: &Definition, grain: Grain) -> Result<(), ApiError> {
    if grain != Grain::Hour || definition.is_hourly() {
        return Ok(());
    }
    let detail = format!(
        "Indicator '{}' is not kept by the hour; ask for days. `finest_grain` in the catalogue tells which are.",
        definition.id
    );
    Err(ApiError::NotApplicable(detail))
}

/// The month that a page or a list about many indicators is of: in the first days of a month the one
/// before says more than a few hours of this one.
pub(super) fn settled_month(asked: &Asked<'_>) -> Period {
    Period::containing(asked.now.day().plus(-4), Grain::Month)
}

/// The newest day of the last month that has a value; what is reported in the morning has none yet.
pub(super) fn newest(asked: &Asked<'_>, definition: &Definition) -> Period {
    newest_of(&asked.world(), definition)
}

/// The same, of a world.
pub(super) fn newest_of(world: &World<'_>, definition: &Definition) -> Period {
    let today = world.now.day();
    let last = quality::extent(world, definition).newest.unwrap_or(today).min(today);
    let stretch = (last.plus(-31), last.plus(1));
    let points = series(world, definition, Grain::Day, stretch, &[Place::Province]);
    let newest = points.into_iter().rev().find(|(_, _, point)| point.value.is_some());
    newest.map_or_else(|| Period::containing(last, Grain::Day), |(period, ..)| period)
}

/// A stretch of whole buckets.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) grain: Grain,
    /// The first day of the first bucket.
    pub(super) first: Day,
    /// The first day after the last bucket.
    pub(super) end: Day,
}

/// The stretch asked for; the last 30 days without anything said.
pub(super) fn asked_stretch(
    asked: &Asked<'_>,
    definition: &Definition,
    query: &Query,
) -> Result<Stretch, ApiError> {
    let grain = query.one_of("grain", &Grain::ALL.map(|g| (g.as_str(), g)), Grain::Day)?;
    check_grain(definition, grain)?;
    let (first, end) = days(asked, definition, query)?;
    let first = Period::containing(first, grain).first;
    let end = Period::containing(end.plus(-1), grain).end;
    Ok(Stretch { grain, first, end })
}

fn days(asked: &Asked<'_>, definition: &Definition, query: &Query) -> Result<(Day, Day), ApiError> {
    said_once(query)?;
    if let Some(text) = query.get("period") {
        let period = named_period(asked, definition, text)?;
        return Ok((period.first, period.end));
    }
    stretch_of_days(asked, query)
}

/// Refuses a time that is said in two ways.
fn said_once(query: &Query) -> Result<(), ApiError> {
    let given: Vec<&str> =
        ["period", "last", "from"].into_iter().filter(|name| query.get(name).is_some()).collect();
    if let [_, second, ..] = given[..] {
        return Err(
            ParameterError::new(second, format!("cannot stand beside '{}'", given[0])).into()
        );
    }
    if query.get("to").is_some() && query.get("from").is_none() {
        return Err(ParameterError::new("to", "needs 'from' beside it").into());
    }
    Ok(())
}

/// The days of `from` and `to`, or of `last`; the last 30 without anything said.
pub(super) fn stretch_of_days(asked: &Asked<'_>, query: &Query) -> Result<(Day, Day), ApiError> {
    let tomorrow = asked.now.day().plus(1);
    said_once(query)?;
    if let Some(text) = query.get("from") {
        let first = edge("from", text)?;
        let end = query.get("to").map_or(Ok(tomorrow), |text| edge("to", text))?;
        if end <= first {
            return Err(ParameterError::new(
                "to",
                "must be a later day than 'from'; it is the first day that is left out",
            )
            .into());
        }
        return Ok((first, end));
    }
    Ok((tomorrow.plus(-last(query.get("last").unwrap_or("30d"))?), tomorrow))
}

pub(super) fn day(name: &str, text: &str) -> Result<Day, ApiError> {
    day_among(name, Day::parse(text), text, "yyyy-MM-dd, from 2000-01-01 to 2178-12-31")
}

/// The day of `from` or `to`: a day, or milliseconds since 1970 as dashboards send them. The day of such a
/// moment is part of what is asked for, at both ends.
pub(super) fn edge(name: &str, text: &str) -> Result<Day, ApiError> {
    let is_moment = (12..=13).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let moment = text.parse::<i64>().ok().filter(|_| is_moment);
    let found = match (moment, name) {
        (Some(moment), "to") => Some(Stamp((moment - 1).div_euclid(1000)).day().plus(1)),
        (Some(moment), _) => Some(Stamp(moment.div_euclid(1000)).day()),
        (None, _) => Day::parse(text),
    };
    let allowed = "yyyy-MM-dd or milliseconds since 1970, from 2000-01-01 to 2178-12-31";
    day_among(name, found, text, allowed)
}

fn day_among(name: &str, day: Option<Day>, text: &str, allowed: &str) -> Result<Day, ApiError> {
    day.filter(|day| YEARS.contains(&day.date().year())).ok_or_else(|| {
        let reason = format!("has the value '{}', which is not a day", brief(text));
        ParameterError::new(name, reason).allowing([allowed]).into()
    })
}

/// Days in `last=30d`, `12w`, `6m` (30 days each) or `2y` (365 days each).
fn last(text: &str) -> Result<i32, ApiError> {
    let units = [("d", 1), ("w", 7), ("m", 30), ("y", 365)];
    let count = units.into_iter().find_map(|(unit, days)| {
        let count = text.strip_suffix(unit)?.parse::<u16>().ok()?;
        Some(i32::from(count) * days)
    });
    count.filter(|days| (1..=LAST_LIMIT).contains(days)).ok_or_else(|| {
        ParameterError::new(
            "last",
            "must be a count of days, weeks, months or years up to ten years",
        )
        .allowing(["30d", "12w", "6m", "2y"])
        .into()
    })
}

impl Stretch {
    /// Its buckets.
    pub(super) fn periods(&self) -> Vec<Period> {
        self.grain.periods(self.first, self.end).collect()
    }

    /// Refuses a table of more than [`POINTS`] cells, telling the grain that would do.
    pub(super) fn check_size(&self, cells: usize) -> Result<(), ApiError> {
        let buckets = self.periods().len().max(1);
        self.check(cells.div_ceil(buckets).max(1))
    }

    /// Refuses a stretch of more than [`POINTS`] points, telling the grain that would do.
    pub(super) fn check(&self, places: usize) -> Result<(), ApiError> {
        // Counted no further than just beyond the limit.
        let buckets = |grain: Grain| grain.periods(self.first, self.end).take(POINTS + 1).count();
        let fits = |grain| buckets(grain) * places <= POINTS;
        if fits(self.grain) {
            return Ok(());
        }
        let advice = match Grain::ALL.into_iter().find(|grain| *grain > self.grain && fits(*grain))
        {
            Some(grain) => format!("Ask with grain={}, or for a shorter time.", grain.as_str()),
            None => "Ask for a shorter time or fewer areas.".to_owned(),
        };
        Err(ApiError::TooManyPoints { limit: POINTS, advice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_takes_days_weeks_months_and_years() {
        assert_eq!(["30d", "2w", "6m", "1y"].map(|text| last(text).unwrap()), [30, 14, 180, 365]);
        for bad in ["", "d", "0d", "-1d", "30", "1.5d", "11y", "99999d", "đ"] {
            assert!(last(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_days_of_moments_are_part_of_what_is_asked_for_at_both_ends() {
        let day = |text| Day::parse(text).unwrap();
        // 2024-03-31T17:00Z is midnight of the first of April here.
        assert_eq!(edge("from", "1711904400000").unwrap(), day("2024-04-01"));
        assert_eq!(edge("from", "1711904399999").unwrap(), day("2024-03-31"));
        assert_eq!(edge("to", "1711904400000").unwrap(), day("2024-04-01"));
        assert_eq!(edge("to", "1711904400001").unwrap(), day("2024-04-02"));
        assert_eq!(edge("to", "2024-04-01").unwrap(), day("2024-04-01"));
        for bad in ["", "0", "1711904400", "17119044000000", "-171190440000", "9999999999999"] {
            assert!(edge("from", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn too_many_points_name_the_grain_that_would_do() {
        let day = |text| Day::parse(text).unwrap();
        let stretch =
            Stretch { grain: Grain::Day, first: day("2024-01-01"), end: day("2025-01-01") };
        assert!(stretch.check(1).is_ok());
        let ApiError::TooManyPoints { advice, .. } = stretch.check(130).unwrap_err() else {
            panic!("refused for its size")
        };
        assert_eq!(advice, "Ask with grain=week, or for a shorter time.");
    }
}
