//! A province with a history: commits that are remembered, definitions that change, and communes
//! that were four, then three, then two.
//!
//! [`Story`] keeps every revision it ever had, so that what the server tells about the past can be
//! compared with what the server told then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::world::{Ground, source};
use crate::model::cube::{Cube, Dimension, cell, settle};
use crate::model::revision::Cause;
use crate::model::snapshot::{Measure, MeasureKind, Snapshot, StreamState};
use crate::model::time::{Day, Stamp};
use crate::serve::{Context, Definitions, Learned, NoVintage, Vintage, Vintages};

pub(super) const INDICATORS: &str = r"
received: &base
  title: {vi: Hồ sơ tiếp nhận, en: Dossiers received}
  group: portal
  kind: simple
  measure: {measure: dossiers.received}
  unit_measure: dossiers
  direction: up
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
online_rate:
  title: {vi: Tỷ lệ nộp trực tuyến, en: Share filed online}
  group: portal
  kind: ratio
  numerator: {measure: dossiers.received, where: {channel: online}}
  denominator: {measure: dossiers.received}
  unit_measure: percent
  direction: up
  targets: [{from: 2024-01-01, value: 0.80}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
pending:
  title: {vi: Hồ sơ đang giải quyết, en: Dossiers pending}
  group: portal
  kind: simple
  measure: {measure: dossiers.pending}
  unit_measure: dossiers
  direction: down
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
";

/// `day, code of the commune on that day, channel, how many more`.
pub(super) type Change<'a> = (&'a str, &'a str, &'a str, i64);

/// Everything that was ever known.
#[derive(Clone, Default)]
struct Memory {
    vintages: Vec<(Vintage, Stamp)>,
    lessons: BTreeMap<String, Vec<Learned>>,
    compacted: Option<(Stamp, Stamp)>,
}

/// A story under way.
pub(super) struct Story {
    memory: Arc<Mutex<Memory>>,
    pub(super) context: Arc<Context>,
    snapshot: Snapshot,
    definitions: Arc<Definitions>,
}

pub(super) fn stamp(text: &str) -> Stamp {
    Stamp::parse(&format!("{text}+07:00")).unwrap()
}

impl Vintages for Mutex<Memory> {
    fn at(&self, at: Stamp) -> Result<Vintage, NoVintage> {
        let memory = self.lock().unwrap();
        if let Some((from, to)) = memory.compacted.filter(|(from, to)| (*from..*to).contains(&at)) {
            assert!(from < to);
            return Err(NoVintage::Compacted(Stamp(from.0 - 1)));
        }
        let known = memory.vintages.iter().rev().find(|(_, since)| *since <= at);
        let first = memory.vintages[0].1;
        known.map(|(vintage, _)| vintage.clone()).ok_or(NoVintage::Before(first))
    }

    fn learned(&self, measure: &str, after: Stamp, upto: Stamp) -> Result<Vec<Learned>, NoVintage> {
        let memory = self.lock().unwrap();
        let all = memory.lessons.get(measure).cloned().unwrap_or_default();
        Ok(all.into_iter().filter(|lesson| lesson.at > after && lesson.at <= upto).collect())
    }
}

fn empty(name: &str, kind: MeasureKind) -> (String, Arc<Measure>) {
    let measure = Measure {
        name: name.to_owned(),
        contract: "dossiers".to_owned(),
        kind,
        decimals: 0,
        dimensions: vec![Dimension {
            name: "channel".to_owned(),
            dictionary: "list:filing_channel".to_owned(),
            shift: 0,
            bits: 4,
        }],
        cube: Cube::default(),
    };
    (name.to_owned(), Arc::new(measure))
}

fn nothing() -> Snapshot {
    let measures =
        [("dossiers.received", MeasureKind::Flow), ("dossiers.pending", MeasureKind::Stock)];
    let measures = measures.map(|(name, kind)| empty(name, kind)).into();
    Snapshot { measures, ..Snapshot::default() }
}

impl Story {
    /// Begins with nothing known at `at`.
    pub(super) fn begin(at: &str) -> Self {
        let mut ground = Ground::changing("16663,16681\n");
        ground.sources = [source("portal", "Cổng", "dossiers")].into();
        let mut context = ground.context(INDICATORS, nothing());
        let memory = Arc::new(Mutex::new(Memory::default()));
        context.vintages = Arc::clone(&memory) as Arc<dyn Vintages>;
        let definitions = Arc::clone(&context.definitions);
        let mut story =
            Self { memory, context: Arc::new(context), snapshot: nothing(), definitions };
        story.commit(at, "dossiers.received", Cause::Arrived, &[]);
        story
    }

    /// Commits changes of a measure; the source is complete up to the time of the commit.
    pub(super) fn commit(&mut self, at: &str, measure: &str, cause: Cause, changes: &[Change<'_>]) {
        let at = stamp(at);
        let (areas, words) = (&self.definitions.areas, &self.definitions.words);
        let channels = words.get("list:filing_channel").unwrap();
        let mut cells: Vec<(u64, i64)> = changes
            .iter()
            .map(|(day, code, channel, count)| {
                let day = Day::parse(day).unwrap();
                let area = areas.resolve(code, day).unwrap();
                let channel = u32::from(channels.number(channel).unwrap());
                (cell(i64::from(day.0), area, channel), *count)
            })
            .collect();
        settle(&mut cells);
        self.snapshot.revision += 1;
        self.snapshot.at = at;
        let known = self.snapshot.measures.get_mut(measure).unwrap();
        Arc::make_mut(known).cube.add(&cells);
        let portal = StreamState {
            source: "portal".to_owned(),
            stream: "dossiers".to_owned(),
            contract: "dossiers".to_owned(),
            last_success: Some(at),
            data_through: Some(at),
            ..StreamState::default()
        };
        self.snapshot.streams = [("portal.dossiers".to_owned(), Arc::new(portal))].into();
        let revision = self.snapshot.revision;
        let lesson = Learned { at, revision, cause, changes: cells };
        let mut memory = self.memory.lock().unwrap();
        memory.lessons.entry(measure.to_owned()).or_default().push(lesson);
        drop(memory);
        self.publish(at);
    }

    /// Puts another configuration in force.
    pub(super) fn define(&mut self, at: &str, indicators: &str, crosswalk: &str) {
        let ground = Ground::changing(crosswalk);
        let mut definitions = (*ground.context(indicators, nothing()).definitions).clone();
        definitions.config = "fedcba9876543210".to_owned();
        self.definitions = Arc::new(definitions);
        self.publish(stamp(at));
    }

    /// Only the end of the day before is kept of the time between two moments.
    pub(super) fn compact(&self, from: &str, to: &str) {
        self.memory.lock().unwrap().compacted = Some((stamp(from), stamp(to)));
    }

    fn publish(&mut self, at: Stamp) {
        let snapshot = Arc::new(self.snapshot.clone());
        let definitions = Arc::clone(&self.definitions);
        let vintage = Vintage { snapshot: Arc::clone(&snapshot), definitions };
        self.memory.lock().unwrap().vintages.push((vintage, at));
        let old = &self.context;
        self.context = Arc::new(Context {
            snapshot: Arc::new(arc_swap::ArcSwap::new(snapshot)),
            definitions: Arc::clone(&self.definitions),
            kept: super::world::shelf(),
            ..Context::clone(old)
        });
        self.context.clock.set(Stamp(at.0 + 1));
    }

    /// Lets time pass.
    pub(super) fn wait_until(&self, at: &str) {
        self.context.clock.set(stamp(at));
    }
}
