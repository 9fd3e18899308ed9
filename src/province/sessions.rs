//! What people do at the kiosks, as the kiosk platform tells it: one event per session.
//!
//! Hospitals are full at seven in the morning and quiet on Sundays. A silent kiosk has no sessions
//! while it is silent, so the two halves of the picture agree.

use std::sync::Arc;

use super::calendar::{at, is_working, weekday};
use super::draw::{Draw, mix};
use super::feed::Event;
use super::kiosks::{Fleet, Kiosk, Mood, Site, mood};
use super::ledger::{self, Bad, Fact, Note, System};
use super::page::{Line, Records, World};
use super::write::{Moment, Object, number, padded};
use crate::model::time::{Day, Stamp};

/// Sessions of a kiosk on the average day.
const PER_KIOSK: f64 = 40.0;
const TOPIC: u64 = 0x5E55;
const TEN_YEARS: i64 = 3_650 * 86_400;

/// The platform's sessions as a stream of records.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) world: World,
    pub(super) kiosks: Arc<Vec<Kiosk>>,
    pub(super) fleet: Fleet,
}

#[derive(Clone, Debug)]
struct Session {
    kiosk: usize,
    day: Day,
    serial: u64,
    started: i64,
    ended: i64,
    service: &'static str,
    method: &'static str,
    result: &'static str,
    attempts: u32,
    outcome: &'static str,
    failure: &'static str,
    insurance: bool,
    printed: bool,
    stamps: [i64; 3],
    count: usize,
    is_voided: bool,
}

impl Sessions {
    fn volume(&self, kiosk: usize, day: Day) -> u64 {
        let mut draw = Draw::new(self.world.seed, TOPIC, (day.0 as u64) << 8 | kiosk as u64);
        let place = &self.kiosks[kiosk];
        let size = match place.site {
            Site::Hospital => 1.6,
            Site::OneStop => 1.2,
            Site::Clinic | Site::Police => 0.9,
            Site::HealthStation | Site::Notary => 0.7,
        };
        let week = match weekday(day) {
            0 => 1.6,
            5 if place.is_medical() => 0.6,
            6 if place.site == Site::Hospital => 0.35,
            5 | 6 => 0.06,
            _ if is_working(day) => 1.28,
            _ => 0.1,
        };
        let mean = PER_KIOSK * self.world.scale * size * week * 0.89 * draw.range(0.8, 1.2);
        u64::from(draw.round(mean)).min(9_999)
    }

    /// None while the kiosk is silent.
    fn draw(&self, kiosk: usize, day: Day, serial: u64) -> Option<Session> {
        let key = (day.0 as u64) << 24 | (kiosk as u64) << 16 | serial;
        let mut draw = Draw::new(self.world.seed, TOPIC + 1, key);
        let place = &self.kiosks[kiosk];
        let (open, close) = place.site.hours();
        // The morning rush takes two thirds of a day's sessions.
        let rush = if draw.chance(0.66) { open + 4 * 3600 } else { close - 600 };
        let started = at(day, draw.between(open, rush));
        if mood(self.world.seed, self.fleet, kiosk, Stamp(started)) == Mood::Silent {
            return None;
        }
        let services: &[&'static str] = if place.is_medical() {
            &["checkin", "checkin", "checkin", "checkin", "queue_ticket", "payment", "info"]
        } else {
            &[
                "dossier_submit",
                "dossier_lookup",
                "dossier_lookup",
                "queue_ticket",
                "certified_copy",
                "payment",
                "info",
            ]
        };
        let service = services[draw.below(services.len() as u64) as usize];
        let mut session = Session {
            kiosk,
            day,
            serial,
            started,
            ended: started + draw.between(25, 90) + draw.below(120) as i64,
            service,
            method: "none",
            result: "skipped",
            attempts: 0,
            outcome: "completed",
            failure: "",
            insurance: service == "checkin" && draw.chance(0.93),
            printed: matches!(service, "checkin" | "queue_ticket" | "certified_copy"),
            stamps: [0; 3],
            count: 1,
            is_voided: false,
        };
        session.identify(&mut draw);
        session.conclude(&mut draw);
        session.stamps[0] = session.ended + draw.between(3, 120);
        if session.outcome != "completed" && draw.chance(0.06) || draw.chance(self.world.correct) {
            session.stamps[1] = session.stamps[0] + draw.between(300, 7200);
            session.count = 2;
        }
        session.is_voided = draw.chance(0.003 + self.world.retract);
        if session.is_voided {
            session.stamps[session.count] =
                session.stamps[session.count - 1] + draw.between(600, 86_400);
            session.count += 1;
        }
        Some(session)
    }

    fn of_key(&self, key: u64) -> Option<Session> {
        self.draw(
            (key >> 40) as usize % self.kiosks.len(),
            Day((key >> 24 & 0xFFFF) as i32),
            key & 0xFF_FFFF,
        )
    }
}

impl Session {
    fn identify(&mut self, draw: &mut Draw) {
        if matches!(self.service, "info" | "queue_ticket" | "dossier_lookup") && draw.chance(0.7) {
            return;
        }
        self.method = ["chip", "chip", "chip", "face", "face", "fingerprint", "qr_vneid"]
            [draw.below(7) as usize];
        self.attempts = 1 + u32::from(draw.chance(0.18)) + u32::from(draw.chance(0.05));
        self.result = match draw.below(1000) {
            0..918 => "ok",
            918..948 => "mismatch",
            948..982 => "unreadable",
            _ => "timeout",
        };
    }

