//! Petitions and recommendations of people and enterprises, and how content people are at the one-stop
//! desks. Who wrote and what about stays there.
//!
//! JSON in Vietnamese, the next page behind a link, a bearer token, dates as people write them.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::{at, is_working, office_moment, plus_working};
use super::draw::Draw;
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day, Stamp};

const TOPIC: u64 = 0x9E71;
const A_DAY: f64 = 18.0;
const DESKS: f64 = 50.0;
const FIELDS: [&str; 5] = ["procedures", "land", "environment", "order", "other"];
const CHANNELS: [&str; 4] = ["portal", "phone", "desk", "post"];

const HOST: Host = Host {
    variable: "PETITIONS_URL",
    path: "petitions",
    guard: Guard::Bearer,
    secret_file: "petitions_token",
};

const WIRE: Wire = Wire::Json { open: r#"{"du_lieu":["#, close: r#"],"trang_sau":{next}}"# };

static PETITIONS: Office = Office {
    system: System::Petitions,
    contract: "petitions",
    host: &HOST,
    path: "/api/kien-nghi",
    paging: Paging::Links,
    since: ("cap_nhat_tu", Moment::Vietnamese),
    size: "gioi_han",
    wire: WIRE,
    columns: &[
        Column("so_kien_nghi", "petition", Shape::Plain),
        Column("ma_xa", "commune", Shape::Plain),
        Column("kenh", "channel", Shape::Plain),
        Column("linh_vuc", "field", Shape::Plain),
        Column(
            "trang_thai",
            "status",
            Shape::Words(&[
                ("received", "TIEP_NHAN"),
                ("in_progress", "DANG_XU_LY"),
                ("answered", "DA_TRA_LOI"),
                ("refused", "TU_CHOI"),
            ]),
        ),
        Column("tiep_nhan_luc", "received_at", Shape::At(Moment::Vietnamese)),
        Column("han_tra_loi", "due_at", Shape::At(Moment::Vietnamese)),
        Column("tra_loi_luc", "answered_at", Shape::At(Moment::Vietnamese)),
        Column(
            "danh_gia",
            "satisfaction",
            Shape::Words(&[
                ("very_good", "RAT_HAI_LONG"),
                ("good", "HAI_LONG"),
                ("bad", "KHONG_HAI_LONG"),
            ]),
        ),
        Column("nguoi_gui", "", Shape::Canary("NAME-PETITIONS")),
        Column("noi_dung", "", Shape::Canary("TEXT-PETITIONS")),
        Column("cap_nhat_luc", "updated_at", Shape::At(Moment::Vietnamese)),
    ],
    key: &["petition"],
    code_day: Some("received_at"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "due_at",
        code: "field",
        day: "received_at",
    },
};

static VOTES: Office = Office {
    system: System::Votes,
    contract: "service_votes",
    host: &HOST,
    path: "/api/danh-gia",
    paging: Paging::Links,
    since: ("cap_nhat_tu", Moment::Vietnamese),
    size: "gioi_han",
    wire: WIRE,
    columns: &[
        Column("ma_quay", "desk", Shape::Plain),
        Column("ngay", "day", Shape::At(Moment::VietnameseDay)),
        Column("ma_xa", "commune", Shape::Plain),
        Column("rat_hai_long", "very_good", Shape::Plain),
        Column("hai_long", "good", Shape::Plain),
        Column("khong_hai_long", "bad", Shape::Plain),
        Column("can_bo", "", Shape::Canary("OFFICIAL-PETITIONS")),
        Column("cap_nhat_luc", "updated_at", Shape::At(Moment::Vietnamese)),
    ],
    key: &["desk", "day"],
    code_day: Some("day"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCommune, Bad::FutureDate],
        number: "good",
        code: "",
        day: "day",
    },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    let areas = || Arc::clone(areas);
    vec![
        (&PETITIONS, Box::new(Petitions { world: world.clone(), areas: areas() })),
        (&VOTES, Box::new(Votes { world: world.clone(), areas: areas() })),
    ]
}

