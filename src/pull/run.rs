//! One turn of a stream: asks for page after page until there is none.
//!
//! A page is handed out, then the caller says either what it saw ([`Run::seen`]) or that it does
//! not decode ([`Run::refused`]); only then does the run know what to ask next. Retries, waits
//! and the one renewal after a 401 happen inside [`Run::next`], which ends at once when the
//! gateway stops. A run that failed stays failed: the next turn starts again from its cursor.

use std::hash::BuildHasher as _;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use reqwest::StatusCode;
use tokio::time::{Instant, sleep};
use url::Url;

use super::auth::Credential;
use super::client::Answer;
use super::error::{Failure, PullError, Reason, RetryAfter};
use super::paging::{Ending, Pager, Step, Turn};
use super::request::Draft;
use super::source::Source;
use super::stream::Stream;
use super::{Page, Vars};

const MOST_DURATIONS: usize = 1024;

/// One turn of a stream. Not `Debug`: the address that it asks next is nothing to print.
pub struct Run {
    source: Source,
    label: String,
    draft: Draft,
    heeds_closing: bool,
    pager: Option<Pager>,
    state: State,
    asked: Option<Url>,
    failures: u32,
    renewed: bool,
    /// The page in hand said that the credential has run out.
    renewal_due: bool,
    /// What the last attempt proved itself with.
    used: Option<Credential>,
    wait: Option<Duration>,
    fingerprints: DefaultHashBuilder,
    last_page: Option<u64>,
    pages: u64,
    random: fastrand::Rng,
    tally: Tally,
}

/// What a run cost, for metrics.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers with 2xx, 3xx, 4xx and 5xx, then attempts without a whole answer. Tokens are not
    /// counted.
    pub requests: [u64; 5],
    /// Attempts that were repeats.
    pub retries: u64,
    /// Decoded bytes of whole bodies.
    pub bytes: u64,
    /// How long each attempt took; at most the first 1,024.
    pub durations: Vec<Duration>,
}

#[derive(Debug)]
enum State {
    /// `asked` is to be asked (again).
    Ask,
    /// A page is with the caller.
    Handed(u64),
    Ended(Ending),
    /// The next call reports this.
    Doomed(PullError),
    Failed,
}

impl Tally {
    /// Label values that belong to [`Tally::requests`].
    pub const CLASSES: [&'static str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

    /// Adds what another run cost.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.requests.iter_mut().zip(other.requests) {
            *mine += theirs;
        }
        self.retries += other.retries;
        self.bytes += other.bytes;
        let room = MOST_DURATIONS.saturating_sub(self.durations.len());
        self.durations.extend(other.durations.iter().take(room));
    }

    fn count(&mut self, outcome: Option<StatusCode>, took: Duration) {
        let class = outcome.map_or(4, |status| match status.as_u16() {
            200..=299 => 0,
            300..=399 => 1,
            400..=499 => 2,
            500..=599 => 3,
            _ => 4,
        });
        self.requests[class] += 1;
        if self.durations.len() < MOST_DURATIONS {
            self.durations.push(took);
        }
    }
}

impl Run {
    pub(super) fn new(source: Source, stream: &Stream, vars: &Vars) -> Self {
        let requester = &source.0.requester;
        let label = stream.label(requester);
        let mut vars = vars.clone();
        vars.area = vars.area.or_else(|| stream.area.clone());
        let (state, paging) = match stream.address(requester, &vars) {
            Ok(base) => (State::Ask, Some(Pager::start(&stream.paginator, base))),
            Err(error) => (State::Doomed(labelled(&label, error)), None),
        };
        let (pager, asked) = paging.unzip();
        let heeds_closing = vars.target.is_none();
        let draft = Draft::new(stream, requester, vars);
        let random = source.fork_random();
        Self {
            source,
            label,
            draft,
            heeds_closing,
            pager,
            state,
            asked,
            failures: 0,
            renewed: false,
            renewal_due: false,
            used: None,
            wait: None,
            fingerprints: DefaultHashBuilder::default(),
            last_page: None,
            pages: 0,
            random,
            tally: Tally::default(),
        }
    }

