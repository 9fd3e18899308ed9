//! Tables of periods by places, on the boundaries of today or on those of each day.
//!
//! On today's boundaries there is one sheet: history is re-based. *As reported* there is a sheet for
//! each list of communes that was in force in the stretch, and a period that spans a change stands
//! on both, cut to the days of each list; so the units of a table still add up to the province. An
//! amount that is taken at the end of a period belongs to the list in force then: units of a list
//! that ended before have no value there, and the reason says so.

use std::collections::BTreeSet;

use crate::indicator::definition::{Amount, Definition, Input, Plan};
use crate::indicator::evaluate::{Place, UNPLACED, World, reading};
use crate::indicator::narrow::WITHOUT;
use crate::indicator::points::{Question, points};
use crate::indicator::reading::{NoValue, Period, Point, Reading, Status};
use crate::indicator::sum::Slots;
use crate::model::area::{Areas, List};
use crate::model::dictionary::Dictionary;
use crate::model::snapshot::MeasureKind;
use crate::model::time::Day;

/// The level of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Communes, wards and towns.
    Commune,
    /// Districts, which existed until 30 June 2025.
    District,
}

/// One unit of one list of communes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// The place of its list in [`Areas::lists`].
    pub list: usize,
    /// Its level.
    pub level: Level,
    /// Its place among the list's communes or districts; `None` for what lies in none of them.
    pub at: Option<usize>,
}

/// Places in time, ready to be read.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) sheets: Vec<Sheet>,
}

/// Periods by places of one set of slots.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) slots: Slots,
    pub(super) periods: Vec<Cut>,
    pub(super) columns: Vec<Column>,
}

/// A period, or as much of it as a list was in force.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// The place of the whole period among those asked for.
    pub(super) bucket: usize,
    pub(super) period: Period,
    /// The list ended before the period did.
    ended: bool,
}

/// One place of a sheet.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) slot: Option<usize>,
    pub(super) key: Option<String>,
    title: String,
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The place of its period among those asked for.
    pub bucket: usize,
    /// Its period, cut to the days in which its list was in force.
    pub period: Period,
    /// `16681` on today's boundaries, `16681@2024-04` as reported; `None` for the province.
    pub key: Option<String>,
    /// The unit's name.
    pub title: String,
    /// What was read.
    pub point: Point,
}

impl Unit {
    /// Its code and the list that gives the code its meaning: `16681@2024-04`.
    pub fn key(self, areas: &Areas) -> String {
        let list = &areas.lists()[self.list];
        format!("{}@{}", self.named(areas, list).map_or(UNPLACED, |(code, _)| code), list.name)
    }

    /// Its name.
    pub fn title(self, areas: &Areas) -> &str {
        self.named(areas, &areas.lists()[self.list]).map_or(UNPLACED, |(_, name)| name)
    }

    /// Its code, unless it is what lies nowhere.
    pub fn code(self, areas: &Areas) -> Option<&str> {
        self.named(areas, &areas.lists()[self.list]).map(|(code, _)| code)
    }

    fn named<'a>(self, areas: &'a Areas, list: &'a List) -> Option<(&'a str, &'a str)> {
        let at = self.at?;
        match self.level {
            Level::Commune => {
                let area = areas.get(*list.communes.get(at)?)?;
                Some((&area.code, &area.name))
            }
            Level::District => {
                let district = list.districts.get(at)?;
                Some((&district.code, &district.name))
            }
        }
    }
}

/// The part of a period in which a list was in force, and whether the list ended before the period
/// did; `None` if there is none. Of an open period, lists that come into force only later are left
/// out, as if nobody knew of them.
pub fn cut(period: &Period, list: &List, today: Day) -> Option<(Period, bool)> {
    let (first, end) =
        (period.first.max(list.from), list.until.map_or(period.end, |until| until.min(period.end)));
    let begun = first <= today || first == period.first;
    let ended = end < period.end && end <= today;
    (first < end && begun).then(|| (Period { first, end, ..period.clone() }, ended))
}

