//! When reports are due: a rule and a calendar, reckoned into days and moments.

use std::sync::Arc;

use crate::model::calendar::{Calendar, Weekday};
use crate::model::deadline::{InBy, Reach, Rhythm};
use crate::model::time::{Day, Stamp, days};

/// How many days ahead the next report is looked for: more than a month and the longest holidays.
const HORIZON: i32 = 70;

/// How many days a stretch of days off is followed back.
const LONGEST_BREAK: i32 = 30;

/// What a stream's source has promised: the rule, its calendar, and who answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The rule.
    pub rule: InBy,
    /// The calendar that the rule names.
    pub calendar: Option<Arc<Calendar>>,
    /// The body that answers for the source.
    pub unit: String,
    /// Whether the source pushes, so that nobody asks it.
    pub is_pushed: bool,
}

/// One report as the rule asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The day on which it is due.
    pub on: Day,
    /// The moment by which it has to be in.
    pub at: Stamp,
    /// The first and the last day that it is for.
    pub period: (Day, Day),
    /// The moment that its data must reach.
    pub reach: Stamp,
}

impl Promise {
    /// The first report that is due later than `after`; nothing if the calendar does not go that far.
    pub fn due_after(&self, after: Stamp) -> Option<Due> {
        let first = after.day().0;
        let mut days = (first..first + HORIZON).map(Day);
        days.find_map(|day| self.due_on(day).filter(|due| due.at > after))
    }

    /// The report that is due on a day.
    fn due_on(&self, on: Day) -> Option<Due> {
        let period = self.period(on)?;
        let at = Stamp(on.start().0 + i64::from(self.rule.time.0));
        let reach = match self.rule.data_through {
            Reach::PeriodEnd => period.1.plus(1).start(),
            Reach::LastDay => self.last_working(period).start(),
        };
        Some(Due { on, at, period, reach })
    }

    /// What a report that is due on a day is for; nothing if none is due.
    fn period(&self, on: Day) -> Option<(Day, Day)> {
        match self.rule.on {
            Rhythm::Daily => Some((on.plus(-1), on.plus(-1))),
            Rhythm::WorkingDays => {
                if self.is_off(on)? {
                    return None;
                }
                let mut before = (1..LONGEST_BREAK).map(|back| on.plus(-back));
                let from = before.find(|day| self.is_off(*day) == Some(false));
                Some((from.unwrap_or(on.plus(-1)), on.plus(-1)))
            }
            Rhythm::Weekly => {
                let (first, last) = self.nominal(on)?;
                Some((first.plus(-7), last.plus(-1)))
            }
            Rhythm::Monthly => {
                let (first, last) = self.nominal(on)?;
                Some((month(first, -1), month(last, 0).plus(-1)))
            }
        }
    }

    /// The first and the last of the days named by a weekly or monthly rule whose reports are due on
    /// `on`: the day itself, and those days off before it that it stands in for.
    fn nominal(&self, on: Day) -> Option<(Day, Day)> {
        let mut named = self.is_named(on).then_some((on, on));
        if self.calendar.is_some() {
            if self.is_off(on)? {
                return None;
            }
            let before = (1..LONGEST_BREAK).map(|back| on.plus(-back));
            for day in before.take_while(|day| self.is_off(*day) == Some(true)) {
                if self.is_named(day) {
                    named = Some((day, named.map_or(day, |(_, last)| last)));
                }
            }
        }
        named
    }

    /// Whether the rule names a day, worked or not.
    fn is_named(&self, day: Day) -> bool {
        match (self.rule.on, self.rule.weekday, self.rule.day) {
            (Rhythm::Weekly, Some(weekday), _) => Weekday::of(day) == weekday,
            (Rhythm::Monthly, _, Some(wanted)) => {
                let last = month(day, 1).plus(-1).date().day();
                day.date().day() == i8::try_from(wanted).unwrap_or(last).min(last)
            }
            _ => false,
        }
    }

    /// Whether a day is off; nothing where the calendar does not know.
    fn is_off(&self, day: Day) -> Option<bool> {
        let calendar = self.calendar.as_ref()?;
        calendar.is_working(day).map(|is_working| !is_working)
    }

    /// The last working day of a period; its last day where no calendar knows better.
    fn last_working(&self, (from, until): (Day, Day)) -> Day {
        let mut days = (from.0..=until.0).rev().map(Day);
        days.find(|day| self.is_off(*day) == Some(false)).unwrap_or(until)
    }
}

/// The first day of the month that lies `count` months after the one of `day`.
fn month(day: Day, count: i32) -> Day {
    let date = day.date();
    let months = i32::from(date.year()) * 12 + i32::from(date.month()) - 1 + count;
    Day(days(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1))
}
