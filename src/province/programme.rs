//! The register of the 38 pilot models and the 51 tasks in 10 groups, as it stood on 31 March 2024:
//! 6 models done, 20 in progress, 12 not started; 10 tasks due in the first quarter, short of their
//! goals and late. Nothing later is made up, so what was open then grows overdue by itself.
//!
//! The counts are those reported of the province. Which models and tasks they were is not known here:
//! nine models are named after the province's systems, everything else is a placeholder with a number.
//! Dates, targets and reports are ours, such that the counts come out.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::at;
use super::draw::mix;
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day, Stamp, days};

const MODELS: u64 = 38;
const TASKS: u64 = 51;
const DONE: u64 = 6;
const STARTED: u64 = 26;
/// Tasks due in the first quarter of 2024.
const DUE: u64 = 10;

/// The models that have a system of their own here, and an indicator that shows what they bring about.
const NAMED: [(&str, &str); 9] = [
    ("Kiosk y tế và dịch vụ công", "kiosk_sessions"),
    ("Thông báo lưu trú qua nền tảng", "platform_notice_share"),
    ("Lưu trú tại cơ sở y tế", "medical_notice_coverage"),
    ("Giám sát thi và sát hạch lái xe", "exam_camera_uptime"),
    ("Cho vay tín chấp hộ nghèo, người có công", "loan_reach_rate"),
    ("Công dân số", "eid_activation_rate"),
    ("Điểm chứng thực tập trung", "certified_e_copy_share"),
    ("Truyền thông qua màn hình LED, pa nô, loa", "spots_played_rate"),
    ("Nền tảng học trực tuyến mở", "course_completion_rate"),
];

const UNITS: [(&str, &str); 5] = [
    ("congan-tinh", "Giám đốc Công an tỉnh"),
    ("vp-ubnd", "Chánh Văn phòng"),
    ("so-khcn", "Giám đốc Sở"),
    ("so-yte", "Giám đốc Sở"),
    ("so-tuphap", "Giám đốc Sở"),
];

const HOST: Host = Host {
    variable: "PROGRAMME_URL",
    path: "programme",
    guard: Guard::Bearer,
    secret_file: "programme_token",
};

static ITEMS: Office = Office {
    system: System::Programme,
    contract: "programme_items",
    host: &HOST,
    path: "/api/items",
    paging: Paging::Whole,
    since: ("since", Moment::Rfc3339),
    size: "limit",
    wire: Wire::Json { open: r#"{"asOf":"2024-03-31","items":["#, close: "]}" },
    columns: &[
        Column("id", "item_id", Shape::Plain),
        Column("kind", "kind", Shape::Plain),
        Column("group", "group_no", Shape::Plain),
        Column("title", "title", Shape::Plain),
        Column("evidence", "evidence", Shape::Plain),
        Column("lead/unit", "lead_unit_code", Shape::Plain),
        Column("lead/role", "owner_role", Shape::Plain),
        Column("lead/officer", "", Shape::Canary("NAME-PROGRAMME")),
        Column("coordinating", "coordinating_units", Shape::List),
        Column("seat", "commune", Shape::Plain),
        Column("listedOn", "listed_on", Shape::At(Moment::IsoDay)),
        Column("startDate", "start_date", Shape::At(Moment::IsoDay)),
        Column("startedOn", "started_on", Shape::At(Moment::IsoDay)),
        Column("dueDate", "due_date", Shape::At(Moment::IsoDay)),
        Column("doneOn", "done_on", Shape::At(Moment::IsoDay)),
        Column("droppedOn", "dropped_on", Shape::At(Moment::IsoDay)),
        Column("status", "status", Shape::Plain),
        Column("percent", "percent", Shape::Plain),
        Column("product", "product", Shape::Plain),
        Column("target/value", "target_value", Shape::Plain),
        Column("target/actual", "actual_value", Shape::Plain),
        Column("target/unit", "unit", Shape::Plain),
        Column("report/due", "report_due_at", Shape::At(Moment::Rfc3339)),
        Column("report/last", "last_report_at", Shape::At(Moment::Rfc3339)),
        Column("blockers", "blockers_count", Shape::Plain),
        Column("updatedAt", "updated_at", Shape::At(Moment::Rfc3339)),
    ],
    key: &["item_id"],
    code_day: None,
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune],
        number: "percent",
        code: "status",
        day: "",
    },
};

/// The streams of the system.
pub(super) fn open(_: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    vec![(&ITEMS, Box::new(Register { areas: Arc::clone(areas) }))]
}

/// Before the first day of any history.
pub(super) fn first() -> Day {
    Day(days(2024, 4, 1))
}

#[derive(Debug)]
struct Register {
    areas: Arc<Areas>,
}

/// What is known of one item on 31 March 2024.
struct Item {
    /// From 0, models before tasks.
    key: u64,
    is_model: bool,
    /// From 0 among its kind.
    place: u64,
    start: Day,
    started: Option<Day>,
    due: Day,
    done: Option<Day>,
    percent: u64,
}

