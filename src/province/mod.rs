//! The simulated province: its systems as they speak, over real HTTP, from a seed.
//!
//! It stands in for the real systems in the demo and in tests, so it shares no decoding, folding or
//! indicator code with the gateway, imports nothing above `clock`, and keeps a ledger of what it
//! said, from which a test recomputes every figure. Nothing is stored: every record is drawn again
//! from the seed whenever it is sent. The same seed, time and sequence of requests give the same
//! bytes. No personal data exists here, only strings that begin with `CANARY`.

mod answer;
mod areas;
mod calendar;
mod certification;
mod citizens;
mod courses;
mod draw;
mod evaluation;
mod exams;
mod exchange;
mod facilities;
mod faults;
mod feed;
mod kiosks;
mod ledger;
mod loans;
mod lodging_a;
mod lodging_b;
mod medical;
mod office_answer;
mod offices;
mod page;
mod petitions;
mod portal;
mod portal_render;
mod procedures;
mod programme;
mod record;
mod returns;
mod screens;
mod serve;
mod sessions;
mod strays;
#[cfg(test)]
mod tests;
mod token;
mod wording;
mod write;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use faults::Faults;
pub use feed::{DISORDER_AT_MOST, LATE_AT_MOST};
pub use kiosks::{Fleet, KIOSKS, targets};
pub use ledger::{Bad, Dossier, Facility, Fact, Heartbeat, Ledger, Return, Said, Session, System};
pub use page::PAGE_LIMIT;
pub use procedures::{PROCEDURES, Procedure};
pub use record::{Cell, Record};
pub use serve::serve;
pub use strays::Stray;

use areas::Areas;
use draw::Draw;
use facilities::{Facilities, Platform, Register};
use faults::{Gate, Trouble};
use feed::{Lost, Pin};
use kiosks::Kiosk;
use offices::{Host, Shelf};
use page::{Stream, World};
use portal::Portal;
use returns::Returns;
use sessions::Sessions;

use crate::clock::Clock;
use crate::model::time::{Day, Stamp};

/// Which time it is in the province.
#[derive(Clone, Debug)]
pub enum Now {
    /// The clock's: new events keep appearing as it moves.
    Live(Clock),
    /// This moment, until [`Province::set_now`] moves it.
    Standing(Stamp),
}

/// What a province is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything follows from it.
    pub seed: u64,
    /// Months of history before the present, at least 1.
    pub months: u32,
    /// The present.
    pub now: Now,
    /// 1.0 is the size of the province: 1,500 dossiers a day, 1,200 facilities.
    pub scale: f64,
    /// How it misbehaves.
    pub faults: Faults,
    /// Which kiosks are silent or slow.
    pub fleet: Fleet,
    /// Whether the ledger is kept.
    pub ledger: bool,
}

impl Settings {
    /// A well-behaved province of full size with six months of history and no ledger.
    pub fn new(seed: u64, now: Now) -> Self {
        let (faults, fleet) = (Faults::default(), Fleet::default());
        Self { seed, months: 6, now, scale: 1.0, faults, fleet, ledger: false }
    }
}

/// All systems of the province.
#[derive(Debug)]
pub struct Province {
    seed: u64,
    clock: Clock,
    first: Day,
    lost: Lost,
    faults: RwLock<Faults>,
    fleet: Fleet,
    is_noted: bool,
    ledger: Ledger,
    gate: Gate,
    tokens: Mutex<Vec<(String, Stamp)>>,
    /// Runs over numbered pages, which carry no token that could pin them.
    numbered: Mutex<Vec<(System, Pin)>>,
    portal: Stream<Portal>,
    returns_a: Stream<Returns>,
    returns_b: Stream<Returns>,
    facilities_a: Stream<Facilities>,
    facilities_b: Stream<Facilities>,
    sessions: Stream<Sessions>,
    kiosks: Arc<Vec<Kiosk>>,
    /// The smaller systems.
    offices: Vec<Stream<Shelf>>,
    exchange: exchange::Exchange,
}

