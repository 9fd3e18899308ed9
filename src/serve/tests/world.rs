//! A province of three communes with a portal that reports and kiosks that never did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::custody::Noting;
use super::webhooks::Kept;
use crate::clock::Clock;
use crate::indicator::{Catalogue, ContractFacts, KnownMeasure, Settings, UnitName};
use crate::model::access::{Grant, Reach, Scope};
use crate::model::area::{AreaList, Areas};
use crate::model::audit::{AuditEntry, AuditFilter};
use crate::model::backfill::Past;
use crate::model::cube::{Cube, Dimension, HOURS, cell, hours, settle};
use crate::model::dictionary::Dictionaries;
use crate::model::disclosure::{About, Disclosed, Disclosure, Way};
use crate::model::intake::{Pushed, Refused, Taken};
use crate::model::list::CodeList;
use crate::model::quarantine::{Filter, Group, Quarantined, State};
use crate::model::snapshot::{
    Conservation, Measure, MeasureKind, Outcome, RunLine, Snapshot, StreamState, Trouble,
};
use crate::model::text::Bilingual;
use crate::model::time::{Day, Stamp};
use crate::model::units::Span;
use crate::serve::{
    Access, AuditReader, Base, Context, Definitions, Denied, EventSettings, FleetFacts, Fleets,
    Holder, Hub, Intake, Keyring, Learned, Limiter, NoVintage, Province, QuarantineReader,
    RateLimits, SourceFacts, StreamFacts, TargetFacts, TargetState, Vintage, Vintages,
};

pub(super) const AREAS: &str = "code,name\n16663,Phường B\n16681,Phường A\n17000,Xã C\n";
/// Where two of them lie; of the third nobody knows.
pub(super) const CENTRES: &str = "code,lat,lon\n16663,18.75,105.5\n16681,18.5,105.75\n";
pub(super) const LIST: &str = "code,vi,en\nonline,Trực tuyến,Online\ncounter,Trực tiếp,Counter\n";

pub(super) const INDICATORS: &str = r"
online_rate:
  title: {vi: Tỷ lệ nộp trực tuyến, en: Share filed online}
  description: {vi: Hồ sơ nộp trực tuyến trên tổng số, en: Dossiers filed online of all}
  group: portal
  kind: ratio
  numerator: {measure: dossiers.received, where: {channel: online}}
  denominator: {measure: dossiers.received}
  unit_measure: percent
  direction: up
  targets: [{from: 2024-01-01, value: 0.80}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
received:
  title: {vi: Hồ sơ tiếp nhận, en: Dossiers received}
  group: portal
  kind: simple
  measure: {measure: dossiers.received}
  unit_measure: dossiers
  direction: up
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
kiosk_sessions:
  title: {vi: Lượt dùng kiốt, en: Kiosk sessions}
  group: kiosk
  kind: simple
  measure: {measure: kiosk.sessions}
  unit_measure: sessions
  direction: up
  targets: [{from: 2024-01-01, value: 100}]
  accountable: {unit: so-tttt, role: Giám đốc Sở}
";

/// When everything is read.
pub(super) fn now() -> Stamp {
    Stamp::parse("2024-04-02T17:00:30+07:00").unwrap()
}

/// `day, commune, channel, count` of the dossiers received.
const RECEIVED: [(&str, &str, &str, i64); 8] = [
    ("2024-03-01", "16681", "online", 3),
    ("2024-03-01", "16681", "counter", 1),
    ("2024-03-01", "16663", "online", 1),
    ("2024-03-01", "16663", "counter", 3),
    ("2024-03-15", "16681", "online", 4),
    ("2024-03-15", "17000", "counter", 2),
    ("2024-04-02", "16663", "online", 5),
    ("2024-04-02", "16663", "counter", 1),
];

/// Answers from a fixed list.
pub(super) struct Listed(pub(super) Vec<Quarantined>);

impl QuarantineReader for Listed {
    fn list(&self, filter: &Filter) -> Result<Vec<Quarantined>, String> {
        if filter.source.as_deref() == Some("kiosks") {
            return Err("disk CANARY-PATH is gone".to_owned());
        }
        let fits =
            |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|text| text == is);
        let wanted = |record: &&Quarantined| {
            fits(&filter.source, &record.source)
                && fits(&filter.reason, &record.reason)
                && fits(&filter.rule, &record.rule)
                && filter.state.is_none_or(|state| record.state == state)
                && (filter.ids.is_empty() || filter.ids.contains(&record.id))
                && filter.after.is_none_or(|after| record.id > after)
        };
        Ok(self.0.iter().filter(wanted).take(filter.limit).cloned().collect())
    }

    fn groups(&self, filter: &Filter) -> Result<Vec<Group>, String> {
        let records = self.list(filter)?;
        let group = records.first().map(|first| Group {
            source: first.source.clone(),
            stream: first.stream.clone(),
            contract: first.contract.clone(),
            reason: first.reason.clone(),
            rule: first.rule.clone(),
            records: records.len() as u64,
            first_seen: now(),
            last_seen: now(),
            shape: first.shape.clone(),
        });
        Ok(group.into_iter().collect())
    }
}

