//! The evaluation under Decision 766 as the national portal reports it: for each unit, month and row what
//! stands above and below the line. The portal's own answers nest these in two shapes; this is one row a
//! record, as a province's export of them would be. Only departments promulgate procedures, so communes
//! have no such rows: they are not reported, which is not 0.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::at;
use super::draw::Draw;
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Monthly, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day};

const TOPIC: u64 = 0x0766;
const DEPARTMENTS: u64 = 10;
const UNITS: f64 = 140.0;

/// Each row: its code, what a unit of middling size has below the line, and the least and the most per
/// mille of it above the line. The first three are the departments' alone.
const METRICS: [(&str, i64, i64, i64); 22] = [
    ("publish_on_time", 12, 600, 1_000),
    ("public_update_on_time", 14, 650, 1_000),
    ("public_content_full", 90, 900, 1_000),
    ("dossier_sync", 300, 850, 1_000),
    ("handled_on_time", 320, 820, 995),
    ("procedures_online", 70, 500, 950),
    ("services_used", 50, 300, 900),
    ("filed_online", 300, 350, 900),
    ("paid_online", 120, 200, 850),
    ("paid_procedures", 20, 200, 900),
    ("payable_procedures", 20, 500, 1_000),
    ("e_result", 260, 400, 950),
    ("digitised", 300, 400, 900),
    ("e_certified_copy", 30, 100, 700),
    ("reused", 300, 50, 500),
    ("citizen_store", 300, 100, 600),
    ("population_dossiers", 300, 500, 950),
    ("population_procedures", 60, 300, 900),
    ("petitions_on_time", 3, 700, 1_000),
    ("petition_content", 3, 600, 1_000),
    ("dossier_content", 300, 850, 995),
    ("petition_classes", 3, 300, 900),
];

const HOST: Host = Host {
    variable: "EVALUATION_URL",
    path: "evaluation",
    guard: Guard::Key("x-report-key"),
    secret_file: "evaluation_key",
};

static ROWS: Office = Office {
    system: System::Evaluation,
    contract: "evaluation_766",
    host: &HOST,
    path: "/reporting/rows",
    paging: Paging::Tokens("cursor"),
    since: ("changedSince", Moment::Compact),
    size: "pageSize",
    wire: Wire::Json { open: r#"{"code":"OK","data":{"rows":["#, close: r#"],"next":{next}}}"# },
    columns: &[
        Column("departmentCode", "unit_code", Shape::Plain),
        Column("departmentLevel", "unit_level", Shape::Words(&LEVELS)),
        Column("communeCode", "commune", Shape::Plain),
        Column("from", "month", Shape::At(Moment::IsoDay)),
        Column("to", "period_end", Shape::At(Moment::IsoDay)),
        Column("code", "metric", Shape::Upper),
        Column("numerator", "numerator", Shape::Plain),
        Column("denominator", "denominator", Shape::Plain),
        Column("reporter", "", Shape::Canary("NAME-EVALUATION")),
        Column("changed", "updated_at", Shape::At(Moment::Compact)),
    ],
    key: &["unit_code", "metric", "month"],
    code_day: Some("month"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "denominator",
        code: "unit_level",
        day: "month",
    },
};

const LEVELS: [(&str, &str); 2] = [("department", "PROVINCE"), ("commune", "COMMUNE")];

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    let monthly = Monthly::new(world);
    let book = Rows { monthly, world: world.clone(), areas: Arc::clone(areas) };
    vec![(&ROWS, Box::new(book))]
}

#[derive(Debug)]
struct Rows {
    monthly: Monthly,
    world: World,
    areas: Arc<Areas>,
}

impl Rows {
    fn units(&self) -> u64 {
        (UNITS * self.world.scale).round().max(14.0) as u64
    }

    /// A month is reported from its first morning on, and again ten days later.
    fn stamps(&self, month: Day, unit: u64) -> [i64; 2] {
        let first = at(self.monthly.told_on(month), 4 * 3600 + unit as i64);
        [first, first + 10 * DAY]
    }
}

impl Book for Rows {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        let Some(month) = self.monthly.beginning(day) else { return };
        for unit in 0..self.units() {
            let first = if unit < DEPARTMENTS { 0 } else { 3 };
            for metric in first..METRICS.len() as u64 {
                emit((month.0 as u64) << 24 | unit << 8 | metric, &self.stamps(month, unit));
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (month, unit, metric) = (Day((key >> 24) as i32), key >> 8 & 0xFFFF, key & 0xFF);
        let version = version.min(1);
        let is_department = unit < DEPARTMENTS;
        let (code, base, low, high) = METRICS[metric as usize];
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        // In some months nobody petitions.
        let size =
            if base < 10 { draw.between(0, 2 * base) } else { draw.between(base / 2, base * 2) };
        let denominator = size * if is_department { 3 } else { 1 };
        let numerator = denominator * draw.between(low, high) / 1_000 + version as i64;
        let commune = if is_department { 0 } else { unit - DEPARTMENTS } as usize;
        Told {
            commune: commune % self.areas.all.len(),
            thing: unit,
            at: self.stamps(month, unit)[version],
            withdrawn: false,
            cells: vec![
                ("unit_code", format!("H41.{}", unit + 1).into()),
                ("unit_level", if is_department { "department" } else { "commune" }.into()),
                ("month", month.into()),
                ("period_end", Monthly::last(month).into()),
                ("metric", code.into()),
                ("numerator", numerator.min(denominator).into()),
                ("denominator", denominator.into()),
            ],
        }
    }
}
