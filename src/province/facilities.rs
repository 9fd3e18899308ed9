//! Places where people lodge, and what a platform's register says of them.
//!
//! Two platforms share the facilities of the province between them: A has the hotels, B the rented
//! rooms and smaller places. Every facility confirms its entry once a month, on its own day, so a
//! register read over any month is complete. Some licensed facilities are not connected yet.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::at;
use super::draw::{Draw, mix};
use super::feed::Event;
use super::ledger::{self, Bad, Fact, Note, System};
use super::page::{Line, Records, World};
use super::{lodging_a, lodging_b};
use crate::model::time::{Day, Stamp, days};

const TOPIC: u64 = 0xFAC0;

/// One of the two lodging platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    A,
    B,
}

/// What kind of place it is; the number is its place in each platform's list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hotel,
    GuestHouse,
    RentedRooms,
    Homestay,
    Dormitory,
    HealthFacility,
    Other,
}

/// What never changes about a facility.
#[derive(Clone, Debug)]
pub(super) struct Facility {
    pub(super) index: usize,
    pub(super) commune: usize,
    pub(super) kind: Kind,
    pub(super) stars: u8,
    pub(super) rooms: u32,
    pub(super) beds: u32,
    pub(super) connected: Option<Day>,
    /// Its share of days with a return, and of notices in time.
    pub(super) diligence: f64,
    /// Its occupancy on an average night.
    pub(super) appeal: f64,
    pub(super) foreign: f64,
    /// The platform still has its commune's code from before the reform.
    is_stale: bool,
    details: u64,
    closes: Option<i32>,
    grows: Option<i32>,
}

/// What the register says of a facility in one month.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) commune_code: u32,
    pub(super) commune_today: u32,
    pub(super) kind: Kind,
    pub(super) stars: u8,
    pub(super) rooms: u32,
    pub(super) beds: u32,
    /// 0 active, 1 suspended, 2 closed.
    pub(super) status: usize,
    pub(super) connected: Option<Day>,
    pub(super) updated: i64,
    pub(super) bad: Option<Bad>,
}

/// All facilities of one platform.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) world: World,
    pub(super) areas: Arc<Areas>,
    pub(super) platform: Platform,
    pub(super) facilities: Vec<Facility>,
}

impl Register {
    pub(super) fn new(world: World, areas: Arc<Areas>, platform: Platform) -> Self {
        let full = if platform == Platform::A { 800.0 } else { 400.0 };
        let count = ((full * world.scale).round() as usize).max(3);
        let mut register = Self { world, areas, platform, facilities: Vec::new() };
        register.facilities = (0..count).map(|index| register.draw(index)).collect();
        register
    }

    /// The first day on which a register entry can stand: a month before the history begins.
    pub(super) fn first(world: &World) -> Day {
        world.first.plus(-31)
    }

    fn draw(&self, index: usize) -> Facility {
        let topic = TOPIC + self.platform as u64;
        let mut draw = Draw::new(self.world.seed, topic, index as u64);
        let kind = self.kind(&mut draw);
        let (low, high) = match kind {
            Kind::Hotel => (12, 90),
            Kind::GuestHouse | Kind::RentedRooms => (6, 24),
            Kind::Homestay | Kind::Other => (2, 8),
            Kind::Dormitory => (30, 140),
            Kind::HealthFacility => (8, 60),
        };
        let rooms = draw.between(low, high) as u32;
        let connected = match draw.below(100) {
            0..90 => Some(self.world.first.plus(-(draw.between(30, 700) as i32))),
            90..96 => Some(self.world.first.plus(draw.between(5, 300) as i32)),
            _ => None,
        };
        let month = month_of(self.world.first);
        let mut once = |chance| draw.chance(chance).then(|| month + draw.between(0, 30) as i32);
        let (closes, grows) = (once(0.06), once(0.08));
        Facility {
            index,
            commune: self.areas.pick(&mut draw),
            kind,
            stars: if kind == Kind::Hotel { draw.between(0, 5) as u8 } else { 0 },
            rooms,
            beds: rooms * 3 / 2 + draw.below(u64::from(rooms) + 1) as u32,
            connected,
            diligence: 1.0 - 0.12 * draw.unit() * draw.unit() - 0.02,
            appeal: 0.25 + 0.4 * draw.unit(),
            foreign: if kind == Kind::Hotel { 0.12 * draw.unit() * draw.unit() } else { 0.004 },
            is_stale: self.platform == Platform::B && draw.chance(0.35),
            details: draw.next(),
            closes,
            grows,
        }
    }

