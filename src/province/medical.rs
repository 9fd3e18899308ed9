//! Lodging in medical facilities: a daily return of beds, patients who stay and lodging notices, and
//! the register of the facilities. Totals only; what hospitals know of people stays there.
//!
//! Its system speaks Vietnamese, sends numbers as texts, and dates as people write them.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::at;
use super::draw::Draw;
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day};

const TOPIC: u64 = 0x3ED1;
const FACILITIES: f64 = 60.0;
const KINDS: [&str; 4] = ["hospital", "health_centre", "clinic", "health_station"];

const HOST: Host = Host {
    variable: "MEDICAL_URL",
    path: "medical",
    guard: Guard::Basic,
    secret_file: "medical_password",
};

const WIRE: Wire =
    Wire::Json { open: r#"{"trangThai":"OK","duLieu":["#, close: r#"],"tongSoTrang":{pages}}"# };

static RETURNS: Office = Office {
    system: System::MedicalReturns,
    contract: "medical_lodging",
    host: &HOST,
    path: "/api/bao-cao-ngay",
    paging: Paging::Numbers("trang"),
    since: ("tuThoiDiem", Moment::Vietnamese),
    size: "soDong",
    wire: WIRE,
    columns: &[
        Column("maCoSo", "facility", Shape::Plain),
        Column("ngay", "stay_date", Shape::At(Moment::VietnameseDay)),
        Column("maXa", "commune", Shape::Plain),
        Column("giuongThucKe", "beds_staffed", Shape::Digits),
        Column("nguoiBenhNoiTru", "inpatients", Shape::Digits),
        Column("nguoiChamSoc", "companions", Shape::Digits),
        Column("nhapVienMoi", "new_admissions", Shape::Digits),
        Column("thongBaoDaGui", "notices_sent", Shape::Digits),
        Column("thongBaoMuon", "notices_late", Shape::Digits),
        Column("nguoiLapBieu", "", Shape::Canary("NAME-MEDICAL")),
        Column("capNhatLuc", "updated_at", Shape::At(Moment::Vietnamese)),
    ],
    key: &["facility", "stay_date"],
    code_day: Some("stay_date"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCommune, Bad::FutureDate],
        number: "inpatients",
        code: "",
        day: "stay_date",
    },
};

static REGISTER: Office = Office {
    system: System::MedicalFacilities,
    contract: "medical_facilities",
    host: &HOST,
    path: "/api/danh-ba",
    paging: Paging::Numbers("trang"),
    since: ("tuThoiDiem", Moment::Vietnamese),
    size: "soDong",
    wire: WIRE,
    columns: &[
        Column("maCoSo", "facility", Shape::Plain),
        Column("maXa", "commune", Shape::Plain),
        Column(
            "loaiHinh",
            "kind",
            Shape::Words(&[
                ("hospital", "BENH_VIEN"),
                ("health_centre", "TRUNG_TAM_Y_TE"),
                ("clinic", "PHONG_KHAM"),
                ("health_station", "TRAM_Y_TE"),
            ]),
        ),
        Column("giuongKeHoach", "beds", Shape::Digits),
        Column("ketNoiTu", "connected_since", Shape::At(Moment::VietnameseDay)),
        Column("ngungTu", "closed_on", Shape::At(Moment::VietnameseDay)),
        Column("dauMoi", "", Shape::Canary("PHONE-MEDICAL")),
        Column("capNhatLuc", "updated_at", Shape::At(Moment::Vietnamese)),
    ],
    key: &["facility"],
    code_day: None,
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune],
        number: "beds",
        code: "kind",
        day: "",
    },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    let facilities = Facilities { world: world.clone(), areas: Arc::clone(areas) };
    vec![
        (&RETURNS, Box::new(Returns(facilities.clone()))),
        (&REGISTER, Box::new(Register(facilities))),
    ]
}

#[derive(Clone, Debug)]
struct Facilities {
    world: World,
    areas: Arc<Areas>,
}

struct Facility {
    commune: usize,
    kind: usize,
    beds: u64,
    /// Of its returns, and of its notices in time.
    diligence: f64,
    connected: Day,
    closed: Option<Day>,
    details: u64,
}

impl Facilities {
    fn count(&self) -> u64 {
        (FACILITIES * self.world.scale).round().max(4.0) as u64
    }

