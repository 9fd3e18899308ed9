//! The evaluation against small worlds whose numbers can be checked by hand.
//!
//! [`Fixture`] is three communes of today that were five, two contracts (`dossiers`, limit 30 min,
//! and `lodging`, limit one day) with a stream each, and noon of 10 April 2024 as the present.

mod carry;
mod catalogue;
mod disclosure;
mod hours;
mod narrow;
mod nulls;
mod places;
mod qualifiers;
mod running;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::settings::Settings;
use super::{
    Catalogue, ContractFacts, KnownMeasure, Period, Place, Reading, UnitName, World, value,
};
use crate::model::area::{AreaList, Areas};
use crate::model::cube::{BIN, BIN_BITS, Dimension, bin, cell, settle};
use crate::model::dictionary::Dictionaries;
use crate::model::disclosure::Disclosure;
use crate::model::schema::At;
use crate::model::snapshot::{Measure, MeasureKind, Snapshot, StreamState};
use crate::model::text::Bilingual;
use crate::model::time::{Day, Stamp};
use crate::model::units::Span;

/// The present of most tests.
const NOON: &str = "2024-04-10T12:00:00+07:00";

struct Fixture {
    snapshot: Snapshot,
    areas: Areas,
    words: Dictionaries,
    contracts: BTreeMap<String, ContractFacts>,
    units: BTreeMap<String, UnitName>,
    known: BTreeMap<String, KnownMeasure>,
    catalogue: Catalogue,
    now: Stamp,
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn stamp(text: &str) -> Stamp {
    Stamp::parse(text).unwrap()
}

fn period(text: &str) -> Period {
    Period::parse(text, day("2024-04-10"), super::Extent::default()).unwrap()
}

/// A cell: day, area as `code@list`, channel or nothing, amount (of a distribution: its quantity).
type Cell<'a> = (&'a str, &'a str, &'a str, i64);

impl Fixture {
    fn new() -> Self {
        let mut words = Dictionaries::default();
        for channel in ["online", "counter", "kiosk"] {
            words.entry("list:channel").intern(channel).unwrap();
        }
        for word in ["false", "true"] {
            words.entry("boolean").intern(word).unwrap();
        }
        let lists = [
            AreaList {
                name: "old",
                text: "code,name\n00001,Một\n00011,Một phần\n00002,Hai\n00003,Ba\n00099,Bỏ\n",
                from: day("2000-01-01"),
                until: Some(day("2024-04-05")),
            },
            AreaList {
                name: "new",
                text: "code,name\n00001,Một lớn\n00002,Hai\n00003,Ba\n",
                from: day("2024-04-05"),
                until: None,
            },
        ];
        let crosswalk = "old_code,new_code\n00001,00001\n00011,00001\n00002,00002\n00003,00003\n";
        let areas = Areas::read(&lists, crosswalk, &mut words).unwrap();
        let facts = |seconds| ContractFacts {
            fresh_within: Span::seconds(seconds),
            accountable_unit: "office".to_owned(),
            publication: None,
            disclosure: Disclosure::default(),
        };
        let mut fixture = Self {
            snapshot: Snapshot { revision: 7, at: stamp(NOON), ..Snapshot::default() },
            areas,
            words,
            contracts: BTreeMap::from([
                ("dossiers".to_owned(), facts(1800)),
                ("lodging".to_owned(), facts(86_400)),
            ]),
            units: BTreeMap::from([(
                "office".to_owned(),
                UnitName { name: Bilingual::same("Office"), role: "Head".to_owned(), parent: None },
            )]),
            known: BTreeMap::new(),
            catalogue: Catalogue::default(),
            now: stamp(NOON),
        };
        fixture.stream("portal", "dossiers", Some("2024-04-10T11:50:00+07:00"));
        fixture.stream("lodging_a", "lodging", Some("2024-04-10T00:00:00+07:00"));
        fixture
    }

    /// Adds or replaces a stream that is complete up to `through`, or has never got through.
    fn stream(&mut self, source: &str, contract: &str, through: Option<&str>) -> &mut StreamState {
        let through = through.map(stamp);
        let state = StreamState {
            source: source.to_owned(),
            stream: contract.to_owned(),
            contract: contract.to_owned(),
            last_success: through,
            data_through: through,
            ..StreamState::default()
        };
        let name = format!("{source}.{contract}");
        self.snapshot.streams.insert(name.clone(), Arc::new(state));
        Arc::make_mut(self.snapshot.streams.get_mut(&name).unwrap())
    }

