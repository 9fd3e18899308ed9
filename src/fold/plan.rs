//! Measures, checked: what one entity contributes to which cells.
//!
//! A contribution is a pure function of an entity's row. That is the whole trick of exactness: to
//! correct a record, the contributions of its old row are taken away and those of the new one added,
//! whatever happened in between.

use std::sync::Arc;

use crate::model::contract::{Contract, Measure as Settings, PropertyType};
use crate::model::cube::{BIN, BIN_BITS, Dimension, HOURS, bin, cell};
use crate::model::declared;
use crate::model::dictionary::Dictionaries;
use crate::model::expr::{Expr, Flaw, Type, parse};
use crate::model::row::NULL;
use crate::model::schema::{At, Schema, within};
use crate::model::snapshot::MeasureKind;
use crate::model::time::{DAY, HOUR, LOCAL_OFFSET};

/// Bits of a dimension of hours.
const HOUR_BITS: u32 = 6;

/// The measures of one contract.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The contract's checked form.
    pub schema: Arc<Schema>,
    /// The measures, by name.
    pub measures: Vec<MeasurePlan>,
    /// The rank of each stream by its number within the contract: of two versions of a record the
    /// one of the higher rank stands. Empty if the newest version stands, whoever brought it.
    pub ranks: Vec<u8>,
}

/// One checked measure.
#[derive(Clone, Debug)]
pub struct MeasurePlan {
    /// `contract.measure`.
    pub name: String,
    /// How it adds up over time.
    pub kind: MeasureKind,
    /// Cell values are scaled by ten to this power.
    pub decimals: u8,
    /// The dimensions in a cell's key, the bin of a distribution last.
    pub dimensions: Vec<Dimension>,
    /// Everything that decides which cells an entity falls into, as text: when it changes, the cube
    /// is rebuilt from the entities.
    pub definition: String,
    quantity: Quantity,
    bucket: Bucket,
    only: Option<Expr>,
    parts: Vec<Part>,
    hour: Option<Hour>,
    area_slot: usize,
}

/// The hour of the local day at which something happened, as a dimension.
#[derive(Clone, Copy, Debug)]
struct Hour {
    slot: usize,
    shift: u32,
}

#[derive(Clone, Debug)]
enum Quantity {
    One,
    Slot(usize),
    Bin(Expr, u32),
}

#[derive(Clone, Copy, Debug)]
enum Bucket {
    At(Moment),
    Between(Moment, Moment),
}

/// A slot that holds a moment or a day.
#[derive(Clone, Copy, Debug)]
struct Moment {
    slot: usize,
    is_date: bool,
}

/// Where one dimension's number comes from.
#[derive(Clone, Debug)]
struct Part {
    slot: usize,
    attribute: Option<Arc<[u16]>>,
    /// Added to the slot's value: booleans are 0 and 1 in a row, 1 and 2 in a dictionary.
    offset: i64,
    shift: u32,
}

impl Plan {
    /// Checks the contract's measures; all problems at once.
    pub fn compile(
        contract: &Contract,
        schema: &Arc<Schema>,
        words: &Dictionaries,
    ) -> Result<Self, Vec<At>> {
        let mut problems = Vec::new();
        let mut measures = Vec::new();
        for (name, settings) in &contract.measures {
            let mut compiler = Compiler {
                schema,
                words,
                settings,
                at: format!("measures.{name}"),
                problems: &mut problems,
            };
            measures.extend(compiler.measure(name));
        }
        if problems.is_empty() {
            Ok(Self { schema: Arc::clone(schema), measures, ranks: Vec::new() })
        } else {
            Err(problems)
        }
    }
}

impl Plan {
    /// Whether a record belongs to the past altogether: its version and everything that it contributes
    /// lie before the moment `horizon`, and no stock of it is still open.
    #[inline]
    pub fn is_past(&self, row: &[i64], horizon: i64) -> bool {
        // Nearly every record has a recent version, and for those this is all.
        let version = row[self.schema.version_slot];
        if version != NULL && version >= horizon {
            return false;
        }
        let day = (horizon + LOCAL_OFFSET).div_euclid(DAY);
        self.measures.iter().all(|measure| measure.is_past(row, day))
    }
}

