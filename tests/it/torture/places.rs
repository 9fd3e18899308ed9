//! The places at which the program can be made to die, as it tells them itself, and the changed
//! configurations under which it passes the rare ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::support::{copy, edit};

/// Passages beyond these are not waited for: later ones take longer and meet nothing new.
const OFTEN: u64 = 12;

/// In which life a place is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Life {
    /// In every life that has something to pull.
    Later,
    /// When the definitions have changed.
    Changed,
    /// When other definitions are taken over in mid-life.
    Reloaded,
    /// When there is no store yet.
    First,
}

/// A named place.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) life: Life,
    passages: u64,
    /// How often it is passed when there is no store yet.
    passages_first: u64,
}

impl Place {
    /// The same place, in a life whose definitions have changed.
    pub(super) fn after_a_change(&self) -> Self {
        Self { life: self.life.max(Life::Changed), ..self.clone() }
    }

    /// The same place, in a life that begins with no store, if it is passed there.
    pub(super) fn in_a_first_life(&self) -> Option<Self> {
        let passages = self.passages_first;
        (passages > 0).then(|| Self { life: Life::First, passages, ..self.clone() })
    }

    /// Up to which passage to die on it: a life that is in a hurry passes it half as often.
    pub(super) fn often(&self) -> u64 {
        (self.passages / 2).clamp(1, OFTEN)
    }
}

/// Every place of some recorded lives, each in the life that comes about most easily.
pub(super) fn found(recorded: &[(Life, String)]) -> Vec<Place> {
    let mut places: BTreeMap<&str, (Life, u64)> = BTreeMap::new();
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for (life, text) in recorded {
        let mut passages: BTreeMap<&str, u64> = BTreeMap::new();
        text.lines().for_each(|name| *passages.entry(name).or_default() += 1);
        for (name, passages) in passages {
            if *life == Life::First {
                first.insert(name, passages);
            }
            let known = places.entry(name).or_insert((*life, passages));
            if *life < known.0 {
                *known = (*life, passages);
            }
        }
    }
    let place = |(name, (life, passages)): (&str, (Life, u64))| Place {
        name: name.to_owned(),
        life,
        passages,
        passages_first: first.get(name).copied().unwrap_or(0),
    };
    places.into_iter().map(place).collect()
}

/// The configuration in `folder`, and beside it one with another measure and one in which a contract
/// has another property: the one is counted from the entities, for the other they are packed anew
/// and asked for again. There the status is of another list too: until records have come again, page after
/// small page, none has one, and nothing is left of the days of what is counted by it. Other streams' runs end
/// before they all have, and days are written.
pub(super) fn variants(folder: &Path) -> Vec<PathBuf> {
    let shipped = folder.join("config");
    let (measure, property) = (folder.join("another_measure"), folder.join("another_property"));
    copy(&shipped, &measure);
    let contract = "contracts/dossiers.yaml";
    edit(
        &measure.join(contract),
        "\nmeasures:\n",
        "\nmeasures:\n  torture: {count: true, at: submitted_at, by: [status]}\n",
    );
    copy(&shipped, &property);
    edit(
        &property.join(contract),
        "  refused_at:     {type: timestamp}\n",
        "  refused_at:     {type: timestamp}\n  returned_at:    {type: timestamp}\n",
    );
    let lists = property.join("lists");
    std::fs::copy(lists.join("dossier_status.csv"), lists.join("another_status.csv")).unwrap();
    edit(&property.join(contract), "list: dossier_status", "list: another_status");
    edit(&property.join("sources/portal.yaml"), "limit: 200}", "limit: 20}");
    let at = "      refused_at:     {at: /NgayTuChoi, format: yyyyMMddHHmmss}\n";
    let returned = "      returned_at:    {at: /NgayTra, format: yyyyMMddHHmmss}\n";
    edit(&property.join("sources/portal.yaml"), at, &format!("{at}{returned}"));
    vec![shipped, measure, property]
}

/// Which of the [`variants`] the store's newest figures were made under; `None` if it has none yet.
pub(super) fn in_force(store: &Path) -> Option<usize> {
    let file = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let newest = "SELECT files FROM epoch ORDER BY revision DESC LIMIT 1";
    let files: String = file.query_row(newest, [], |row| row.get(0)).ok()?;
    let has = |text: &str| usize::from(files.contains(text));
    Some(has("torture: {count") + 2 * has("returned_at:    {type"))
}

/// Whether every stream has ended a run that began after a moment.
pub(super) fn has_run(sources: &Value, since: &str) -> bool {
    let streams = sources["items"].as_array().unwrap().iter();
    let mut streams = streams.flat_map(|source| source["streams"].as_array().unwrap());
    streams.all(|stream| {
        let at = &stream["freshness"]["last_success_at"];
        at.as_str().is_some_and(|at| at >= since)
    })
}

/// Whether no measure is being built.
pub(super) fn is_built(jobs: &Value) -> bool {
    let jobs = jobs["items"].as_array().unwrap();
    jobs.iter().all(|job| job["kind"] != "rebuild" || job["state"] == "done")
}

/// As if there had never been one.
pub(super) fn remove_store(folder: &Path) {
    for name in ["iocgw.db", "iocgw.db-wal", "iocgw.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
}
