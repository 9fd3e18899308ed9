//! The province's working life: office days, office hours, and how busy a day is.
//!
//! Public holidays are the fixed ones and Tet, whose lunar date is a table (it cannot be computed
//! in a line). Only what gives the data its rhythm is here; no indicator is computed from it.

use super::draw::Draw;
use crate::model::time::{DAY, Day, LOCAL_OFFSET, Stamp, days};

/// The first day of the lunar year, 2023 to 2035.
const TET: [(i32, u32, u32); 13] = [
    (2023, 1, 22),
    (2024, 2, 10),
    (2025, 1, 29),
    (2026, 2, 17),
    (2027, 2, 6),
    (2028, 1, 26),
    (2029, 2, 13),
    (2030, 2, 2),
    (2031, 1, 23),
    (2032, 2, 11),
    (2033, 1, 31),
    (2034, 2, 19),
    (2035, 2, 8),
];

const OPEN: i64 = 7 * 3600 + 1800;
const NOON: i64 = 11 * 3600 + 1800;
const AFTERNOON: i64 = 13 * 3600 + 1800;
const CLOSE: i64 = 17 * 3600;

/// 0 is Monday.
pub(super) fn weekday(day: Day) -> i32 {
    (day.0 + 3).rem_euclid(7)
}

/// The moment `second` seconds after local midnight.
pub(super) fn at(day: Day, second: i64) -> i64 {
    day.start().0 + second
}

/// Days from the nearest Tet: negative before it.
fn from_tet(day: Day) -> i32 {
    let distance = |&(year, month, date): &(i32, u32, u32)| day.0 - days(year, month, date);
    TET.iter().map(distance).min_by_key(|days| days.abs()).unwrap_or(i32::MAX)
}

fn is_holiday(day: Day) -> bool {
    let date = day.date();
    let fixed = [(1, 1), (4, 30), (5, 1), (9, 1), (9, 2)];
    fixed.contains(&(date.month(), date.day())) || (-2..=4).contains(&from_tet(day))
}

/// Whether offices are open.
pub(super) fn is_working(day: Day) -> bool {
    weekday(day) < 5 && !is_holiday(day)
}

/// How busy public services are, 1.0 on the average day of an ordinary week.
pub(super) fn service_load(day: Day) -> f64 {
    let week = [1.34, 1.28, 1.24, 1.22, 1.17, 0.47, 0.28][weekday(day) as usize];
    match from_tet(day) {
        -2..=4 => 0.08,
        _ if is_holiday(day) => 0.16,
        -9..=-3 => week * 1.1,
        5..=11 => week * 0.75,
        _ => week,
    }
}

/// The `count`-th working day after `day`; `day` itself for 0.
pub(super) fn plus_working(day: Day, count: u32) -> Day {
    let mut reached = day;
    let mut left = count;
    // A year of days is far more than any procedure takes: the loop is bounded.
    for _ in 0..366 {
        if left == 0 {
            break;
        }
        reached = reached.plus(1);
        left -= u32::from(is_working(reached));
    }
    reached
}

/// A moment of office hours on a working day: most of the work is done in the morning.
pub(super) fn office_moment(day: Day, draw: &mut Draw) -> i64 {
    let second = if draw.chance(0.6) {
        draw.between(OPEN, NOON - 1)
    } else {
        draw.between(AFTERNOON, CLOSE - 1)
    };
    at(day, second)
}

/// A moment at which people sit at home or at a desk with a telephone: evenings count.
pub(super) fn online_moment(day: Day, draw: &mut Draw) -> i64 {
    let second = match draw.below(100) {
        0..34 => draw.between(8 * 3600, 11 * 3600),
        34..62 => draw.between(13 * 3600 + 1800, 17 * 3600),
        62..94 => draw.between(19 * 3600, 22 * 3600 + 1800),
        _ => draw.between(5 * 3600, 23 * 3600 + 3599),
    };
    at(day, second)
}

/// The first moment of office hours not before `moment`; the queue of the morning is spread out.
pub(super) fn in_office(moment: i64, draw: &mut Draw) -> i64 {
    let day = Stamp(moment).day();
    let second = (moment + LOCAL_OFFSET).rem_euclid(DAY);
    match second {
        _ if !is_working(day) || second >= CLOSE => {
            at(plus_working(day, 1), OPEN + draw.between(0, 5400))
        }
        ..OPEN => at(day, OPEN + draw.between(0, 5400)),
        NOON..AFTERNOON => at(day, AFTERNOON + draw.between(0, 1800)),
        _ => moment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn offices_rest_at_weekends_holidays_and_tet() {
        assert!(is_working(day("2026-11-23")));
        assert!(!is_working(day("2026-11-22")));
        assert!(!is_working(day("2026-09-02")));
        assert!(!is_working(day("2026-02-17")));
        assert_eq!(plus_working(day("2026-11-20"), 1), day("2026-11-23"));
        assert_eq!(plus_working(day("2026-11-20"), 0), day("2026-11-20"));
    }

    #[test]
    fn an_ordinary_week_has_an_average_load_of_one() {
        let week: f64 = (0..7).map(|n| service_load(day("2026-11-16").plus(n))).sum();
        assert!((week / 7.0 - 1.0).abs() < 0.01, "{week}");
        assert!(service_load(day("2026-02-17")) < 0.1);
    }

    #[test]
    fn office_moments_fall_into_office_hours() {
        let mut draw = Draw::new(1, 1, 1);
        for hour in 0..24 * 14 {
            let moment = in_office(at(day("2026-11-16"), hour * 3600), &mut draw);
            let second = (moment + LOCAL_OFFSET).rem_euclid(DAY);
            assert!(is_working(Stamp(moment).day()));
            assert!((OPEN..NOON).contains(&second) || (AFTERNOON..CLOSE).contains(&second));
        }
    }
}
