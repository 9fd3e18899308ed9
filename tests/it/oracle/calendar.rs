//! Local days by walking the calendar, so that a slip in the gateway's arithmetic cannot hide here.

/// Days from the beginning of the calendar; local time is seven hours ahead all year.
pub(super) fn local_day(second: i64) -> i32 {
    ((second + 7 * 3600).div_euclid(86_400)) as i32
}

/// A stretch of local days as the API names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) id: String,
    pub(super) first: i32,
    /// The first day after it.
    pub(super) end: i32,
}

/// Every day of `first..end`.
pub(super) fn days(first: i32, end: i32) -> Vec<Period> {
    (first..end).map(|day| Period { id: name(day), first: day, end: day + 1 }).collect()
}

/// Every month that lies wholly within `first..end`.
pub(super) fn months(first: i32, end: i32) -> Vec<Period> {
    let mut found: Vec<Period> = Vec::new();
    for day in first..end {
        let id = name(day)[..7].to_owned();
        match found.last_mut().filter(|month| month.id == id) {
            Some(month) => month.end = day + 1,
            None => found.push(Period { id, first: day, end: day + 1 }),
        }
    }
    found.retain(|month| name(month.first).ends_with("-01") && name(month.end).ends_with("-01"));
    found
}

/// The first day of the stretch of so many months, counted from January, in which a day lies.
pub(super) fn begins(day: i32, months: usize) -> i32 {
    let (year, month, _) = date(day);
    number(year, (month - 1) / months * months + 1, 1)
}

/// `2025-07-01`.
pub(super) fn name(day: i32) -> String {
    let (year, month, date) = date(day);
    format!("{year:04}-{month:02}-{date:02}")
}

/// The day of a date since 1970.
pub(super) fn number(year: i32, month: usize, date: i32) -> i32 {
    let years: i32 = (1970..year).map(|year| lengths(year).iter().sum::<i32>()).sum();
    years + lengths(year)[..month - 1].iter().sum::<i32>() + date - 1
}

fn date(day: i32) -> (i32, usize, i32) {
    let mut left = day;
    for year in 1970.. {
        for (month, length) in lengths(year).into_iter().enumerate() {
            if left < length {
                return (year, month + 1, left + 1);
            }
            left -= length;
        }
    }
    unreachable!("the years do not end")
}

fn lengths(year: i32) -> [i32; 12] {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[test]
fn the_walked_calendar_knows_its_days() {
    assert_eq!(number(1970, 1, 1), 0);
    assert_eq!(name(number(2024, 2, 29) + 1), "2024-03-01");
    assert_eq!(local_day(1_751_302_800), number(2025, 7, 1));
    assert_eq!(name(local_day(1_751_302_799)), "2025-06-30");
    let (first, end) = (number(2025, 6, 2), number(2025, 9, 1));
    let ids: Vec<_> = months(first, end + 3).into_iter().map(|month| month.id).collect();
    assert_eq!(ids, ["2025-07", "2025-08"]);
    assert_eq!(days(first, end).len(), 29 + 31 + 31);
    let begins = |months| name(begins(number(2025, 8, 15), months));
    assert_eq!([begins(12), begins(3), begins(1)], ["2025-01-01", "2025-07-01", "2025-08-01"]);
}
