//! What the public is told, and an attacker who takes everything that it is told, knows how the figures
//! hang together and tries to find out what it is not told.
//!
//! The attacker shares nothing with the layer it attacks: it reads published values only, writes them
//! down as equations between unknown counts, and narrows the bounds of all of them until nothing more
//! follows.

use std::collections::BTreeMap;

use super::*;
use crate::indicator::disclosure::Patterns;
use crate::indicator::reading::{NoValue, Point};
use crate::indicator::{By, breakdown};
use crate::model::disclosure::{About, Disclosed, Disclosure, Way};

/// Numbers from 1 up to, but not including, this one are small.
const LEAST: i64 = 5;

const COMMUNES: usize = 7;
const MONTHS: [&str; 3] = ["2024-01", "2024-02", "2024-03"];

/// One dossier: where, in which month it came, how, of what sort, in which month it ended, whether in time.
#[derive(Clone, Copy)]
struct Dossier {
    commune: usize,
    came: usize,
    channel: usize,
    is_digital: bool,
    ended: Option<usize>,
    in_time: bool,
}

const CHANNELS: [&str; 3] = ["online", "counter", "kiosk"];

fn code(commune: usize) -> String {
    format!("{:05}", 101 + commune)
}

/// Communes of very different sizes.
fn dossiers(random: &mut fastrand::Rng) -> Vec<Dossier> {
    let mut all = Vec::new();
    for commune in 0..COMMUNES {
        for came in 0..MONTHS.len() {
            let many = match random.u32(0..4) {
                0 => random.usize(0..4),
                1 => random.usize(0..15),
                _ => random.usize(10..60),
            };
            let share = random.f32();
            let one = |random: &mut fastrand::Rng| Dossier {
                commune,
                came,
                channel: if random.f32() < share { 0 } else { random.usize(1..3) },
                is_digital: random.f32() < share,
                ended: Some(came + random.usize(0..3)).filter(|month| *month < MONTHS.len()),
                in_time: random.f32() < 0.8,
            };
            all.extend((0..many).map(|_| one(random)));
        }
    }
    all
}

/// A world of these dossiers.
fn world(all: &[Dossier]) -> Fixture {
    let mut world = Fixture::new();
    let rows: Vec<String> = (0..COMMUNES).map(|at| format!("{},Xã {at}", code(at))).collect();
    let text = format!("code,name\n{}\n", rows.join("\n"));
    let list = AreaList { name: "now", text: &text, from: day("2000-01-01"), until: None };
    world.areas = Areas::read(&[list], "old_code,new_code\n", &mut world.words).unwrap();
    let on = |month: usize| format!("{}-15", MONTHS[month]);
    let mut fill = |name: &str, kind: MeasureKind, cells: Vec<(String, Dossier, i64)>| {
        let places: Vec<String> =
            cells.iter().map(|(_, it, _)| format!("{}@now", code(it.commune))).collect();
        let cells: Vec<Cell<'_>> = cells
            .iter()
            .zip(&places)
            .map(|((on, it, count), place)| (&**on, &**place, CHANNELS[it.channel], *count))
            .collect();
        world.measure(name, kind, 0, &cells);
    };
    let flow = |chosen: fn(&Dossier) -> bool, month: fn(&Dossier) -> Option<usize>| {
        let chosen = all.iter().filter(|it| chosen(it));
        chosen.filter_map(|it| Some((on(month(it)?), *it, 1))).collect::<Vec<_>>()
    };
    fill("dossiers.received", MeasureKind::Flow, flow(|_| true, |it| Some(it.came)));
    fill("dossiers.digital", MeasureKind::Flow, flow(|it| it.is_digital, |it| Some(it.came)));
    fill("dossiers.finished", MeasureKind::Flow, flow(|_| true, |it| it.ended));
    fill("dossiers.in_time", MeasureKind::Flow, flow(|it| it.in_time, |it| it.ended));
    let came = all.iter().map(|it| (on(it.came), *it, 1));
    let went = all.iter().filter_map(|it| Some((on(it.ended?), *it, -1)));
    fill("dossiers.pending", MeasureKind::Stock, came.chain(went).collect());
    let facts = world.contracts.get_mut("dossiers").unwrap();
    facts.disclosure = rules(About::Persons);
    world.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "online": {"kind": "ratio",
            "numerator": {"measure": "dossiers.received", "where": {"channel": "online"}},
            "denominator": "dossiers.received"},
        "kiosk": {"kind": "simple",
            "measure": {"measure": "dossiers.received", "where": {"channel": "kiosk"}}},
        "digital": {"kind": "simple", "measure": "dossiers.digital"},
        "finished": {"kind": "simple", "measure": "dossiers.finished"},
        "in_time": {"kind": "ratio",
            "numerator": "dossiers.in_time", "denominator": "dossiers.finished"},
        "so_far": {"kind": "cumulative", "measure": "dossiers.received", "since": "year"},
        "pending": {"kind": "simple", "measure": "dossiers.pending"},
        "score": {"kind": "composite", "components": [
            {"indicator": "online", "weight": 0.5, "zero_at": 0, "full_at": 1},
            {"indicator": "in_time", "weight": 0.5, "zero_at": 0, "full_at": 1}]},
    }));
    world
}