/// What the server told about its requests.
pub(super) type Observed = Arc<Mutex<Vec<(String, String, u16)>>>;

pub(super) fn context() -> Arc<Context> {
    watched().0
}

/// The context, and what the server observes.
pub(super) fn watched() -> (Arc<Context>, Observed) {
    let observed = Observed::default();
    let mut context = bare();
    let seen = observed.clone();
    context.observe = Arc::new(move |route, method, status, _| {
        seen.lock().unwrap().push((route.to_owned(), method.to_owned(), status));
    });
    (Arc::new(context), observed)
}

pub(super) fn bare() -> Context {
    let mut ground = Ground::new();
    let measures = vec![received(&ground), sessions()];
    let sources = [source("portal", "Cổng", "dossiers"), source("kiosks", "Kiốt", "kiosk")].into();
    ground.sources = sources;
    let mut context = ground.context(INDICATORS, snapshot(measures));
    super::trackers::add(&mut context);
    context
}

/// What stands still under a province: areas, lists, sources.
pub(super) struct Ground {
    words: Dictionaries,
    pub(super) areas: Areas,
    pub(super) channels: CodeList,
    pub(super) sources: BTreeMap<String, SourceFacts>,
}

impl Ground {
    pub(super) fn new() -> Self {
        let mut words = Dictionaries::default();
        for hour in hours() {
            words.entry(HOURS).intern(&hour).unwrap();
        }
        let from = Day::parse("2000-01-01").unwrap();
        let list = AreaList { name: "2025-07", text: AREAS, from, until: None };
        let mut areas = Areas::read(&[list], "old_code,new_code\n", &mut words).unwrap();
        areas.geometries.add_centres(CENTRES).unwrap();
        let channels = CodeList::read("filing_channel", LIST, &mut words).unwrap();
        Self { words, areas, channels, sources: BTreeMap::new() }
    }

    /// Four communes in two districts, from December 2024 three in one, from July 2025 two; what
    /// became of 16684, nobody knows. The crosswalk says at least what became of 16663.
    pub(super) fn changing(crosswalk: &str) -> Self {
        const OLDEST: &str = "code,name,district_code,district\n\
            16663,Phường B,412,Thành phố Vinh\n16681,Phường A,412,Thành phố Vinh\n\
            16684,Phường Cũ,412,Thành phố Vinh\n17000,Xã C,413,Huyện\n";
        const OLDER: &str = "code,name,district_code,district\n\
            16663,Phường B,412,Thành phố Vinh\n16681,Phường A,412,Thành phố Vinh\n\
            17000,Xã C,413,Huyện\n";
        let mut words = Dictionaries::default();
        let day = |text: &str| Day::parse(text).unwrap();
        let list = |name, text, from, until: Option<&str>| AreaList {
            name,
            text,
            from: day(from),
            until: until.map(day),
        };
        let lists = [
            list("2024-04", OLDEST, "2000-01-01", Some("2024-12-01")),
            list("2024-12", OLDER, "2024-12-01", Some("2025-07-01")),
            list("2025-07", "code,name\n16681,Phường AB\n17000,Xã C\n", "2025-07-01", None),
        ];
        let crosswalk = format!("old_code,new_code\n16681,16681\n17000,17000\n{crosswalk}");
        let areas = Areas::read(&lists, &crosswalk, &mut words).unwrap();
        let channels = CodeList::read("filing_channel", LIST, &mut words).unwrap();
        Self { words, areas, channels, sources: BTreeMap::new() }
    }

