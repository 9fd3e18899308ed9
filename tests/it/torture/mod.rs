//! Whatever moment the program dies at, nothing is lost and nothing is counted twice.
//!
//! It dies by SIGKILL, again and again on the same store: at random moments, and at every named
//! place on a page's way, before and after every statement that writes, at first starts, in ordinary
//! turns, after changes of a contract and while other definitions are taken over. The places are not listed here: a program that records
//! them tells. After every death the store is opened and recounted ([`books`]); in the end every
//! answer is what the oracle makes of what the province said.
//!
//! `IOCGW_TORTURE_KILLS` and `IOCGW_TORTURE_AT_EACH` say how often (`make torture`: 1,000 and 50),
//! `IOCGW_TORTURE_AT` names places to die at, with commas between, if not at all of them.
//! A long run owes every place its deaths: what chance kept from them is made up for in stages of their own.
//! `IOCGW_TEST_SEED` sets the seed, `IOCGW_TORTURE_STAGES` how many stages there are side by side. A long run
//! that was cut short goes on with the stage that `IOCGW_TORTURE_FROM` names (and makes up for nothing):
//! each stage is a world of its own, with a seed of its own.

mod books;
mod places;
mod told;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ioc_gateway::app::Settings;
use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::Stamp;

use crate::oracle::{Edition, Stage, compare_days, moment, seed};
use crate::support::{Gateway, copy, edit, program};
use books::Books;
use places::{Life, Place};
use told::Told;

/// Random deaths on one store; then another begins, with another seed: what is looked at after each
/// death grows with what the store has been through.
const DEATHS: usize = 40;

/// Stages of a short run.
const FEWEST: usize = 4;

/// How often a long run makes up for the deaths it still owes.
const ROUNDS: usize = 4;

/// How often a death that did not come about is tried again.
const TRIES: u32 = 3;

/// How long a program may take to come to the place at which it is to die; so much more at each try.
const PATIENCE: Duration = Duration::from_secs(4);

/// The same when it takes another configuration over: turns under way may take so long to end.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// Seconds by which the province lives on in all deaths of one stage together.
const SPAN: i64 = 10 * 86_400;

/// How far the program's clock is behind at first; it catches up, so that days of the journal grow old
/// and are merged.
const BEHIND: i64 = 20 * 86_400;

/// How far it is behind at the last death: the day on which the oracle counts the kiosks' one slot
/// must have no other.
const NEAREST: i64 = 2 * 86_400;

/// When random deaths come, in milliseconds.
const LATEST: u64 = 400;

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn whatever_moment_it_dies_at_nothing_is_lost_and_nothing_counted_twice() {
    let (seed, kills, at_each) =
        (seed(), setting("IOCGW_TORTURE_KILLS", 8), setting("IOCGW_TORTURE_AT_EACH", 1));
    // A short run is divided too: most of a life is waiting, and several wait side by side.
    let stages = kills.div_ceil(DEATHS).max(FEWEST);
    let first = setting("IOCGW_TORTURE_FROM", 1).saturating_sub(1);
    // Each stage has a folder of its own and takes up to 2 GiB. Two on each core leave none of them idle
    // while a life waits; more gain nothing.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = setting("IOCGW_TORTURE_STAGES", cores.max(FEWEST)).clamp(1, stages);
    let (told, tries) = (Told::default(), if at_each > 1 { TRIES } else { 1 });
    side_by_side(first..stages, workers, |i| {
        let mut torture = Torture::new(seed + i as u64, tries);
        let places = if at_each > 0 { torture.places() } else { Vec::new() };
        told.found(&places);
        let deaths = places.into_iter().map(|place| {
            let mine = share(at_each, &place.name, (i, stages));
            (place, mine)
        });
        // What cannot be divided is shared out.
        torture.suffer(kills * (i + 1) / stages - kills * i / stages, deaths.collect());
        torture.conclude(&format!("stage {} of {stages}", i + 1), &told);
    });
    let is_whole = at_each > 1 && first == 0;
    for round in 0..if is_whole { ROUNDS } else { 0 } {
        let owed = told.owed(at_each);
        let all: usize = owed.iter().map(|(_, deaths)| deaths).sum();
        if all == 0 {
            break;
        }
        println!("{all} deaths at {} places are owed still", owed.len());
        let workers = workers.min(all);
        side_by_side(0..workers, workers, |i| {
            let of_its_own = stages + round * workers + i;
            let mut torture = Torture::new(seed + of_its_own as u64, tries);
            let places = torture.places();
            let deaths = owed.iter().map(|(place, deaths)| {
                let here = places.iter().find(|here| here.name == place.name).unwrap_or(place);
                (here.clone(), share(*deaths, &place.name, (i, workers)))
            });
            torture.suffer(0, deaths.collect());
            torture.conclude(&format!("stage {} of owed deaths", i + 1), &told);
        });
    }
    told.conclude(seed, at_each, is_whole);
}

