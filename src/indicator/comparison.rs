//! A value beside that of an earlier period.
//!
//! What is over is compared with the whole earlier period. What is still open is compared with as many
//! days of the earlier one as have begun: ten days of a month always look bad beside a whole month. A
//! shorter earlier month is compared whole once more days have begun than it has. Today counts as
//! begun on both sides, so in the morning today's value is a little behind; the status says so.

use crate::indicator::reading::Period;
use crate::model::time::Day;

/// Which earlier period a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The one of the same length before it.
    Previous,
    /// The same one of the year before.
    YearAgo,
}

impl Against {
    /// The whole earlier period.
    fn whole(self, period: &Period) -> Period {
        match self {
            Self::Previous => period.previous(),
            Self::YearAgo => period.year_ago(),
        }
    }

    /// As much of the earlier period as has passed of this one, and whether that is less than all: the
    /// elapsed parts are matched.
    pub fn part(self, period: &Period, today: Day) -> (Period, bool) {
        let mut earlier = self.whole(period);
        let begun = today.plus(1).0 - period.first.0;
        let is_open = today.plus(1) < period.end && begun > 0;
        if is_open {
            earlier.end = earlier.end.min(earlier.first.plus(begun));
        }
        (earlier, is_open)
    }
}

/// By how much a value has changed, and the change as a share of what it was; no share of nothing.
pub fn change(now: Option<f64>, then: Option<f64>) -> (Option<f64>, Option<f64>) {
    let change = now.zip(then).map(|(now, then)| now - then);
    let share = change.zip(then).filter(|(_, then)| *then != 0.0);
    (change, share.map(|(change, then)| change / then.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::Extent;

    #[test]
    fn an_open_period_is_compared_with_as_many_days_and_a_closed_one_with_all() {
        let day = |text: &str| Day::parse(text).unwrap();
        let part = |against: Against, text: &str, today: &str| {
            let period = Period::parse(text, day(today), Extent::default()).unwrap();
            let (part, matched) = against.part(&period, day(today));
            (part.first.to_string(), part.end.plus(-1).to_string(), matched)
        };
        for (against, text, today, first, last, matched) in [
            (Against::Previous, "2024-04", "2024-04-10", "2024-03-01", "2024-03-10", true),
            (Against::Previous, "2024-04", "2024-04-30", "2024-03-01", "2024-03-31", false),
            (Against::Previous, "2024-04", "2024-05-02", "2024-03-01", "2024-03-31", false),
            // February has no 30th day: all of it.
            (Against::Previous, "2024-03", "2024-03-30", "2024-02-01", "2024-02-29", true),
            (Against::YearAgo, "2024-04", "2024-04-10", "2023-04-01", "2023-04-10", true),
            (Against::YearAgo, "2024", "2024-02-29", "2023-01-01", "2023-03-01", true),
            (Against::YearAgo, "2024-Q1", "2024-04-10", "2023-01-01", "2023-03-31", false),
            (Against::Previous, "2024-W15", "2024-04-10", "2024-04-01", "2024-04-03", true),
            (Against::Previous, "2024-04-10", "2024-04-10", "2024-04-09", "2024-04-09", false),
        ] {
            let wanted = (first.to_owned(), last.to_owned(), matched);
            assert_eq!(part(against, text, today), wanted, "{against:?} {text} on {today}");
        }
    }

    #[test]
    fn a_change_needs_both_values_and_its_share_something_to_be_a_share_of() {
        assert_eq!(change(Some(12.0), Some(10.0)), (Some(2.0), Some(0.2)));
        assert_eq!(change(Some(-12.0), Some(-10.0)), (Some(-2.0), Some(-0.2)));
        assert_eq!(change(Some(3.0), Some(0.0)), (Some(3.0), None));
        assert_eq!(change(None, Some(1.0)), (None, None));
        assert_eq!(change(Some(1.0), None), (None, None));
    }
}