#[derive(Debug)]
struct Petitions {
    world: World,
    areas: Arc<Areas>,
}

struct Course {
    draw: Draw,
    received: i64,
    due: i64,
    answered: Option<i64>,
    /// When each version appears: received, in progress, answered, judged.
    stamps: Vec<i64>,
}

impl Petitions {
    fn course(&self, key: u64) -> Course {
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        let day = Day((key >> 16) as i32);
        let received = office_moment(day, &mut draw);
        let due = at(plus_working(day, 15), 17 * 3600);
        let took = if draw.chance(0.85) { draw.between(3, 14) } else { draw.between(16, 24) };
        let answered =
            draw.chance(0.96).then(|| office_moment(plus_working(day, took as u32), &mut draw));
        let mut stamps = vec![received, received + draw.between(DAY / 2, DAY)];
        stamps.extend(answered.map(|at| at + 60));
        if let Some(answered) = answered.filter(|_| draw.chance(0.5)) {
            stamps.push(answered + draw.between(DAY / 2, 4 * DAY));
        }
        Course { draw, received, due, answered, stamps }
    }
}

impl Book for Petitions {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if !is_working(day) {
            return;
        }
        let mut draw = Draw::new(self.world.seed, TOPIC + 1, day.0 as u64);
        for serial in 0..u64::from(draw.round(A_DAY * self.world.scale)).max(1) {
            let key = (day.0 as u64) << 16 | serial;
            emit(key, &self.course(key).stamps);
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let Course { mut draw, received, due, answered, stamps } = self.course(key);
        let version = version.min(stamps.len() - 1);
        let answered = answered.filter(|_| version >= 2);
        let is_refused = draw.chance(0.05);
        let status = match version {
            0 => "received",
            1 => "in_progress",
            _ if is_refused => "refused",
            _ => "answered",
        };
        let verdict = ["very_good", "good", "good", "good", "bad"][draw.below(5) as usize];
        Told {
            commune: self.areas.pick(&mut draw),
            thing: key,
            at: stamps[version],
            withdrawn: false,
            cells: vec![
                ("petition", format!("KN-{}-{:03}", key >> 16, key & 0xFFFF).into()),
                ("channel", CHANNELS[draw.below(4) as usize].into()),
                ("field", FIELDS[draw.below(5) as usize].into()),
                ("status", status.into()),
                ("received_at", Stamp(received).into()),
                ("due_at", Stamp(due).into()),
                ("answered_at", answered.map(Stamp).into()),
                ("satisfaction", (version >= 3).then_some(verdict).into()),
            ],
        }
    }
}

#[derive(Debug)]
struct Votes {
    world: World,
    areas: Arc<Areas>,
}

impl Book for Votes {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if !is_working(day) {
            return;
        }
        for desk in 0..(DESKS * self.world.scale).round().max(3.0) as u64 {
            let sent = at(day, 17 * 3600 + 600 + desk as i64);
            let mut draw = Draw::new(self.world.seed, TOPIC + 2, desk << 16 | day.0 as u64);
            let is_corrected = draw.chance(0.03 + self.world.correct);
            let stamps = [sent, sent + 15 * 3_600];
            emit(desk << 16 | day.0 as u64, &stamps[..=usize::from(is_corrected)]);
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (desk, day) = (key >> 16, Day((key & 0xFFFF) as i32));
        let mut draw = Draw::new(self.world.seed, TOPIC + 3, key);
        let mut home = Draw::new(self.world.seed, TOPIC + 4, desk);
        let version = version.min(1);
        Told {
            commune: self.areas.pick(&mut home),
            thing: desk,
            at: at(day, 17 * 3600 + 600 + desk as i64) + version as i64 * 15 * 3_600,
            withdrawn: false,
            cells: vec![
                ("desk", format!("MC{:03}", desk + 1).into()),
                ("day", day.into()),
                ("very_good", (draw.below(25) + version as u64).into()),
                ("good", draw.below(20).into()),
                ("bad", draw.below(4).into()),
            ],
        }
    }
}