    /// A context that reads `indicators` (YAML) from `snapshot`.
    pub(super) fn context(self, indicators: &str, snapshot: Snapshot) -> Context {
        let known = snapshot.measures.iter().map(|(name, m)| (name.clone(), known(m))).collect();
        let units = [
            ("vp-ubnd", "Văn phòng UBND tỉnh", "Office"),
            ("so-tttt", "Sở TTTT", "Department"),
            ("so-du-lich", "Sở Du lịch", "Department of Tourism"),
        ]
        .map(|(id, vi, en)| {
            (
                id.to_owned(),
                UnitName {
                    name: bilingual(vi, en),
                    role: "Chánh Văn phòng".to_owned(),
                    parent: None,
                },
            )
        })
        .into();
        let settings: BTreeMap<String, Settings> = serde_saphyr::from_str(indicators).unwrap();
        let catalogue = Catalogue::compile(&settings, &known, &self.words, &units).unwrap();
        let contracts = snapshot.measures.values().map(|m| (m.contract.clone(), facts())).collect();
        Context {
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            definitions: Arc::new(Definitions {
                config: "0123456789abcdef".to_owned(),
                catalogue,
                areas: Arc::new(self.areas),
                words: Arc::new(self.words),
                lists: BTreeMap::from([("filing_channel".to_owned(), Arc::new(self.channels))]),
                contracts,
                contract_versions: BTreeMap::from([("dossiers".to_owned(), 3)]),
                measure_versions: BTreeMap::from([(
                    "dossiers.received".to_owned(),
                    "0123456789abcdef".to_owned(),
                )]),
                boards: super::boards::some(),
                trackers: BTreeMap::new(),
                units,
                province: Province {
                    code: "40".to_owned(), name: bilingual("Nghệ An", "Nghe An")
                },
                patterns: Arc::default(),
            }),
            vintages: Arc::new(NoPast),
            sources: self.sources,
            clock: Clock::standing(now()),
            fleets: Arc::new(Kiosks),
            intake: Arc::new(Doors),
            quarantine: Arc::new(Listed(Vec::new())),
            audit: Arc::new(Nothing),
            custodian: Arc::new(Noting::default()),
            hooks: Arc::new(Kept::default()),
            access: access([
                Scope::Read,
                Scope::Sources,
                Scope::Metrics,
                Scope::Admin,
                Scope::Webhooks,
            ]),
            reach: Reach::default(),
            kept: shelf(),
            repeats: Arc::default(),
            metrics: Arc::new(|| "# TYPE iocgw_x gauge\niocgw_x 1\n".to_owned()),
            exposition: Arc::default(),
            events: Arc::new(Hub::new(
                EventSettings::default(),
                Box::new(|_| {}),
                CancellationToken::new(),
            )),
            ready: Arc::new(|| vec![("store", Ok(())), ("config", Ok(()))]),
            observe: Arc::new(|_, _, _, _| {}),
            base: Base::default(),
            version: "0.1.0",
        }
    }
}

/// A shelf that nobody watches.
pub(super) fn shelf() -> Arc<crate::serve::Kept> {
    Arc::new(crate::serve::Kept::new(Arc::new(|_| {})))
}

/// Opens this to everybody; there are no keys.
pub(super) fn access(open: impl IntoIterator<Item = Scope>) -> Arc<Access> {
    let grant = Grant { scopes: open.into_iter().collect(), reach: Reach::default() };
    let anonymous = Some(Arc::new(grant));
    let limiter = Arc::new(Limiter::new(RateLimits::default()));
    let (keys, origins) = (Arc::new(NoKeys), Vec::new());
    let is_proxy = Arc::new(|_| false);
    Arc::new(Access { anonymous, keys, limiter, origins, is_proxy, watch: Arc::new(|_| {}) })
}

/// A log in which one thing stands.
struct Nothing;

