//! The open online training platform: what the learners of each unit did in each course, by month.
//!
//! JSON with English names, a key in a header, numbered pages, moments in RFC 3339.

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

const TOPIC: u64 = 0xC025;
const UNITS: u64 = 40;
const COURSES: [&str; 6] = [
    "digital_skills",
    "online_services",
    "data_safety",
    "one_stop_work",
    "eid_use",
    "community_team",
];

const HOST: Host = Host {
    variable: "COURSES_URL",
    path: "courses",
    guard: Guard::Key("authorization-key"),
    secret_file: "courses_key",
};

static MONTHS: Office = Office {
    system: System::Courses,
    contract: "course_months",
    host: &HOST,
    path: "/v1/progress",
    paging: Paging::Numbers("page"),
    since: ("modified_after", Moment::Rfc3339),
    size: "per_page",
    wire: Wire::Json { open: r#"{"total_pages":{pages},"progress":["#, close: "]}" },
    columns: &[
        Column("course", "course_code", Shape::Plain),
        Column("unit", "unit_code", Shape::Plain),
        Column("commune_code", "commune", Shape::Plain),
        Column("month_start", "month", Shape::At(Moment::IsoDay)),
        Column("month_end", "period_end", Shape::At(Moment::IsoDay)),
        Column("enrolled", "enrolled", Shape::Plain),
        Column("active", "active", Shape::Plain),
        Column("completed", "completed", Shape::Plain),
        Column("passed", "passed", Shape::Plain),
        Column("learning_minutes", "learning_minutes", Shape::Plain),
        Column("certificates", "certificates", Shape::Plain),
        Column("officials", "officials", Shape::Plain),
        Column("tutor_name", "", Shape::Canary("NAME-COURSES")),
        Column("modified_at", "updated_at", Shape::At(Moment::Rfc3339)),
    ],
    key: &["unit_code", "course_code", "month"],
    code_day: Some("month"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "enrolled",
        code: "course_code",
        day: "month",
    },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    let book =
        Months { monthly: Monthly::new(world), world: world.clone(), areas: Arc::clone(areas) };
    vec![(&MONTHS, Box::new(book))]
}

#[derive(Debug)]
struct Months {
    monthly: Monthly,
    world: World,
    areas: Arc<Areas>,
}

impl Months {
    fn count(&self) -> u64 {
        (UNITS as f64 * self.world.scale).round().max(4.0) as u64
    }

    /// The figures grow through the month: told at its beginning, after ten days and after twenty.
    fn stamps(&self, month: Day, unit: u64) -> [i64; 3] {
        let first = at(self.monthly.told_on(month), 7 * 3600 + unit as i64);
        [first, first + 10 * DAY, first + 20 * DAY]
    }
}

impl Book for Months {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        let Some(month) = self.monthly.beginning(day) else { return };
        for unit in 0..self.count() {
            for course in 0..COURSES.len() as u64 {
                let key = (month.0 as u64) << 24 | unit << 8 | course;
                emit(key, &self.stamps(month, unit));
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (month, unit, course) = (Day((key >> 24) as i32), key >> 8 & 0xFFFF, key & 0xFF);
        let version = version.min(2);
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        let enrolled = draw.between(12, 90);
        let active = (enrolled * draw.between(3, 6) / 10) + version as i64 * 3;
        let active = active.min(enrolled);
        let completed = active * draw.between(2, 5) / 10 + version as i64;
        let completed = completed.min(active);
        let passed = completed - draw.between(0, 3).min(completed);
        let mut home = Draw::new(self.world.seed, TOPIC + 1, unit);
        Told {
            commune: self.areas.pick(&mut home),
            thing: unit,
            at: self.stamps(month, unit)[version],
            withdrawn: false,
            cells: vec![
                ("unit_code", format!("H41.{}", unit + 1).into()),
                ("course_code", COURSES[course as usize].into()),
                ("month", month.into()),
                ("period_end", Monthly::last(month).into()),
                ("enrolled", enrolled.into()),
                ("active", active.into()),
                ("completed", completed.into()),
                ("passed", passed.into()),
                ("learning_minutes", (active * draw.between(25, 140)).into()),
                ("certificates", passed.into()),
                ("officials", (course == 3 || course == 5).into()),
            ],
        }
    }
}