fn rules(about: About) -> Disclosure {
    let count = |at: &str, is_narrowed| Disclosed { way: Way::Count(at.to_owned()), is_narrowed };
    let stock = Way::Stock("received_at".to_owned(), "finished_at".to_owned());
    let measures = [
        ("received", count("received_at", false)),
        ("digital", count("received_at", true)),
        ("finished", count("finished_at", false)),
        ("in_time", count("finished_at", true)),
        ("pending", Disclosed { way: stock, is_narrowed: false }),
    ];
    let measures = measures.into_iter().map(|(name, it)| (format!("dossiers.{name}"), it));
    Disclosure { about, min_count: LEAST as u32, measures: measures.collect() }
}

impl Fixture {
    /// What the public reads.
    fn told(&self, patterns: &Patterns, id: &str, when: &str, place: Place) -> Reading {
        let world = World { public: Some(patterns), ..self.world() };
        value(&world, self.catalogue.get(id).unwrap(), &period(when), place)
    }

    fn told_point(&self, id: &str, when: &str, place: Place) -> Point {
        self.told(&Patterns::default(), id, when, place).point
    }
}

/// A count that somebody wants to know: of what, in which month, in which commune (or the province).
type Unknown = (&'static str, usize, usize);

/// The province's place among the communes.
const PROVINCE: usize = COMMUNES;

/// Bounds of unknown counts, and equations between them: coefficients by unknown, and what they come to.
struct Attacker {
    bounds: BTreeMap<Unknown, (i64, i64)>,
    equations: Vec<(Vec<(Unknown, i64)>, i64)>,
}

/// What the attacker knows of the figures without having seen one: each line adds up to nothing.
const IDENTITIES: [&[(&str, i64)]; 4] = [
    &[("received", 1), ("online", -1), ("kiosk", -1), ("counter", -1)],
    &[("received", 1), ("digital", -1), ("on_paper", -1)],
    &[("finished", 1), ("in_time", -1), ("late", -1)],
    &[("received", 1), ("online", -1), ("not_online", -1)],
];

const COUNTS: [&str; 11] = [
    "received",
    "online",
    "kiosk",
    "counter",
    "not_online",
    "digital",
    "on_paper",
    "finished",
    "in_time",
    "late",
    "pending",
];

impl Attacker {
    /// One who knows how figures of one day hang together or, more, that what came and has not gone is
    /// there, and that this is never less than nothing.
    fn new(knows_balances: bool) -> Self {
        let mut attacker = Self { bounds: BTreeMap::new(), equations: Vec::new() };
        for month in 0..MONTHS.len() {
            for place in 0..=PROVINCE {
                for name in COUNTS {
                    attacker.bounds.insert((name, month, place), (0, 100_000));
                }
                for line in IDENTITIES {
                    let line = line.iter().map(|(name, by)| ((*name, month, place), *by));
                    attacker.equations.push((line.collect(), 0));
                }
                if !knows_balances {
                    continue;
                }
                let before = month.checked_sub(1).map(|before| (("pending", before, place), 1));
                let now = [("pending", -1), ("received", 1), ("finished", -1)];
                let now = now.map(|(name, by)| ((name, month, place), by));
                attacker.equations.push((now.into_iter().chain(before).collect(), 0));
            }
            for name in COUNTS {
                let communes = (0..PROVINCE).map(|place| ((name, month, place), 1));
                let all = communes.chain([((name, month, PROVINCE), -1)]).collect();
                attacker.equations.push((all, 0));
            }
        }
        attacker
    }

    /// Writes down that these unknowns add up to what was published, if anything was.
    fn learn(&mut self, unknowns: Vec<Unknown>, published: Option<f64>) {
        if let Some(published) = published {
            let terms = unknowns.into_iter().map(|unknown| (unknown, 1)).collect();
            self.equations.push((terms, published as i64));
        }
    }

    /// Reads everything that is told.
    fn read(&mut self, world: &Fixture, patterns: &Patterns) {
        let spans = [(0, 0), (1, 1), (2, 2), (0, 2)];
        let names = ["2024-01", "2024-02", "2024-03", "2024-Q1"];
        for ((first, last), when) in spans.into_iter().zip(names) {
            for place in 0..=PROVINCE {
                let at = match place {
                    PROVINCE => Place::Province,
                    _ => world.place(&code(place)),
                };
                let read = |id: &str| world.told(patterns, id, when, at).point;
                let over = |name| (first..=last).map(|month| (name, month, place)).collect();
                for id in ["received", "kiosk", "digital", "finished"] {
                    self.learn(over(id), read(id).value);
                }
                let since = (0..=last).map(|month| ("received", month, place)).collect();
                self.learn(since, read("so_far").value);
                self.learn(vec![("pending", last, place)], read("pending").value);
                for (id, above, below) in
                    [("online", "online", "received"), ("in_time", "in_time", "finished")]
                {
                    let point = read(id);
                    self.learn(over(above), point.numerator);
                    self.learn(over(below), point.denominator);
                }
            }
        }
    }

    /// Narrows all bounds until nothing more follows.
    fn think(&mut self) {
        let mut is_new = true;
        while is_new {
            is_new = false;
            for (terms, sum) in &self.equations {
                let most = |(unknown, by): &(Unknown, i64),
                            bounds: &BTreeMap<Unknown, (i64, i64)>| {
                    let (low, high) = bounds[unknown];
                    (by * if *by > 0 { low } else { high }, by * if *by > 0 { high } else { low })
                };
                let all: Vec<(i64, i64)> =
                    terms.iter().map(|term| most(term, &self.bounds)).collect();
                let low: i64 = all.iter().map(|it| it.0).sum();
                let high: i64 = all.iter().map(|it| it.1).sum();
                for ((unknown, by), own) in terms.iter().zip(&all) {
                    let rest = (sum - (high - own.1), sum - (low - own.0));
                    let (at_least, at_most) = if *by > 0 { rest } else { (-rest.1, -rest.0) };
                    let bound = self.bounds.get_mut(unknown).unwrap();
                    let next = (bound.0.max(at_least), bound.1.min(at_most));
                    is_new |= next != *bound;
                    *bound = next;
                }
            }
        }
    }
}

/// A large prime: counts beyond it do not occur, and neither do its multiples by chance.
const PRIME: u64 = (1 << 31) - 1;

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut found = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            found = found * base % PRIME;
        }
        base = base * base % PRIME;
        exponent >>= 1;
    }
    found
}

