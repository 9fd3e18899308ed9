//! How far records stray from their contract: what a page showed, and the breaches entered for it.
//!
//! Drift is graded, because not every change of a source is its fault: fields that nobody maps are a
//! note (`additive`), records that can no longer be read as agreed are a breach (`breaking`) of which
//! the accountable unit is told. Judged page by page: a change in mid-stream must not drown in what
//! came before it. Fields are only ever counted; what nobody maps is never named or kept.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::observation::Reason;
use crate::model::time::Stamp;

/// The share of a page's records above which a flaw is a breach, unless a stream says otherwise.
pub const MAX_RATIO: f64 = 0.01;

/// Repaired breaches of a stream that are kept in sight.
pub const REPAIRED_KEPT: usize = 20;

/// In which way a source left its contract: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BreachKind")]
pub enum Kind {
    /// A required property is absent or empty.
    Missing,
    /// A value, or the record as a whole, has another type.
    WrongType,
    /// A code that is not, or not at that date, in its list.
    NewCode,
    /// An area that is unknown or has no successor.
    UnknownArea,
    /// A value lies outside its bounds.
    OutOfRange,
    /// Records carry more fields that nobody maps than they used to.
    NewFields,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::WrongType,
        Self::NewCode,
        Self::UnknownArea,
        Self::OutOfRange,
        Self::NewFields,
    ];

    /// The word used in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::NewCode => "new_code",
            Self::UnknownArea => "unknown_area",
            Self::OutOfRange => "out_of_range",
            Self::NewFields => "new_fields",
        }
    }

    /// Reads [`Kind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// How bad it is.
    pub const fn grade(self) -> Grade {
        match self {
            Self::NewFields => Grade::Additive,
            _ => Grade::Breaking,
        }
    }

    /// The kind of drift that a reject shows; a failed check is bad data and an old record is old, and
    /// neither is drift.
    pub const fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::Missing => Some(Self::Missing),
            Reason::WrongType | Reason::Malformed => Some(Self::WrongType),
            Reason::UnknownCode => Some(Self::NewCode),
            Reason::UnknownArea | Reason::AreaWithoutSuccessor => Some(Self::UnknownArea),
            Reason::OutOfRange | Reason::FutureDated => Some(Self::OutOfRange),
            Reason::CheckFailed | Reason::Expired => None,
        }
    }
}

/// How bad a breach is; also a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Something new that hurts no number.
    Additive,
    /// Records are refused, or lose their meaning.
    Breaking,
}

impl Grade {
    /// Every grade, for metrics that begin at zero.
    pub const ALL: [Self; 2] = [Self::Additive, Self::Breaking];

    /// The word used in the API, in metrics and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Additive => "additive",
            Self::Breaking => "breaking",
        }
    }
}

/// What one page showed about its contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Records looked at.
    pub records: u64,
    /// Records that broke their contract.
    pub rejects: u64,
    /// How many records have which flaw, by kind and property (empty: the record as a whole).
    pub flaws: BTreeMap<(Kind, String), u64>,
    /// Failed checks with `otherwise: warn`, by the check as written.
    pub warnings: BTreeMap<String, u64>,
    /// Unknown codes that were taken as `other`, by property.
    pub unknown_codes: BTreeMap<String, u64>,
    /// The most fields of one record that nobody maps, as far as records were looked at for it.
    pub unmapped: Option<u64>,
    /// The check with `otherwise: reject_page` that a record failed.
    pub refused_by: Option<String>,
}

impl Audit {
    /// Takes another page in, as if both had been one: a fleet's answers are judged together.
    pub fn join(&mut self, other: Self) {
        self.records += other.records;
        self.rejects += other.rejects;
        add(&mut self.flaws, other.flaws);
        add(&mut self.warnings, other.warnings);
        add(&mut self.unknown_codes, other.unknown_codes);
        self.unmapped = self.unmapped.max(other.unmapped);
        self.refused_by = self.refused_by.take().or(other.refused_by);
    }
}

