//! What a facility reports of a night: one return per facility and day, sometimes late, sometimes
//! corrected, now and then withdrawn.
//!
//! Rooms occupied never exceed rooms available, in no version. The two platforms word returns
//! differently (`lodging_a`, `lodging_b`); what is true is drawn here once.

use std::sync::Arc;

use super::calendar::{at, weekday};
use super::draw::Draw;
use super::facilities::{Facility, Kind, Platform, Register, month_of};
use super::feed::Event;
use super::ledger::{self, Bad, Fact, Note, System};
use super::page::{Line, Records};
use super::{lodging_a, lodging_b};
use crate::model::time::{DAY, Day, Stamp};

const TOPIC: u64 = 0x2E70;
const TEN_YEARS: i32 = 3_650;

/// A return as it is to be worded.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    pub(super) index: usize,
    pub(super) day: Day,
    pub(super) commune_code: u32,
    pub(super) commune_today: u32,
    /// In the order of the return's twelve columns, from rooms available to notices late.
    pub(super) rooms: [u32; 2],
    pub(super) guests: [u32; 2],
    pub(super) nights: [u32; 2],
    pub(super) moves: [u32; 2],
    pub(super) notices: [u32; 2],
    pub(super) reported: i64,
    pub(super) is_withdrawn: bool,
    pub(super) bad: Option<Bad>,
}

/// The versions of one return.
#[derive(Clone, Debug)]
struct History {
    stamps: [i64; 3],
    count: usize,
    is_withdrawn: bool,
    draw: Draw,
}

/// A platform's returns as a stream of records.
#[derive(Debug)]
pub(super) struct Returns(pub(super) Arc<Register>);

impl Returns {
    fn history(&self, facility: &Facility, day: Day) -> Option<History> {
        let world = &self.0.world;
        let key = (facility.index as u64) << 16 | day.0 as u64;
        let mut draw = Draw::new(world.seed, TOPIC + self.0.platform as u64, key);
        let sunday = if weekday(day) == 6 { 0.07 } else { 0.0 };
        if !facility.is_active(day) || !draw.chance(facility.diligence - sunday) {
            return None;
        }
        let reported = match draw.below(100) {
            0..20 => at(day, draw.between(21 * 3600 + 1800, 23 * 3600 + 3000)),
            20..95 => at(day.plus(1), draw.between(6 * 3600, 10 * 3600)),
            _ => at(day.plus(draw.between(2, 6) as i32), draw.between(7 * 3600, 17 * 3600)),
        };
        let mut stamps = [reported, 0, 0];
        let mut count = 1;
        if draw.chance(0.04 + world.correct) {
            stamps[count] = stamps[count - 1] + draw.between(DAY, 3 * DAY);
            count += 1;
        }
        let is_withdrawn = draw.chance(0.005 + world.retract);
        if is_withdrawn {
            stamps[count] = stamps[count - 1] + draw.between(3600, 4 * DAY);
            count += 1;
        }
        Some(History { stamps, count, is_withdrawn, draw })
    }

    fn stay(&self, line: Line) -> Option<Stay> {
        let register = &self.0;
        let facility = &register.facilities[(line.key >> 16) as usize % register.facilities.len()];
        let day = Day((line.key & 0xFFFF) as i32);
        let history = self.history(facility, day)?;
        let version = usize::from(line.version).min(history.count - 1);
        let is_withdrawn = history.is_withdrawn && version == history.count - 1;
        let mut draw = history.draw;
        // A withdrawal repeats the numbers that it withdraws.
        let numbers = version - usize::from(is_withdrawn);
        let mut stay = night(facility, day, &mut draw);
        if numbers > 0 {
            stay = corrected(&stay, &mut draw);
        }
        stay.commune_code = register.code(facility, day);
        stay.commune_today = register.areas.all[facility.commune].code;
        stay.reported = history.stamps[version];
        stay.is_withdrawn = is_withdrawn;
        stay.bad = line.bad;
        match line.bad {
            Some(Bad::UnknownCommune) => stay.commune_code = 99_999,
            Some(Bad::FutureDate) => stay.day = day.plus(TEN_YEARS),
            None | Some(Bad::WrongType | Bad::UnknownCode) => {}
        }
        stay.index += line.bad.map_or(0, |bad| 10_000 * (1 + bad as usize));
        Some(stay)
    }
}

