//! `iocgw source test`: the way to a source, step by step, each with its time; writes nothing.
//!
//! DNS, TCP, TLS and the credential once for the source, then for each stream one page: the answer,
//! its decoding, what the contract says to its records, the cursor, what follows, and how much is to
//! be expected. A step that fails ends its stream; values are never shown, only counts, rules and
//! moments.

mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::known;
use crate::app;
use crate::cli::{PROBLEM, Place, UNREACHABLE, terminal};
use crate::clock::Clock;
use crate::config::{CheckedSource, CheckedStream};
use crate::decode::{DecodeError, Decoded};
use crate::model::observation::{Observations, Reject};
use crate::model::row::NULL;
use crate::model::time::{DAY, Stamp};
use crate::normalise::{Surroundings, Target};
use crate::pipeline::{Parent, judge};
use crate::pull::{self, Authenticator, Keys, Page, PullError, Run, Vars};

/// The longest that one stream may take to be tried.
const PATIENCE: Duration = Duration::from_secs(90);

/// Tells the steps of one source or stream.
struct Steps<'s>(&'s str);

impl Steps<'_> {
    fn told(&self, step: &str, took: Duration, what: &str) {
        terminal::data(&format!("{}: {step:<8} {what} ({} ms)", self.0, took.as_millis()));
    }

    fn done(&self, step: &str, began: Instant, what: &str) {
        self.told(step, began.elapsed(), what);
    }

    /// What continues the line above.
    fn more(&self, what: &str) {
        terminal::data(&format!("{}:          {what}", self.0));
    }

    fn failed(&self, step: &str, began: Option<Instant>, why: &str) -> bool {
        let took =
            began.map_or(String::new(), |began| format!(" ({} ms)", began.elapsed().as_millis()));
        terminal::data(&format!("{}: {step:<8} FAILED: {why}{took}", self.0));
        false
    }
}

pub(super) async fn run(name: &str, place: &Place, store: &Path) -> anyhow::Result<u8> {
    let settings = place.settings(store.to_owned());
    let config = settings.check()?;
    let source = known(&config, name)?;
    let context = pull::Context {
        clock: Clock::System,
        secrets_dir: place.secrets.clone(),
        state_dir: settings.kept_tokens(),
        holders: pull::Holders::default(),
        stop: CancellationToken::new(),
        seed: 0,
        outbound: app::outbound(&settings, &config.outbound)?,
    };
    let puller = app::puller(&source.written, &context)?;
    let steps = Steps(name);
    let target = source.targets.first().map(|target| &*target.name);
    if let Some(target) = target {
        steps.more(&format!(
            "a fleet of {} targets; the first is tried: {target}",
            source.targets.len()
        ));
    }
    let ways = (&source.written.requester, &source.written.authenticator);
    let (Some(requester), Some(authenticator)) = ways else {
        return Err(anyhow!(
            "source '{name}' is not asked: it pushes, drops files or is the gateway's own"
        ));
    };
    let address = address(&requester.url, target.unwrap_or_default());
    if !wire::reach(&steps, &address).await {
        return Ok(UNREACHABLE);
    }
    let began = Instant::now();
    match tokio::time::timeout(PATIENCE, puller.authenticate()).await {
        Ok(Ok(())) => steps.done("auth", began, said_of_auth(authenticator)),
        Ok(Err(error)) => {
            steps.failed("auth", Some(began), &error.to_string());
            return Ok(UNREACHABLE);
        }
        Err(_) => {
            steps.failed("auth", Some(began), "no answer");
            return Ok(UNREACHABLE);
        }
    }
    let mut code = 0;
    for stream in &source.streams {
        let title = format!("{name}.{}", stream.name);
        let steps = Steps(&title);
        let began = Instant::now();
        let tried = tokio::time::timeout(PATIENCE, try_stream(&steps, source, stream, &puller));
        let found = if let Ok(found) = tried.await {
            found?
        } else {
            let why = format!("no whole answer within {} s", PATIENCE.as_secs());
            steps.failed("page", Some(began), &why);
            UNREACHABLE
        };
        code = code.max(found);
    }
    Ok(code)
}

/// The source's address with the target in its template's place.
fn address(url: &str, target: &str) -> String {
    match (url.split_once("{{"), url.split_once("}}")) {
        (Some((before, _)), Some((_, after))) => format!("{before}{target}{after}"),
        _ => url.to_owned(),
    }
}

fn said_of_auth(authenticator: &Authenticator) -> &'static str {
    match authenticator {
        Authenticator::None {} => "none is configured",
        _ => "a credential is at hand; whether it is accepted, the page tells",
    }
}

/// The keys of the first record that a parent lists.
async fn first_listed(parent: &Parent, puller: &pull::Source, now: Stamp) -> Result<Keys, String> {
    let mut run = puller.run(&parent.request, &Vars::at(now));
    let page = run.next().await.map_err(|error| error.to_string())?;
    let page = page.ok_or("the source sent no page of the list")?;
    let keys = parent.listed(&page)?;
    keys.into_iter().next().ok_or_else(|| "nothing is listed to ask about".to_owned())
}

