//! Normalise: from wire values to typed rows, or to rejects that say why.
//!
//! Bad data is a value here, not an error: one bad record never stops its page, and what is refused
//! is kept with its reason. Pure: the time it compares with is handed in.

mod coerce;
mod date;
mod held;
mod key;
mod mapping;
mod reduce;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::area::{Areas, Misplaced};
use crate::model::contract::{Otherwise, PropertyType};
use crate::model::drift::{Audit, Kind};
use crate::model::observation::{Observations, Reason, Reject};
use crate::model::record::{Records, Value};
use crate::model::row::NULL;
use crate::model::schema::{At, Schema};
use crate::model::time::{DAY, Day, LOCAL_OFFSET, Stamp};

pub use coerce::{Coercion, coerced};
pub use date::Format;
pub use held::{Replayer, Unreplayable};
pub use key::KeyHasher;
use mapping::{Entry, Origin, Wanted};
pub use mapping::{Poll, Settings as MapSettings};
pub use reduce::Reduce;
use value::Horizon;

/// How far a source's clock may be ahead of ours, in seconds.
pub const MAX_AHEAD: i64 = 600;

/// Turns the records of one stream into observations.
#[derive(Clone, Debug)]
pub struct Normaliser {
    schema: Arc<Schema>,
    areas: Arc<Areas>,
    entries: Vec<Entry>,
    /// Slots of text properties.
    texts: Vec<usize>,
    wanted: Wanted,
    hasher: KeyHasher,
    /// The hasher before the identifier key was replaced, as long as both are in use.
    previous: Option<KeyHasher>,
    /// Slots of codes whose lists change with time, and of the moments that decide.
    dated: Vec<(usize, usize)>,
    /// Identifiers come as the hashes that they were held as.
    is_replay: bool,
}

/// What the gateway knows besides the page.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The present moment.
    pub now: Stamp,
    /// A fleet's target, if the record is a poll of one.
    pub target: Option<&'a Target<'a>>,
}

/// One poll of one target.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The target's name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// When the time slot of the poll begins.
    pub slot: Stamp,
    /// Whether it answered.
    pub up: bool,
}

/// A normalised page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalised {
    /// Records that keep their contract.
    pub observations: Observations,
    /// Records that do not.
    pub rejects: Vec<Reject>,
    /// What the page showed about its contract.
    pub audit: Audit,
}

impl Normalised {
    /// Unknown codes taken as `other`.
    pub fn unknown_codes(&self) -> u64 {
        self.audit.unknown_codes.values().sum()
    }

    /// Checks that failed with `otherwise: warn`.
    pub fn warnings(&self) -> u64 {
        self.audit.warnings.values().sum()
    }
}

