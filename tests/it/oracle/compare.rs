//! Answers of the real program against the oracle: every indicator, place and period.

use ioc_gateway::model::time::Stamp;
use serde::Deserialize;

use super::amounts::PROVINCE;
use super::calendar::{Period, days, local_day, months, name};
use super::evaluate::{Expected, Oracle};
use crate::support::Gateway;

/// The most points that one answer may hold.
const POINTS: usize = 10_000;

/// How many differences are told.
const TOLD: usize = 20;

/// What is compared, and what did not fit.
pub(super) struct Comparison<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) oracle: &'a Oracle,
    /// Codes of today's communes, in the order of their places.
    pub(super) codes: &'a [String],
    /// Put after every question.
    pub(super) suffix: String,
    pub(super) points: usize,
    /// Points with a value that is not zero, so that a comparison of nothing is noticed.
    pub(super) telling: usize,
    differences: usize,
    told: Vec<String>,
}

/// Where the clock stood in a day when a question about it was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Day {
    Over,
    Running,
    /// It ended while questions were asked: what is final by then depends on when each stream was last
    /// heard, which no ledger tells.
    JustOver,
}

#[derive(Deserialize)]
struct Answer {
    as_of: String,
    value: Option<f64>,
    numerator: Option<f64>,
    denominator: Option<f64>,
    items: Vec<Row>,
}

/// A row of a series or of a breakdown.
#[derive(Deserialize)]
struct Row {
    period: Option<String>,
    #[serde(alias = "key")]
    commune: Option<String>,
    value: Option<f64>,
    numerator: Option<f64>,
    denominator: Option<f64>,
    status: String,
    reason: Option<String>,
    completeness_ratio: Option<f64>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(gateway: &'a Gateway, oracle: &'a Oracle, codes: &'a [String]) -> Self {
        let (suffix, told) = (String::new(), Vec::new());
        Self { gateway, oracle, codes, suffix, points: 0, telling: 0, differences: 0, told }
    }

    /// Every day of `first..end` by commune and for the province, and that the ones add up to the
    /// other. `is_over` unless the last day is today.
    pub(super) fn days(&mut self, id: &str, (first, end): (i32, i32), is_over: bool) {
        for from in (first..end).step_by(POINTS / self.codes.len()) {
            let to = end.min(from + (POINTS / self.codes.len()) as i32);
            let periods = days(from, to);
            let path =
                format!("/v1/indicators/{id}/series?grain=day&from={}&to={}", name(from), name(to));
            let whole = self.ask(&path);
            let parts = self.ask(&format!("{path}&by=commune"));
            // The earlier of two answers may still have been given on the day itself.
            let day = |as_of: &str| {
                let now = local_day(Stamp::parse(as_of).expect("a moment").0);
                match is_over {
                    true => Day::Over,
                    false if now < to => Day::Running,
                    false => Day::JustOver,
                }
            };
            let (then, now) = (day(&whole.as_of), day(&parts.as_of));
            let (whole, parts) = (whole.items, parts.items);
            assert_eq!(parts.len(), periods.len() * self.codes.len(), "{path}");
            self.series(id, &periods, &whole, then);
            let by_day = parts.chunks_exact(self.codes.len());
            for ((period, whole), parts) in periods.iter().zip(&whole).zip(by_day) {
                self.communes(id, period, parts, now);
                let whole = [whole.value, whole.numerator, whole.denominator];
                self.sums(id, &period.id, whole, parts);
            }
        }
    }

    /// The province's own series at a grain.
    pub(super) fn province(&mut self, id: &str, grain: &str, (first, end): (i32, i32)) {
        let periods = if grain == "month" { months(first, end) } else { days(first, end) };
        let (Some(earliest), Some(last)) = (periods.first(), periods.last()) else {
            panic!("nothing to ask for")
        };
        let path = format!(
            "/v1/indicators/{id}/series?grain={grain}&from={}&to={}",
            name(earliest.first),
            name(last.end)
        );
        let rows = self.ask(&path).items;
        self.series(id, &periods, &rows, Day::Over);
    }

