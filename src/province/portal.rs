//! The life of a dossier: filed, accepted or refused, worked on, asked to be completed, finished,
//! returned; sometimes late, withdrawn, stopped or corrected afterwards.
//!
//! A dossier is drawn whole from its day and serial number. Its stages are the versions that the
//! portal sends: at stage *n* only what had happened by then is known. How it is written is in
//! `portal_render`.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::{
    at, in_office, is_working, office_moment, online_moment, plus_working, service_load,
};
use super::draw::{Draw, mix};
use super::feed::Event;
use super::ledger::{Note, System};
use super::page::{Line, Records, World};
use super::portal_render;
use super::procedures::{PROCEDURES, Procedure};
use crate::model::time::{Day, Stamp, days};

/// New dossiers on the average day.
const PER_DAY: f64 = 1_500.0;
const TOPIC: u64 = 0xD055;
const MOST_STAGES: usize = 9;

/// A step of a dossier and the version that tells of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stage {
    /// When it happened.
    pub(super) when: i64,
    /// When the portal knew: the update stamp.
    pub(super) known: i64,
    pub(super) status: u8,
}

/// A dossier from beginning to end; moments that never come are 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Dossier {
    pub(super) day: Day,
    pub(super) serial: u32,
    pub(super) commune: usize,
    pub(super) procedure: usize,
    /// 1 counter, 2 online, 3 post.
    pub(super) channel: u8,
    /// The portal leaves the channel empty.
    pub(super) is_channel_silent: bool,
    pub(super) submitted: i64,
    pub(super) accepted: i64,
    pub(super) due: i64,
    pub(super) refused: i64,
    pub(super) asked: i64,
    pub(super) answered: i64,
    pub(super) due_again: i64,
    pub(super) finished: i64,
    pub(super) returned: i64,
    /// Draws of details that do not change over its life.
    pub(super) details: u64,
    /// The last stage corrects commune or channel.
    pub(super) is_corrected: bool,
    stages: [Stage; MOST_STAGES],
    count: usize,
}

/// The portal's dossiers.
#[derive(Debug)]
pub(super) struct Portal {
    world: World,
    pub(super) areas: Arc<Areas>,
    weights: Vec<u64>,
    /// Per commune: added share of online filing, and share of late work.
    habits: Vec<(f64, f64)>,
}

impl Portal {
    pub(super) fn new(world: World, areas: Arc<Areas>) -> Self {
        let mut total = 0;
        let cumulate = |procedure: &Procedure| {
            total += u64::from(procedure.weight);
            total
        };
        let weights = PROCEDURES.iter().map(cumulate).collect();
        let habits = areas.all.iter().map(|area| {
            let mut draw = Draw::new(world.seed, TOPIC + 1, u64::from(area.code));
            let town = if area.is_ward { 0.05 } else { 0.0 };
            (town + draw.unit() * 0.24 - 0.12, 0.06 * (0.3 + 1.4 * draw.unit() * draw.unit() * 2.0))
        });
        let habits = habits.collect();
        Self { world, areas, weights, habits }
    }

    fn volume(&self, day: Day) -> u32 {
        let mut draw = Draw::new(self.world.seed, TOPIC + 2, day.0 as u64);
        let jitter = draw.range(0.94, 1.06);
        // A day has at most 9,999 serial numbers; those above 50,000 are for strangers.
        draw.round(PER_DAY * self.world.scale * service_load(day) * jitter).min(9_999)
    }

    fn key(dossier: &Dossier) -> u64 {
        // The unit stands first in a dossier number, so keys sort as numbers do.
        (dossier.commune as u64) << 40 | (dossier.day.0 as u64) << 24 | u64::from(dossier.serial)
    }

    fn of_key(&self, key: u64) -> Dossier {
        self.draw(Day((key >> 24 & 0xFFFF) as i32), (key & 0xFF_FFFF) as u32)
    }

    /// The share of dossiers filed online: half at the beginning of 2024, 0.9 points more a month.
    fn online_share(day: Day) -> f64 {
        let months = f64::from(day.0 - days(2024, 1, 1)) / 30.44;
        (0.5 + 0.009 * months).clamp(0.3, 0.93)
    }

    /// Draws one dossier.
    pub(super) fn draw(&self, day: Day, serial: u32) -> Dossier {
        let key = (day.0 as u64) << 24 | u64::from(serial);
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        let commune = self.areas.pick(&mut draw);
        let point = draw.below(self.weights.last().copied().unwrap_or(1));
        let procedure = self.weights.partition_point(|&bound| bound <= point);
        let online =
            Self::online_share(day) + self.habits[commune].0 + PROCEDURES[procedure].online;
        let channel = match draw.unit() {
            share if !is_working(day) => 2 + u8::from(share > 0.96),
            share if share < online.clamp(0.04, 0.97) => 2,
            share => 1 + 2 * u8::from(share > 0.985),
        };
        let mut dossier =
            Dossier { day, serial, commune, procedure, channel, ..Dossier::default() };
        dossier.is_channel_silent = channel == 1 && draw.chance(0.03);
        dossier.details = draw.next();
        self.live(&mut dossier, &mut draw);
        dossier
    }