/// What the pages of one run showed, judged page by page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// The body that answers for the source.
    pub unit: String,
    /// Version of the contract.
    pub contract_version: u32,
    /// A short hash of what the stream maps: with another map, other fields are unmapped.
    pub mapping: String,
    /// Records looked at.
    pub records: u64,
    /// Flaws seen, by kind and property.
    pub flaws: BTreeMap<(Kind, String), Flaw>,
    /// Failed checks with `otherwise: warn`, by the check as written.
    pub warnings: BTreeMap<String, u64>,
    /// Unknown codes that were taken as `other`, by property.
    pub unknown_codes: BTreeMap<String, u64>,
    /// The most fields of one record that nobody maps.
    pub unmapped: Option<u64>,
}

/// One flaw in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaw {
    /// Records that have it.
    pub records: u64,
    /// Whether a page had so many of them that the contract is broken.
    pub breaks: bool,
}

impl Drift {
    /// Takes in a page. A flaw breaks the contract above `max_ratio` of the page's records; a new
    /// code does at once, because it is new for every record that will carry it.
    pub fn add(&mut self, page: &Audit, max_ratio: f64) {
        self.records += page.records;
        for ((kind, property), records) in &page.flaws {
            let flaw = self.flaws.entry((*kind, property.clone())).or_default();
            flaw.records += records;
            let share = *records as f64 / page.records.max(1) as f64;
            flaw.breaks |= *kind == Kind::NewCode || share > max_ratio;
        }
        add(&mut self.warnings, page.warnings.clone());
        add(&mut self.unknown_codes, page.unknown_codes.clone());
        self.unmapped = self.unmapped.max(page.unmapped);
    }
}

/// Adds counts to counts.
pub fn add<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key).or_default() += count;
    }
}

/// Whether a breach goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreachState {
    /// The last runs showed it.
    Open,
    /// A later complete run showed no trace of it.
    Repaired,
}

/// One way in which one stream left its contract, from its first appearance to its repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// Grows with entry; 0 until it is stored.
    pub id: u64,
    /// The contract.
    pub contract: String,
    /// That contract's version when it was last seen.
    pub contract_version: u32,
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The body that answers for the source.
    pub accountable_unit: String,
    /// How bad it is.
    pub grade: Grade,
    /// In which way the contract was left.
    pub kind: Kind,
    /// The property; empty for the record as a whole and for fields that nobody maps.
    pub property: String,
    /// When it was first seen.
    pub first_seen: Stamp,
    /// When it was last seen.
    pub last_seen: Stamp,
    /// Records that had it (additive: fields more than there used to be).
    pub count: u64,
    /// Whether it goes on.
    pub state: BreachState,
    /// When a run first showed no trace of it.
    pub repaired_at: Option<Stamp>,
}

/// A stream's breaches and what it is compared with; changed by finished runs only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Register {
    /// Open ones, and the latest [`REPAIRED_KEPT`] repaired ones; by entry.
    pub breaches: Vec<Breach>,
    /// All failed checks with `otherwise: warn`, by the check as written.
    pub warnings: BTreeMap<String, u64>,
    /// All unknown codes that were taken as `other`, by property.
    pub unknown_codes: BTreeMap<String, u64>,
    /// Fields that nobody maps, as of the first complete run with this map and contract.
    pub unmapped: Option<u64>,
    /// The map and contract for which `unmapped` was counted.
    pub mapping: String,
}

/// Whose register it is.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// The contract.
    pub contract: &'a str,
    /// The source.
    pub source: &'a str,
    /// The stream.
    pub stream: &'a str,
}

impl Register {
    /// Breaches that go on.
    pub fn open(&self) -> impl Iterator<Item = &Breach> {
        self.breaches.iter().filter(|breach| breach.state == BreachState::Open)
    }

    /// How many breaches of a grade go on.
    pub fn count(&self, grade: Grade) -> u64 {
        self.open().filter(|breach| breach.grade == grade).count() as u64
    }

