//! Which targets a fleet has: written in the configuration, in files that others write (`file_sd`), or
//! told by a service (`http_sd`), both in Prometheus' own formats.
//!
//! Lists are read again while the gateway runs: files as soon as they change, a service at its
//! interval. What cannot be read or makes no sense changes nothing: the last good list of that file or
//! service stays, and the trouble is told until it is over. A target that is on no list any more is no
//! longer asked; what it said stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Shared, Target};
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::pull::{self, Authenticator, Scalar, Turn, Vars};

/// The largest list of targets, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The most files that the patterns of one fleet may name.
const MAX_FILES: usize = 100;

/// The most labels of one group.
const MAX_LABELS: usize = 64;

/// Where a fleet's targets stand, and how they are polled.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetSettings {
    /// Targets with their labels, written here.
    #[serde(default)]
    pub targets: Vec<TargetGroup>,
    /// One file of targets below the configuration's folder, in the form of Prometheus' `file_sd`;
    /// it must be there and whole when the gateway starts, and is read again when it changes.
    #[serde(default)]
    pub targets_file: Option<String>,
    /// Files of targets that somebody else writes.
    #[serde(default)]
    pub file_sd: Option<FileDiscovery>,
    /// A service that tells the targets.
    #[serde(default)]
    pub http_sd: Option<HttpDiscovery>,
    /// The length of the time slots in which polls are counted.
    pub slot: Span,
    /// How many targets are asked at once.
    #[serde(default = "twenty")]
    pub concurrency: usize,
    /// The most targets; a longer list is refused whole.
    #[serde(default = "ten_thousand")]
    pub max_targets: usize,
}

/// Targets with the labels that they share: one group of Prometheus' discovery formats.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGroup {
    /// Names or addresses, as `{{ target }}` in the source's url.
    pub targets: Vec<String>,
    /// Labels, for the map's `label`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Prometheus' `file_sd`: JSON (`.json`) or YAML (`.yml`, `.yaml`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileDiscovery {
    /// Paths, relative ones below the configuration's folder; the last piece may hold one `*`.
    pub files: Vec<String>,
    /// How often it is looked whether they have changed.
    #[serde(default = "five_seconds")]
    pub refresh_interval: Span,
}

/// Prometheus' `http_sd`: a GET that answers a JSON list of groups.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpDiscovery {
    /// The service's address.
    pub url: String,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, Scalar>,
    /// How often it is asked.
    #[serde(default = "one_minute")]
    pub refresh_interval: Span,
    /// How the gateway proves to the service who it is; the fleet's own credentials are not sent there.
    #[serde(default = "anonymous")]
    pub authenticator: Authenticator,
}

const fn twenty() -> usize {
    20
}

const fn ten_thousand() -> usize {
    10_000
}

fn five_seconds() -> Span {
    Span::seconds(5)
}

fn one_minute() -> Span {
    Span::seconds(60)
}

const fn anonymous() -> Authenticator {
    Authenticator::None {}
}

impl FleetSettings {
    /// Problems of the settings, by place below `at`.
    pub fn check(&self, at: &str, problems: &mut Vec<(String, String)>) {
        let mut require = |holds: bool, key: &str, message: &str| {
            if !holds {
                problems.push((format!("{at}{key}"), message.to_owned()));
            }
        };
        let is_told = !self.targets.is_empty()
            || self.targets_file.is_some()
            || self.file_sd.is_some()
            || self.http_sd.is_some();
        require(
            is_told,
            "",
            "say where the targets stand: 'targets', 'targets_file', 'file_sd' or 'http_sd'",
        );
        require(self.slot.as_seconds() >= 1, ".slot", "the shortest slot is 1s");
        let range = "must be 1 to 10000";
        require((1..=10_000).contains(&self.concurrency), ".concurrency", range);
        let range = "must be 1 to 100000";
        require((1..=100_000).contains(&self.max_targets), ".max_targets", range);
        if let Some(files) = &self.file_sd {
            require(!files.files.is_empty(), ".file_sd.files", "name at least one file");
            for (i, pattern) in files.files.iter().enumerate() {
                let message = "must end with .json, .yml or .yaml, with at most one '*', in the last piece of the path";
                require(is_pattern(pattern), &format!(".file_sd.files.{i}"), message);
            }
            let fine = files.refresh_interval.as_seconds() >= 1;
            require(fine, ".file_sd.refresh_interval", "the shortest interval is 1s");
        }
        if let Some(service) = &self.http_sd {
            let fine = service.refresh_interval.as_seconds() >= 1;
            require(fine, ".http_sd.refresh_interval", "the shortest interval is 1s");
            let fine = !service.url.contains("{{");
            require(fine, ".http_sd.url", "there is nothing yet that a template could stand for");
            service.authenticator.check(&format!("{at}.http_sd.authenticator"), problems);
        }
    }