    fn live(&self, dossier: &mut Dossier, draw: &mut Draw) {
        let lag = if draw.chance(0.01) { draw.between(3600, 2 * 86_400) } else { 0 };
        if dossier.channel == 1 {
            dossier.accepted = office_moment(dossier.day, draw);
            dossier.submitted = dossier.accepted - draw.between(60, 900);
        } else {
            dossier.submitted = online_moment(dossier.day, draw);
            dossier.step(dossier.submitted, 1, lag, draw);
            let seen = in_office(dossier.submitted + draw.between(300, 7200), draw);
            if draw.chance(0.015) {
                dossier.refused = seen;
                dossier.step(seen, 3, lag, draw);
                return;
            }
            dossier.accepted = seen;
        }
        dossier.due = due(dossier.accepted, PROCEDURES[dossier.procedure].days, draw);
        dossier.step(dossier.accepted, 2, lag, draw);
        self.work(dossier, lag, draw);
        if draw.chance(0.008 + self.world.correct) {
            let last = dossier.stages[dossier.count - 1];
            dossier.is_corrected = true;
            dossier.step(last.when + draw.between(3600, 3 * 86_400), last.status, 0, draw);
        }
    }

    fn work(&self, dossier: &mut Dossier, lag: i64, draw: &mut Draw) {
        let procedure = &PROCEDURES[dossier.procedure];
        let begun = dossier.accepted + draw.between(600, 7200);
        match draw.below(1000) {
            0..8 => return dossier.end(in_office(begun, draw), 7, draw),
            8..13 => return dossier.end(in_office(begun + 86_400, draw), 8, draw),
            _ => {}
        }
        if procedure.fee > 0 && dossier.channel == 2 && draw.chance(0.3) {
            dossier.step(dossier.accepted + draw.between(120, 500), 6, lag, draw);
        }
        if procedure.days > 0 {
            dossier.step(begun, 4, lag, draw);
            if draw.chance(0.04) {
                dossier.asked = in_office(begun + draw.between(3600, 86_400), draw);
                dossier.step(dossier.asked, 5, 0, draw);
                dossier.answered = in_office(dossier.asked + draw.between(7200, 5 * 86_400), draw);
                let pause = Stamp(dossier.answered).day().0 - Stamp(dossier.asked).day().0;
                dossier.due_again = shifted(dossier.due, pause);
                dossier.step(dossier.answered, 4, 0, draw);
            }
        }
        let due = dossier.due.max(dossier.due_again);
        let begin = dossier.stages[dossier.count - 1].when + 300;
        let late = self.habits[dossier.commune].1;
        dossier.finished = match draw.unit() {
            // Some lie in a drawer for months: they are what is overdue today.
            luck if luck < 0.004 => in_office(due + draw.between(40, 200) * 86_400, draw),
            luck if luck < late => in_office(due + draw.between(1, 9) * 86_400, draw),
            _ if procedure.days == 0 => (begin + draw.between(0, 2400)).min(due),
            _ => {
                let share = 0.25 + 0.75 * draw.unit();
                let aimed = begin + ((due - begin).max(0) as f64 * share) as i64;
                in_office(aimed, draw).min(due).max(begin)
            }
        };
        dossier.step(dossier.finished, 9, lag, draw);
        let wait =
            if dossier.has_e_result() { draw.between(60, 900) } else { draw.between(600, 172_800) };
        dossier.returned = dossier.finished + wait;
        if wait > 3600 {
            dossier.returned = in_office(dossier.returned, draw);
        }
        dossier.step(dossier.returned, 10, 0, draw);
    }
}

impl Dossier {
    /// Adds a version; stamps always rise.
    fn step(&mut self, when: i64, status: u8, lag: i64, draw: &mut Draw) {
        let before = self.count.checked_sub(1).map_or(0, |last| self.stages[last].known);
        let known = (when + lag + draw.between(2, 90)).max(before + 1);
        self.stages[self.count] = Stage { when, known, status };
        self.count += 1;
    }

    /// Ends without a result: withdrawn (7) or stopped (8).
    fn end(&mut self, when: i64, status: u8, draw: &mut Draw) {
        self.finished = when;
        self.step(when, status, 0, draw);
    }

    pub(super) fn stages(&self) -> &[Stage] {
        &self.stages[..self.count]
    }

    /// Whether detail number `bit` holds, with this probability.
    pub(super) fn detail(&self, bit: u64, probability: f64) -> bool {
        (mix(self.details, bit) >> 11) as f64 / (1_u64 << 53) as f64 <= probability
    }

    pub(super) fn has_e_result(&self) -> bool {
        self.detail(1, if self.channel == 2 { 0.86 } else { 0.62 })
    }
}

/// 17:00 after this many working days, or on the same day while the office is open.
fn due(accepted: i64, working_days: u32, draw: &mut Draw) -> i64 {
    let day = Stamp(accepted).day();
    if working_days == 0 {
        return (accepted + 3600 * draw.between(1, 4))
            .max(at(day, 11 * 3600))
            .min(at(day, 17 * 3600 + 1800));
    }
    at(plus_working(day, working_days), 17 * 3600)
}

/// A due moment moved by the days that the clock stood still, onto a working day.
fn shifted(due: i64, days: i32) -> i64 {
    let day = Stamp(due).day().plus(days);
    at(if is_working(day) { day } else { plus_working(day, 1) }, 17 * 3600)
}

impl Records for Portal {
    fn system(&self) -> System {
        System::Portal
    }

    fn of_day(&self, day: Day, emit: &mut dyn FnMut(Event)) {
        for serial in 1..=self.volume(day) {
            let dossier = self.draw(day, serial);
            let mut stamps = [0; MOST_STAGES];
            for (stamp, stage) in stamps.iter_mut().zip(dossier.stages()) {
                *stamp = stage.known;
            }
            Event::each(Self::key(&dossier), &stamps[..dossier.count], emit);
        }
    }

    fn say(&self, line: Line, out: &mut Vec<u8>, is_noted: bool) -> Option<Note> {
        let dossier = self.of_key(line.key);
        let row = portal_render::Row::at(&dossier, line, &self.areas);
        row.write(out);
        is_noted.then(|| row.note(line))
    }
}
