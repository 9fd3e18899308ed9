//! A contract, checked: every property has a slot, every list is found, every condition compiled.
//!
//! A [`Schema`] cannot be invalid. It also fixes the packed form of a row ([`Layout`]); the layout is
//! written down in the store, so that a changed contract is noticed and old rows are read by the
//! layout they were written in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::contract::{Check, Contract, Otherwise, Property, PropertyType, UnknownCode};
use crate::model::declared;
use crate::model::derived::Derivation;
use crate::model::dictionary::{Dictionaries, Dictionary};
use crate::model::expr::{self, Expr, Flaw, Named, Scope, Type};
use crate::model::items::MOST_ITEMS;
use crate::model::list::CodeList;
use crate::model::row::Packing;
use crate::model::text::{is_name, normal};
use crate::model::units::Span;

/// The most characters of a text property.
const MAX_TEXT: u16 = 100;

/// The most different values of a text property.
const MAX_TEXTS: u16 = 1_000;

/// Code lists by name.
pub type Lists = BTreeMap<String, Arc<CodeList>>;

/// A problem and the dotted place in the contract at which it stands; `place@n` is the character `n`
/// (from 0) of the text there.
pub type At = (String, String);

/// What is wrong with the expression that stands at a dotted place.
pub fn within(at: &str, flaw: &Flaw) -> At {
    (format!("{at}@{}", flaw.offset), flaw.message.clone())
}

/// A checked contract.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The properties and, behind them, the derived ones; their order is the order of the slots in
    /// a row.
    pub fields: Vec<Field>,
    /// How the derived ones come about, in their order.
    pub derived: Vec<Derivation>,
    /// Slots of the key.
    pub key: Vec<usize>,
    /// Slot that orders versions.
    pub version_slot: usize,
    /// Slot of the area.
    pub area_slot: usize,
    /// Slot of the moment or day by which the area's code is understood.
    pub area_at_slot: usize,
    /// When it holds, the record is withdrawn.
    pub retracted: Option<Expr>,
    /// What every record must meet.
    pub checks: Vec<Rule>,
    /// The packed form of a row.
    pub layout: Layout,
    /// The largest allowed age of the data.
    pub fresh_within: Span,
    /// How long records are kept.
    pub retention: Span,
    /// How many records may be read one by one, if they may.
    pub readable: Option<u32>,
}

/// One property with its slot's meaning.
#[derive(Clone, Debug)]
pub struct Field {
    /// The property's name.
    pub name: String,
    /// The type.
    pub kind: PropertyType,
    /// Whether a record without it goes to quarantine.
    pub required: bool,
    /// `code`: the list.
    pub list: Option<Arc<CodeList>>,
    /// `text`: its limits and known texts.
    pub text: Option<TextField>,
    /// `code`: the slot of the moment or day by which the code is understood; only if the list has
    /// codes that are not valid at all times.
    pub list_at: Option<usize>,
    /// `code`: the number for an empty field.
    pub empty: Option<u16>,
    /// `code`: the number for a code that is not in the list; `None` sends it to quarantine.
    pub other: Option<u16>,
    /// `integer`, `decimal` (scaled): bounds.
    pub bounds: (i64, i64),
    /// `decimal`: how many decimals are kept.
    pub decimals: u8,
    /// `timestamp`, `date`: whether it may lie in the future.
    pub future: bool,
}

/// The limits of a text property, and the texts that had numbers when the configuration was read.
#[derive(Clone, Debug)]
pub struct TextField {
    /// The most characters.
    pub max_length: u16,
    /// The most different texts.
    pub max_values: u16,
    /// The number of the text that stands for all beyond them.
    pub other: u16,
    /// Known texts.
    pub known: Arc<Dictionary>,
}

/// A compiled quality check.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As written, which is also its name.
    pub text: String,
    /// The condition.
    pub expr: Expr,
    /// What becomes of a record that fails it.
    pub otherwise: Otherwise,
}

/// How the slots of a row are packed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The packing of each slot.
    pub packings: Vec<Packing>,
    /// Bytes of a packed row.
    pub width: usize,
}

impl Layout {
    /// Lays out slots one after the other.
    pub fn new(packings: Vec<Packing>) -> Self {
        let width = packings.iter().map(|packing| packing.width()).sum();
        Self { packings, width }
    }

    /// Appends the packed row to `out`.
    #[inline]
    pub fn pack(&self, row: &[i64], out: &mut Vec<u8>) {
        for (packing, value) in self.packings.iter().zip(row) {
            packing.pack(*value, out);
        }
    }