impl Attacker {
    /// The unknowns that the equations determine, by elimination: those of which a line remains that speaks
    /// of nothing else.
    fn solved(&self) -> Vec<Unknown> {
        let places: BTreeMap<&Unknown, usize> = self.bounds.keys().zip(0..).collect();
        let row = |(terms, _): &(Vec<(Unknown, i64)>, i64)| {
            let mut row = vec![0_u64; places.len()];
            for (unknown, by) in terms {
                let at = places[unknown];
                row[at] = (row[at] + by.rem_euclid(PRIME as i64) as u64) % PRIME;
            }
            row
        };
        let mut rows: Vec<Vec<u64>> = self.equations.iter().map(row).collect();
        let mut done = 0;
        for at in 0..places.len() {
            let Some(found) = (done..rows.len()).find(|i| rows[*i][at] != 0) else { continue };
            rows.swap(done, found);
            let inverse = power(rows[done][at], PRIME - 2);
            rows[done].iter_mut().for_each(|it| *it = *it * inverse % PRIME);
            let pivot = rows[done].clone();
            for (i, row) in rows.iter_mut().enumerate() {
                let by = PRIME - row[at];
                if i != done && row[at] != 0 {
                    row.iter_mut()
                        .zip(&pivot)
                        .for_each(|(it, from)| *it = (*it + by * from) % PRIME);
                }
            }
            done += 1;
        }
        let only = |row: &Vec<u64>| {
            let mut there = (0..row.len()).filter(|at| row[*at] != 0);
            there.next().filter(|_| there.next().is_none())
        };
        let unknowns: Vec<Unknown> = self.bounds.keys().copied().collect();
        rows.iter().filter_map(only).map(|at| unknowns[at]).collect()
    }
}