    fn facility(&self, index: u64) -> Facility {
        let mut draw = Draw::new(self.world.seed, TOPIC, index);
        let kind = index as usize % KINDS.len();
        let (low, high) = [(120, 600), (60, 180), (6, 20), (4, 12)][kind];
        let first = self.world.first;
        Facility {
            commune: self.areas.pick(&mut draw),
            kind,
            beds: draw.between(low, high) as u64,
            diligence: 1.0 - 0.14 * draw.unit() * draw.unit(),
            connected: first.plus(-(draw.between(20, 500) as i32)),
            closed: draw.chance(0.05).then(|| first.plus(draw.between(20, 120) as i32)),
            details: draw.next(),
        }
    }
}

fn id(index: u64) -> String {
    format!("CSYT-40-{:04}", index + 1)
}

#[derive(Debug)]
struct Returns(Facilities);

impl Returns {
    fn history(&self, index: u64, day: Day) -> (Draw, [i64; 2], usize) {
        let mut draw = Draw::new(self.0.world.seed, TOPIC + 1, index << 16 | day.0 as u64);
        let sent = match draw.below(100) {
            0..92 => at(day.plus(1), draw.between(6 * 3600, 10 * 3600)),
            _ => at(day.plus(draw.between(2, 4) as i32), draw.between(7 * 3600, 16 * 3600)),
        };
        let corrected = sent + draw.between(DAY / 2, 2 * DAY);
        let count = 1 + usize::from(draw.chance(0.05 + self.0.world.correct));
        (draw, [sent, corrected], count)
    }
}

impl Book for Returns {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        for index in 0..self.0.count() {
            let facility = self.0.facility(index);
            let (mut draw, stamps, count) = self.history(index, day);
            let is_open = facility.closed.is_none_or(|closed| day < closed);
            if is_open && draw.chance(facility.diligence) {
                emit(index << 16 | day.0 as u64, &stamps[..count]);
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (index, day) = (key >> 16, Day((key & 0xFFFF) as i32));
        let facility = self.0.facility(index);
        let (mut draw, stamps, count) = self.history(index, day);
        let version = version.min(count - 1);
        let more = version as u64;
        let beds = facility.beds - draw.below(facility.beds / 10 + 1);
        // Wards are now and then fuller than they have beds.
        let share = draw.range(0.55, 1.08);
        let inpatients = u64::from(draw.round(beds as f64 * share)) + more;
        let admitted = u64::from(draw.round(inpatients as f64 * 0.17)) + more;
        let missed = u64::from(draw.round(admitted as f64 * 0.06)).min(admitted);
        let sent = admitted - missed;
        let late = u64::from(draw.round(sent as f64 * (1.02 - facility.diligence))).min(sent);
        Told {
            commune: facility.commune,
            thing: facility.details,
            at: stamps[version],
            withdrawn: false,
            cells: vec![
                ("facility", id(index).into()),
                ("stay_date", day.into()),
                ("beds_staffed", beds.into()),
                ("inpatients", inpatients.into()),
                ("companions", (inpatients * 4 / 5).into()),
                ("new_admissions", admitted.into()),
                ("notices_sent", sent.into()),
                ("notices_late", late.into()),
            ],
        }
    }
}

#[derive(Debug)]
struct Register(Facilities);

impl Register {
    /// Every facility is told of once a quarter of the year, and when it closes.
    fn stamps(&self, facility: &Facility) -> Vec<i64> {
        let first = self.0.world.first;
        let second = |day: Day| at(day, 8 * 3600 + (facility.details % 3600) as i64);
        let again = facility.closed.unwrap_or_else(|| first.plus(91));
        vec![second(first), second(again)]
    }
}

impl Book for Register {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if day == self.0.world.first {
            for index in 0..self.0.count() {
                emit(index, &self.stamps(&self.0.facility(index)));
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let facility = self.0.facility(key);
        let is_again = version > 0;
        Told {
            commune: facility.commune,
            thing: facility.details,
            at: self.stamps(&facility)[version.min(1)],
            withdrawn: false,
            cells: vec![
                ("facility", id(key).into()),
                ("kind", KINDS[facility.kind].into()),
                ("beds", (facility.beds + u64::from(is_again)).into()),
                ("connected_since", facility.connected.into()),
                ("closed_on", facility.closed.filter(|_| is_again).into()),
            ],
        }
    }
}