impl Layout {
    /// Today's boundaries: every period at each of `places`.
    pub fn today(areas: &Areas, periods: &[Period], places: &[Place]) -> Self {
        let whole = places.iter().all(|place| *place == Place::Province);
        let slots = if whole { Slots::whole(areas) } else { Slots::communes(areas) };
        let named = |place: &Place| match place {
            Place::Province => (None, String::new()),
            Place::Unplaced => (Some(UNPLACED.to_owned()), UNPLACED.to_owned()),
            Place::Commune(number) => {
                let area = areas.get(*number);
                let (code, name) = area.map(|area| (area.code.clone(), area.name.clone())).unzip();
                (Some(code.unwrap_or_default()), name.unwrap_or_default())
            }
        };
        let column = |place: &Place| {
            let (key, title) = named(place);
            Column { slot: place.column(areas, &slots), key, title }
        };
        let columns = places.iter().map(column).collect();
        Self { sheets: vec![Sheet { slots, periods: uncut(periods), columns }] }
    }

    /// The province in parts: every period at each value of a dimension that the definition is kept by, and
    /// at what has none; where it is narrowed to some of them, at these only.
    pub fn values(
        world: &World<'_>,
        definition: &Definition,
        periods: &[Period],
        dimension: &str,
    ) -> Self {
        let words = definition.words(world, dimension);
        let slots = Slots::values(world.areas, dimension, words.map_or(0, Dictionary::len));
        let word = |slot: usize| words.and_then(|words| words.word(slot as u16));
        let conditions = definition.conditions.iter();
        let wanted = conditions.clone().find(|condition| condition.dimension == dimension);
        let is_wanted = |word: Option<&str>| {
            wanted
                .is_none_or(|only| only.values.iter().any(|value| value == word.unwrap_or(WITHOUT)))
        };
        let columns = (0..slots.width()).map(|slot| (slot, word(slot)));
        let columns = columns.filter(|(_, word)| is_wanted(*word)).map(|(slot, word)| Column {
            slot: Some(slot),
            key: word.map(str::to_owned),
            title: word.unwrap_or_default().to_owned(),
        });
        let columns = columns.collect();
        Self { sheets: vec![Sheet { slots, periods: uncut(periods), columns }] }
    }

    /// The boundaries of each day: every period at the units of a level that are `wanted`, list by
    /// list, each with what lies in none of its units.
    pub fn reported(
        areas: &Areas,
        (periods, today): (&[Period], Day),
        level: Level,
        wanted: impl Fn(Unit) -> bool,
    ) -> Self {
        let mut sheets = Vec::new();
        for (list, of) in areas.lists().iter().enumerate() {
            let periods: Vec<Cut> = periods
                .iter()
                .enumerate()
                .filter_map(|(bucket, period)| {
                    let (period, ended) = cut(period, of, today)?;
                    Some(Cut { bucket, period, ended })
                })
                .collect();
            let (slots, count) = match level {
                Level::Commune => (Slots::communes_of(areas, list), of.communes.len()),
                Level::District => (Slots::districts_of(areas, list), of.districts.len()),
            };
            let columns: Vec<Column> = (0..=count)
                .map(|slot| (slot, Unit { list, level, at: (slot < count).then_some(slot) }))
                .filter(|(_, unit)| wanted(*unit))
                .map(|(slot, unit)| Column {
                    slot: Some(slot),
                    key: Some(unit.key(areas)),
                    title: unit.title(areas).to_owned(),
                })
                .collect();
            if !periods.is_empty() && !columns.is_empty() {
                sheets.push(Sheet { slots, periods, columns });
            }
        }
        Self { sheets }
    }

    /// How many cells it has.
    pub fn size(&self) -> usize {
        self.sheets.iter().map(|sheet| sheet.periods.len() * sheet.columns.len()).sum()
    }

    /// How many sums are made for it: also of values of a dimension that are not asked for.
    pub fn room(&self) -> usize {
        self.sheets.iter().map(|sheet| sheet.periods.len() * sheet.slots.width()).sum()
    }

    /// Reads all cells, period by period; what lies in no unit only where something was counted, and of
    /// the values of a dimension those of which there is something in any period.
    pub fn cells(&self, world: &World<'_>, definition: &Definition) -> Vec<Cell> {
        let mut cells: Vec<Cell> =
            self.sheets.iter().flat_map(|sheet| sheet.cells(world, definition)).collect();
        cells.sort_by_key(|cell| cell.bucket);
        cells
    }
}