    /// Takes in a finished run. Only a complete run with records can show that something is mended;
    /// any run can show that something is broken. Says whether anything changed.
    pub fn note(&mut self, party: Party<'_>, run: &Drift, is_complete: bool, at: Stamp) -> bool {
        let before = self.clone();
        add(&mut self.warnings, run.warnings.clone());
        add(&mut self.unknown_codes, run.unknown_codes.clone());
        for ((kind, property), flaw) in &run.flaws {
            self.enter(party, run, (*kind, property), *flaw, at);
        }
        let mut seen: Vec<(Kind, &str)> =
            run.flaws.keys().map(|(kind, property)| (*kind, property.as_str())).collect();
        if self.compare(party, run, is_complete, at) {
            seen.push((Kind::NewFields, ""));
        }
        if is_complete && run.records > 0 {
            for breach in &mut self.breaches {
                let is_seen = seen.contains(&(breach.kind, breach.property.as_str()));
                if breach.state == BreachState::Open && !is_seen {
                    (breach.state, breach.repaired_at) = (BreachState::Repaired, Some(at));
                }
            }
        }
        self.forget();
        *self != before
    }

    /// Enters a flaw or adds to its breach. What is not yet a breach and breaks nothing passes.
    fn enter(
        &mut self,
        party: Party<'_>,
        run: &Drift,
        (kind, property): (Kind, &str),
        flaw: Flaw,
        at: Stamp,
    ) {
        let is_it = |breach: &&mut Breach| {
            breach.state == BreachState::Open && breach.kind == kind && breach.property == property
        };
        if let Some(breach) = self.breaches.iter_mut().find(is_it) {
            breach.last_seen = at;
            breach.contract_version = run.contract_version;
            breach.accountable_unit.clone_from(&run.unit);
            breach.count =
                if kind == Kind::NewFields { flaw.records } else { breach.count + flaw.records };
        } else if flaw.breaks {
            self.breaches.push(Breach {
                id: 0,
                contract: party.contract.to_owned(),
                contract_version: run.contract_version,
                source: party.source.to_owned(),
                stream: party.stream.to_owned(),
                accountable_unit: run.unit.clone(),
                grade: kind.grade(),
                kind,
                property: property.to_owned(),
                first_seen: at,
                last_seen: at,
                count: flaw.records,
                state: BreachState::Open,
                repaired_at: None,
            });
        }
    }

    /// Compares the unmapped fields with those of the first complete run under the same map and
    /// contract; says whether there are more. A steward who changes either has looked at them, so
    /// the comparison begins anew.
    fn compare(&mut self, party: Party<'_>, run: &Drift, is_complete: bool, at: Stamp) -> bool {
        let Some(unmapped) = run.unmapped else { return false };
        match self.unmapped {
            Some(known) if self.mapping == run.mapping => {
                let more = unmapped.saturating_sub(known);
                if more > 0 {
                    let flaw = Flaw { records: more, breaks: true };
                    self.enter(party, run, (Kind::NewFields, ""), flaw, at);
                }
                more > 0
            }
            _ => {
                if is_complete && run.records > 0 {
                    (self.unmapped, self.mapping) = (Some(unmapped), run.mapping.clone());
                }
                false
            }
        }
    }