/// One page of a stream.
async fn try_stream(
    steps: &Steps<'_>,
    source: &CheckedSource,
    stream: &CheckedStream,
    puller: &pull::Source,
) -> anyhow::Result<u8> {
    let now = Clock::System.now();
    let target = source.targets.first();
    let began = Instant::now();
    let listed = match &stream.parent {
        Some(parent) => first_listed(parent, puller, now).await,
        None => Ok(Keys::default()),
    };
    let parent = match listed {
        Ok(keys) => keys,
        Err(message) => {
            steps.failed("list", Some(began), &message);
            return Ok(UNREACHABLE);
        }
    };
    let target_name = target.map(|target| target.name.to_string());
    let vars = Vars { target: target_name, parent, ..Vars::at(now) };
    let mut run = puller.run(&stream.request, &vars);
    let began = Instant::now();
    let page = match good_page(stream, &mut run).await {
        Ok(page) => page,
        Err(PullError::Stopped) => return Err(anyhow!("stopped")),
        Err(error) => {
            steps.failed("page", Some(began), &error.to_string());
            return Ok(UNREACHABLE);
        }
    };
    steps.done("page", began, &format!("{} bytes in {} request(s)", page.body.len(), asked(&run)));
    let began = Instant::now();
    let decoded = match stream.decoder.decode_framed(&page.body, page.is_framed) {
        Ok(decoded) => decoded,
        Err(error) => {
            let why = format!("{} bytes came, but {error}", page.body.len());
            steps.failed("decode", Some(began), &why);
            return Ok(UNREACHABLE);
        }
    };
    steps.done("decode", began, &said_of(&decoded));
    let polled = target.map(|target| Target {
        name: &target.name,
        labels: &target.labels,
        slot: Stamp(now.0.div_euclid(900) * 900),
        up: true,
    });
    let began = Instant::now();
    let out =
        stream.normaliser.page(&decoded.records, Surroundings { now, target: polled.as_ref() });
    steps.done(
        "contract",
        began,
        &format!(
            "{} records: {} keep contract '{}', {} would go to quarantine",
            decoded.records.count,
            out.observations.len(),
            stream.normaliser.schema().name,
            out.rejects.len()
        ),
    );
    by_rule(steps, &out.rejects);
    forecast(steps, stream, &decoded, &out.observations, page.body.len());
    Ok(if out.rejects.is_empty() { 0 } else { PROBLEM })
}

/// The first page that the stream's rules take for a good one.
async fn good_page(stream: &CheckedStream, run: &mut Run) -> Result<Page, PullError> {
    while let Some(page) = run.next().await? {
        let envelope = match stream.decoder.decode_framed(&page.body, page.is_framed) {
            Ok(decoded) => decoded.envelope,
            Err(DecodeError::NoRecords { envelope, .. }) => envelope,
            Err(_) => return Ok(page),
        };
        let rules = (&stream.request.rules, &stream.rule_places);
        match judge(rules.0, rules.1, &envelope, &page.rules) {
            Ok(()) => return Ok(page),
            Err((why, action)) => run.judged(action, &why)?,
        }
    }
    let detail = run.note().unwrap_or("the source sent no page").to_owned();
    Err(PullError::Refused { reason: pull::Reason::Other, detail })
}

fn asked(run: &Run) -> u64 {
    run.tally().requests.iter().sum()
}

fn said_of(decoded: &Decoded<'_>) -> String {
    let records = &decoded.records;
    match (records.count, records.malformed.len()) {
        (0, _) => "the page is well-formed and has no records".to_owned(),
        (count, 0) => format!("{count} records"),
        (count, malformed) => format!("{count} records, {malformed} of them malformed"),
    }
}

fn by_rule(steps: &Steps<'_>, rejects: &[Reject]) {
    let mut by_rule: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for reject in rejects {
        *by_rule.entry((reject.reason.as_str(), &reject.rule)).or_default() += 1;
    }
    for ((reason, rule), count) in &by_rule {
        steps.more(&format!("{count} × {reason}: {rule}"));
    }
}

/// The cursor that the page would leave, whether there is more, and how much is to be expected.
fn forecast(
    steps: &Steps<'_>,
    stream: &CheckedStream,
    decoded: &Decoded<'_>,
    observations: &Observations,
    bytes: usize,
) {
    let version = stream.normaliser.schema().version_slot;
    let versions = (0..observations.len()).map(|i| observations.row(i)[version]);
    let versions: Vec<i64> = versions.filter(|moment| *moment != NULL).collect();
    let (first, last) = (versions.iter().min(), versions.iter().max());
    match (&stream.cursor, last) {
        (Some(cursor), Some(last)) => steps.more(&format!(
            "cursor   {} after this page; a run begins {} before it",
            Stamp(*last),
            cursor.lookback
        )),
        (Some(_), None) => steps.more("cursor   none: no record says when it changed"),
        (None, _) => steps.more("cursor   none: every run asks for everything"),
    }
    let has_next =
        stream.next_at.and_then(|at| decoded.envelope.get(at)).is_some_and(Option::is_some);
    let follows = if has_next { "yes" } else { "the page names none" };
    steps.more(&format!("more     pages follow: {follows}"));
    let volume = match (first, last) {
        (Some(first), Some(last)) if last > first => {
            let span = i128::from(last - first);
            let a_day = |amount: usize| amount as i128 * i128::from(DAY) / span;
            format!(
                "about {} records and {} KiB a day, if this page is like the others: it covers {} h",
                a_day(decoded.records.count),
                a_day(bytes) / 1024,
                span / 3600
            )
        }
        _ => "cannot be told from one page".to_owned(),
    };
    steps.more(&format!("volume   {volume}"));
}