    /// What asks the service, made from what asks the targets.
    pub fn service(&self, requester: &pull::Requester) -> Option<pull::Requester> {
        let url = self.http_sd.as_ref()?.url.clone();
        let mut requester = requester.clone();
        requester.url = url;
        requester.body_limit = crate::model::units::Size(MAX_BYTES);
        // They are meant for the targets: they may name one, or say who we are.
        requester.headers.clear();
        Some(requester)
    }
}

/// Whether a path may name files of targets.
fn is_pattern(pattern: &str) -> bool {
    let path = Path::new(pattern);
    let extension = path.extension().and_then(|extension| extension.to_str());
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    matches!(extension, Some("json" | "yml" | "yaml"))
        && pattern.matches('*').count() == name.matches('*').count()
        && name.matches('*').count() <= 1
}

/// A list that was read.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The targets that make sense.
    pub targets: Vec<Target>,
    /// How many names make none.
    pub unusable: usize,
}

impl List {
    /// From groups; a name that could not stand in an address is passed over and counted.
    fn of(groups: Vec<TargetGroup>) -> Result<Self, String> {
        let mut list = Self::default();
        for group in groups {
            if group.labels.len() > MAX_LABELS {
                return Err(format!("a group has more than {MAX_LABELS} labels"));
            }
            let labels = Arc::new(group.labels);
            for name in group.targets {
                if pull::is_target(&name) {
                    list.targets.push(Target { name: name.into(), labels: Arc::clone(&labels) });
                } else {
                    list.unusable += 1;
                }
            }
        }
        Ok(list)
    }

    /// From the text of a file of Prometheus' formats; errors name line and column, not contents.
    pub fn read(name: &str, text: &str) -> Result<Self, (u32, String)> {
        let groups = if Path::new(name).extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(text).map_err(|error| (error.line() as u32, error.to_string()))?
        } else {
            serde_saphyr::from_str(text).map_err(|error| {
                let line = error.location().map_or(1, |location| location.line() as u32);
                (line, format!("no list of groups in YAML (line {line})"))
            })?
        };
        Self::of(groups).map_err(|message| (1, message))
    }

    /// From the groups of a configuration.
    pub fn written(groups: &[TargetGroup]) -> Result<Self, String> {
        Self::of(groups.to_vec())
    }
}

/// What is known of a fleet's targets at a moment.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// The targets, each once, by name.
    pub targets: Arc<[Arc<Target>]>,
    /// When all lists were last good.
    pub good_at: Option<Stamp>,
    /// What is wrong with a list now: the last good one stands for it.
    pub trouble: Option<String>,
    /// Names that could not stand in an address, or stand on the lists more than once.
    pub passed_over: usize,
}

/// Keeps the list of one fleet's targets.
pub struct Discovery {
    source: String,
    folder: PathBuf,
    settings: FleetSettings,
    service: Option<(pull::Source, pull::Stream)>,
    found: ArcSwap<Discovered>,
    work: Mutex<Work>,
}

/// The lists by where they came from, and when to look again.
#[derive(Default)]
struct Work {
    files: BTreeMap<PathBuf, (Option<Mark>, List)>,
    service: List,
    files_due: Option<Instant>,
    service_due: Option<Instant>,
    troubles: BTreeMap<String, String>,
}

/// By what a changed file is told: when it was written, its length and its number on the volume.
type Mark = (i64, i64, u64, u64);

impl Discovery {
    /// Knows nothing before [`Discovery::refresh`]; `service` asks the fleet's `http_sd`.
    pub fn new(
        source: &str,
        folder: &Path,
        settings: FleetSettings,
        service: Option<pull::Source>,
    ) -> Self {
        let request = settings
            .http_sd
            .as_ref()
            .map(|http| pull::Stream { query: http.query.clone(), ..pull::Stream::default() });
        Self {
            source: source.to_owned(),
            folder: folder.to_owned(),
            settings,
            service: service.zip(request),
            found: ArcSwap::default(),
            work: Mutex::default(),
        }
    }

    /// What is known now.
    pub fn found(&self) -> Arc<Discovered> {
        self.found.load_full()
    }