    /// Lets go of the oldest repaired breaches.
    fn forget(&mut self) {
        let repaired = self.breaches.iter().filter(|b| b.state == BreachState::Repaired).count();
        let mut excess = repaired.saturating_sub(REPAIRED_KEPT);
        self.breaches.retain(|breach| {
            let goes = excess > 0 && breach.state == BreachState::Repaired;
            excess -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTY: Party<'static> =
        Party { contract: "dossiers", source: "portal", stream: "dossiers" };

    fn page(records: u64, flaws: &[(Kind, &str, u64)], unmapped: u64) -> Audit {
        let flaws = flaws.iter().map(|(kind, property, n)| ((*kind, (*property).to_owned()), *n));
        Audit { records, flaws: flaws.collect(), unmapped: Some(unmapped), ..Audit::default() }
    }

    fn run(pages: &[Audit]) -> Drift {
        let mut run = Drift { mapping: "m".to_owned(), ..Drift::default() };
        pages.iter().for_each(|page| run.add(page, MAX_RATIO));
        run
    }

    fn open(register: &Register) -> Vec<(Kind, &str, u64)> {
        register.open().map(|b| (b.kind, b.property.as_str(), b.count)).collect()
    }

    #[test]
    fn a_flaw_is_a_breach_above_its_share_of_a_page_and_a_new_code_at_once() {
        let mut register = Register::default();
        let few = [(Kind::Missing, "due_at", 10), (Kind::NewCode, "status", 1)];
        register.note(PARTY, &run(&[page(1000, &few, 3)]), true, Stamp(1));
        assert_eq!(open(&register), [(Kind::NewCode, "status", 1)]);
        // Eleven of a thousand on one page of many.
        let calm = page(1000, &[], 3);
        let pages = [calm.clone(), calm, page(1000, &[(Kind::Missing, "due_at", 11)], 3)];
        register.note(PARTY, &run(&pages), true, Stamp(2));
        assert_eq!(open(&register), [(Kind::Missing, "due_at", 11)]);
    }

    #[test]
    fn only_a_complete_run_with_records_and_without_a_trace_repairs_a_breach() {
        let mut register = Register::default();
        let broken = [(Kind::WrongType, "rooms", 50)];
        register.note(PARTY, &run(&[page(100, &broken, 3)]), false, Stamp(1));
        register.note(PARTY, &run(&[]), true, Stamp(2));
        register.note(PARTY, &run(&[page(100, &[], 3)]), false, Stamp(3));
        // One in a thousand breaks nothing anew, but it is a trace.
        let trace = [(Kind::WrongType, "rooms", 1)];
        register.note(PARTY, &run(&[page(1000, &trace, 3)]), true, Stamp(4));
        assert_eq!(open(&register), [(Kind::WrongType, "rooms", 51)]);
        assert!(register.note(PARTY, &run(&[page(1, &[], 3)]), true, Stamp(5)));
        assert_eq!(open(&register), []);
        let breach = &register.breaches[0];
        assert_eq!((breach.first_seen, breach.last_seen), (Stamp(1), Stamp(4)));
        assert_eq!(breach.repaired_at, Some(Stamp(5)));
        // The same again is a new breach: the register keeps how long each took to be repaired.
        register.note(PARTY, &run(&[page(100, &broken, 3)]), true, Stamp(6));
        assert_eq!(register.breaches.len(), 2);
        assert!(!register.note(PARTY, &run(&[]), true, Stamp(7)), "nothing came, nothing changed");
    }

    /// S15: a field is added.
    #[test]
    fn more_unmapped_fields_than_before_are_a_note_until_somebody_looks_at_them() {
        let mut register = Register::default();
        register.note(PARTY, &run(&[page(10, &[], 3)]), false, Stamp(1));
        assert_eq!(register.unmapped, None, "an interrupted run has not seen all records");
        register.note(PARTY, &run(&[page(10, &[], 3), page(10, &[], 4)]), true, Stamp(2));
        register.note(PARTY, &run(&[page(10, &[], 2)]), true, Stamp(3));
        assert_eq!((register.unmapped, register.open().count()), (Some(4), 0));
        register.note(PARTY, &run(&[page(10, &[], 6)]), true, Stamp(4));
        register.note(PARTY, &run(&[page(10, &[], 7)]), true, Stamp(5));
        assert_eq!(open(&register), [(Kind::NewFields, "", 3)]);
        assert_eq!((register.count(Grade::Additive), register.count(Grade::Breaking)), (1, 0));
        let looked_at = Drift { mapping: "other".to_owned(), ..run(&[page(10, &[], 7)]) };
        register.note(PARTY, &looked_at, true, Stamp(6));
        assert_eq!((register.unmapped, register.open().count()), (Some(7), 0));
    }

    #[test]
    fn the_register_is_bounded() {
        let mut register = Register::default();
        for i in 0..100 {
            let broken = [(Kind::Missing, "a", 5)];
            register.note(PARTY, &run(&[page(5, &broken, 3)]), true, Stamp(i * 2));
            register.note(PARTY, &run(&[page(5, &[], 3)]), true, Stamp(i * 2 + 1));
        }
        assert_eq!(register.breaches.len(), REPAIRED_KEPT);
        assert_eq!(register.breaches[REPAIRED_KEPT - 1].repaired_at, Some(Stamp(199)));
    }

    #[test]
    fn words_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        let drifting: Vec<_> = Reason::ALL.into_iter().filter_map(Kind::of).collect();
        assert!(Kind::ALL.iter().all(|k| *k == Kind::NewFields || drifting.contains(k)));
    }
}