    fn conclude(&mut self, draw: &mut Draw) {
        let is_known = matches!(self.result, "ok" | "skipped");
        (self.outcome, self.failure) = match draw.below(1000) {
            0..925 if is_known => ("completed", ""),
            0..975 if is_known => ("abandoned", ""),
            _ if is_known => ("failed", "printer"),
            0..550 => ("handed_to_staff", ""),
            550..850 => ("failed", "identification"),
            _ => ("abandoned", ""),
        };
        if self.outcome != "completed" {
            self.insurance = false;
            self.printed = false;
        }
    }

    /// What staff made of it afterwards.
    fn correct(&mut self) {
        if self.outcome == "completed" {
            self.ended += 30;
            self.printed = !self.printed;
        } else {
            (self.outcome, self.failure) = ("handed_to_staff", "");
        }
    }

    /// `PS-001-20261123-0007`; strangers have serial numbers above 10,000.
    fn id(&self, bad: Option<Bad>) -> String {
        let mut out = b"PS-".to_vec();
        padded(&mut out, self.kiosk as u64 + 1, 3);
        out.push(b'-');
        let date = self.day.date();
        number(&mut out, date.year() as u64);
        padded(&mut out, date.month() as u64, 2);
        padded(&mut out, date.day() as u64, 2);
        out.push(b'-');
        padded(&mut out, self.serial + bad.map_or(0, |bad| 10_000 * (1 + bad as u64)), 4);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Records for Sessions {
    fn system(&self) -> System {
        System::Sessions
    }

    fn of_day(&self, day: Day, emit: &mut dyn FnMut(Event)) {
        for kiosk in 0..self.kiosks.len() {
            for serial in 1..=self.volume(kiosk, day) {
                if let Some(session) = self.draw(kiosk, day, serial) {
                    let key = (kiosk as u64) << 40 | (day.0 as u64) << 24 | serial;
                    Event::each(key, &session.stamps[..session.count], emit);
                }
            }
        }
    }

    fn say(&self, line: Line, out: &mut Vec<u8>, is_noted: bool) -> Option<Note> {
        let mut session = self.of_key(line.key).expect("only sessions that were held have events");
        let version = usize::from(line.version).min(session.count - 1);
        let is_voided = session.is_voided && version == session.count - 1;
        // Voiding repeats what it voids.
        if version - usize::from(is_voided) > 0 {
            session.correct();
        }
        let mut commune_code = self.kiosks[session.kiosk].commune_code;
        match line.bad {
            Some(Bad::UnknownCode) => session.outcome = "evaporated",
            Some(Bad::UnknownCommune) => commune_code = 99_999,
            Some(Bad::FutureDate) => {
                session.started += TEN_YEARS;
                session.ended += TEN_YEARS;
            }
            Some(Bad::WrongType) | None => {}
        }
        let fact = ledger::Session {
            session: session.id(line.bad),
            kiosk: self.kiosks[session.kiosk].id.clone(),
            commune_code,
            started_at: Stamp(session.started),
            ended_at: Stamp(session.ended),
            service: session.service,
            auth_method: session.method,
            auth_result: session.result,
            auth_attempts: session.attempts,
            outcome: session.outcome,
            failure_code: session.failure,
            insurance_checked: session.insurance,
            printed: session.printed,
        };
        let updated = session.stamps[version];
        write(&fact, line.bad, is_voided, updated, out);
        is_noted.then_some(Note {
            version: Stamp(updated),
            withdrawn: is_voided,
            bad: line.bad,
            fact: Fact::Session(fact),
        })
    }
}

fn write(fact: &ledger::Session, bad: Option<Bad>, voided: bool, updated: i64, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.text("session_id", &fact.session);
    object.text("kiosk_id", &fact.kiosk);
    object.quoted("commune_code", |out| padded(out, u64::from(fact.commune_code), 5));
    if bad == Some(Bad::WrongType) {
        object.wrong_type("started_at");
    } else {
        object.moment("started_at", Some(fact.started_at.0), Moment::Rfc3339);
    }
    object.moment("ended_at", Some(fact.ended_at.0), Moment::Rfc3339);
    object.text("service", fact.service);
    object.text("auth_method", fact.auth_method);
    object.text("auth_result", fact.auth_result);
    object.number("auth_attempts", u64::from(fact.auth_attempts));
    object.text("outcome", fact.outcome);
    object.text("failure_code", fact.failure_code);
    object.truth("insurance_checked", fact.insurance_checked);
    object.truth("printed", fact.printed);
    object.text("operator_note", "CANARY-NOTE-KIOSK");
    object.truth("voided", voided);
    object.moment("updated_at", Some(updated), Moment::Rfc3339);
    object.close();
}

/// The envelope of a page; a null cursor after the last one.
pub(super) fn envelope(records: &[u8], next: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() + 64);
    out.extend_from_slice(b"{\"data\":[");
    out.extend_from_slice(records);
    out.extend_from_slice(b"],\"meta\":{\"next\":");
    match next {
        Some(token) => out.extend_from_slice(format!("\"{token}\"").as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}}");
    out
}

/// The bearer token of a seed.
pub(super) fn token(seed: u64) -> String {
    format!("simulated-kiosk-platform-{:016x}", mix(seed, 0xC))
}