    fn kind(&self, draw: &mut Draw) -> Kind {
        let table: &[(u64, Kind)] = match self.platform {
            Platform::A => &[(46, Kind::Hotel), (84, Kind::GuestHouse), (94, Kind::Homestay)],
            Platform::B => &[
                (52, Kind::RentedRooms),
                (70, Kind::GuestHouse),
                (84, Kind::Homestay),
                (89, Kind::Dormitory),
                (94, Kind::HealthFacility),
            ],
        };
        let point = draw.below(100);
        table.iter().find(|(bound, _)| point < *bound).map_or(Kind::Other, |(_, kind)| *kind)
    }

    /// The commune code that the platform sends for a facility, as of a day.
    pub(super) fn code(&self, facility: &Facility, day: Day) -> u32 {
        if facility.is_stale {
            self.areas.stale_code_on(facility.commune, day, facility.details)
        } else {
            self.areas.code_on(facility.commune, day, facility.details)
        }
    }

    fn entry(&self, line: Line) -> Entry {
        let facility = &self.facilities[line.key as usize % self.facilities.len()];
        let month = self.first_month(facility) + i32::from(line.version);
        let updated = facility.confirms(month);
        let day = Stamp(updated).day();
        let (rooms, beds) = facility.size(month);
        let mut entry = Entry {
            index: facility.index,
            commune_code: self.code(facility, day),
            commune_today: self.areas.all[facility.commune].code,
            kind: facility.kind,
            stars: facility.stars,
            rooms,
            beds,
            status: facility.status(month),
            connected: facility.connected.filter(|&connected| connected <= day),
            updated,
            bad: line.bad,
        };
        if let Some(bad) = line.bad {
            entry.index += 10_000 * (1 + bad as usize);
            if bad == Bad::UnknownCommune {
                entry.commune_code = 99_999;
            }
        }
        entry
    }

    fn first_month(&self, facility: &Facility) -> i32 {
        let first = Self::first(&self.world);
        let month = month_of(first);
        if Stamp(facility.confirms(month)).day() < first { month + 1 } else { month }
    }
}

impl Facility {
    /// When it confirms its entry in a month.
    fn confirms(&self, month: i32) -> i64 {
        let first = days(2023 + month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
        let drawn = mix(self.details, month as u64);
        at(Day(first + self.confirm_day()), 8 * 3600 + (drawn % 28_800) as i64)
    }

    /// 0 to 27: a day that every month has.
    fn confirm_day(&self) -> i32 {
        (self.details % 28) as i32
    }

    pub(super) fn size(&self, month: i32) -> (u32, u32) {
        let added =
            if self.grows.is_some_and(|from| month >= from) { self.rooms / 4 + 1 } else { 0 };
        (self.rooms + added, self.beds + 2 * added)
    }

    /// 0 active, 1 suspended, 2 closed.
    fn status(&self, month: i32) -> usize {
        match self.closes {
            Some(from) if month >= from => 2,
            _ => usize::from(mix(self.details ^ 0x5A5, month as u64).is_multiple_of(100)),
        }
    }

    /// Whether it lodges people and reports on this day.
    pub(super) fn is_active(&self, day: Day) -> bool {
        self.connected.is_some_and(|since| since <= day) && self.status(month_of(day)) == 0
    }
}

/// Months since January 2023.
pub(super) fn month_of(day: Day) -> i32 {
    let date = day.date();
    (i32::from(date.year()) - 2023) * 12 + i32::from(date.month()) - 1
}

/// The register as a stream of records.
#[derive(Debug)]
pub(super) struct Facilities(pub(super) Arc<Register>);

impl Records for Facilities {
    fn system(&self) -> System {
        match self.0.platform {
            Platform::A => System::FacilitiesA,
            Platform::B => System::FacilitiesB,
        }
    }

    fn of_day(&self, day: Day, emit: &mut dyn FnMut(Event)) {
        let month = month_of(day);
        let date = i32::from(day.date().day()) - 1;
        for facility in self.0.facilities.iter().filter(|one| one.confirm_day() == date) {
            let version = (month - self.0.first_month(facility)).clamp(0, 255) as u8;
            let (at, until) = (facility.confirms(month), facility.confirms(month + 1));
            emit(Event::one(facility.index as u64, version, at, until));
        }
    }

    fn say(&self, line: Line, out: &mut Vec<u8>, is_noted: bool) -> Option<Note> {
        let entry = self.0.entry(line);
        let (facility, kind, status) = match self.0.platform {
            Platform::A => lodging_a::facility(&entry, out),
            Platform::B => lodging_b::facility(&entry, out),
        };
        let fact = || ledger::Facility {
            facility,
            commune_code: entry.commune_code,
            commune_today: entry.commune_today,
            kind,
            stars: entry.stars,
            rooms: entry.rooms,
            beds: entry.beds,
            status,
            connected_since: entry.connected,
        };
        is_noted.then(|| Note {
            version: Stamp(entry.updated),
            withdrawn: false,
            bad: line.bad,
            fact: Fact::Facility(fact()),
        })
    }

    fn ways_to_be_bad(&self) -> &'static [Bad] {
        &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune]
    }
}