/// What is true.
fn truth(all: &[Dossier], (name, month, place): Unknown) -> i64 {
    let here = all.iter().filter(|it| place == PROVINCE || it.commune == place);
    let holds = |it: &&Dossier| {
        let (came, ended) = (it.came == month, it.ended == Some(month));
        match name {
            "received" => came,
            "online" => came && it.channel == 0,
            "counter" => came && it.channel == 1,
            "kiosk" => came && it.channel == 2,
            "not_online" => came && it.channel != 0,
            "digital" => came && it.is_digital,
            "on_paper" => came && !it.is_digital,
            "finished" => ended,
            "in_time" => ended && it.in_time,
            "late" => ended && !it.in_time,
            _ => it.came <= month && it.ended.is_none_or(|ended| ended > month),
        }
    };
    here.filter(holds).count() as i64
}

/// The small cells of forty worlds, with the room that is left in each: unknown, count, least and most.
fn attacked(knows_balances: bool) -> Vec<(Unknown, i64, (i64, i64))> {
    let mut random = fastrand::Rng::with_seed(2025);
    let (mut small, mut known, mut cells) = (Vec::new(), 0, 0);
    for _ in 0..40 {
        let all = dossiers(&mut random);
        let fixture = world(&all);
        let mut attacker = Attacker::new(knows_balances);
        attacker.read(&fixture, &Patterns::default());
        attacker.think();
        for (unknown, (low, high)) in &attacker.bounds {
            let count = truth(&all, *unknown);
            assert!((*low..=*high).contains(&count), "{unknown:?} is {count}, not {low}..={high}");
            cells += 1;
            known += usize::from(low == high);
            if 0 < count && count < LEAST {
                small.push((*unknown, count, (*low, *high)));
            }
        }
    }
    let narrow = small.iter().filter(|(.., (low, high))| high - low < LEAST).count();
    println!("{cells} cells, {known} known, {} small ones, {narrow} with little room", small.len());
    assert!(small.len() > 1000, "{} small cells are too few to mean anything", small.len());
    assert!(
        known * 4 > cells,
        "a layer that tells nothing is safe and of no use: {known} of {cells}"
    );
    small
}

#[test]
fn c15_an_attacker_who_reads_everything_that_is_told_leaves_room_for_every_small_cell() {
    for (unknown, count, (low, high)) in attacked(false) {
        assert!(high - low >= LEAST, "{unknown:?} is {count}: found {low}..={high}");
    }
}