impl MeasurePlan {
    fn is_past(&self, row: &[i64], day: i64) -> bool {
        let is_before = |moment: Moment| row[moment.slot] == NULL || moment.day(row) < day;
        let is_past = match self.bucket {
            Bucket::At(at) => is_before(at),
            Bucket::Between(from, until) => {
                let is_open = row[from.slot] != NULL && row[until.slot] == NULL;
                !is_open && is_before(from) && is_before(until)
            }
        };
        is_past || self.only.as_ref().is_some_and(|only| !only.holds(row))
    }

    /// Appends what a row contributes, times `sign`, to `out` as (cell, amount).
    #[inline]
    pub fn contribute(&self, row: &[i64], sign: i64, out: &mut Vec<(u64, i64)>) {
        if self.only.as_ref().is_some_and(|only| !only.holds(row)) {
            return;
        }
        let (amount, mut dimensions) = match &self.quantity {
            Quantity::One => (sign, 0),
            Quantity::Slot(slot) => match row[*slot] {
                NULL | 0 => return,
                amount => (sign * amount, 0),
            },
            Quantity::Bin(expr, shift) => match expr.value(row) {
                NULL => return,
                value => (sign, u32::from(bin(value)) << shift),
            },
        };
        for part in &self.parts {
            dimensions |= part.number(row) << part.shift;
        }
        if let Some(hour) = self.hour {
            dimensions |= hour.number(row) << hour.shift;
        }
        let area = row[self.area_slot].max(0) as u16;
        match self.bucket {
            Bucket::At(at) => {
                if row[at.slot] != NULL {
                    out.push((cell(at.day(row), area, dimensions), amount));
                }
            }
            Bucket::Between(from, until) => {
                if row[from.slot] == NULL {
                    return;
                }
                // An entity that ended before it began was never in stock.
                let ended = row[until.slot] != NULL;
                if ended && until.day(row) <= from.day(row) {
                    return;
                }
                out.push((cell(from.day(row), area, dimensions), amount));
                if ended {
                    out.push((cell(until.day(row), area, dimensions), -amount));
                }
            }
        }
    }
}

impl Moment {
    fn day(self, row: &[i64]) -> i64 {
        let value = row[self.slot];
        if self.is_date { value } else { (value + LOCAL_OFFSET).div_euclid(DAY) }
    }
}

impl Part {
    fn number(&self, row: &[i64]) -> u32 {
        let value = row[self.slot];
        if value == NULL {
            return 0;
        }
        let value = value + self.offset;
        match &self.attribute {
            None => value as u32,
            Some(table) => table.get(value as usize).copied().unwrap_or(0).into(),
        }
    }
}

impl Hour {
    /// Numbered as [`HOURS`] are.
    fn number(self, row: &[i64]) -> u32 {
        match row[self.slot] {
            NULL => 0,
            moment => (moment + LOCAL_OFFSET).rem_euclid(DAY).div_euclid(HOUR) as u32 + 1,
        }
    }
}

/// Where one dimension comes from.
enum By {
    Part(Part),
    Hour(Hour),
}

struct Compiler<'a> {
    schema: &'a Schema,
    words: &'a Dictionaries,
    settings: &'a Settings,
    at: String,
    problems: &'a mut Vec<At>,
}