/// Runs these stages, so many at a time.
fn side_by_side(stages: std::ops::Range<usize>, workers: usize, run: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(stages.start);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::SeqCst);
                    if i >= stages.end {
                        return;
                    }
                    run(i);
                }
            });
        }
    });
}

/// How many of all the deaths at a place one stage has to die. All stages together come to all of them,
/// whatever does not divide evenly: where a place begins follows from its name, for each stage finds
/// the places anew.
fn share(all: usize, name: &str, (stage, stages): (usize, usize)) -> usize {
    let begin =
        name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (0..all).filter(|death| (begin % stages + death) % stages == stage).count()
}

/// How to die.
#[derive(Clone, Debug)]
enum Way {
    /// So long after it was started.
    Starting(Duration),
    /// So long after it began to listen.
    Listening(Duration),
    /// So long after it was told to take over another configuration.
    Reloading(Duration),
    /// At a named place.
    At(Place),
}

impl Way {
    fn name(&self) -> String {
        match self {
            Self::Starting(_) => "at a random moment after the start".to_owned(),
            Self::Listening(_) => "at a random moment at work".to_owned(),
            Self::Reloading(_) => "at a random moment of a reload".to_owned(),
            Self::At(place) => place.name.clone(),
        }
    }
}

/// One store and its deaths.
struct Torture {
    stage: Stage,
    random: fastrand::Rng,
    /// The shipped configuration and two changed ones.
    variants: Vec<PathBuf>,
    /// The one that the program last had.
    variant: usize,
    books: Books,
    /// Deaths by name, and how often it did not come to that.
    tally: BTreeMap<String, (usize, usize)>,
    /// Places that were not passed in time, though each was tried again and again.
    unmet: Vec<Place>,
    /// How often a death that did not come about is tried again.
    tries: u32,
    now: Stamp,
    /// Seconds by which the program's clock is behind ours.
    behind: i64,
}

impl Torture {
    fn new(seed: u64, tries: u32) -> Self {
        let stage = Stage::awake(seed, 1, 0.03, moment(20));
        // Every kiosk answers, and is heard however busy the machine is: what one would have said in the
        // one slot that counts is not said again. It is waited for as long as a turn is.
        let kiosks = stage.folder.path().join("config/sources/kiosk_fleet.yaml");
        edit(&kiosks, "timeout: 3s", "timeout: 60s");
        if tries > 1 {
            edit(&kiosks, "interval: 4s", "interval: 10s");
        }
        let variants = places::variants(stage.folder.path());
        Self {
            stage,
            random: fastrand::Rng::with_seed(seed),
            variants,
            variant: 0,
            books: Books::default(),
            tally: BTreeMap::new(),
            unmet: Vec::new(),
            tries,
            now: moment(20),
            behind: BEHIND,
        }
    }

    /// Dies so many times at random moments, and so many times at each of these places.
    fn suffer(&mut self, kills: usize, deaths: Vec<(Place, usize)>) {
        let mut ways: Vec<Way> = (0..kills).map(|i| self.random_way(i)).collect();
        for (place, deaths) in deaths {
            ways.extend(std::iter::repeat_n(Way::At(place), deaths));
        }
        self.random.shuffle(&mut ways);
        // First starts come first: they begin with no store.
        ways.sort_by_key(|way| !matches!(way, Way::At(place) if place.life == Life::First));
        let step = SPAN / ways.len().max(1) as i64;
        for way in &ways {
            self.now = Stamp(self.now.0 + step);
            self.behind -= (BEHIND - NEAREST) / ways.len() as i64;
            self.stage.systems.province.set_now(self.now);
            // What is sure to come about in a new store is not waited for in this one for long.
            let tries = match way {
                Way::At(place) if place.in_a_first_life().is_some() => 1,
                _ => self.tries,
            };
            let has_died = self.die(way, PATIENCE)
                || (0..tries).any(|i| self.die_after_a_change(way, PATIENCE * (i + 2)));
            let (deaths, missed) = self.tally.entry(way.name()).or_default();
            *(if has_died { deaths } else { missed }) += 1;
            if let (Way::At(place), false) = (way, has_died) {
                self.unmet.push(place.clone());
            }
        }
    }