    /// The next page, or `None` when the run has ended (see [`Run::ending`]). Every page must be
    /// answered with [`Run::seen`] or [`Run::refused`] before the next call.
    pub async fn next(&mut self) -> Result<Option<Page>, PullError> {
        let stop = self.source.0.context.stop.clone();
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Err(PullError::Stopped),
            outcome = self.advance() => outcome,
        };
        if outcome.is_err() {
            self.state = State::Failed;
        }
        outcome
    }

    /// Tells what the decoder saw on the page that [`Run::next`] gave. Without a page in hand it
    /// does nothing.
    pub fn seen(&mut self, turn: &Turn) {
        let (State::Handed(hash), Some(pager), Some(asked)) =
            (&self.state, &mut self.pager, &self.asked)
        else {
            return;
        };
        self.last_page = Some(*hash);
        self.pages += 1;
        self.failures = 0;
        self.renewed = false;
        self.state = match pager.after(asked, turn) {
            Ok(Step::Ask(url)) => {
                self.asked = Some(url);
                State::Ask
            }
            Ok(Step::End(ending)) => State::Ended(ending),
            Err(error) => State::Doomed(labelled(&self.label, error)),
        };
    }

    /// Tells that the page did not decode: the same request is asked again, until retries are
    /// used up. `why` is repeated in the error, so it must not quote the page.
    pub fn refused(&mut self, why: &str) -> Result<(), PullError> {
        if !matches!(self.state, State::Handed(_)) {
            return Ok(());
        }
        if self.failures >= self.source.0.retry.max_retries {
            self.state = State::Failed;
            let detail = format!("{}: not a page: {why}", self.label);
            return Err(PullError::unreadable(Reason::Decode, detail));
        }
        self.wait = Some(self.source.0.retry.backoff(self.failures, &mut self.random));
        self.failures += 1;
        self.tally.retries += 1;
        self.state = State::Ask;
        Ok(())
    }

    /// Tells that the page was a refusal of the credential in the form of an answer (some systems
    /// say so with 200 and an error code): the credential is renewed and the same request asked
    /// once more. `why` is repeated in the error, so it must not quote the page.
    pub fn denied(&mut self, why: &str) -> Result<(), PullError> {
        if !matches!(self.state, State::Handed(_)) {
            return Ok(());
        }
        if self.renewed {
            self.state = State::Failed;
            let detail = format!("{}: credentials not accepted: {why}", self.label);
            return Err(PullError::refused(Reason::Auth, detail));
        }
        self.renewal_due = true;
        self.tally.retries += 1;
        self.state = State::Ask;
        Ok(())
    }

    /// How the run ended; `None` while it goes on and after an error.
    pub fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Ended(ending) => Some(ending),
            State::Ask | State::Handed(_) | State::Doomed(_) | State::Failed => None,
        }
    }

    /// Pages that the caller has seen.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// What the run has cost so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    async fn advance(&mut self) -> Result<Option<Page>, PullError> {
        match &self.state {
            State::Ask => {}
            State::Ended(_) | State::Failed => return Ok(None),
            State::Doomed(error) => return Err(error.clone()),
            State::Handed(_) => {
                let detail = format!("{}: nobody said what the last page held", self.label);
                return Err(PullError::unreadable(Reason::Other, detail));
            }
        }
        let answer = self.ask_until_answered().await?;
        // Seeded anew for each run, so nobody can make two pages look the same; a cryptographic hash
        // of every page cost a thirtieth of the whole pull.
        let hash = self.fingerprints.hash_one(&answer.body);
        if self.last_page == Some(hash) {
            self.state = State::Ended(Ending::LoopDetected);
            return Ok(None);
        }
        self.state = State::Handed(hash);
        self.tally.bytes += answer.body.len() as u64;
        Ok(Some(Page {
            body: answer.body,
            is_framed: answer.is_framed,
            number: self.pages + 1,
            fetched_at: self.source.0.context.clock.now(),
            server_date: answer.date,
        }))
    }

    async fn ask_until_answered(&mut self) -> Result<Answer, PullError> {
        loop {
            if let Some(wait) = self.wait.take() {
                sleep(wait).await;
            }
            let failure = match self.attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let asked = self.asked_to_wait(&failure);
            if let Some(asked) = asked.filter(|_| self.heeds_closing) {
                self.source.0.gate.close_for(asked);
            }
            let retry = &self.source.0.retry;
            let hopeless = !matches!(failure.error, PullError::Transient { .. });
            if hopeless || self.failures >= retry.max_retries {
                return Err(failure.error);
            }
            let backoff = retry.backoff(self.failures, &mut self.random);
            self.wait = Some(backoff.max(asked.unwrap_or_default()));
            self.failures += 1;
            self.tally.retries += 1;
        }
    }

    /// One attempt, and one more with a renewed credential if the first met a 401.
    async fn attempt(&mut self) -> Result<Answer, Failure> {
        let source = self.source.clone();
        let mut credential = source.0.keyring.credential(&source.0.client).await?;
        if std::mem::take(&mut self.renewal_due) {
            self.renewed = true;
            if let Some(used) = &self.used
                && let Some(newer) = source.0.keyring.renewed(used, &source.0.client).await?
            {
                credential = newer;
            }
        }
        self.used = Some(credential.clone());
        let mut answer = self.exchange(&credential).await?;
        if answer.status == StatusCode::UNAUTHORIZED && !self.renewed {
            self.renewed = true;
            if let Some(newer) = source.0.keyring.renewed(&credential, &source.0.client).await? {
                self.tally.retries += 1;
                answer = self.exchange(&newer).await?;
            }
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(judge_status(&self.label, &answer, Reason::Http4xx))
    }

    /// A date is measured against the source's own clock where it tells it.
    fn asked_to_wait(&self, failure: &Failure) -> Option<Duration> {
        let RetryAfter { header, answered } = failure.retry_after.as_ref()?;
        let answered = answered.unwrap_or_else(|| self.source.0.context.clock.now());
        self.source.0.retry.asked(header, answered)
    }

    async fn exchange(&mut self, credential: &Credential) -> Result<Answer, Failure> {
        let Some(url) = self.asked.clone() else {
            let detail = format!("{}: there is no address to ask", self.label);
            return Err(PullError::refused(Reason::Other, detail).into());
        };
        let parts = self.source.0.clone();
        let permit = parts.gate.pass(self.heeds_closing).await;
        let request = self.draft.outgoing(url, &parts.context.secrets_dir).await;
        let request = request.map_err(|error| labelled(&self.label, error))?;
        let request = credential.sign(&parts.client, request);
        let request = request.map_err(|error| labelled(&self.label, error))?;
        let started = Instant::now();
        let outcome = parts.client.fetch(&self.label, request, parts.requester.body_limit.0).await;
        drop(permit);
        let status = outcome.as_ref().ok().map(|answer| answer.status);
        self.tally.count(status, started.elapsed());
        outcome
    }
}