impl Normaliser {
    /// Checks a stream's map against its contract; all problems at once, placed below the map.
    pub fn compile(
        schema: &Arc<Schema>,
        areas: &Arc<Areas>,
        map: &BTreeMap<String, MapSettings>,
        hasher: KeyHasher,
    ) -> Result<Self, Vec<At>> {
        let mut problems = Vec::new();
        let mut wanted = Wanted::default();
        for name in map.keys().filter(|name| schema.slot(name).is_none()) {
            problems.push((
                name.clone(),
                format!("contract '{}' has no property '{name}'", schema.name),
            ));
        }
        let stored = schema.stored();
        let derived = schema.fields[stored..].iter().map(|field| &field.name);
        for name in derived.filter(|name| map.contains_key(*name)) {
            problems.push((name.clone(), format!("'{name}' is derived and not mapped")));
        }
        let mut entries = Vec::new();
        for (slot, field) in schema.fields[..stored].iter().enumerate() {
            let entry = match map.get(&field.name) {
                Some(settings) => Entry::compile(settings, field, &mut wanted),
                None if field.required
                    || schema.key.contains(&slot)
                    || slot == schema.version_slot
                    || slot == schema.area_slot =>
                {
                    Err(format!(
                        "'{}' is needed by contract '{}' and is not mapped",
                        field.name, schema.name
                    ))
                }
                None => Ok(Entry::nowhere()),
            };
            match entry {
                Ok(entry) => entries.push(entry),
                Err(problem) => problems.push((field.name.clone(), problem)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let is_text = |slot: &usize| schema.fields[*slot].kind == PropertyType::Text;
        let texts = (0..stored).filter(is_text).collect();
        let (schema, areas) = (Arc::clone(schema), Arc::clone(areas));
        let dated = schema.fields.iter().enumerate();
        let dated = dated.filter_map(|(slot, field)| Some((slot, field.list_at?))).collect();
        Ok(Self {
            schema,
            areas,
            entries,
            texts,
            wanted,
            hasher,
            previous: None,
            dated,
            is_replay: false,
        })
    }

    /// Tells for each record also what its key was under this hasher.
    #[must_use]
    pub fn after(mut self, previous: Option<KeyHasher>) -> Self {
        self.previous = previous;
        self
    }

    /// The hashers in use: the present one, and the previous one while keys are replaced.
    pub fn hashers(&self) -> (&KeyHasher, Option<&KeyHasher>) {
        (&self.hasher, self.previous.as_ref())
    }

    /// The wanted paths, in the order of a record's picks.
    pub fn pointers(&self) -> &[String] {
        &self.wanted.pointers
    }

    /// The picks that are arrays, with the wanted paths inside an item.
    pub fn arrays(&self) -> &[(usize, Vec<String>)] {
        &self.wanted.arrays
    }

    /// The contract that the records keep.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Normalises a page.
    pub fn page(&self, records: &Records<'_>, around: Surroundings<'_>) -> Normalised {
        self.page_until(records, around, Horizon::of(around.now))
    }

    fn page_until(
        &self,
        records: &Records<'_>,
        around: Surroundings<'_>,
        horizon: Horizon,
    ) -> Normalised {
        let mut out = Normalised {
            observations: Observations::new(self.schema.fields.len()),
            ..Normalised::default()
        };
        let mut work = Work {
            row: vec![NULL; self.schema.fields.len()],
            message: Vec::with_capacity(64),
            problem: None,
            others: vec![0; self.schema.fields.len()],
            warned: vec![0; self.schema.checks.len()],
            refused_by: None,
        };
        let mut malformed = records.malformed.iter().copied().peekable();
        for index in 0..records.count {
            let record = records.record(index);
            if malformed.next_if_eq(&index).is_some() {
                let nothing = Found { key: None, version: NULL };
                out.rejects.push(self.reject(record, around, nothing, Reason::Malformed, ""));
                continue;
            }
            self.record(record, around, horizon, &mut work, &mut out);
            if work.refused_by.is_some() {
                break;
            }
        }
        out.audit = self.audit(records, &out.rejects, &work);
        if work.refused_by.is_some() {
            // Nothing of a refused page goes any further, whoever asked.
            out.observations = Observations::new(self.schema.fields.len());
            out.rejects.clear();
        }
        out
    }

    /// What the page showed about its contract, by the names that people know.
    fn audit(&self, records: &Records<'_>, rejects: &[Reject], work: &Work) -> Audit {
        let mut audit = Audit {
            records: records.count as u64,
            rejects: rejects.len() as u64,
            unmapped: records.unmapped,
            refused_by: work.refused_by.map(|rule| self.schema.checks[rule].text.clone()),
            ..Audit::default()
        };
        for reject in rejects {
            if let Some(kind) = Kind::of(reject.reason) {
                *audit.flaws.entry((kind, reject.rule.clone())).or_default() += 1;
            }
        }
        for (field, count) in self.schema.fields.iter().zip(&work.others).filter(|(_, n)| **n > 0) {
            *audit.flaws.entry((Kind::NewCode, field.name.clone())).or_default() += count;
            audit.unknown_codes.insert(field.name.clone(), *count);
        }
        for (rule, count) in self.schema.checks.iter().zip(&work.warned).filter(|(_, n)| **n > 0) {
            *audit.warnings.entry(rule.text.clone()).or_default() += count;
        }
        audit
    }

    fn record(
        &self,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        horizon: Horizon,
        work: &mut Work,
        out: &mut Normalised,
    ) {
        work.problem = None;
        for slot in 0..self.schema.stored() {
            work.row[slot] = match self.slot(slot, record, around, horizon, &mut work.message) {
                Ok(read) => {
                    if read.is_other {
                        work.others[slot] += 1;
                    }
                    read.value
                }
                Err(reason) => work.fail(reason, slot),
            };
        }
        for (slot, at) in &self.dated {
            self.outdated(*slot, *at, around, work);
        }
        let key = self.key(record, around, work, &self.hasher);
        let previous = self.previous.as_ref();
        let former = previous.and_then(|hasher| self.key(record, around, work, hasher));
        self.place(record, around, work);
        for slot in &self.texts {
            self.text(*slot, record, around, work, &mut out.observations);
        }
        self.schema.derive(&mut work.row);
        let retracted = self.schema.retracted.as_ref().is_some_and(|expr| expr.holds(&work.row));
        let version = work.row[self.schema.version_slot];
        if let (true, Some(key), true) = (retracted, key, version != NULL) {
            // What a withdrawal says besides key and version no longer matters.
            out.observations.push(key, &work.row, true);
            out.observations.former.extend(former);
            return;
        }
        for (slot, field) in self.schema.fields.iter().enumerate() {
            let needed =
                field.required || slot == self.schema.version_slot || slot == self.schema.area_slot;
            if needed && field.kind != PropertyType::Identifier && work.row[slot] == NULL {
                work.fail(Reason::Missing, slot);
            }
        }
        let found = Found { key, version };
        if let Some((reason, slot)) = work.problem {
            out.rejects.push(self.reject(
                record,
                around,
                found,
                reason,
                &self.schema.fields[slot].name,
            ));
            return;
        }
        for (i, rule) in self.schema.checks.iter().enumerate() {
            if rule.expr.holds(&work.row) {
                continue;
            }
            match rule.otherwise {
                Otherwise::Warn => work.warned[i] += 1,
                Otherwise::Quarantine => {
                    let reason = Reason::CheckFailed;
                    out.rejects.push(self.reject(record, around, found, reason, &rule.text));
                    return;
                }
                Otherwise::RejectPage => {
                    work.refused_by = Some(i);
                    return;
                }
            }
        }
        if let Some(key) = key {
            out.observations.push(key, &work.row, false);
            out.observations.former.extend(former);
        }
    }

    /// The value of a slot that needs no other slot.
    fn slot(
        &self,
        slot: usize,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        horizon: Horizon,
        message: &mut Vec<u8>,
    ) -> Result<value::Slot, Reason> {
        let (field, entry) = (&self.schema.fields[slot], &self.entries[slot]);
        match field.kind {
            // Areas and texts need more than the value alone.
            PropertyType::Area | PropertyType::Text => {
                Ok(value::Slot { value: NULL, is_other: false })
            }
            PropertyType::Identifier => {
                // A part of the key lives in the key alone.
                let hash = if self.schema.key.contains(&slot) {
                    None
                } else {
                    message.clear();
                    self.identifier(slot, record, around, message, &self.hasher)?
                };
                // The one pattern that means null is given up to its neighbour.
                let hash = hash.map_or(NULL, |hash| (hash as i64).max(NULL + 1));
                Ok(value::Slot { value: hash, is_other: false })
            }
            _ => {
                let wire = self.wire(slot, record, around);
                value::read(&wire, field, entry, horizon).or_else(|reason| {
                    // An array is the wrong type for every plain value, so only here it costs a look.
                    match (&*wire, &entry.reduce) {
                        (Value::Items(items), Some(reduction)) => {
                            reduce::read(items, reduction, field, entry, horizon)
                        }
                        _ => Err(reason),
                    }
                })
            }
        }
    }

    /// The wire value of a slot.
    fn wire<'v>(
        &self,
        slot: usize,
        record: &'v [Value<'v>],
        around: Surroundings<'v>,
    ) -> std::borrow::Cow<'v, Value<'v>> {
        use std::borrow::Cow;
        let owned = match (&self.entries[slot].origin, around.target) {
            (Origin::Pick(pick), _) => return Cow::Borrowed(&record[*pick]),
            (Origin::Label(label), Some(target)) => {
                target.labels.get(label).map(|text| Value::Text(text.into()))
            }
            (Origin::Poll(Poll::Target), Some(target)) => Some(Value::Text(target.name.into())),
            (Origin::Poll(Poll::Slot), Some(target)) => {
                Some(Value::Text(target.slot.rfc3339().into()))
            }
            (Origin::Poll(Poll::At), _) => Some(Value::Text(around.now.rfc3339().into())),
            (Origin::Poll(Poll::Up), Some(target)) => Some(Value::Boolean(target.up)),
            _ => None,
        };
        Cow::Owned(owned.unwrap_or_default())
    }

    /// The keyed hash of an identifier; `None` if there is none. `message` is a buffer, written from
    /// its end on and left as long as it was.
    fn identifier(
        &self,
        slot: usize,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        message: &mut Vec<u8>,
        hasher: &KeyHasher,
    ) -> Result<Option<u128>, Reason> {
        let wire = self.wire(slot, record, around);
        let Some(text) = value::text(&wire, &self.entries[slot])? else { return Ok(None) };
        if self.is_replay {
            return u128::from_str_radix(&text, 16).map(Some).map_err(|_| Reason::WrongType);
        }
        let start = message.len();
        key::part(message, text.as_bytes());
        let hash = hasher.hash(&message[start..]);
        message.truncate(start);
        Ok(Some(hash))
    }

    /// The keyed hash of the key; `None`, with the problem noted, if a part is missing.
    ///
    /// A key of one identifier is that identifier's hash; else it is the hash of its parts, in which
    /// identifiers stand as hashes themselves: so the key can be made of what a reject holds, too.
    fn key(
        &self,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        work: &mut Work,
        hasher: &KeyHasher,
    ) -> Option<u128> {
        work.message.clear();
        let (mut whole, mut only) = (true, None);
        for slot in &self.schema.key {
            let there = if self.schema.fields[*slot].kind == PropertyType::Identifier {
                self.identifier(*slot, record, around, &mut work.message, hasher).map(|hash| {
                    only = hash.filter(|_| self.schema.key.len() == 1);
                    if let (Some(hash), None) = (hash, only) {
                        key::part(&mut work.message, &hash.to_le_bytes());
                    }
                    hash.is_some()
                })
            } else {
                let value = work.row[*slot];
                key::part(&mut work.message, &value.to_le_bytes());
                Ok(value != NULL)
            };
            if let Some(reason) = match there {
                Ok(true) => None,
                Ok(false) => Some(Reason::Missing),
                Err(reason) => Some(reason),
            } {
                whole = false;
                work.fail(reason, *slot);
            }
        }
        whole.then(|| only.unwrap_or_else(|| hasher.hash(&work.message)))
    }

    /// The day in a slot of a moment or a day; today where there is none.
    fn day(&self, slot: usize, around: Surroundings<'_>, work: &Work) -> Day {
        match (work.row[slot], self.schema.fields[slot].kind) {
            (NULL, _) => around.now.day(),
            (at, PropertyType::Date) => Day(at as i32),
            (at, _) => Day((at + LOCAL_OFFSET).div_euclid(DAY) as i32),
        }
    }

    /// Treats a code that was not valid on the record's day like one that is in no list.
    fn outdated(&self, slot: usize, at: usize, around: Surroundings<'_>, work: &mut Work) {
        let (field, value) = (&self.schema.fields[slot], work.row[slot]);
        let Some(list) = field.list.as_ref().filter(|_| value != NULL) else { return };
        let number = value as u16;
        if list.is_valid(number, self.day(at, around, work)) || Some(number) == field.other {
            return;
        }
        if let Some(other) = field.other {
            work.row[slot] = i64::from(other);
            work.others[slot] += 1;
        } else {
            work.row[slot] = work.fail(Reason::UnknownCode, slot);
        }
    }

    /// The area, by the code and the day that gives the code its meaning.
    fn place(&self, record: &[Value<'_>], around: Surroundings<'_>, work: &mut Work) {
        let slot = self.schema.area_slot;
        let day = self.day(self.schema.area_at_slot, around, work);
        let wire = self.wire(slot, record, around);
        match value::text(&wire, &self.entries[slot]) {
            Ok(Some(code)) => match self.areas.resolve(&code, day) {
                Ok(number) => work.row[slot] = i64::from(number),
                Err(Misplaced::Unknown) => _ = work.fail(Reason::UnknownArea, slot),
                Err(Misplaced::WithoutSuccessor) => {
                    _ = work.fail(Reason::AreaWithoutSuccessor, slot);
                }
            },
            Ok(None) => {}
            Err(reason) => _ = work.fail(reason, slot),
        }
    }

    /// A text, by its number or by its place among the page's new ones.
    fn text(
        &self,
        slot: usize,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        work: &mut Work,
        out: &mut Observations,
    ) {
        let wire = self.wire(slot, record, around);
        let limits = self.schema.fields[slot].text.as_ref().expect("the slot is a text's");
        match value::text(&wire, &self.entries[slot]) {
            Ok(None) => {}
            Ok(Some(text)) if text.chars().any(char::is_control) => {
                _ = work.fail(Reason::WrongType, slot);
            }
            Ok(Some(text)) if text.chars().count() > usize::from(limits.max_length) => {
                _ = work.fail(Reason::OutOfRange, slot);
            }
            Ok(Some(text)) => {
                work.row[slot] = match limits.known.number(&text) {
                    Some(number) => i64::from(number),
                    None => out.provisional(slot, &text),
                };
            }
            Err(reason) => _ = work.fail(reason, slot),
        }
    }

    /// A reject with its shape, and with what a replay will need: identifiers only as hashes.
    fn reject(
        &self,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        found: Found,
        reason: Reason,
        rule: &str,
    ) -> Reject {
        let mut shape = serde_json::Map::new();
        for (slot, field) in self.schema.fields[..self.schema.stored()].iter().enumerate() {
            let wire = self.wire(slot, record, around);
            shape.insert(field.name.clone(), wire.shape().into());
        }
        let is_malformed = reason == Reason::Malformed;
        let (held, fingerprint) = self.hold(record, around, is_malformed, &self.hasher);
        let previous = self.previous.as_ref();
        let former = previous.map(|hasher| self.hold(record, around, is_malformed, hasher).1);
        Reject {
            reason,
            rule: rule.to_owned(),
            key: found.key,
            version: (found.version != NULL).then_some(found.version),
            fingerprint,
            shape: serde_json::Value::Object(shape).to_string(),
            held,
            former,
        }
    }
}

/// What could be read of a record that is refused.
#[derive(Clone, Copy)]
struct Found {
    key: Option<u128>,
    version: i64,
}

/// Buffers that are used again for each record.
struct Work {
    row: Vec<i64>,
    message: Vec<u8>,
    problem: Option<(Reason, usize)>,
    /// Unknown codes taken as `other`, by slot.
    others: Vec<u64>,
    /// Failed checks that only warn, by check.
    warned: Vec<u64>,
    /// The check by which the whole page is refused.
    refused_by: Option<usize>,
}

impl Work {
    /// Notes the first problem of a record; yields null for the slot.
    fn fail(&mut self, reason: Reason, slot: usize) -> i64 {
        self.problem.get_or_insert((reason, slot));
        NULL
    }
}