    /// What only chance brings about in a store that has seen much (the first record with a new word) is sure
    /// to come about in a new one: there the deaths are died that did not come to pass.
    fn make_up(&mut self) {
        for place in std::mem::take(&mut self.unmet) {
            let Some(first) = place.in_a_first_life() else { continue };
            let way = Way::At(first);
            if (1..=TRIES).any(|i| self.die(&way, PATIENCE * i)) {
                let (deaths, missed) = self.tally.entry(way.name()).or_default();
                (*deaths, *missed) = (*deaths + 1, *missed - 1);
            }
        }
    }

    fn random_way(&mut self, i: usize) -> Way {
        let after = Duration::from_millis(self.random.u64(0..=LATEST));
        match i % 8 {
            0 | 4 => Way::Starting(after),
            1 => Way::Reloading(after),
            _ => Way::Listening(after),
        }
    }

    /// Where a place was not passed in time there was too little to do: once more, with more of it.
    fn die_after_a_change(&mut self, way: &Way, patience: Duration) -> bool {
        let Way::At(place) = way else { return false };
        let place = place.after_a_change();
        self.now = Stamp(self.now.0 + 3600);
        self.stage.systems.province.set_now(self.now);
        self.die(&Way::At(place), patience)
    }

    /// One life and its death; whether it died the way it was to.
    fn die(&mut self, way: &Way, patience: Duration) -> bool {
        let changes = match way {
            Way::At(place) => place.life == Life::Changed,
            _ => self.random.f32() < 0.1,
        };
        if changes {
            self.variant =
                (self.variant + self.random.usize(1..self.variants.len())) % self.variants.len();
        }
        if matches!(way, Way::At(place) if place.life == Life::First) {
            places::remove_store(self.stage.folder.path());
            self.books = Books::default();
        }
        let has_died = match way {
            Way::Starting(after) => self.die_starting(*after),
            Way::Listening(after) => self.die_listening(*after),
            Way::Reloading(after) => self.die_reloading("none:1", *after),
            Way::At(place) if place.life == Life::Reloaded => {
                self.die_reloading(&format!("{}:1", place.name), LONG_PATIENCE)
            }
            Way::At(place) => self.die_at(place, patience),
        };
        self.check_books();
        has_died
    }

    fn check_books(&mut self) {
        let folder = self.stage.folder.path();
        let settings = Settings {
            config: self.variants[self.variant].clone(),
            store: folder.join("iocgw.db"),
            secrets: folder.join("secrets"),
            variables: self.stage.systems.variables.clone(),
        };
        self.books.check(&settings, Stamp(Clock::System.now().0 - self.behind));
    }

