//! Exams and driving tests under cameras: one record per session, with what the cameras missed.
//!
//! The system speaks XML with attributes, pages follow a token, and whoever holds the bearer token is
//! let in. A session that is cancelled afterwards says so and takes its numbers back.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::{at, is_working, weekday};
use super::draw::Draw;
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day, Stamp};

const TOPIC: u64 = 0xE8A3;
const CENTRES: u64 = 12;
const TYPES: [&str; 4] = ["theory", "simulation", "yard", "road"];
const CLASSES: [&str; 5] = ["A1", "B", "C1", "C", "D"];

const HOST: Host =
    Host { variable: "EXAMS_URL", path: "exams", guard: Guard::Bearer, secret_file: "exams_token" };

static SESSIONS: Office = Office {
    system: System::Exams,
    contract: "exam_sessions",
    host: &HOST,
    path: "/giam-sat/ca-thi",
    paging: Paging::Tokens("tiep"),
    since: ("tuLuc", Moment::Rfc3339),
    size: "soLuong",
    wire: Wire::Xml {
        element: "CaThi",
        open: "<KetQua><Tiep>{next}</Tiep><DanhSach>\n",
        close: "</DanhSach></KetQua>\n",
    },
    columns: &[
        Column("@ma", "session", Shape::Plain),
        Column("@trungTam", "centre_code", Shape::Plain),
        Column("MaXa", "commune", Shape::Plain),
        Column(
            "NoiDung",
            "test_type",
            Shape::Words(&[("theory", "LT"), ("simulation", "MP"), ("yard", "SH"), ("road", "DT")]),
        ),
        Column("Hang", "licence_class", Shape::Plain),
        Column("BatDau", "started_at", Shape::At(Moment::Rfc3339)),
        Column("KetThuc", "ended_at", Shape::At(Moment::Rfc3339)),
        Column("DuThi", "candidates", Shape::Plain),
        Column("Dat", "passed", Shape::Plain),
        Column("KhongDat", "failed", Shape::Plain),
        Column("Vang", "absent", Shape::Plain),
        Column("CameraDuKien", "cameras_expected", Shape::Plain),
        Column("CameraHoatDong", "cameras_online", Shape::Plain),
        Column("MatHinhGiay", "video_gap_s", Shape::Plain),
        Column("CanhBao", "alerts", Shape::Plain),
        Column("TruyenVe", "stream_to_authority", Shape::Either("1", "0")),
        Column("GiamThi", "", Shape::Canary("NAME-EXAMS")),
        Column("DaHuy", "cancelled", Shape::Either("1", "0")),
        Column("CapNhat", "updated_at", Shape::At(Moment::Rfc3339)),
    ],
    key: &["session"],
    code_day: Some("started_at"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "candidates",
        code: "licence_class",
        day: "started_at",
    },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    vec![(&SESSIONS, Box::new(Sessions { world: world.clone(), areas: Arc::clone(areas) }))]
}

#[derive(Debug)]
struct Sessions {
    world: World,
    areas: Arc<Areas>,
}

struct History {
    draw: Draw,
    started: i64,
    ended: i64,
    stamps: Vec<i64>,
    is_cancelled: bool,
}

impl Sessions {
    fn history(&self, key: u64) -> History {
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        let day = Day((key >> 16) as i32);
        let started =
            at(day, [7 * 3600 + 1800, 9 * 3600 + 1800, 14 * 3600][(key & 3) as usize % 3]);
        let ended = started + draw.between(3_000, 6_600);
        let mut stamps = vec![ended + draw.between(300, 3_600)];
        if draw.chance(0.05 + self.world.correct) {
            stamps.push(stamps[0] + draw.between(DAY / 2, 2 * DAY));
        }
        let is_cancelled = draw.chance(0.01 + self.world.retract);
        if is_cancelled {
            stamps.push(stamps[stamps.len() - 1] + draw.between(3_600, DAY));
        }
        History { draw, started, ended, stamps, is_cancelled }
    }
}

impl Book for Sessions {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if !is_working(day) && weekday(day) != 5 {
            return;
        }
        for centre in 0..CENTRES {
            let mut draw = Draw::new(self.world.seed, TOPIC + 1, (day.0 as u64) << 8 | centre);
            // Small provinces have fewer sessions, not smaller ones.
            let mean = 1.1 * self.world.scale.max(0.2);
            for turn in 0..u64::from(draw.round(mean)).min(3) {
                let key = (day.0 as u64) << 16 | centre << 8 | turn;
                emit(key, &self.history(key).stamps);
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let History { mut draw, started, ended, stamps, is_cancelled } = self.history(key);
        let version = version.min(stamps.len() - 1);
        let cancelled = is_cancelled && version == stamps.len() - 1;
        // A cancellation repeats what it takes back.
        let more = (version - usize::from(cancelled)) as u64;
        let centre = key >> 8 & 0xFF;
        let kind = draw.below(4) as usize;
        let candidates = draw.between(18, 60) as u64;
        let absent = draw.below(4);
        let failed =
            u64::from(draw.round((candidates - absent) as f64 * draw.clone().range(0.1, 0.4)));
        let failed = failed.saturating_sub(more);
        let cameras = draw.between(4, 12);
        let online = cameras - i64::from(draw.chance(0.12));
        let gap = if draw.chance(0.35) { draw.between(5, 900) } else { 0 };
        let gap = gap + (cameras - online) * (ended - started);
        let home = Draw::new(self.world.seed, TOPIC + 2, centre);
        Told {
            commune: self.areas.pick(&mut home.clone()),
            thing: centre,
            at: stamps[version],
            withdrawn: cancelled,
            cells: vec![
                ("session", format!("KT-{}-{centre:02}-{}", key >> 16, key & 3).into()),
                ("centre_code", format!("TT{:02}", centre + 1).into()),
                ("test_type", TYPES[kind].into()),
                ("licence_class", CLASSES[draw.below(5) as usize].into()),
                ("started_at", Stamp(started).into()),
                ("ended_at", Stamp(ended).into()),
                ("candidates", candidates.into()),
                ("passed", (candidates - absent - failed).into()),
                ("failed", failed.into()),
                ("absent", absent.into()),
                ("cameras_expected", cameras.into()),
                ("cameras_online", online.into()),
                ("video_gap_s", gap.into()),
                ("alerts", draw.below(5).into()),
                ("stream_to_authority", draw.chance(0.9).into()),
                ("cancelled", cancelled.into()),
            ],
        }
    }
}