impl Item {
    fn new(key: u64) -> Self {
        let is_model = key < MODELS;
        let place = if is_model { key } else { key - MODELS };
        let drawn = |range: u64, topic: u64| (mix(key, topic) % range) as i32;
        // Which third of the models an item belongs to does not follow its number.
        let rank = if is_model { place * 11 % MODELS } else { place };
        let (is_started, is_done) =
            if is_model { (rank < STARTED, rank < DONE) } else { (place < 34, false) };
        let start = if is_started {
            Day(days(2023, 7, 15)).plus(drawn(200, 1))
        } else {
            Day(days(2024, 4, 1)).plus(drawn(120, 1))
        };
        let due = if !is_model && place < DUE {
            Day(days(2024, 3, 1)).plus(drawn(31, 2))
        } else {
            Day(days(2024, 8, 1)).plus(drawn(480, 2))
        };
        let done = is_done.then(|| Day(days(2024, 2, 1)).plus(drawn(58, 3)));
        let percent = match (is_done, is_started) {
            (true, _) => 100,
            (_, true) => 20 + mix(key, 4) % 70,
            _ => 0,
        };
        Self {
            key,
            is_model,
            place,
            start,
            started: is_started.then_some(start),
            due,
            done,
            percent,
        }
    }

    fn status(&self) -> &'static str {
        match (self.started, self.done) {
            (_, Some(_)) => "done",
            (Some(_), _) => "in_progress",
            _ => "not_started",
        }
    }

    fn title(&self) -> String {
        match NAMED.get(self.place as usize) {
            Some((title, _)) if self.is_model => (*title).to_owned(),
            _ if self.is_model => format!("Mô hình {} (giữ chỗ / placeholder)", self.place + 1),
            _ => format!("Nhiệm vụ {} (giữ chỗ / placeholder)", self.place + 1),
        }
    }

    fn evidence(&self) -> Option<&'static str> {
        NAMED.get(self.place as usize).filter(|_| self.is_model).map(|(_, indicator)| *indicator)
    }

    /// When the report of the quarter was due, and when it came: for some not until now.
    fn report(&self) -> (i64, Option<i64>) {
        let due = at(Day(days(2024, 3, 25)), 17 * 3600);
        let came = match mix(self.key, 5) % 20 {
            0..8 => Some(due - (mix(self.key, 6) % 5) as i64 * DAY),
            8..17 => Some(due + 3_600 + (mix(self.key, 6) % 6) as i64 * DAY),
            _ => None,
        };
        (due, came)
    }
}

impl Book for Register {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if day == first() {
            for key in 0..MODELS + TASKS {
                emit(key, &[at(day, 8 * 3600 + key as i64)]);
            }
        }
    }

    fn tell(&self, key: u64, _: usize) -> Told {
        let item = Item::new(key);
        let (unit, role) = UNITS[(mix(key, 7) % 5) as usize];
        let helper = UNITS[((mix(key, 7) + 1) % 5) as usize].0;
        let target = 50 + mix(key, 8) % 200;
        let (report_due, report) = item.report();
        let kind = if item.is_model { "model" } else { "task" };
        Told {
            commune: (mix(key, 9) % self.areas.all.len() as u64) as usize,
            thing: key,
            at: at(first(), 8 * 3600 + key as i64),
            withdrawn: false,
            cells: vec![
                (
                    "item_id",
                    format!("{}{:02}", if item.is_model { "MH" } else { "NV" }, item.place + 1)
                        .into(),
                ),
                ("kind", kind.into()),
                ("group_no", (item.place % 10 + 1).to_string().into()),
                ("title", item.title().into()),
                ("evidence", item.evidence().into()),
                ("lead_unit_code", unit.into()),
                ("owner_role", role.into()),
                ("coordinating_units", if key.is_multiple_of(4) { "" } else { helper }.into()),
                ("listed_on", Day(days(2023, 7, 1)).into()),
                ("start_date", item.start.into()),
                ("started_on", item.started.into()),
                ("due_date", item.due.into()),
                ("done_on", item.done.into()),
                ("status", item.status().into()),
                ("percent", item.percent.into()),
                ("product", format!("Sản phẩm {} (giữ chỗ / placeholder)", key + 1).into()),
                ("target_value", target.into()),
                ("actual_value", (target * item.percent / 100).into()),
                ("unit", "lượt".into()),
                ("report_due_at", Stamp(report_due).into()),
                ("last_report_at", report.map(Stamp).into()),
                ("blockers_count", (mix(key, 10) % 4).into()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_says_what_was_reported_of_the_31st_of_march_2024() {
        let day = Day(days(2024, 3, 31));
        let items: Vec<Item> = (0..MODELS + TASKS).map(Item::new).collect();
        let models = || items.iter().filter(|item| item.is_model);
        let of = |status: &str| models().filter(|item| item.status() == status).count();
        assert_eq!([of("done"), of("in_progress"), of("not_started")], [6, 20, 12]);
        assert!(models().all(|item| item.done.is_none_or(|done| done <= day)));
        assert!(models().all(|item| item.done.is_none_or(|done| item.start < done)));
        assert!(models().all(|item| item.started.is_none_or(|started| started <= day)));
        let due: Vec<&Item> = items.iter().filter(|item| item.due <= day).collect();
        assert_eq!(due.len(), 10);
        assert!(due.iter().all(|item| !item.is_model && item.percent < 100 && item.done.is_none()));
        assert!(items.iter().all(|item| item.start <= item.due));
        let groups: std::collections::BTreeSet<u64> =
            items.iter().filter(|item| !item.is_model).map(|item| item.place % 10).collect();
        assert_eq!((groups.len(), items.len() - models().count()), (10, 51));
    }
}