/// Periods of which no list of communes cuts anything away.
fn uncut(periods: &[Period]) -> Vec<Cut> {
    let cut =
        |(bucket, period): (usize, &Period)| Cut { bucket, period: period.clone(), ended: false };
    periods.iter().enumerate().map(cut).collect()
}

impl Sheet {
    fn cells(&self, world: &World<'_>, definition: &Definition) -> Vec<Cell> {
        let periods: Vec<Period> = self.periods.iter().map(|cut| cut.period.clone()).collect();
        let columns: Vec<_> = self.columns.iter().map(|column| column.slot).collect();
        let question = Question { world, periods: &periods, slots: &self.slots, columns: &columns };
        let ends = Ends::of(definition, world);
        let places = self
            .periods
            .iter()
            .flat_map(|cut| self.columns.iter().map(move |column| (cut, column)));
        let mut cells = Vec::with_capacity(columns.len() * periods.len());
        let found = points(question, definition);
        let occurring = self.slots.by_dimension().then(|| {
            let slots = found.iter().zip(columns.iter().cycle()).filter(|(found, _)| found.occurs);
            slots.map(|(_, slot)| *slot).collect::<BTreeSet<_>>()
        });
        for (found, (cut, column)) in found.into_iter().zip(places) {
            let is_absent = !found.occurs && column.title == UNPLACED;
            let is_unheard = occurring.as_ref().is_some_and(|slots| !slots.contains(&column.slot));
            if is_absent || is_unheard {
                continue;
            }
            let mut point = found.point;
            if cut.ended {
                ends.withhold(&mut point);
            }
            cells.push(Cell {
                bucket: cut.bucket,
                period: cut.period.clone(),
                key: column.key.clone(),
                title: column.title.clone(),
                point,
            });
        }
        cells
    }
}

/// The province in a period, its communes told by the list that was in force at the period's end.
pub fn province_as_reported(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
) -> Reading {
    let last = period.end.plus(-1).min(world.now.day()).max(period.first);
    let slots = Slots::whole_by(world.areas, world.areas.list_on(last));
    reading(world, definition, period, (&slots, None), world.province_code)
}

/// A unit in a period, cut to the days in which its list was in force; `None` if there are none.
pub fn unit_as_reported(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
    unit: Unit,
) -> Option<Reading> {
    let of = world.areas.lists().get(unit.list)?;
    let (period, ended) = cut(period, of, world.now.day())?;
    let (slots, count) = match unit.level {
        Level::Commune => (Slots::communes_of(world.areas, unit.list), of.communes.len()),
        Level::District => (Slots::districts_of(world.areas, unit.list), of.districts.len()),
    };
    let column = Some(unit.at.unwrap_or(count));
    let key = unit.key(world.areas);
    let mut reading = reading(world, definition, &period, (&slots, column), &key);
    if ended {
        Ends::of(definition, world).withhold(&mut reading.point);
        reading.target =
            crate::indicator::quality::target(world, definition, &period, reading.point.value);
    }
    Some(reading)
}

/// Which amounts of an indicator are taken at the end of a period.
struct Ends {
    value: bool,
    numerator: bool,
    denominator: bool,
}

impl Ends {
    fn of(definition: &Definition, world: &World<'_>) -> Self {
        let any = |amount: &Amount| amount.inputs.iter().any(taken_at_end);
        let (numerator, denominator) = match &definition.plan {
            Plan::Ratio { numerator, denominator } => (any(numerator), any(denominator)),
            _ => (false, false),
        };
        let component = |id: &str| {
            let definition = world.catalogue.part(id);
            definition.is_some_and(|definition| Self::of(definition, world).value)
        };
        // A running total stands at the end, too.
        let value = definition.plan.inputs().any(taken_at_end)
            || definition.plan.components().iter().any(|part| component(&part.indicator));
        Self { value, numerator, denominator }
    }

    /// Takes away what cannot be told of a unit whose list ended before the period.
    fn withhold(&self, point: &mut Point) {
        if !self.value {
            return;
        }
        (point.value, point.status) = (None, Status::Missing);
        point.reason = Some(NoValue::NotInForce);
        point.numerator = point.numerator.filter(|_| !self.numerator);
        point.denominator = point.denominator.filter(|_| !self.denominator);
    }
}

fn taken_at_end(input: &Input) -> bool {
    input.is_running || input.kind == MeasureKind::Stock && !input.over_days
}
