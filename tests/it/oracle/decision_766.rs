//! Decision 766, written down a second time: its rows, their points and where full marks begin.

use ioc_gateway::province::Record;

use super::amounts::Amounts;
use super::indicators::{Empty, Indicator, composite, end, ratio};

/// A row: its code, its amounts and its indicator, its group, points and full marks, and what it is
/// where there is nothing below the line.
struct Row {
    code: &'static str,
    above: &'static str,
    below: &'static str,
    id: &'static str,
    group: &'static str,
    points: f64,
    full_at: f64,
    empty: Empty,
}

macro_rules! row {
    ($group:literal, $code:literal, $points:literal, $full_at:literal, $empty:ident) => {
        Row {
            code: $code,
            above: concat!("evaluation_766.numerator ", $code),
            below: concat!("evaluation_766.denominator ", $code),
            id: concat!("d766_", $code),
            group: concat!("d766_group_", $group),
            points: $points,
            full_at: $full_at,
            empty: Empty::$empty,
        }
    };
}

const ROWS: [Row; 22] = [
    row!("ckmb", "publish_on_time", 6.0, 1.0, Null),
    row!("ckmb", "public_update_on_time", 4.0, 1.0, Null),
    row!("ckmb", "public_content_full", 2.0, 1.0, Null),
    row!("ckmb", "dossier_sync", 6.0, 1.0, Null),
    row!("tdgq", "handled_on_time", 20.0, 1.0, Null),
    row!("clgq", "procedures_online", 2.0, 0.8, Null),
    row!("clgq", "services_used", 4.0, 1.0, Null),
    row!("clgq", "filed_online", 6.0, 0.5, Null),
    row!("tttt", "paid_online", 6.0, 1.0, Zero),
    row!("tttt", "paid_procedures", 2.0, 0.8, Zero),
    row!("tttt", "payable_procedures", 2.0, 0.8, Zero),
    row!("mdsh", "e_result", 6.0, 1.0, Null),
    row!("mdsh", "digitised", 4.0, 1.0, Null),
    row!("mdsh", "e_certified_copy", 2.0, 1.0, Null),
    row!("mdsh", "reused", 2.0, 0.8, Null),
    row!("mdsh", "citizen_store", 4.0, 1.0, Null),
    row!("mdsh", "population_dossiers", 2.0, 1.0, Null),
    row!("mdsh", "population_procedures", 2.0, 1.0, Null),
    row!("mdhl", "petitions_on_time", 6.0, 1.0, One),
    row!("mdhl", "petition_content", 6.0, 1.0, One),
    row!("mdhl", "dossier_content", 6.0, 0.9, Zero),
    row!("mdhl", "petition_classes", 0.0, 1.0, Null),
];

const GROUPS: [(&str, f64); 6] = [
    ("d766_group_ckmb", 18.0),
    ("d766_group_tdgq", 20.0),
    ("d766_group_clgq", 12.0),
    ("d766_group_tttt", 10.0),
    ("d766_group_mdsh", 22.0),
    ("d766_group_mdhl", 18.0),
];

/// Adds one record: in force from the first day of its month until the last.
pub(super) fn add(amounts: &mut Amounts, record: &Record, place: usize) {
    let metric = record.text("metric");
    let row = ROWS.iter().find(|row| row.code == metric).expect("a row of the decision");
    let (first, last) = (record.day("month").unwrap().0, record.day("period_end").unwrap().0);
    let held = (first, Some(last + 1));
    amounts.hold_amount(row.above, held, place, record.number("numerator"));
    amounts.hold_amount(row.below, held, place, record.number("denominator"));
    amounts.hold("evaluation_766.rows", held.0, held.1, place);
}

/// The rows, the groups and the index.
pub(super) fn indicators() -> Vec<Indicator> {
    let row = |row: &Row| ratio(row.id, &[end(row.above)], &[end(row.below)]).or(row.empty);
    let scored = |group: &str, of: f64| {
        let rows = ROWS.iter().filter(|row| row.points > 0.0 && row.group.starts_with(group));
        rows.map(|row| (row.id, row.points / of, 0.0, row.full_at)).collect::<Vec<_>>()
    };
    let groups = GROUPS.map(|(id, points)| composite(id, &scored(id, points)).out_of(points));
    let index = composite("d766_index", &scored("d766_group_", 100.0));
    ROWS.iter().map(row).chain(groups).chain([index]).collect()
}