    /// Unpacks a row into `out`, which is cleared first.
    #[inline]
    pub fn unpack(&self, mut bytes: &[u8], out: &mut Vec<i64>) {
        out.clear();
        for packing in &self.packings {
            out.push(packing.unpack(bytes));
            bytes = &bytes[packing.width()..];
        }
    }

    /// Byte offset of a slot.
    pub fn offset(&self, slot: usize) -> usize {
        self.packings[..slot].iter().map(|packing| packing.width()).sum()
    }
}

impl Schema {
    /// Checks `contract` against the code lists; all problems at once.
    pub fn compile(
        contract: &Contract,
        lists: &Lists,
        words: &Dictionaries,
    ) -> Result<Self, Vec<At>> {
        let mut problems = Vec::new();
        let mut fields = Vec::new();
        for (name, property) in &contract.properties {
            let text = text(&contract.contract, name, property, words);
            match text.and_then(|text| field(name, property, lists, text)) {
                Ok(field) => fields.push(field),
                Err(problem) => {
                    problems.push((format!("properties.{name}{}", problem.0), problem.1));
                }
            }
        }
        if !is_name(&contract.contract) {
            problems.push((
                "contract".to_owned(),
                format!("'{}' is not a plain lower-case name", contract.contract),
            ));
        }
        promises(contract, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut schema = Self {
            name: contract.contract.clone(),
            version: contract.version,
            layout: layout(&fields, &contract.key),
            fields,
            derived: Vec::new(),
            key: Vec::new(),
            version_slot: 0,
            area_slot: 0,
            area_at_slot: 0,
            retracted: None,
            checks: Vec::new(),
            fresh_within: contract.sla.fresh_within,
            retention: contract.retention,
            readable: contract.readable,
        };
        schema.place(contract, &mut problems);
        schema.derivations(&contract.derived, words, &mut problems);
        schema.conditions(contract, words, &mut problems);
        if problems.is_empty() { Ok(schema) } else { Err(problems) }
    }

    fn place(&mut self, contract: &Contract, problems: &mut Vec<At>) {
        let mut find = |at: &str, name: &str, kinds: &[PropertyType]| match self.slot(name) {
            Some(slot) if kinds.is_empty() || kinds.contains(&self.fields[slot].kind) => slot,
            Some(_) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
                let kinds = kinds.join(" or ").to_lowercase();
                problems.push((
                    at.to_owned(),
                    format!("'{name}' has the wrong type for this: {kinds} is needed"),
                ));
                0
            }
            None => {
                problems.push((at.to_owned(), format!("there is no property '{name}'")));
                0
            }
        };
        let moments = [PropertyType::Timestamp, PropertyType::Date];
        let key: Vec<_> = contract.key.iter().map(|name| find("key", name, &[])).collect();
        let version = find("version_by", &contract.version_by, &[PropertyType::Timestamp]);
        let area = find("area", &contract.area, &[PropertyType::Area]);
        let area_at =
            contract.area_at.as_ref().map_or(version, |name| find("area_at", name, &moments));
        let dated: Vec<_> = self
            .fields
            .iter()
            .map(|field| {
                let property = contract.properties.get(&field.name);
                let written = property.and_then(|property| property.list_at.as_ref());
                let at = written.map_or(area_at, |name| {
                    find(&format!("properties.{}.list_at", field.name), name, &moments)
                });
                let is_dated = field.list.as_ref().is_some_and(|list| list.is_dated());
                is_dated.then_some(at)
            })
            .collect();
        for (field, at) in self.fields.iter_mut().zip(dated) {
            field.list_at = at;
        }
        if key.iter().any(|slot| self.fields[*slot].kind == PropertyType::Text) {
            let message = "a text cannot be part of a key; its type there is identifier";
            problems.push(("key".to_owned(), message.to_owned()));
        }
        // An area is known only after the key, with the day that says what its code means.
        if key.iter().any(|slot| self.fields[*slot].kind == PropertyType::Area) {
            let message = "an area cannot be part of a key; map its code to an identifier as well";
            problems.push(("key".to_owned(), message.to_owned()));
        }
        if key.is_empty() {
            problems
                .push(("key".to_owned(), "a contract needs at least one key property".to_owned()));
        }
        (self.key, self.version_slot, self.area_slot, self.area_at_slot) =
            (key, version, area, area_at);
    }

