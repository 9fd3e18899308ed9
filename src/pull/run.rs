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

use super::client::Answer;
use super::conditional::Conditional;
use super::error::{Failure, PullError, Reason, RetryAfter};
use super::keyring::Credential;
use super::link::next_link;
use super::paging::{Ending, Pager, Step, Turn};
use super::request::{Draft, Method};
use super::rule::{self, Action, Rule, Verdict};
use super::source::Source;
use super::stream::Stream;
use super::tally::Tally;
use super::{Page, Vars};
use crate::model::snapshot::Validator;

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
    rules: Vec<Rule>,
    /// What the answer in hand says about when to come back.
    retry_after: Option<RetryAfter>,
    /// Who asks, for the book of those who were refused.
    who: String,
    /// What the secrets looked like when a credential was last renewed.
    secrets: u64,
    /// Why a rule ended the run.
    note: Option<String>,
    wait: Option<Duration>,
    conditional: Conditional,
    fingerprints: DefaultHashBuilder,
    last_page: Option<u64>,
    /// The `Link` headers of the page in hand.
    links: Vec<String>,
    pages: u64,
    random: fastrand::Rng,
    tally: Tally,
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

/// What an answer is.
enum Judged {
    /// A page, on which these rules are still to be judged.
    Page(Vec<usize>),
    /// The end of the run, and why.
    Ended(Action, String),
    /// A refusal of the credential, which may be renewed once.
    Denied(Failure),
    Failed(Failure),
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
        let who = stream.label(requester);
        let conditional = Conditional::new(vars.known.clone());
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
            rules: stream.rules.clone(),
            retry_after: None,
            who,
            secrets: 0,
            note: None,
            wait: None,
            conditional,
            fingerprints: DefaultHashBuilder::default(),
            last_page: None,
            links: Vec::new(),
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
        let step = with_links(pager, &self.links, turn).and_then(|turn| pager.after(asked, &turn));
        self.state = match step {
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
            if self.heeds_closing {
                let (denials, now) = (&self.source.0.denials, Instant::now());
                denials.refused(&self.who, self.secrets, self.has_fresh_token(), now);
            }
            let detail = format!("{}: credentials not accepted: {why}", self.label);
            return Err(PullError::refused(Reason::Auth, detail));
        }
        self.renewal_due = true;
        self.tally.retries += 1;
        self.state = State::Ask;
        Ok(())
    }

    /// Tells that a rule applies to the page that [`Run::next`] gave. `why` is repeated in errors, so
    /// it must not quote the page.
    pub fn judged(&mut self, action: Action, why: &str) -> Result<(), PullError> {
        match action {
            Action::Success => Ok(()),
            Action::Retry => self.refused(why),
            Action::RefreshTokenThenRetry => self.denied(why),
            Action::RateLimited => self.throttled(why),
            Action::Ignore | Action::ResetPagination => {
                if matches!(self.state, State::Handed(_)) {
                    self.end_by_rule(action, why);
                }
                Ok(())
            }
            Action::Fail => {
                self.state = State::Failed;
                Err(PullError::refused(Reason::Other, format!("{}: {why}", self.label)))
            }
        }
    }

    /// Why a rule ended the run, if one did.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
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

    /// How the source can be asked whether anything is new since this run; nothing unless the run
    /// ended well with a single page, which then stands for everything, or without any news.
    pub fn validator(&self) -> Option<Validator> {
        match self.state {
            State::Ended(Ending::Complete) if self.pages == 1 => self.conditional.learned(),
            State::Ended(Ending::Unchanged) => self.conditional.kept(),
            _ => None,
        }
    }

    /// What the run has cost so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The page says that the source is asked too often.
    fn throttled(&mut self, why: &str) -> Result<(), PullError> {
        if !matches!(self.state, State::Handed(_)) {
            return Ok(());
        }
        let error = PullError::transient(Reason::Throttled, format!("{}: {why}", self.label));
        let failure = Failure { error, retry_after: self.retry_after.take() };
        self.state = State::Ask;
        self.back_off(&failure).inspect_err(|_| self.state = State::Failed)
    }

    fn end_by_rule(&mut self, action: Action, why: &str) {
        self.note = Some(format!("{}: {why}", self.label));
        self.state = State::Ended(match action {
            Action::ResetPagination => Ending::Reset,
            _ => Ending::Complete,
        });
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
        let Some(answer) = self.ask_until_answered().await? else { return Ok(None) };
        if answer.status == StatusCode::NOT_MODIFIED && self.conditional.is_asked() {
            self.state = State::Ended(Ending::Unchanged);
            return Ok(None);
        }
        if let Some(url) = &self.asked {
            self.conditional.answered(url, &answer);
        }
        // Seeded anew for each run, so nobody can make two pages look the same; a cryptographic hash
        // of every page cost a thirtieth of the whole pull.
        let hash = self.fingerprints.hash_one(&answer.body);
        if self.last_page == Some(hash) {
            self.state = State::Ended(Ending::LoopDetected);
            return Ok(None);
        }
        self.state = State::Handed(hash);
        self.links = answer.links;
        self.tally.bytes += answer.body.len() as u64;
        Ok(Some(Page {
            body: answer.body,
            is_framed: answer.is_framed,
            number: self.pages + 1,
            fetched_at: self.source.0.context.clock.now(),
            server_date: answer.date,
            rules: answer.rules,
        }))
    }

    /// The answer, or `None` if a rule ended the run.
    async fn ask_until_answered(&mut self) -> Result<Option<Answer>, PullError> {
        loop {
            if let Some(wait) = self.wait.take() {
                sleep(wait).await;
            }
            match self.attempt_if_allowed().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => self.back_off(&failure)?,
            }
        }
    }

    /// Prepares the next attempt, or gives up with the error of the last one.
    fn back_off(&mut self, failure: &Failure) -> Result<(), PullError> {
        let asked = self.asked_to_wait(failure);
        if let Some(asked) = asked.filter(|_| self.heeds_closing) {
            self.source.0.gate.close_for(asked);
        }
        let retry = &self.source.0.retry;
        let hopeless = !matches!(failure.error, PullError::Transient { .. })
            || failure.error.reason() == Reason::CircuitOpen;
        if hopeless || self.failures >= retry.max_retries {
            return Err(failure.error.clone());
        }
        if !self.source.0.budget.take(Instant::now()) {
            return Err(failure.error.clone());
        }
        let backoff = retry.backoff(self.failures, &mut self.random);
        self.wait = Some(backoff.max(asked.unwrap_or_default()));
        self.failures += 1;
        self.tally.retries += 1;
        Ok(())
    }

    /// One attempt, unless the source is left alone for now; a failure that shows that it is down is
    /// counted. Targets of a fleet are each a machine of their own.
    async fn attempt_if_allowed(&mut self) -> Result<Option<Answer>, Failure> {
        let source = self.source.clone();
        if self.failures == 0 {
            source.0.budget.first(Instant::now());
        }
        if !self.heeds_closing {
            return self.permitted_attempt().await;
        }
        let pass = source.0.breaker.admit().await.map_err(|until| {
            let detail = format!(
                "{}: the source is left alone until {}, because it did not answer again and again",
                self.label,
                until.rfc3339()
            );
            PullError::transient(Reason::CircuitOpen, detail)
        })?;
        let outcome = self.permitted_attempt().await;
        pass.judge(outcome.as_ref().err().map(|failure| &failure.error));
        outcome
    }

    /// An attempt, unless the source refused the credentials a short while ago. Members of a fleet
    /// answer for themselves and are asked in their own time.
    async fn permitted_attempt(&mut self) -> Result<Option<Answer>, Failure> {
        if !self.heeds_closing {
            return self.attempt().await;
        }
        let source = self.source.clone();
        let denials = &source.0.denials;
        if denials.knows(&self.who) {
            let secrets = source.0.keyring.fingerprint(&self.draft.needed).await;
            let pause = source.0.retry.after_denial.0;
            if let Some(wait) = denials.wait(&self.who, secrets, pause, Instant::now()) {
                let detail = format!(
                    "{}: credentials not accepted; asked again in {} s, or when a secret changes",
                    self.label,
                    wait.as_secs().max(1)
                );
                return Err(PullError::refused(Reason::Auth, detail).into());
            }
            // This is the one request of the minute: what can be renewed is renewed before it.
            self.renewal_due = true;
        }
        let outcome = self.attempt().await;
        match &outcome {
            Ok(_) => denials.accepted(&self.who),
            Err(Failure { error: PullError::Refused { reason: Reason::Auth, .. }, .. }) => {
                let secrets = source.0.keyring.fingerprint(&self.draft.needed).await;
                denials.refused(&self.who, secrets, self.has_fresh_token(), Instant::now());
            }
            Err(_) => {}
        }
        outcome
    }

    /// Whether the last attempt was made with a token that had just been granted.
    fn has_fresh_token(&self) -> bool {
        self.renewed && self.used.as_ref().is_some_and(Credential::is_token)
    }

    /// One attempt, and one more with a renewed credential if the first was denied.
    async fn attempt(&mut self) -> Result<Option<Answer>, Failure> {
        let source = self.source.clone();
        let (keyring, client) = (&source.0.keyring, &source.0.client);
        let mut credential = keyring.credential(client).await?;
        if std::mem::take(&mut self.renewal_due) {
            self.renewed = true;
            self.secrets = keyring.fingerprint(&self.draft.needed).await;
            let used = self.used.as_ref().unwrap_or(&credential);
            if let Some(newer) = keyring.renewed(used, client).await? {
                credential = newer;
            }
        }
        let mut answer = self.exchange(&credential).await?;
        let mut judged = self.judge(&answer);
        if matches!(judged, Judged::Denied(_)) && !self.renewed {
            self.renewed = true;
            if let Some(newer) = keyring.renewed(&credential, client).await? {
                self.tally.retries += 1;
                answer = self.exchange(&newer).await?;
                judged = self.judge(&answer);
                credential = newer;
            }
        }
        self.used = Some(credential);
        self.retry_after = retry_after(&answer);
        match judged {
            Judged::Page(rules) => {
                answer.rules = rules;
                Ok(Some(answer))
            }
            Judged::Ended(action, why) => {
                self.end_by_rule(action, &why);
                Ok(None)
            }
            Judged::Denied(failure) | Judged::Failed(failure) => Err(failure),
        }
    }

    /// What an answer is, by the rules and then by its status.
    fn judge(&self, answer: &Answer) -> Judged {
        if answer.status == StatusCode::NOT_MODIFIED && self.conditional.is_asked() {
            return Judged::Page(Vec::new());
        }
        let plain = judge_status(&self.label, answer, Reason::Http4xx);
        let verdict = rule::judge(&self.rules, &answer.rules, answer.status, &answer.body);
        let (number, rule) = match verdict {
            Verdict::Pending(rules) => return Judged::Page(rules),
            Verdict::Applies(number) if number < self.rules.len() => (number, &self.rules[number]),
            Verdict::Silent | Verdict::Applies(_) => {
                let denied = answer.status == StatusCode::UNAUTHORIZED;
                return if denied { Judged::Denied(plain) } else { Judged::Failed(plain) };
            }
        };
        let why = format!("answered {}: {}", answer.status.as_u16(), rule.said(number));
        let (reason, said) = (plain.error.reason(), format!("{}: {why}", self.label));
        match rule.then {
            Action::Success => Judged::Page(Vec::new()),
            Action::Ignore | Action::ResetPagination => Judged::Ended(rule.then, why),
            Action::Fail => Judged::Failed(PullError::refused(reason, said).into()),
            Action::Retry => Judged::Failed(PullError::transient(reason, said).into()),
            Action::RateLimited => {
                let error = PullError::transient(Reason::Throttled, said);
                Judged::Failed(Failure { error, retry_after: retry_after(answer) })
            }
            Action::RefreshTokenThenRetry => {
                let said = format!("{said}: credentials not accepted");
                Judged::Denied(PullError::refused(Reason::Auth, said).into())
            }
        }
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
        let request = self.draft.outgoing(url.clone(), &parts.context.secrets_dir).await;
        let mut request = request.map_err(|error| labelled(&self.label, error))?;
        if request.method == Method::Get {
            request.headers = self.conditional.ask(&url, request.headers);
        }
        let request = credential.sign(&parts.client, request);
        let request = request.map_err(|error| labelled(&self.label, error))?;
        let started = Instant::now();
        let limit = parts.requester.body_limit.0;
        let outcome = parts.client.fetch_by(&self.rules, &self.label, request, limit).await;
        drop(permit);
        let status = outcome.as_ref().ok().map(|answer| answer.status);
        self.tally.count(status, started.elapsed());
        outcome
    }
}

/// What was seen on a page, with what its headers say where they lead to the next one.
fn with_links(pager: &Pager, links: &[String], turn: &Turn) -> Result<Turn, PullError> {
    let mut turn = turn.clone();
    if pager.goes_by_links() {
        let next = next_link(links.iter().map(String::as_str));
        turn.next = next.map_err(|what| PullError::refused(Reason::Other, what))?;
    }
    Ok(turn)
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
            format!(
                "{said}: redirects are not followed there; configure where the source really is"
            ),
        ),
        _ => PullError::refused(Reason::Other, said),
    };
    let retry_after = retry_after(answer).filter(|_| matches!(status, 429 | 503));
    Failure { error, retry_after }
}

fn retry_after(answer: &Answer) -> Option<RetryAfter> {
    let header = answer.retry_after.clone()?;
    Some(RetryAfter { header, answered: answer.date })
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