    fn area(&self, name: &str) -> u16 {
        self.words.get("area").unwrap().number(name).unwrap()
    }

    fn place(&self, code: &str) -> Place {
        Place::Commune(self.areas.current_by_code(code).unwrap())
    }

    /// Adds a measure kept by channel (a distribution also by bin), with these cells.
    fn measure(&mut self, name: &str, kind: MeasureKind, decimals: u8, cells: &[Cell<'_>]) {
        let contract = name.split_once('.').unwrap().0.to_owned();
        let dimension = |name: &str, dictionary: &str, shift, bits| Dimension {
            name: name.to_owned(),
            dictionary: dictionary.to_owned(),
            shift,
            bits,
        };
        let mut dimensions =
            vec![dimension("urgent", "boolean", 0, 2), dimension("channel", "list:channel", 2, 3)];
        if kind == MeasureKind::Distribution {
            dimensions.push(dimension(BIN, BIN, 5, BIN_BITS));
        }
        let channels = self.words.get("list:channel").unwrap();
        let mut changes: Vec<(u64, i64)> = cells
            .iter()
            .map(|(on, area, channel, amount)| {
                let urgent = u32::from(channel.ends_with('!'));
                let channel = channels.number(channel.trim_end_matches('!')).unwrap_or(0);
                let dims = u32::from(channel) << 2 | (urgent + 1);
                let (dims, amount) = match kind {
                    MeasureKind::Distribution => (dims | u32::from(bin(*amount)) << 5, 1),
                    MeasureKind::Flow | MeasureKind::Stock => (dims, *amount),
                };
                (cell(i64::from(day(on).0), self.area(area), dims), amount)
            })
            .collect();
        settle(&mut changes);
        let mut measure = Measure {
            name: name.to_owned(),
            contract: contract.clone(),
            kind,
            decimals,
            dimensions: dimensions.clone(),
            cube: crate::model::cube::Cube::default(),
        };
        measure.cube.add(&changes);
        self.snapshot.measures.insert(name.to_owned(), Arc::new(measure));
        let definition = format!("{kind:?}");
        let known = KnownMeasure { kind, decimals, dimensions, contract, definition };
        self.known.insert(name.to_owned(), known);
    }

    fn flow(&mut self, name: &str, cells: &[Cell<'_>]) {
        self.measure(name, MeasureKind::Flow, 0, cells);
    }

    fn stock(&mut self, name: &str, cells: &[Cell<'_>]) {
        self.measure(name, MeasureKind::Stock, 0, cells);
    }

    /// Compiles entries, each filled up with the keys that do not matter to the test.
    fn compile(&self, entries: &Value) -> Result<Catalogue, Vec<At>> {
        let settings: BTreeMap<String, Settings> = entries
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, entry)| {
                let mut full = json!({
                    "title": {"vi": "Chỉ tiêu", "en": "Indicator"},
                    "group": "test",
                    "unit_measure": "things",
                    "direction": "up",
                    "accountable": {"unit": "office", "role": "Head"},
                });
                full.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
                (id.clone(), serde_json::from_value(full).unwrap())
            })
            .collect();
        Catalogue::compile(&settings, &self.known, &self.words, &self.units)
    }

    fn define(&mut self, entries: &Value) {
        self.catalogue = self.compile(entries).unwrap();
    }

    fn world(&self) -> World<'_> {
        World {
            snapshot: &self.snapshot,
            catalogue: &self.catalogue,
            areas: &self.areas,
            words: &self.words,
            contracts: &self.contracts,
            units: &self.units,
            province_code: "40",
            now: self.now,
            within: None,
            public: None,
        }
    }

    fn read(&self, id: &str, when: &str, place: Place) -> Reading {
        value(&self.world(), self.catalogue.get(id).unwrap(), &period(when), place)
    }

    /// The province's value in a period.
    fn value(&self, id: &str, when: &str) -> Option<f64> {
        self.read(id, when, Place::Province).point.value
    }
}