    fn conditions(&mut self, contract: &Contract, words: &Dictionaries, problems: &mut Vec<At>) {
        let mut compiled = |at: String, text: &str| match self.condition(text, words) {
            Ok(expr) => Some(expr),
            Err(flaw) => {
                problems.push(within(&at, &flaw));
                None
            }
        };
        let retracted =
            contract.retracted.as_ref().and_then(|text| compiled("retracted".to_owned(), text));
        let checks =
            contract.quality.iter().enumerate().filter_map(|(i, Check { check, otherwise })| {
                let expr = compiled(format!("quality.{i}.check"), check)?;
                Some(Rule { text: check.clone(), expr, otherwise: *otherwise })
            });
        let mut checks: Vec<Rule> = checks.collect();
        // The hardest first: a record that is kept aside must not hide that it refuses its page, and
        // only what is accepted is warned of.
        checks.sort_by_key(|rule| match rule.otherwise {
            Otherwise::RejectPage => 0,
            Otherwise::Quarantine => 1,
            Otherwise::Warn => 2,
        });
        (self.retracted, self.checks) = (retracted, checks);
    }

    /// Compiles a condition over this contract's properties.
    pub fn condition(&self, text: &str, words: &Dictionaries) -> Result<Expr, Flaw> {
        let expr = self.expression(text, words)?;
        if expr.kind == Type::Boolean {
            Ok(expr)
        } else {
            Err(Flaw { offset: 0, message: format!("'{text}' is not a condition") })
        }
    }

    /// Compiles any expression over this contract's properties; the flaw quotes it.
    pub fn expression(&self, text: &str, words: &Dictionaries) -> Result<Expr, Flaw> {
        expr::compile(text, &Names { schema: self, words }).map_err(|flaw| {
            let message = format!("'{text}': {}", flaw.message);
            Flaw { message, ..flaw }
        })
    }

    /// The slot of a property.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// What every contract must say besides its shape: whoever asks why records are processed, on which
/// ground, how long they are kept and how fresh they are must get an answer.
fn promises(contract: &Contract, problems: &mut Vec<At>) {
    let texts = [
        ("purpose", &contract.purpose),
        ("legal_basis", &contract.legal_basis),
        ("title.vi", &contract.title.vi),
        ("title.en", &contract.title.en),
    ];
    for (at, text) in texts {
        if text.trim().is_empty() {
            problems.push((at.to_owned(), "must not be empty".to_owned()));
        }
    }
    for (at, span) in
        [("retention", contract.retention), ("sla.fresh_within", contract.sla.fresh_within)]
    {
        if span.as_seconds() < 1 {
            problems.push((at.to_owned(), "must be a second at least".to_owned()));
        }
    }
    if contract.readable.is_some_and(|most| !(1..=MOST_ITEMS).contains(&most)) {
        problems.push(("readable".to_owned(), format!("must be from 1 to {MOST_ITEMS}")));
    }
    if let Some(linkage) = contract.linkage.as_ref().filter(|linkage| !is_name(linkage)) {
        let message = format!("'{linkage}' is not a plain lower-case name");
        problems.push(("linkage".to_owned(), message));
    }
}

/// Bounds, list and codes of one property; the problem's place begins with a dot or is empty.
fn field(
    name: &str,
    property: &Property,
    lists: &Lists,
    text: Option<TextField>,
) -> Result<Field, At> {
    let problem = |at: &str, text: String| Err((at.to_owned(), text));
    if !is_name(name) {
        return problem("", format!("'{name}' is not a plain lower-case name"));
    }
    if property.list_at.is_some() && property.kind != PropertyType::Code {
        return problem(".list_at", "only a code has a list".to_owned());
    }
    let list = match (&property.list, property.kind) {
        (Some(list), PropertyType::Code) => match lists.get(list) {
            Some(list) => Some(Arc::clone(list)),
            None => return problem(".list", format!("there is no code list '{list}' in lists/")),
        },
        (None, PropertyType::Code) => return problem("", "a code needs a 'list'".to_owned()),
        (Some(_), _) => return problem(".list", "only a code has a list".to_owned()),
        (None, _) => None,
    };
    let number = |at: &str, code: &str| {
        let found = list.as_ref().and_then(|list| list.number(code));
        found.ok_or_else(|| (at.to_owned(), format!("'{code}' is not a code of the list")))
    };
    let empty = property.empty.as_deref().map(|code| number(".empty", code)).transpose()?;
    let other = match property.unknown {
        UnknownCode::Other => Some(number(".unknown", "other")?),
        UnknownCode::Quarantine => None,
    };
    let decimals = property.decimals.unwrap_or(0);
    if decimals > 9 || (decimals > 0 && property.kind != PropertyType::Decimal) {
        return problem(".decimals", "decimals are 0 to 9, and only for type decimal".to_owned());
    }
    let factor = 10_i64.pow(u32::from(decimals));
    let bound = |value: Option<i64>, otherwise: i64| {
        value.map_or(otherwise, |value| value.saturating_mul(factor))
    };
    let bounds = (bound(property.min, i64::MIN + 1), bound(property.max, i64::MAX));
    if bounds.0 > bounds.1 {
        return problem(".min", "min is above max".to_owned());
    }
    Ok(Field {
        name: name.to_owned(),
        kind: property.kind,
        required: property.required,
        list,
        text,
        list_at: None,
        empty,
        other,
        bounds,
        decimals,
        future: property.future,
    })
}

/// The limits of a text property; nothing for any other.
fn text(
    contract: &str,
    name: &str,
    property: &Property,
    words: &Dictionaries,
) -> Result<Option<TextField>, At> {
    let limits = [
        (".max_length", property.max_length, MAX_TEXT),
        (".max_values", property.max_values, MAX_TEXTS),
    ];
    for (at, limit, most) in limits {
        let message = match limit {
            Some(_) if property.kind != PropertyType::Text => {
                "only a text has this limit".to_owned()
            }
            Some(limit) if limit == 0 || limit > most => format!("the limit is 1 to {most}"),
            _ => continue,
        };
        return Err((at.to_owned(), message));
    }
    if property.kind != PropertyType::Text {
        return Ok(None);
    }
    let known = words.get(&declared::dictionary(contract, name));
    let other = known.and_then(|known| known.number(declared::OTHER));
    Ok(Some(TextField {
        max_length: property.max_length.unwrap_or(40),
        max_values: property.max_values.unwrap_or(200),
        other: other.ok_or_else(|| (String::new(), "its texts were not declared".to_owned()))?,
        known: Arc::new(known.cloned().unwrap_or_default()),
    }))
}

fn layout(fields: &[Field], key: &[String]) -> Layout {
    let packing = |field: &Field| match field.kind {
        PropertyType::Identifier if key.contains(&field.name) => Packing::Nothing,
        PropertyType::Identifier => Packing::Integer64,
        PropertyType::Code | PropertyType::Area | PropertyType::Text => Packing::Number16,
        PropertyType::Timestamp => Packing::Moment,
        PropertyType::Date => Packing::Day,
        PropertyType::Boolean => Packing::Boolean,
        PropertyType::Integer | PropertyType::Decimal => {
            let fits =
                field.bounds.0 > i64::from(i32::MIN) && field.bounds.1 <= i64::from(i32::MAX);
            if fits { Packing::Integer32 } else { Packing::Integer64 }
        }
    };
    Layout::new(fields.iter().map(packing).collect())
}

struct Names<'a> {
    schema: &'a Schema,
    words: &'a Dictionaries,
}

