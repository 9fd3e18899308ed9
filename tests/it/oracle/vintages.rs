//! What was known when: at 50 moments the oracle keeps what had been said by then, and whenever the
//! program is asked about one of them later, it answers what follows from that, to the byte.
//!
//! Between the moments the province lives on, misbehaves and changes its mind, the program is killed
//! and a contract is edited: an answer as of a moment keeps the definition of that moment.

use std::time::{Duration, Instant};

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::Stamp;

use super::{Comparison, Edition, Places, Stage, local_day, moment, oracle, seed};
use crate::support::edit;

/// How many moments are remembered, unless `IOCGW_TEST_MOMENTS` says otherwise.
const MOMENTS: i64 = 50;

/// After so many moments the program is killed.
const LIFE: i64 = 12;

/// Indicators that are compared at each moment; over all moments each of them comes up.
const AT_EACH: usize = 3;

/// One moment: what the ledger held, and bodies that were answered soon afterwards.
struct Moment {
    at: Stamp,
    said: usize,
    province: Stamp,
    slot_day: i32,
    edition: Edition,
    bodies: Vec<(String, String)>,
}

#[test]
fn what_was_answered_of_a_moment_is_answered_again_and_is_what_had_been_said_by_then() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::awake(seed, 1, 0.03, moment(20));
    let contract = stage.folder.path().join("config/contracts/dossiers.yaml");
    // What kiosks say is of today and not compared here: it need not be waited for fifty times.
    let kiosks = stage.folder.path().join("config/sources/kiosk_fleet.yaml");
    edit(&kiosks, "interval: 4s", "interval: 1s");
    let faults = Stage::faults();
    stage.start();
    let count = std::env::var("IOCGW_TEST_MOMENTS").map_or(MOMENTS, |text| text.parse().unwrap());
    let (began, mut moments, mut edition) = (Instant::now(), Vec::new(), Edition::Shipped);
    for i in 0..count {
        if i % LIFE == LIFE - 1 {
            stage.kill_after(u64::MAX, Duration::from_millis(random.u64(0..400)));
            if i > count / 2 && edition == Edition::Shipped {
                edit(&contract, super::edits::RECEIVED, super::edits::STRICTER);
                edition = Edition::Stricter;
            }
            stage.start();
        }
        stage.systems.province.set_faults(faults);
        let later = 20 * 86_400 + i * 4 * 3600 + random.i64(0..14_400);
        stage.systems.province.set_now(Stamp(moment(0).0 + later));
        std::thread::park_timeout(Duration::from_millis(random.u64(50..500)));
        stage.calm_down();
        let mut kept = remember(&stage, edition);
        kept.bodies = bodies(&stage, &kept, &mut random);
        moments.push(kept);
    }
    println!("remembered after {:.0} s", began.elapsed().as_secs_f64());
    let mut points = 0;
    for (i, kept) in moments.iter().enumerate() {
        points += compare(&stage, kept, i);
        assert_same(&stage, kept);
    }
    stage.stop();
    stage.start();
    moments.iter().for_each(|kept| assert_same(&stage, kept));
    println!("{} moments, {points} points, {:.0} s", moments.len(), began.elapsed().as_secs_f64());
    stage.stop();
}

/// Nothing more happens in this second.
fn remember(stage: &Stage, edition: Edition) -> Moment {
    let at = Clock::System.now();
    while Clock::System.now() == at {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Moment {
        at,
        said: stage.systems.province.ledger().said().len(),
        province: stage.systems.province.now(),
        slot_day: stage.slot_day(),
        edition,
        bodies: Vec::new(),
    }
}

fn as_of(at: Stamp) -> String {
    format!("as_of={}", at.rfc3339().replace('+', "%2B"))
}

/// Some answers as of a moment, as they are given right after it.
fn bodies(stage: &Stage, kept: &Moment, random: &mut fastrand::Rng) -> Vec<(String, String)> {
    let ids: Vec<&str> = super::indicators::all().iter().map(|indicator| indicator.id).collect();
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let (id, as_of) = (ids[random.usize(0..ids.len())], as_of(kept.at));
        for path in [
            format!("/v1/indicators/{id}/value?period=2025-07&{as_of}"),
            format!("/v1/indicators/{id}/series?period=2025-07&{as_of}"),
            format!("/v1/indicators/{id}/breakdown?by=commune&period=2025-07&{as_of}"),
        ] {
            let answer = stage.gateway().get(&path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            bodies.push((path, answer.body));
        }
    }
    bodies
}

fn assert_same(stage: &Stage, kept: &Moment) {
    for (path, body) in &kept.bodies {
        assert_eq!(&stage.gateway().get(path).body, body, "{path}");
    }
}

/// The oracle over what had been said by then; yields how many points were compared.
fn compare(stage: &Stage, kept: &Moment, turn: usize) -> usize {
    let said = stage.systems.province.ledger().said();
    let places = Places::read();
    let oracle =
        oracle(&said[..kept.said], &said[..kept.said], &places, kept.slot_day, kept.edition);
    let (first, now) = (stage.systems.province.first_day().0, local_day(kept.province.0));
    let mut comparison = Comparison::new(stage.gateway(), &oracle, &places.codes);
    comparison.suffix = format!("&{}", as_of(kept.at));
    let ids = oracle.ids();
    for i in 0..AT_EACH {
        let id = ids[(turn * AT_EACH + i) % ids.len()];
        comparison.province(id, "day", (first - 3, now + 3));
        // By commune now and then: such an answer has many more points.
        if i == 0 && turn.is_multiple_of(5) {
            comparison.days(id, (now - 20, now + 2), true);
        }
    }
    let points = comparison.points;
    comparison.conclude();
    points
}