impl AuditReader for Nothing {
    fn entries(&self, _: &AuditFilter) -> Result<Vec<AuditEntry>, String> {
        Ok(vec![AuditEntry {
            number: 1,
            at: now(),
            actor: "gateway".to_owned(),
            action: "gateway_started".to_owned(),
            object: "0.1.0".to_owned(),
            detail: String::new(),
            hash: [7; 32],
        }])
    }
}

/// A gateway for which nobody has made a key.
struct NoKeys;

impl Keyring for NoKeys {
    fn holder(&self, _: &str) -> Result<Holder, Denied> {
        Err(Denied::Unknown)
    }

    fn grant(&self, _: &str) -> Option<Arc<Grant>> {
        None
    }
}

/// Takes a body that is a number of records, and says no to each word that is a refusal.
struct Doors;

impl Intake for Doors {
    fn body_limit(&self, stream: &str) -> Option<u64> {
        (stream == "loans.decisions").then_some(32)
    }

    fn push(&self, _: &str, pushed: Pushed) -> BoxFuture<'static, Result<Taken, Refused>> {
        let body = std::str::from_utf8(&pushed.body).unwrap();
        let outcome = match body {
            "forged" => Err(Refused::Unauthenticated("no".to_owned())),
            "other" => Err(Refused::Differs),
            "often" => Err(Refused::TooMany { after: 7 }),
            "full" => Err(Refused::Unavailable("full".to_owned())),
            "broken" => Err(Refused::Unreadable("no".to_owned())),
            "biased" => Err(Refused::Contract("no".to_owned())),
            number => {
                let received = number.parse().unwrap();
                let records =
                    Conservation { received, accepted: received, ..Conservation::default() };
                let is_repeated = pushed.idempotency_key.is_some();
                Ok(Taken { records, is_repeated })
            }
        };
        std::future::ready(outcome).boxed()
    }
}

/// Sixty kiosks, of which two are silent.
struct Kiosks;

impl Fleets for Kiosks {
    fn targets(
        &self,
        source: &str,
        after: &str,
        state: Option<TargetState>,
        limit: usize,
    ) -> Option<FleetFacts> {
        let kiosk = |i: u32| TargetFacts {
            target: format!("KSK-{i:03}"),
            state: if i % 30 == 7 { TargetState::Silent } else { TargetState::Up },
            since: Some(now()),
            asked_at: Some(now()),
        };
        let all = (1..=60).map(kiosk).filter(|kiosk| kiosk.target.as_str() > after);
        let wanted = all.filter(|kiosk| state.is_none_or(|state| kiosk.state == state));
        let items = wanted.take(limit).collect();
        let facts = FleetFacts { up: 58, silent: 2, items, ..FleetFacts::default() };
        (source == "kiosks").then_some(facts)
    }
}

/// A store without a past.
struct NoPast;

impl Vintages for NoPast {
    fn at(&self, _: Stamp) -> Result<Vintage, NoVintage> {
        Err(NoVintage::Before(now()))
    }

    fn learned(&self, _: &str, _: Stamp, _: Stamp) -> Result<Vec<Learned>, NoVintage> {
        Err(NoVintage::Before(now()))
    }
}

fn known(measure: &Measure) -> KnownMeasure {
    KnownMeasure {
        kind: measure.kind,
        decimals: measure.decimals,
        dimensions: measure.dimensions.clone(),
        contract: measure.contract.clone(),
        definition: format!("{:?}", measure.kind),
    }
}

pub(super) fn bilingual(vi: &str, en: &str) -> Bilingual {
    Bilingual { vi: vi.to_owned(), en: en.to_owned() }
}

fn facts() -> ContractFacts {
    let received = Disclosed { way: Way::Count("received_at".to_owned()), is_narrowed: false };
    ContractFacts {
        fresh_within: Span::seconds(1800),
        accountable_unit: "vp-ubnd".to_owned(),
        publication: None,
        disclosure: Disclosure {
            about: About::Persons,
            min_count: 5,
            measures: [("dossiers.received".to_owned(), received)].into(),
        },
    }
}