/// How full the province is, by month and day of the week.
fn season(day: Day) -> f64 {
    let month = [0.75, 0.9, 0.85, 1.0, 1.1, 1.35, 1.45, 1.3, 1.0, 0.85, 0.8, 0.75];
    let week = [0.92, 0.92, 0.94, 0.98, 1.1, 1.18, 0.96];
    month[day.date().month() as usize - 1] * week[weekday(day) as usize]
}

fn night(facility: &Facility, day: Day, draw: &mut Draw) -> Stay {
    let licensed = facility.size(month_of(day)).0;
    let available = licensed - draw.below(u64::from(licensed) / 12 + 1) as u32;
    let is_seasonal = !matches!(facility.kind, Kind::Dormitory | Kind::HealthFacility);
    let season = if is_seasonal { season(day) } else { 1.0 };
    let share = (facility.appeal * season * draw.range(0.7, 1.3)).min(1.0);
    let occupied = draw.round(f64::from(available) * share).min(available);
    let party = draw.range(1.2, 1.9);
    let guests = draw.round(f64::from(occupied) * party);
    let foreign = draw.round(f64::from(guests) * facility.foreign).min(guests);
    let (coming, going) = (draw.range(0.45, 0.75), draw.range(0.4, 0.7));
    let arrivals = draw.round(f64::from(guests) * coming).min(guests);
    let departures = draw.round(f64::from(guests) * going);
    let sent = arrivals - draw.round(f64::from(arrivals) * 0.04).min(arrivals);
    let tardy = 1.2 * (1.0 - facility.diligence);
    let late = draw.round(f64::from(sent) * tardy).min(sent);
    Stay {
        index: facility.index,
        day,
        commune_code: 0,
        commune_today: 0,
        rooms: [available, occupied],
        guests: [guests - foreign, foreign],
        nights: [guests - foreign, foreign],
        moves: [arrivals, departures],
        notices: [sent, late],
        reported: 0,
        is_withdrawn: false,
        bad: None,
    }
}

/// The same night after somebody counted again.
fn corrected(stay: &Stay, draw: &mut Draw) -> Stay {
    let mut again = stay.clone();
    let [available, occupied] = stay.rooms;
    let more = 1 + draw.below(4) as u32;
    again.rooms[1] = if draw.chance(0.6) {
        (occupied + more).min(available)
    } else {
        occupied.saturating_sub(more)
    };
    again.guests[0] = stay.guests[0] + more;
    again.nights[0] = stay.nights[0] + more;
    again.moves[0] = stay.moves[0] + more;
    again.notices[0] = stay.notices[0] + more;
    again.notices[1] = stay.notices[1].saturating_sub(draw.below(2) as u32);
    again
}

impl Records for Returns {
    fn system(&self) -> System {
        match self.0.platform {
            Platform::A => System::ReturnsA,
            Platform::B => System::ReturnsB,
        }
    }

    fn of_day(&self, day: Day, emit: &mut dyn FnMut(Event)) {
        for facility in &self.0.facilities {
            if let Some(history) = self.history(facility, day) {
                let key = (facility.index as u64) << 16 | day.0 as u64;
                Event::each(key, &history.stamps[..history.count], emit);
            }
        }
    }

    fn say(&self, line: Line, out: &mut Vec<u8>, is_noted: bool) -> Option<Note> {
        let stay = self.stay(line).expect("only returns that were sent have events");
        let facility = match self.0.platform {
            Platform::A => lodging_a::stay(&stay, out),
            Platform::B => lodging_b::stay(&stay, out),
        };
        let fact = || ledger::Return {
            facility,
            stay_date: stay.day,
            commune_code: stay.commune_code,
            commune_today: stay.commune_today,
            rooms_available: stay.rooms[0],
            rooms_occupied: stay.rooms[1],
            guests_domestic: stay.guests[0],
            guests_foreign: stay.guests[1],
            guest_nights_domestic: stay.nights[0],
            guest_nights_foreign: stay.nights[1],
            arrivals: stay.moves[0],
            departures: stay.moves[1],
            notices_sent: stay.notices[0],
            notices_late: stay.notices[1],
        };
        is_noted.then(|| Note {
            version: Stamp(stay.reported),
            withdrawn: stay.is_withdrawn,
            bad: line.bad,
            fact: Fact::Return(fact()),
        })
    }

    fn ways_to_be_bad(&self) -> &'static [Bad] {
        match self.0.platform {
            // A return of platform A carries no code.
            Platform::A => &[Bad::WrongType, Bad::UnknownCommune, Bad::FutureDate],
            Platform::B => {
                &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate]
            }
        }
    }
}