impl Province {
    /// Draws the history up to the present. The two big streams are drawn side by side.
    ///
    /// # Panics
    /// Never, unless drawing itself has a bug.
    pub fn new(settings: Settings) -> Arc<Self> {
        let Settings { seed, months, now, scale, faults, fleet, ledger } = settings;
        let clock = match now {
            Now::Live(clock) => clock,
            Now::Standing(at) => Clock::standing(at),
        };
        let today = clock.now().day();
        let first = months_before(today, months.max(1));
        let (correct, retract, late) = (faults.correct, faults.retract, faults.late);
        let lost = Lost::default();
        let world = World { seed, first, scale, correct, retract, lost: lost.clone() };
        let areas = Arc::new(Areas::load());
        let kiosks = Arc::new(kiosks::kiosks(&areas));
        let register = |platform| Arc::new(Register::new(world.clone(), areas.clone(), platform));
        let (a, b) = (register(Platform::A), register(Platform::B));
        let returns = |register: &Arc<Register>| {
            Stream::new(Returns(Arc::clone(register)), &world, late, first, today)
        };
        let facilities = |register: &Arc<Register>| {
            let first = Register::first(&world);
            Stream::new(Facilities(Arc::clone(register)), &world, late, first, today)
        };
        let held = Sessions { world: world.clone(), kiosks: Arc::clone(&kiosks), fleet };
        let offices = offices::open(&world, &areas, late, today);
        let dossiers = Portal::new(world.clone(), Arc::clone(&areas));
        let (portal, sessions) = std::thread::scope(|scope| {
            let sessions = scope.spawn(|| Stream::new(held, &world, late, first, today));
            let portal = Stream::new(dossiers, &world, late, first, today);
            (portal, sessions.join().expect("drawing sessions does not panic"))
        });
        Arc::new(Self {
            seed,
            clock,
            first,
            lost,
            faults: RwLock::new(faults),
            fleet,
            is_noted: ledger,
            ledger: Ledger::default(),
            gate: Gate::default(),
            tokens: Mutex::default(),
            numbered: Mutex::default(),
            portal,
            returns_a: returns(&a),
            returns_b: returns(&b),
            facilities_a: facilities(&a),
            facilities_b: facilities(&b),
            sessions,
            kiosks,
            offices,
            exchange: exchange::Exchange::default(),
        })
    }

    /// Moves a standing present.
    pub fn set_now(&self, at: Stamp) {
        self.clock.set(at);
    }

    /// Which time it is in the province.
    pub fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// The first day of the history.
    pub fn first_day(&self) -> Day {
        self.first
    }

    /// Every system loses this share of its records, once and for all: they stand in no listing of a
    /// run that begins after the present moment, and nobody says that they are withdrawn.
    pub fn lose(&self, share: f64) {
        let _ = self.lost.set((share, self.now()));
    }

    /// Changes how it misbehaves from now on; `late`, `correct` and `retract` stay as they were.
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Everything it said, if the settings asked for a ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The addresses that a configuration needs, by variable name.
    pub fn urls(&self, at: SocketAddr) -> Vec<(&'static str, String)> {
        let parts = [
            ("PORTAL_URL", "portal"),
            ("LODGING_A_URL", "lodging-a"),
            ("LODGING_B_URL", "lodging-b"),
            ("KIOSK_URL", "kiosks"),
            ("KIOSK_PLATFORM_URL", "kiosk-platform"),
        ];
        let mut parts = Vec::from(parts);
        parts.extend(self.hosts().map(|host| (host.variable, host.path)));
        parts.dedup();
        parts
            .into_iter()
            .chain(exchange::URLS)
            .map(|(name, path)| (name, format!("http://{at}/{path}")))
            .collect()
    }

    /// The secrets that a configuration needs, by file name. The portal's client and every
    /// user are called `ioc`.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = vec![
            ("portal_secret", token::portal_secret(self.seed)),
            ("lodging_a_key", lodging_a::key(self.seed)),
            ("lodging_b_password", lodging_b::password(self.seed)),
            ("kiosk_platform_token", sessions::token(self.seed)),
        ];
        secrets.extend(
            self.hosts()
                .filter(|host| !host.secret_file.is_empty())
                .map(|host| (host.secret_file, host.secret(self.seed))),
        );
        secrets.extend(exchange::secrets(self.seed));
        secrets.dedup();
        secrets
    }

    /// The smaller systems, once for each of their streams.
    fn hosts(&self) -> impl Iterator<Item = &'static Host> {
        self.offices.iter().map(|stream| stream.records.office.host)
    }

    fn faults(&self) -> Faults {
        *self.faults.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in: the faults in force, its draws, and what goes wrong with it.
    fn enter(&self, endpoint: u32, can_expire: bool) -> (Faults, Draw, Option<Trouble>) {
        let mut faults = self.faults();
        if !can_expire {
            faults.expire = 0.0;
        }
        let (draw, trouble) = self.gate.enter(self.seed, endpoint, &faults);
        (faults, draw, trouble)
    }
}

fn months_before(today: Day, months: u32) -> Day {
    let span = jiff::Span::new().months(i64::from(months.min(600)));
    today.date().checked_sub(span).map_or(today.plus(-30), Day::from_date)
}
