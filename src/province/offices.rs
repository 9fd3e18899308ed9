//! The smaller systems of the province, each a table of how it speaks and a book of what it knows.
//!
//! A [`Book`] draws what is true, in the words of the domain. An [`Office`] says how its system tells
//! it: address, credentials, paging, format, names. All of them share what is here: versions, commune
//! codes, records that break their contract, and notes for the ledger. None is like another on the
//! wire, because no two real ones are.

use std::fmt::Debug;
use std::sync::Arc;

use super::areas::Areas;
use super::draw::mix;
use super::feed::Event;
use super::ledger::{Bad, Fact, Note, System};
use super::page::{Line, Records, Stream, World};
use super::record::{Cell, Record};
use super::wording::{Column, Saying, Wire};
use super::write::Moment;
use super::{
    certification, citizens, courses, evaluation, exams, loans, medical, petitions, programme,
    screens,
};
use crate::model::time::{DAY, Day, Stamp};

const TEN_YEARS: i32 = 3_650;

/// How a system knows who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// It does not ask.
    Open,
    /// A key in the header of this name.
    Key(&'static str),
    /// A key in the query parameter of this name.
    Parameter(&'static str),
    /// HTTP basic authentication of the user `ioc`.
    Basic,
    /// A token that does not change.
    Bearer,
    /// Tokens that are issued at this path to the client `ioc`.
    Token(&'static str),
}

/// What the streams of one system have in common.
#[derive(Debug)]
pub(super) struct Host {
    /// The variable that holds its address in a configuration.
    pub(super) variable: &'static str,
    /// Its base path here.
    pub(super) path: &'static str,
    pub(super) guard: Guard,
    /// The file that holds the secret in a configuration; empty where none is asked for.
    pub(super) secret_file: &'static str,
}

impl Host {
    pub(super) fn secret(&self, seed: u64) -> String {
        let name = self.path.bytes().fold(seed, |sum, byte| mix(sum, byte.into()));
        format!("simulated-{}-{name:016x}", self.path)
    }
}

/// How pages hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// By number from 1, in this query parameter.
    Numbers(&'static str),
    /// By a token of the page before, in this query parameter.
    Tokens(&'static str),
    /// By the address of the next page.
    Links,
    /// Everything is one page.
    Whole,
}

/// One stream of a smaller system.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) system: System,
    pub(super) contract: &'static str,
    pub(super) host: &'static Host,
    /// After the host's path.
    pub(super) path: &'static str,
    pub(super) paging: Paging,
    /// The query parameters that say since when, and how many a page.
    pub(super) since: (&'static str, Moment),
    pub(super) size: &'static str,
    pub(super) wire: Wire,
    pub(super) columns: &'static [Column],
    /// The properties of the key; a record that breaks the contract gets a mark on the first.
    pub(super) key: &'static [&'static str],
    /// The property that says by which day's list a commune code is meant; the update without it.
    pub(super) code_day: Option<&'static str>,
    pub(super) flaws: Flaws,
}

/// Which property breaks the contract in which way.
#[derive(Debug)]
pub(super) struct Flaws {
    pub(super) ways: &'static [Bad],
    pub(super) number: &'static str,
    pub(super) code: &'static str,
    pub(super) day: &'static str,
}

/// One version of one record, as the system knows it.
#[derive(Debug)]
pub(super) struct Told {
    /// Its place among the communes of today.
    pub(super) commune: usize,
    /// Decides which older commune it lies in.
    pub(super) thing: u64,
    /// When it was last changed.
    pub(super) at: i64,
    pub(super) withdrawn: bool,
    pub(super) cells: Vec<(&'static str, Cell)>,
}

/// A stream and what it tells.
pub(super) type Opened = (&'static Office, Box<dyn Book>);

/// What a system knows.
pub(super) trait Book: Debug + Send + Sync {
    /// Which records begin on a day, and when each of their versions appears.
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64]));

    /// One version of a record.
    fn tell(&self, key: u64, version: usize) -> Told;
}

/// The months of a history: what is counted by month stands from the month's first day, or from the
/// first day of the history.
#[derive(Clone, Debug)]
pub(super) struct Monthly(Day);

impl Monthly {
    pub(super) fn new(world: &World) -> Self {
        Self(world.first)
    }

    /// The first day of the month whose figures are told on `day` for the first time.
    pub(super) fn beginning(&self, day: Day) -> Option<Day> {
        let month = day.plus(1 - i32::from(day.date().day()));
        (day == month || day == self.0).then_some(month)
    }

    /// The day on which a month's figures are told for the first time.
    pub(super) fn told_on(&self, month: Day) -> Day {
        month.max(self.0)
    }

    /// The last day of a month.
    pub(super) fn last(month: Day) -> Day {
        Day::from_date(month.date().last_of_month())
    }
}

/// A book at its office: a stream of records.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) office: &'static Office,
    areas: Arc<Areas>,
    book: Box<dyn Book>,
}