    /// A breakdown of a period that is over: every commune once, adding up to the value beside it.
    pub(super) fn breakdown(&mut self, id: &str, period: &Period) {
        let path = format!("/v1/indicators/{id}/breakdown?by=commune&period={}", period.id);
        let answer = self.ask(&path);
        assert_eq!(answer.items.len(), self.codes.len(), "{path}");
        self.communes(id, period, &answer.items, Day::Over);
        let whole = [answer.value, answer.numerator, answer.denominator];
        let expected = self.oracle.expect(id, period, PROVINCE);
        if !is_same(expected.value.ok(), whole[0]) {
            self.differ(format!("{path}: value {:?} and not {:?}", whole[0], expected.value));
        }
        self.sums(id, &period.id, whole, &answer.items);
    }

    /// Fails the test unless there is not one difference.
    pub(super) fn conclude(self) {
        let shown = self.told.join("\n");
        assert_eq!(self.differences, 0, "of {} points differ, first:\n{shown}", self.points);
    }

    fn ask(&self, path: &str) -> Answer {
        let path = &format!("{path}{}", self.suffix);
        let answer = self.gateway.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn series(&mut self, id: &str, periods: &[Period], rows: &[Row], day: Day) {
        assert_eq!(rows.len(), periods.len(), "{id}");
        for (period, row) in periods.iter().zip(rows) {
            assert_eq!(row.period.as_ref(), Some(&period.id), "{id}");
            self.point(id, period, PROVINCE, row, day);
        }
    }

    fn communes(&mut self, id: &str, period: &Period, rows: &[Row], day: Day) {
        let mut seen = vec![false; self.codes.len()];
        for row in rows {
            let code = row.commune.as_ref().expect("a commune's row tells its code");
            let place = self.codes.binary_search(code).expect("a commune of today");
            assert!(!std::mem::replace(&mut seen[place], true), "{id}: {code} stands twice");
            self.point(id, period, place, row, day);
        }
    }

    fn point(&mut self, id: &str, period: &Period, place: usize, row: &Row, day: Day) {
        let expected = self.oracle.expect(id, period, place);
        self.points += 1;
        self.telling += usize::from(expected.value.is_ok_and(|value| value != 0.0));
        if let Some(what) = difference(&expected, row, day) {
            let code = self.codes.get(place).map_or("province", String::as_str);
            self.differ(format!("{id} {} {code}: {what}", period.id));
        }
    }

    /// Numerators and denominators of the communes add up, and values where they are amounts.
    fn sums(&mut self, id: &str, period: &str, whole: [Option<f64>; 3], parts: &[Row]) {
        let sum = |take: fn(&Row) -> Option<f64>| parts.iter().filter_map(take).sum::<f64>();
        let sums = [sum(|row| row.value), sum(|row| row.numerator), sum(|row| row.denominator)];
        let skipped = usize::from(!self.oracle.adds_up(id));
        for (whole, sum) in whole.into_iter().zip(sums).skip(skipped) {
            if whole.unwrap_or(0.0) != sum {
                self.differ(format!("{id} {period}: the communes make {sum} and not {whole:?}"));
            }
        }
    }

    fn differ(&mut self, what: String) {
        self.differences += 1;
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }
}

fn difference(expected: &Expected, row: &Row, day: Day) -> Option<String> {
    let status = match (expected.value, day) {
        (Err(_), _) => "missing",
        (Ok(_), Day::Over) if !expected.has_gaps => "final",
        (Ok(_), Day::JustOver) if row.status == "final" => "final",
        (Ok(_), _) => "provisional",
    };
    let whole = |amount: Option<i64>| amount.map(|amount| amount as f64);
    let is_over = day == Day::Over;
    let completeness = if is_over { expected.completeness } else { row.completeness_ratio };
    let is_fine = is_same(expected.value.ok(), row.value)
        && expected.value.err() == row.reason.as_deref()
        && whole(expected.numerator) == row.numerator
        && whole(expected.denominator) == row.denominator
        && is_same(completeness, row.completeness_ratio)
        && row.status == status;
    let got = || {
        format!(
            "{:?} {:?} = {:?} / {:?}, {:?} complete, {}",
            row.value,
            row.reason,
            row.numerator,
            row.denominator,
            row.completeness_ratio,
            row.status
        )
    };
    (!is_fine).then(|| format!("{} and not {expected:?}, {status}", got()))
}

/// Both missing, or alike up to the rounding of a decimal text; whole numbers are alike to the unit.
fn is_same(expected: Option<f64>, got: Option<f64>) -> bool {
    match (expected, got) {
        (Some(expected), Some(got)) => (expected - got).abs() <= 1e-12 * expected.abs().max(1e-3),
        (None, None) => true,
        _ => false,
    }
}
