//! From everything that the province ever said to what is true: the latest version of each record,
//! at the commune of today where it belongs.
//!
//! What was damaged on its way or deliberately bad is left out. Codes of communes are looked up
//! here once more, from the shipped tables, and compared with what the ledger says was meant.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ioc_gateway::province::{Bad, Fact, Said, System};

use super::calendar::{local_day, number};
use super::stage::reconciles;
use crate::support::shipped;

/// The communes of today by code, and what became of the older ones.
pub(super) struct Places {
    pub(super) codes: Vec<String>,
    successor: HashMap<u32, u32>,
}

impl Places {
    pub(super) fn read() -> Self {
        let text =
            |name: &str| std::fs::read_to_string(shipped().join("areas").join(name)).unwrap();
        let today = text("communes_2025.csv");
        let code = |line: &str| line.split(',').next().unwrap().to_owned();
        let mut codes: Vec<String> = today.lines().skip(1).map(code).collect();
        codes.sort();
        assert_eq!(codes.len(), 130);
        let crosswalk = text("crosswalk_2024_2025.csv");
        let pair = |line: &str| {
            let columns: Vec<&str> = line.split(',').collect();
            (columns[0].parse().unwrap(), columns[4].parse().unwrap())
        };
        Self { codes, successor: crosswalk.lines().skip(1).map(pair).collect() }
    }

    /// The place among today's communes of what `code` meant on `day`.
    fn at(&self, code: u32, day: i32) -> usize {
        let as_is = self.find(code).filter(|_| day >= number(2025, 7, 1));
        let place = as_is.or_else(|| self.find(*self.successor.get(&code)?));
        place.unwrap_or_else(|| panic!("{code:05} lies nowhere on day {day}"))
    }

    fn find(&self, code: u32) -> Option<usize> {
        self.codes.binary_search(&format!("{code:05}")).ok()
    }
}

/// One record as it stands in the end, and its commune's place.
pub(super) struct Standing {
    pub(super) fact: Fact,
    pub(super) place: usize,
}

/// The latest version of every record that was not withdrawn in it. Kiosks are not among them:
/// their records are made by the gateway.
pub(super) fn standing(said: &[Said], places: &Places) -> Vec<Standing> {
    let mut latest: BTreeMap<(&str, String), &Said> = BTreeMap::new();
    for said in said.iter().filter(|said| said.whole && said.bad.is_none()) {
        let Some(key) = key(&said.fact) else { continue };
        match latest.entry(key) {
            Entry::Vacant(place) => _ = place.insert(said),
            Entry::Occupied(mut known) => {
                let before = *known.get();
                if before.version == said.version {
                    let same = before.fact == said.fact && before.withdrawn == said.withdrawn;
                    assert!(same, "two contents of one version: {before:?} {said:?}");
                } else if before.version < said.version {
                    known.insert(said);
                }
            }
        }
    }
    let in_force = latest.into_values().filter(|said| !said.withdrawn);
    in_force.map(|said| Standing { fact: said.fact.clone(), place: place(said, places) }).collect()
}

/// What is left when the systems have lost records without a word and said the others again from the
/// `from`th on: of streams that are read in full passes only what was said again.
pub(super) fn left(said: &[Said], from: usize) -> Vec<Said> {
    let is_full = |said: &Said| {
        let (source, name) = stream(said.system);
        reconciles(source, name)
    };
    let full: BTreeSet<System> = {
        let all: BTreeSet<System> = said.iter().map(|said| said.system).collect();
        let first = |system: &System| said.iter().find(|said| said.system == *system).unwrap();
        all.into_iter().filter(|system| is_full(first(system))).collect()
    };
    let is_sound = |said: &&Said| said.whole && said.bad.is_none();
    let again: BTreeSet<_> =
        said[from..].iter().filter(is_sound).filter_map(|said| key(&said.fact)).collect();
    let is_left = |said: &&Said| {
        let is_again = || key(&said.fact).is_none_or(|key| again.contains(&key));
        !full.contains(&said.system) || is_again()
    };
    said.iter().filter(is_left).cloned().collect()
}

/// Which contract a record keeps, and its key there.
fn key(fact: &Fact) -> Option<(&'static str, String)> {
    Some(match fact {
        Fact::Dossier(dossier) => ("dossiers", dossier.dossier.clone()),
        Fact::Return(of) => ("lodging_returns", format!("{} {}", of.facility, of.stay_date)),
        Fact::Facility(facility) => ("facilities", facility.facility.clone()),
        Fact::Session(session) => ("kiosk_sessions", session.session.clone()),
        Fact::Record(record) => (record.contract, record.key.clone()),
        Fact::Heartbeat(_) | Fact::Silence { .. } => return None,
    })
}