    /// Looks at whatever is due, again and again, until `stop`.
    pub async fn keep(&self, shared: &Shared, stop: &CancellationToken) {
        loop {
            let next = self.refresh(shared).await;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks at whatever is due; yields when the next look is due.
    pub async fn refresh(&self, shared: &Shared) -> Instant {
        let mut work = self.work.lock().await;
        let now = Instant::now();
        let is_due = |due: Option<Instant>| due.is_none_or(|due| due <= now);
        let (files, service) = (is_due(work.files_due), is_due(work.service_due));
        if files {
            self.look_at_files(&mut work).await;
            work.files_due = Some(now + self.files_every());
        }
        if service {
            self.ask_service(&mut work, shared).await;
            work.service_due = Some(Instant::now() + self.service_every());
        }
        if files || service {
            self.publish(&work, shared);
        }
        let next = work.files_due.min(work.service_due);
        next.unwrap_or_else(|| now + Duration::from_secs(5))
    }

    fn files_every(&self) -> Duration {
        self.settings.file_sd.as_ref().map_or(five_seconds().0, |files| files.refresh_interval.0)
    }

    fn service_every(&self) -> Duration {
        let every = |http: &HttpDiscovery| http.refresh_interval.0;
        self.settings.http_sd.as_ref().map_or(one_minute().0, every)
    }

    async fn look_at_files(&self, work: &mut Work) {
        let mut patterns: Vec<String> = self.settings.targets_file.iter().cloned().collect();
        patterns.extend(self.settings.file_sd.iter().flat_map(|files| files.files.clone()));
        let (folder, most) = (self.folder.clone(), self.settings.max_targets);
        let known: BTreeMap<PathBuf, Option<Mark>> =
            work.files.iter().map(|(path, (mark, _))| (path.clone(), *mark)).collect();
        let looked = tokio::task::spawn_blocking(move || look(&folder, &patterns, &known, most));
        let Ok(looked) = looked.await else { return };
        work.troubles.retain(|of, _| of == SERVICE);
        let mut there = BTreeSet::new();
        for (path, seen) in looked {
            let shown = path.display().to_string();
            there.insert(path.clone());
            match seen {
                Seen::Same => {}
                Seen::New(mark, list) => _ = work.files.insert(path, (Some(mark), list)),
                Seen::Broken(why) => {
                    // What stood there last goes on; it is read anew at each look until it is good.
                    work.files.entry(path).or_default().0 = None;
                    work.troubles.insert(shown, why);
                }
            }
        }
        // A file that was taken away has no targets; one that should be there keeps its last ones.
        work.files.retain(|path, _| there.contains(path));
    }

    async fn ask_service(&self, work: &mut Work, shared: &Shared) {
        let Some((puller, request)) = &self.service else { return };
        let vars = Vars::at(shared.clock.now());
        let mut run = puller.run(request, &vars);
        let answer = match run.next().await {
            Ok(Some(page)) => {
                run.seen(&Turn::default());
                let text =
                    std::str::from_utf8(&page.body).map_err(|_| "it is not UTF-8".to_owned());
                text.and_then(|text| List::read("answer.json", text).map_err(|(_, why)| why))
                    .and_then(|list| bounded(list, self.settings.max_targets))
            }
            Ok(None) => Err("it sent no list".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(list) => {
                work.service = list;
                work.troubles.remove(SERVICE);
            }
            Err(why) => _ = work.troubles.insert(SERVICE.to_owned(), why),
        }
    }

    fn publish(&self, work: &Work, shared: &Shared) {
        let written = List::written(&self.settings.targets).unwrap_or_default();
        let lists = std::iter::once(&written)
            .chain(work.files.values().map(|(_, list)| list))
            .chain(std::iter::once(&work.service));
        let (mut targets, mut passed_over) = (BTreeMap::new(), 0);
        for list in lists {
            passed_over += list.unusable;
            for target in &list.targets {
                // The first list that names a target says what its labels are.
                if targets.contains_key(&target.name) {
                    passed_over += 1;
                } else {
                    targets.insert(Arc::clone(&target.name), target.clone());
                }
            }
        }
        let before = self.found();
        let mut trouble = work.troubles.iter().next().map(|(of, why)| format!("{of}: {why}"));
        let (count, most) = (targets.len(), self.settings.max_targets);
        let new: Vec<Arc<Target>> = if count > most {
            trouble = Some(too_many(count, most));
            before.targets.to_vec()
        } else {
            let kept = |target: Target| {
                let at = before.targets.binary_search_by(|known| known.name.cmp(&target.name));
                let known = at.ok().map(|at| &before.targets[at]);
                known.filter(|known| ***known == target).cloned().unwrap_or(Arc::new(target))
            };
            targets.into_values().map(kept).collect()
        };
        let now = shared.clock.now();
        if let Some(why) = &trouble {
            if before.trouble.as_ref() != Some(why) {
                tracing::warn!(source = self.source, "the last good targets are kept: {why}");
            }
        } else if before.targets.len() != new.len() {
            tracing::info!(source = self.source, targets = new.len(), "targets discovered");
        }
        shared.metrics.discovered(&self.source, trouble.is_none().then_some(now));
        let is_same = before.targets.len() == new.len()
            && before.targets.iter().zip(&new).all(|(a, b)| Arc::ptr_eq(a, b));
        let targets = if is_same { Arc::clone(&before.targets) } else { new.into() };
        let good_at = if trouble.is_none() { Some(now) } else { before.good_at };
        self.found.store(Arc::new(Discovered { targets, good_at, trouble, passed_over }));
    }
}

/// How troubles with the service are told.
const SERVICE: &str = "http_sd";

/// What a look at a file found.
enum Seen {
    /// It has not changed since it was read.
    Same,
    New(Mark, List),
    Broken(String),
}

/// Looks at the files that the patterns name; reads those that have changed.
fn look(
    folder: &Path,
    patterns: &[String],
    known: &BTreeMap<PathBuf, Option<Mark>>,
    most: usize,
) -> Vec<(PathBuf, Seen)> {
    let mut seen = Vec::new();
    for pattern in patterns {
        for path in named(folder, pattern) {
            let what = look_at(&path, known.get(&path).copied().flatten(), most);
            seen.push((path, what));
        }
    }
    for (_, broken) in seen.iter_mut().skip(MAX_FILES) {
        *broken = Seen::Broken(format!("more than {MAX_FILES} files are named"));
    }
    seen
}

fn look_at(path: &Path, known: Option<Mark>, most: usize) -> Seen {
    use std::os::unix::fs::MetadataExt as _;
    let read = || -> Result<Seen, String> {
        let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
        let mark = (meta.mtime(), meta.mtime_nsec(), meta.len(), meta.ino());
        if known == Some(mark) {
            return Ok(Seen::Same);
        }
        if !meta.is_file() || meta.len() > MAX_BYTES {
            return Err(format!("it is no file of at most {MAX_BYTES} bytes"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let name = path.to_string_lossy();
        let list = List::read(&name, &text).map_err(|(_, why)| format!("it is broken: {why}"))?;
        Ok(Seen::New(mark, bounded(list, most)?))
    };
    read().unwrap_or_else(Seen::Broken)
}

fn bounded(list: List, most: usize) -> Result<List, String> {
    match list.targets.len() {
        count if count > most => Err(too_many(count, most)),
        _ => Ok(list),
    }
}

fn too_many(count: usize, most: usize) -> String {
    format!("{count} targets are more than the {most} that the fleet may have (max_targets)")
}

/// The paths that a pattern names, in order; a plain path names itself, there or not.
pub(super) fn named(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let whole = folder.join(pattern);
    let Some((before, after)) = pattern.rsplit('/').next().and_then(|name| name.split_once('*'))
    else {
        return vec![whole];
    };
    let Some(Ok(entries)) = whole.parent().map(std::fs::read_dir) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_meant = |name: &String| {
        // What begins with a dot is still being made, unless the pattern says otherwise.
        (!name.starts_with('.') || before.starts_with('.'))
            && name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
    };
    let mut paths: Vec<_> = names.filter(is_meant).map(|name| whole.with_file_name(name)).collect();
    paths.sort();
    paths
}

/// The targets that the configuration and the files of `file_sd` name now, for those who do not run the
/// fleet; files that cannot be read are passed over.
pub fn at_once(settings: &FleetSettings, folder: &Path) -> Vec<Target> {
    let mut targets = List::written(&settings.targets).unwrap_or_default().targets;
    let patterns = settings.file_sd.iter().flat_map(|files| files.files.iter());
    for path in patterns.flat_map(|pattern| named(folder, pattern)).take(MAX_FILES) {
        if let Seen::New(_, list) = look_at(&path, None, settings.max_targets) {
            targets.extend(list.targets);
        }
    }
    targets
}