/// What a status other than 2xx means; `of_4xx` is the reason of those 4xx that have none.
pub(super) fn judge_status(label: &str, answer: &Answer, of_4xx: Reason) -> Failure {
    let status = answer.status.as_u16();
    let said = format!("{label}: answered {status}");
    let error = match status {
        401 | 403 => PullError::refused(Reason::Auth, format!("{said}: credentials not accepted")),
        408 => PullError::transient(Reason::Timeout, said),
        425 => PullError::transient(Reason::Http4xx, said),
        429 => PullError::transient(Reason::Throttled, said),
        400..=499 => PullError::refused(of_4xx, said),
        500..=599 => PullError::transient(Reason::Http5xx, said),
        300..=399 => PullError::refused(
            Reason::Other,
            format!("{said}: redirects are never followed; configure where the source really is"),
        ),
        _ => PullError::refused(Reason::Other, said),
    };
    let header = answer.retry_after.clone().filter(|_| matches!(status, 429 | 503));
    let retry_after = header.map(|header| RetryAfter { header, answered: answer.date });
    Failure { error, retry_after }
}

fn labelled(label: &str, error: PullError) -> PullError {
    match error {
        PullError::Transient { reason, detail } => {
            PullError::transient(reason, format!("{label}: {detail}"))
        }
        PullError::Refused { reason, detail } => {
            PullError::refused(reason, format!("{label}: {detail}"))
        }
        PullError::Unreadable { reason, detail } => {
            PullError::unreadable(reason, format!("{label}: {detail}"))
        }
        PullError::Stopped => PullError::Stopped,
    }
}