pub(super) fn source(name: &str, title: &str, contract: &str) -> (String, SourceFacts) {
    let past = Past::Slices(86_400);
    let stream = StreamFacts { name: contract.to_owned(), contract: contract.to_owned(), past };
    let facts = SourceFacts {
        title: bilingual(title, name),
        source_kind: "test".to_owned(),
        accountable_unit: "vp-ubnd".to_owned(),
        streams: vec![stream],
    };
    (name.to_owned(), facts)
}

pub(super) fn received(ground: &Ground) -> Measure {
    let cells = RECEIVED.iter().map(|(day, commune, channel, count)| {
        (Day::parse(day).unwrap(), *commune, *channel, *count)
    });
    measure(ground, "dossiers.received", MeasureKind::Flow, cells)
}

/// A measure by channel from `day, commune, channel, count`.
pub(super) fn measure(
    ground: &Ground,
    name: &str,
    kind: MeasureKind,
    cells: impl Iterator<Item = (Day, &'static str, &'static str, i64)>,
) -> Measure {
    let mut changes: Vec<(u64, i64)> = cells
        .map(|(day, commune, channel, count)| {
            let area = ground.areas.current_by_code(commune).unwrap();
            let channel = u32::from(ground.channels.number(channel).unwrap());
            (cell(i64::from(day.0), area, channel), count)
        })
        .collect();
    settle(&mut changes);
    let mut cube = Cube::default();
    cube.add(&changes);
    Measure {
        name: name.to_owned(),
        contract: name.split('.').next().unwrap().to_owned(),
        kind,
        decimals: 0,
        dimensions: vec![Dimension {
            name: "channel".to_owned(),
            dictionary: "list:filing_channel".to_owned(),
            shift: 0,
            bits: 4,
        }],
        cube,
    }
}

pub(super) fn sessions() -> Measure {
    Measure {
        name: "kiosk.sessions".to_owned(),
        contract: "kiosk".to_owned(),
        kind: MeasureKind::Flow,
        decimals: 0,
        dimensions: Vec::new(),
        cube: Cube::default(),
    }
}

pub(super) fn snapshot(measures: Vec<Measure>) -> Snapshot {
    let at = Stamp::parse("2024-04-02T16:59:40+07:00").unwrap();
    let through = Stamp(at.0 - 40);
    let records = Conservation { received: 25, accepted: 20, duplicate: 5, ..Default::default() };
    let run = RunLine {
        started: through,
        ended: Stamp(at.0 - 10),
        outcome: Outcome::Ok,
        pages: 1,
        records,
        message: None,
    };
    let portal = StreamState {
        source: "portal".to_owned(),
        stream: "dossiers".to_owned(),
        contract: "dossiers".to_owned(),
        last_attempt: Some(through),
        last_success: Some(run.ended),
        data_through: Some(through),
        next_run: Some(Stamp(at.0 + 60)),
        total: records,
        quarantined: 0,
        runs: [run].into(),
        ..StreamState::default()
    };
    let kiosks = StreamState {
        source: "kiosks".to_owned(),
        stream: "kiosk".to_owned(),
        contract: "kiosk".to_owned(),
        last_attempt: Some(through),
        trouble: Some(Trouble {
            reason: "timeout".to_owned(),
            message: "no answer within 20s".to_owned(),
            since: Stamp(at.0 - 3600),
            count: 4,
        }),
        targets: Some((58, 60)),
        ..StreamState::default()
    };
    Snapshot {
        revision: 18442,
        at,
        measures: measures.into_iter().map(|m| (m.name.clone(), Arc::new(m))).collect(),
        streams: [portal, kiosks]
            .map(|stream| (format!("{}.{}", stream.source, stream.stream), Arc::new(stream)))
            .into(),
        ..Snapshot::default()
    }
}

/// A record in quarantine.
pub(super) fn quarantined(id: u64, source: &str, reason: &str) -> Quarantined {
    Quarantined {
        id,
        source: source.to_owned(),
        stream: "dossiers".to_owned(),
        contract: "dossiers".to_owned(),
        contract_version: 1,
        reason: reason.to_owned(),
        rule: "received_at".to_owned(),
        shape: r#"{"received_at":"text"}"#.to_owned(),
        first_seen: now(),
        last_seen: now(),
        attempts: 1,
        state: State::Held,
        discarded: None,
    }
}