impl Compiler<'_> {
    fn problem(&mut self, at: &str, message: String) {
        self.problems.push((format!("{}{at}", self.at), message));
    }

    fn flaw(&mut self, at: &str, flaw: &Flaw) {
        self.problems.push(within(&format!("{}{at}", self.at), flaw));
    }

    fn measure(&mut self, name: &str) -> Option<MeasurePlan> {
        let settings = self.settings;
        let kinds = [
            settings.count,
            // A stock is of records, or of what `sum` names in them: loans, or what is owed on them.
            settings.sum.is_some() && !settings.stock,
            settings.stock,
            settings.distribution.is_some(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            self.problem(
                "",
                "a measure is exactly one of count, sum, stock, distribution".to_owned(),
            );
            return None;
        }
        let before = self.problems.len();
        let (mut dimensions, parts, hour, bits) = self.dimensions();
        let (quantity, decimals) = self.quantity(bits, &mut dimensions);
        let bucket = self.bucket();
        let only =
            settings.only.as_ref().and_then(|text| match self.schema.condition(text, self.words) {
                Ok(expr) => Some(expr),
                Err(flaw) => {
                    self.flaw(".where", &flaw);
                    None
                }
            });
        if self.problems.len() > before {
            return None;
        }
        let kind = match &quantity {
            Quantity::Bin(..) => MeasureKind::Distribution,
            _ if settings.stock => MeasureKind::Stock,
            _ => MeasureKind::Flow,
        };
        let definition = format!(
            "{settings:?} {dimensions:?} {parts:?} {decimals} {:?}",
            self.schema.fields[self.schema.area_slot]
        );
        let definition = format!("{definition}{}", self.recipe());
        let definition = blake3::hash(definition.as_bytes()).to_hex().to_string();
        Some(MeasurePlan {
            name: format!("{}.{name}", self.schema.name),
            kind,
            decimals,
            dimensions,
            definition,
            quantity,
            bucket: bucket?,
            only,
            parts,
            hour,
            area_slot: self.schema.area_slot,
        })
    }

    /// What decides the derived properties that the measure speaks of.
    fn recipe(&self) -> String {
        let settings = self.settings;
        let plain = [&settings.sum, &settings.at, &settings.from, &settings.until];
        let mut names: Vec<String> =
            plain.into_iter().flatten().chain(&settings.by).cloned().collect();
        for text in settings.only.iter().chain(&settings.distribution) {
            let tree = parse(text).ok();
            names.extend(tree.iter().flat_map(|tree| tree.names()).map(str::to_owned));
        }
        self.schema.recipe(names.iter().map(String::as_str))
    }

    fn dimensions(&mut self) -> (Vec<Dimension>, Vec<Part>, Option<Hour>, u32) {
        let (mut dimensions, mut parts, mut hour, mut shift) = (Vec::new(), Vec::new(), None, 0);
        for (i, name) in self.settings.by.iter().enumerate() {
            match self.dimension(name, shift) {
                Ok((dimension, by)) => {
                    shift += dimension.bits;
                    dimensions.push(dimension);
                    match by {
                        By::Part(part) => parts.push(part),
                        By::Hour(found) => hour = Some(found),
                    }
                }
                Err(message) => self.problem(&format!(".by.{i}"), message),
            }
        }
        if shift > 32 - BIN_BITS * u32::from(self.settings.distribution.is_some()) {
            self.problem(".by", "too many dimensions: their values do not fit 32 bits".to_owned());
        }
        (dimensions, parts, hour, shift)
    }

    fn dimension(&self, name: &str, shift: u32) -> Result<(Dimension, By), String> {
        let (property, attribute) =
            name.split_once('.').map_or((name, None), |(p, a)| (p, Some(a)));
        let slot = self
            .schema
            .slot(property)
            .ok_or_else(|| format!("there is no property '{property}'"))?;
        let field = &self.schema.fields[slot];
        let (dictionary, table, offset) = match (field.kind, &field.list, attribute) {
            (PropertyType::Timestamp, _, Some("hour")) => {
                self.is_of_bucket(name, property)?;
                let (dictionary, bits) = (HOURS.to_owned(), HOUR_BITS);
                let dimension = Dimension { name: name.to_owned(), dictionary, shift, bits };
                return Ok((dimension, By::Hour(Hour { slot, shift })));
            }
            (PropertyType::Date, _, Some("hour")) => {
                return Err(format!("'{property}' is a date, which has no hour"));
            }
            (PropertyType::Boolean, _, None) => ("boolean".to_owned(), None, 1),
            (PropertyType::Text, _, None) => {
                (declared::dictionary(&self.schema.name, property), None, 0)
            }
            (PropertyType::Code, Some(list), None) => (format!("list:{}", list.name), None, 0),
            (PropertyType::Code, Some(list), Some(attribute)) => {
                let column = list
                    .attribute(attribute)
                    .ok_or_else(|| format!("list '{}' has no column '{attribute}'", list.name))?;
                (format!("list:{}.{attribute}", list.name), Some(column.by_code.clone().into()), 0)
            }
            _ => {
                return Err(format!(
                    "'{name}' is neither a code, nor an attribute of one, nor a text, nor a boolean, \
                     nor the hour of a timestamp"
                ));
            }
        };
        let known =
            self.words.get(&dictionary).map_or(2, super::super::model::dictionary::Dictionary::len)
                as u32;
        // Texts come later, up to their limit.
        let texts = field.text.as_ref().map_or(0, |text| u32::from(text.max_values) + 1);
        let size = known.max(texts);
        // An even number of bits leaves room to grow before the cube must be rebuilt.
        let bits = (u32::BITS - size.leading_zeros()).next_multiple_of(2);
        Ok((
            Dimension { name: name.to_owned(), dictionary, shift, bits },
            By::Part(Part { slot, attribute: table, offset, shift }),
        ))
    }

    /// Only what happened has an hour: that of another property, or of a stock, would pass for it.
    fn is_of_bucket(&self, name: &str, property: &str) -> Result<(), String> {
        if self.settings.at.as_deref() == Some(property) {
            return Ok(());
        }
        let at = self.settings.at.as_deref();
        let at = at.map_or("a stock has none".to_owned(), |at| format!("which is '{at}'"));
        Err(format!("'{name}' is not the hour of the measure's 'at'; {at}"))
    }

    fn quantity(&mut self, shift: u32, dimensions: &mut Vec<Dimension>) -> (Quantity, u8) {
        if let Some(name) = &self.settings.sum {
            let Some(slot) = self.schema.slot(name) else {
                self.problem(".sum", format!("there is no property '{name}'"));
                return (Quantity::One, 0);
            };
            let field = &self.schema.fields[slot];
            if !matches!(field.kind, PropertyType::Integer | PropertyType::Decimal) {
                self.problem(".sum", format!("'{name}' is not a number"));
            }
            return (Quantity::Slot(slot), field.decimals);
        }
        if let Some(text) = &self.settings.distribution {
            dimensions.push(Dimension {
                name: BIN.to_owned(),
                dictionary: String::new(),
                shift,
                bits: BIN_BITS,
            });
            match self.schema.expression(text, self.words) {
                Ok(expr) if expr.kind == Type::Number(0) => return (Quantity::Bin(expr, shift), 0),
                Ok(_) => self.problem(".distribution", format!("'{text}' is not a whole number")),
                Err(flaw) => self.flaw(".distribution", &flaw),
            }
        }
        (Quantity::One, 0)
    }

    fn bucket(&mut self) -> Option<Bucket> {
        let settings = self.settings;
        if settings.stock {
            if settings.at.is_some() {
                self.problem(".at", "a stock has 'from' and 'until' instead of 'at'".to_owned());
            }
            let from = self.moment(".from", settings.from.as_deref());
            let until = self.moment(".until", settings.until.as_deref());
            return Some(Bucket::Between(from?, until?));
        }
        if settings.from.is_some() || settings.until.is_some() {
            self.problem("", "only a stock has 'from' and 'until'".to_owned());
        }
        Some(Bucket::At(self.moment(".at", settings.at.as_deref())?))
    }

    fn moment(&mut self, at: &str, name: Option<&str>) -> Option<Moment> {
        let Some(name) = name else {
            self.problem(at, format!("'{}' is missing", &at[1..]));
            return None;
        };
        match self.schema.slot(name).map(|slot| (slot, self.schema.fields[slot].kind)) {
            Some((slot, PropertyType::Timestamp)) => Some(Moment { slot, is_date: false }),
            Some((slot, PropertyType::Date)) => Some(Moment { slot, is_date: true }),
            Some(_) => {
                self.problem(at, format!("'{name}' is neither a timestamp nor a date"));
                None
            }
            None => {
                self.problem(at, format!("there is no property '{name}'"));
                None
            }
        }
    }
}