#[test]
fn c15_an_attacker_who_knows_that_nothing_goes_before_it_came_recovers_no_small_cell() {
    for (unknown, count, (low, high)) in attacked(true) {
        assert!(low < high, "{unknown:?} is {count}, and that was found");
    }
}

#[test]
fn c15_elimination_finds_no_small_cell() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut found = 0;
    for _ in 0..3 {
        let all = dossiers(&mut random);
        let fixture = world(&all);
        let mut attacker = Attacker::new(true);
        attacker.read(&fixture, &Patterns::default());
        for unknown in attacker.solved() {
            let count = truth(&all, unknown);
            assert!(count == 0 || count >= LEAST, "{unknown:?} is {count}, and that was found");
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn without_the_layer_the_same_attacker_recovers_them() {
    let mut random = fastrand::Rng::with_seed(2025);
    let all = dossiers(&mut random);
    let mut fixture = world(&all);
    // Everything is told, as of things.
    fixture.contracts.get_mut("dossiers").unwrap().disclosure = rules(About::Things);
    let mut attacker = Attacker::new(false);
    attacker.read(&fixture, &Patterns::default());
    attacker.think();
    let is_recovered = |(unknown, (low, high)): (&Unknown, &(i64, i64))| {
        let count = truth(&all, *unknown);
        0 < count && count < LEAST && low == high
    };
    assert!(attacker.bounds.iter().any(is_recovered));
}

/// One big commune, a middling one, a small one, and one of nothing, in March.
fn plain() -> Fixture {
    let many = |commune, many, channel| {
        let dossier =
            Dossier { commune, came: 2, channel, is_digital: true, ended: None, in_time: false };
        std::iter::repeat_n(dossier, many)
    };
    let all = many(0, 50, 0).chain(many(0, 20, 1)).chain(many(1, 12, 0)).chain(many(2, 3, 0));
    world(&all.collect::<Vec<_>>())
}

#[test]
fn withheld_is_neither_zero_nor_missing_and_one_figure_hides_another() {
    let world = plain();
    let point = |at: usize| world.told_point("received", "2024-03", world.place(&code(at)));
    assert_eq!(point(0).value, Some(70.0));
    assert_eq!(point(3).value, Some(0.0), "a true zero is told");
    for at in [1, 2] {
        let found = point(at);
        assert_eq!((found.value, found.reason), (None, Some(NoValue::Suppressed)), "commune {at}");
    }
    let province = world.told_point("received", "2024-03", Place::Province);
    assert_eq!(province.value, Some(85.0));
    let read = world.told(&Patterns::default(), "received", "2024-03", world.place(&code(2)));
    assert_eq!(read.target.gap, None);
    // Everything is there for people of the administration.
    assert_eq!(world.read("received", "2024-03", world.place(&code(2))).point.value, Some(3.0));
}

#[test]
fn what_is_made_of_a_withheld_figure_is_withheld() {
    let world = plain();
    for id in ["received", "online", "so_far", "score", "kiosk"] {
        let place = world.place(&code(2));
        let point = world.told_point(id, "2024-03", place);
        assert_eq!((point.value, point.numerator, point.denominator), (None, None, None), "{id}");
        assert_eq!(point.reason, Some(NoValue::Suppressed), "{id}");
        let quarter = world.told_point(id, "2024-Q1", place);
        assert_eq!(quarter.reason, Some(NoValue::Suppressed), "{id}");
    }
}

#[test]
fn the_public_is_told_final_months_of_communes_and_the_province_and_nothing_else() {
    let world = plain();
    let reason = |id: &str, when: &str, place| world.told_point(id, when, place).reason;
    let not_public = Some(NoValue::NotPublic);
    for when in ["2024-03-15", "2024-W11", "2024-04", "2024"] {
        assert_eq!(reason("received", when, Place::Province), not_public, "{when}");
    }
    let commune = world.place(&code(0));
    assert_eq!(reason("pending", "2024-03", commune), not_public, "a stock of a commune");
    assert_eq!(reason("pending", "2024-03", Place::Province), None);
    let patterns = Patterns::default();
    let public = World { public: Some(&patterns), ..world.world() };
    let received = world.catalogue.get("received").unwrap();
    let rows = breakdown(&public, received, &period("2024-03"), By::Dimension("channel")).unwrap();
    assert!(rows.iter().all(|row| row.point.reason == not_public), "{rows:?}");
    let rows = breakdown(&public, received, &period("2024-03"), By::Commune).unwrap();
    assert_eq!(rows.iter().filter(|row| row.point.value.is_some()).count(), COMMUNES - 2);
}

#[test]
fn a_contract_about_things_is_told_and_one_that_says_nothing_of_a_measure_is_not() {
    let mut world = plain();
    let small = world.place(&code(2));
    world.contracts.get_mut("dossiers").unwrap().disclosure = rules(About::Things);
    assert_eq!(world.told_point("received", "2024-03", small).value, Some(3.0));
    world.contracts.get_mut("dossiers").unwrap().disclosure = Disclosure::default();
    let point = world.told_point("received", "2024-03", Place::Province);
    assert_eq!(point.reason, Some(NoValue::NotPublic));
}

#[test]
fn money_of_persons_is_told_of_the_province_as_a_whole_where_their_number_is() {
    let mut world = plain();
    let held = |count| {
        let place = format!("{}@now", code(0));
        (0..count).map(|_| ("2024-03-10".to_owned(), place.clone())).collect::<Vec<_>>()
    };
    let few = held(3);
    let cells: Vec<Cell<'_>> = few.iter().map(|(on, at)| (&**on, &**at, "online", 9_000)).collect();
    world.flow("dossiers.fees", &cells);
    world.stock("dossiers.owed", &cells);
    world.stock("dossiers.open", &cells.iter().map(|it| (it.0, it.1, it.2, 1)).collect::<Vec<_>>());
    let facts = world.contracts.get_mut("dossiers").unwrap();
    let day = |name: &str| name.to_owned();
    let mut add = |name: &str, way| {
        let disclosed = Disclosed { way, is_narrowed: false };
        facts.disclosure.measures.insert(format!("dossiers.{name}"), disclosed);
    };
    add("fees", Way::Sum(day("received_at")));
    add("open", Way::Stock(day("paid_at"), day("closed_at")));
    add("owed", Way::StockSum(day("paid_at"), day("closed_at")));
    let online = |name| json!({"kind": "simple", "measure": {"measure": name, "where": {"channel": "online"}}});
    world.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "fees": {"kind": "simple", "measure": "dossiers.fees"},
        "fees_online": online("dossiers.fees"),
        "owed": {"kind": "simple", "measure": "dossiers.owed"},
        "owed_online": online("dossiers.owed"),
    }));
    let reason = |id: &str, place| world.told_point(id, "2024-03", place).reason;
    assert_eq!(reason("fees", Place::Province), None, "85 dossiers came in that month");
    assert_eq!(reason("fees", world.place(&code(0))), Some(NoValue::NotPublic));
    assert_eq!(reason("fees_online", Place::Province), Some(NoValue::NotPublic));
    assert_eq!(reason("owed", Place::Province), Some(NoValue::Suppressed), "three people owe it");
    assert_eq!(reason("owed_online", Place::Province), Some(NoValue::NotPublic));
}

#[test]
fn a_pattern_is_made_anew_when_figures_change() {
    let mut world = plain();
    let patterns = Patterns::default();
    let small = world.place(&code(2));
    assert_eq!(world.told(&patterns, "received", "2024-03", small).point.value, None);
    let more = ("2024-03-20", format!("{}@now", code(2)));
    let cells: Vec<Cell<'_>> = (0..30).map(|_| (more.0, &*more.1, "online", 1)).collect();
    world.flow("dossiers.received", &cells);
    world.stock("dossiers.pending", &cells);
    let point = world.told(&patterns, "received", "2024-03", small).point;
    assert_eq!(point.value, Some(30.0), "{point:?}");
}