/// By the code that was sent and the day that gives it its meaning.
fn place(said: &Said, places: &Places) -> usize {
    let (code, today, day) = match &said.fact {
        Fact::Dossier(of) => (of.commune_code, of.commune_today, local_day(of.submitted_at.0)),
        Fact::Return(of) => (of.commune_code, of.commune_today, of.stay_date.0),
        Fact::Facility(of) => (of.commune_code, of.commune_today, local_day(said.version.0)),
        // A kiosk's commune is known by its code of today throughout.
        Fact::Session(of) => (of.commune_code, of.commune_code, local_day(of.started_at.0)),
        Fact::Record(of) => (of.commune_code, of.commune_today, of.code_day.0),
        Fact::Heartbeat(_) | Fact::Silence { .. } => unreachable!("kiosks have no key"),
    };
    let place = places.at(code, day);
    assert_eq!(Some(place), places.find(today), "{said:?}");
    place
}

/// How a kiosk was when it was asked last; `None` is silence.
pub(super) struct Kiosk {
    pub(super) heartbeat: Option<ioc_gateway::province::Heartbeat>,
    pub(super) place: usize,
}

/// Every kiosk of the shipped target list, by the last thing that it said or failed to say.
pub(super) fn kiosks(said: &[Said], places: &Places) -> Vec<Kiosk> {
    let mut last = HashMap::new();
    for said in said.iter().filter(|said| said.system == System::Kiosk) {
        match &said.fact {
            Fact::Heartbeat(of) if said.whole => last.insert(of.kiosk.clone(), Some(of.clone())),
            Fact::Heartbeat(of) => last.insert(of.kiosk.clone(), None),
            Fact::Silence { kiosk } => last.insert(kiosk.clone(), None),
            _ => None,
        };
    }
    let text = std::fs::read_to_string(shipped().join("targets/kiosks.json")).unwrap();
    let targets: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let kiosk = |target: &serde_json::Value| {
        let name = target["targets"][0].as_str().unwrap();
        let code = target["labels"]["commune_code"].as_str().unwrap();
        Kiosk {
            heartbeat: last.get(name).unwrap_or_else(|| panic!("{name} was not asked")).clone(),
            place: places.find(code.parse().unwrap()).unwrap(),
        }
    };
    targets.iter().map(kiosk).collect()
}

/// Source, stream and reason as the quarantine tells them.
pub(super) type Kept = (String, String, String);

/// How many different records broke their contract, and were readable, by where and why.
pub(super) fn bad(said: &[Said]) -> BTreeMap<Kept, usize> {
    let mut keys: BTreeMap<Kept, BTreeSet<String>> = BTreeMap::new();
    for said in said.iter().filter(|said| said.whole) {
        let Some(bad) = said.bad else { continue };
        let (source, stream) = stream(said.system);
        let reason = match bad {
            Bad::WrongType => "wrong_type",
            Bad::UnknownCode => "unknown_code",
            Bad::UnknownCommune => "unknown_area",
            Bad::FutureDate => "future_dated",
        };
        let kept = (source.to_owned(), stream.to_owned(), reason.to_owned());
        // Where what is wrong lies in the key, different records have the same one.
        let whole = key(&said.fact).map(|(_, key)| format!("{key} {:?}", said.fact));
        keys.entry(kept).or_default().extend(whole);
    }
    keys.into_iter().map(|(kept, keys)| (kept, keys.len())).collect()
}

/// What the shipped configuration calls a stream.
fn stream(system: System) -> (&'static str, &'static str) {
    match system {
        System::Portal => ("portal", "dossiers"),
        System::ReturnsA => ("lodging_a", "returns"),
        System::FacilitiesA => ("lodging_a", "facilities"),
        System::ReturnsB => ("lodging_b", "returns"),
        System::FacilitiesB => ("lodging_b", "facilities"),
        System::Kiosk => ("kiosk_fleet", "status"),
        System::Sessions => ("kiosk_platform", "sessions"),
        System::MedicalReturns => ("medical", "returns"),
        System::MedicalFacilities => ("medical", "facilities"),
        System::Certification => ("certification_points", "days"),
        System::Exams => ("exams", "sessions"),
        System::Loans => ("loans", "loans"),
        System::Households => ("loans", "households"),
        System::Citizens => ("citizens", "months"),
        System::Screens => ("screens", "days"),
        System::Courses => ("courses", "months"),
        System::Programme => ("programme", "items"),
        System::Petitions => ("petitions", "petitions"),
        System::Votes => ("petitions", "votes"),
        System::Evaluation => ("evaluation", "rows"),
    }
}