impl Scope for Names<'_> {
    fn name(&self, name: &str) -> Result<Named, String> {
        let (property, attribute) =
            name.split_once('.').map_or((name, None), |(p, a)| (p, Some(a)));
        let slot = self
            .schema
            .slot(property)
            .ok_or_else(|| format!("there is no property '{property}'"))?;
        let field = &self.schema.fields[slot];
        if let Some(attribute) = attribute {
            let list = field
                .list
                .as_ref()
                .ok_or_else(|| format!("'{property}' is not a code and has no attributes"))?;
            let column = list
                .attribute(attribute)
                .ok_or_else(|| format!("list '{}' has no column '{attribute}'", list.name))?;
            let kind = Type::Code(format!("list:{}.{attribute}", list.name));
            return Ok((slot, Some(column.by_code.clone().into()), kind));
        }
        let kind = match field.kind {
            PropertyType::Identifier | PropertyType::Area => {
                return Err(format!("'{property}' cannot stand in an expression"));
            }
            PropertyType::Code => {
                Type::Code(format!("list:{}", field.list.as_ref().map_or("", |list| &list.name)))
            }
            PropertyType::Timestamp => Type::Timestamp,
            PropertyType::Date => Type::Date,
            PropertyType::Integer => Type::Number(0),
            PropertyType::Decimal => Type::Number(field.decimals),
            PropertyType::Boolean => Type::Boolean,
            PropertyType::Text => Type::Code(declared::dictionary(&self.schema.name, property)),
        };
        Ok((slot, None, kind))
    }

    fn code(&self, dictionary: &str, word: &str) -> Result<i64, String> {
        let dictionary_of = self.words.get(dictionary);
        let found = dictionary_of.and_then(|words| words.number(&normal(word)));
        found
            .map(i64::from)
            .ok_or_else(|| format!("'{word}' is not in {}", dictionary.trim_start_matches("list:")))
    }
}