/// All smaller systems.
pub(super) fn open(world: &World, areas: &Arc<Areas>, late: f64, today: Day) -> Vec<Stream<Shelf>> {
    // The register of models and tasks is older than any history.
    let shelf = |(office, book): Opened| {
        let is_register = office.system == System::Programme;
        let first = if is_register { programme::first() } else { world.first };
        Stream::new(Shelf { office, areas: Arc::clone(areas), book }, world, late, first, today)
    };
    let openings = [
        medical::open,
        exams::open,
        loans::open,
        citizens::open,
        certification::open,
        screens::open,
        courses::open,
        evaluation::open,
        programme::open,
        petitions::open,
    ];
    openings.into_iter().flat_map(|open| open(world, areas)).map(shelf).collect()
}

impl Records for Shelf {
    fn system(&self) -> System {
        self.office.system
    }

    fn of_day(&self, day: Day, emit: &mut dyn FnMut(Event)) {
        self.book.begins(day, &mut |key, stamps| Event::each(key, stamps, emit));
    }

    fn say(&self, line: Line, out: &mut Vec<u8>, is_noted: bool) -> Option<Note> {
        let office = self.office;
        let Told { commune, thing, at, withdrawn, mut cells } =
            self.book.tell(line.key, line.version.into());
        let code_day = office.code_day.and_then(|name| day_of(&cells, name));
        let code_day = code_day.unwrap_or_else(|| Stamp(at).day());
        let mut commune_code = self.areas.code_on(commune, code_day, thing);
        if let Some(bad) = line.bad {
            if bad == Bad::UnknownCommune {
                commune_code = 99_999;
            }
            spoil(office, bad, &mut cells);
        }
        cells.push(("commune", format!("{commune_code:05}").into()));
        cells.push(("updated_at", Stamp(at).into()));
        let wrong = (line.bad == Some(Bad::WrongType)).then_some(office.flaws.number);
        office.wire.word(&Saying { columns: office.columns, cells: &cells, wrong }, out);
        is_noted.then(|| Note {
            version: Stamp(at),
            withdrawn,
            bad: line.bad,
            fact: Fact::Record(Record {
                contract: office.contract,
                key: key(office, &cells),
                commune_code,
                commune_today: self.areas.all[commune].code,
                code_day,
                cells,
            }),
        })
    }

    fn separator(&self) -> &'static [u8] {
        self.office.wire.separator()
    }

    fn ways_to_be_bad(&self) -> &'static [Bad] {
        self.office.flaws.ways
    }
}

/// Makes a stranger of a record: a key of its own, and what is wrong with it.
fn spoil(office: &Office, bad: Bad, cells: &mut [(&'static str, Cell)]) {
    let (mark, flaws) = (office.key[0], &office.flaws);
    for (name, cell) in cells {
        match cell {
            Cell::Text(text) if *name == mark => *text = format!("{text}-X{}", bad as u8),
            Cell::Text(text) if bad == Bad::UnknownCode && *name == flaws.code => {
                "evaporated".clone_into(text);
            }
            Cell::Day(day) if bad == Bad::FutureDate && *name == flaws.day => {
                *day = day.plus(TEN_YEARS);
            }
            Cell::Moment(at) if bad == Bad::FutureDate && *name == flaws.day => {
                at.0 += i64::from(TEN_YEARS) * DAY;
            }
            _ => {}
        }
    }
}

fn day_of(cells: &[(&'static str, Cell)], name: &str) -> Option<Day> {
    cells.iter().find(|(of, _)| *of == name).and_then(|(_, cell)| match cell {
        Cell::Day(day) => Some(*day),
        Cell::Moment(at) => Some(at.day()),
        _ => None,
    })
}

fn key(office: &Office, cells: &[(&'static str, Cell)]) -> String {
    let part = |name: &&str| {
        let found = cells.iter().find(|(of, _)| of == name).map(|(_, cell)| cell);
        format!("{:?}", found.unwrap_or(&Cell::Nothing))
    };
    office.key.iter().map(part).collect::<Vec<_>>().join(" ")
}