    fn die_starting(&self, after: Duration) -> bool {
        let variables = self.variables("none:1");
        let (folder, config) = (self.stage.folder.path(), &self.variants[self.variant]);
        let mut child = program(&["serve", "--listen", "127.0.0.1:0", "--config"], &variables)
            .arg(config)
            .arg("--store")
            .arg(folder.join("iocgw.db"))
            .arg("--secrets")
            .arg(folder.join("secrets"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::park_timeout(after);
        child.kill().unwrap();
        child.wait().unwrap().code().is_none()
    }

    fn die_listening(&self, after: Duration) -> bool {
        let gateway = self.live("none:1").unwrap_or_else(|log| panic!("it did not start:\n{log}"));
        std::thread::park_timeout(after);
        is_faultless(&gateway.kill());
        true
    }

    fn die_at(&mut self, place: &Place, patience: Duration) -> bool {
        let passage = self.random.u64(1..=place.often());
        match self.live(&format!("{}:{passage}", place.name)) {
            Ok(mut gateway) => {
                let has_died = gateway.has_ended_within(patience);
                is_faultless(&gateway.kill());
                has_died
            }
            Err(log) => {
                is_faultless(&log);
                true
            }
        }
    }

    /// Lives under one configuration, is told to take over another one, and dies within that or after
    /// so long; whether it did.
    fn die_reloading(&mut self, failpoint: &str, after: Duration) -> bool {
        let (mut gateway, other) = match self.live_changing(failpoint) {
            Ok(living) => living,
            Err(log) => panic!("it did not start:\n{log}"),
        };
        let is_random = failpoint == "none:1";
        let has_died = gateway.has_ended_within(after) || is_random;
        is_faultless(&gateway.kill());
        // Either the one or the other, whole.
        let store = self.stage.folder.path().join("iocgw.db");
        let in_force = places::in_force(&store).expect("it has begun");
        assert!([self.variant, other].contains(&in_force), "{in_force}");
        self.variant = in_force;
        has_died
    }

    /// Starts the program and tells it to take over another configuration; yields which.
    fn live_changing(&mut self, failpoint: &str) -> Result<(Gateway, usize), String> {
        let folder = self.stage.folder.path();
        let (config, count) = (folder.join("changing"), self.variants.len());
        let other = (self.variant + self.random.usize(1..count)) % count;
        copy(&self.variants[self.variant], &config);
        let gateway = Gateway::try_start(&config, folder, &self.variables(failpoint))?;
        copy(&self.variants[other], &config);
        gateway.reload();
        Ok((gateway, other))
    }

    fn variables(&self, failpoint: &str) -> BTreeMap<String, String> {
        let mut variables = self.stage.systems.variables.clone();
        variables.insert("IOCGW_FAILPOINT".to_owned(), failpoint.to_owned());
        variables.insert("IOCGW_CLOCK_BEHIND".to_owned(), self.behind.to_string());
        variables
    }

    /// Starts the program; its log if it died before it listened.
    fn live(&self, failpoint: &str) -> Result<Gateway, String> {
        let config = &self.variants[self.variant];
        Gateway::try_start(config, self.stage.folder.path(), &self.variables(failpoint))
    }

    /// Every place that is passed in a first life, in a later one, or after a change.
    fn places(&mut self) -> Vec<Place> {
        let file = self.stage.folder.path().join("places");
        let lives = [(Life::First, 0), (Life::Later, 0), (Life::Changed, 1), (Life::Changed, 2)];
        let mut recorded = Vec::new();
        for (life, variant) in lives {
            self.variant = variant;
            self.now = Stamp(self.now.0 + 7200);
            self.stage.systems.province.set_now(self.now);
            let since = Stamp(Clock::System.now().0 - self.behind).rfc3339();
            let gateway = self.live(&format!("record:{}", file.display())).unwrap();
            gateway.wait_until("a run of every stream", "/v1/sources", |answer| {
                places::has_run(&answer.json(), &since)
            });
            // What is thrown away after the next change has to be there first.
            gateway.wait_until("the end of building", "/v1/jobs", |answer| {
                places::is_built(&answer.json())
            });
            let (code, _) = gateway.stop();
            assert_eq!(code, Some(0));
            recorded.push((life, std::fs::read_to_string(&file).unwrap()));
            std::fs::remove_file(&file).unwrap();
        }
        let (gateway, other) = self.live_changing(&format!("record:{}", file.display())).unwrap();
        gateway.wait_until("the reload", "/livez", |_| {
            gateway.log().contains("another configuration is in use")
        });
        assert_eq!(gateway.stop().0, Some(0));
        self.variant = other;
        recorded.push((Life::Reloaded, std::fs::read_to_string(&file).unwrap()));
        let mut places = places::found(&recorded);
        assert!(places.len() > 30, "{places:?}");
        if let Ok(wanted) = std::env::var("IOCGW_TORTURE_AT") {
            places.retain(|place| wanted.split(',').any(|word| place.name.contains(word)));
        }
        places
    }

    /// The program as shipped, and all its answers; then the deaths that are still owed.
    fn conclude(mut self, stage: &str, told: &Told) {
        self.stage.start();
        let calm_from = self.stage.systems.province.ledger().said().len();
        self.stage.calm_down();
        let points = compare_days(&self.stage, calm_from, Edition::Shipped);
        self.stage.stop();
        (self.variant, self.behind) = (0, 0);
        self.check_books();
        let read_again = self.books.read_again;
        self.make_up();
        told.add(stage, &self.tally, points, read_again);
    }
}

/// A program may die; it may not stumble.
fn is_faultless(log: &str) {
    for stumble in ["panicked", "a fault of the gateway", "damaged"] {
        let line = log.lines().find(|line| line.contains(stumble));
        assert_eq!(line, None, "in the log of a life");
    }
}
