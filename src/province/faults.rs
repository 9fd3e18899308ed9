//! The ways in which the province can be told to misbehave.
//!
//! Each is a probability, drawn from the seed, per record or per answer. However high they are set,
//! an endpoint gives at most `in_a_row` bad answers before a good one, so a patient client always
//! gets through. What is true never changes with faults; only how and when it is said does, except
//! `correct` and `retract`, which make the systems change their minds more often.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::draw::Draw;
use super::strays::Stray;

/// Probabilities, all 0 by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Per record: it stands twice on its page.
    pub duplicate: f64,
    /// Per page: the link to the next page leads to the same records again (not where pages have
    /// numbers).
    pub repeat_page: f64,
    /// Per run: records stand in disorder on each page, and their update stamps run backwards by
    /// up to [`super::DISORDER_AT_MOST`] seconds across pages; where pages have numbers they stand
    /// in no order of stamps at all.
    pub reorder: f64,
    /// Per page (per run where pages have numbers): fewer records than asked for.
    pub resplit: f64,
    /// Per record: an older version of it is sent again, after it.
    pub stale: f64,
    /// Per record: each version is visible only up to [`super::LATE_AT_MOST`] seconds after its
    /// stamp. Fixed when the province is made.
    pub late: f64,
    /// Per record: it is corrected, beyond the usual. Fixed when the province is made.
    pub correct: f64,
    /// Per return or session: it is withdrawn, beyond the usual. Fixed when the province is made.
    pub retract: f64,
    /// Per record: an extra record with a key of its own breaks the contract.
    pub bad: f64,
    /// Per answer: 429 with `Retry-After` of 0 or 1.
    pub too_many: f64,
    /// Per answer: 500.
    pub server_error: f64,
    /// Per answer: the request is accepted and never answered.
    pub hang: f64,
    /// Per answer: the body ends before its length, or its JSON does.
    pub truncate: f64,
    /// Per answer of the portal: the token is no longer valid, said by status or in the body.
    pub expire: f64,
    /// Per answer: a login page with status 200.
    pub login_page: f64,
    /// All answers of the portal: it has left its contract in this way.
    pub stray: Stray,
    /// The most bad answers in a row from one endpoint.
    pub in_a_row: u32,
}

impl Faults {
    /// Everything at once, at rates through which a patient client still gets everything.
    pub fn everything() -> Self {
        Self {
            duplicate: 0.03,
            repeat_page: 0.1,
            reorder: 0.5,
            resplit: 0.3,
            stale: 0.03,
            late: 0.05,
            correct: 0.05,
            retract: 0.02,
            bad: 0.01,
            too_many: 0.05,
            server_error: 0.05,
            hang: 0.01,
            truncate: 0.05,
            expire: 0.03,
            login_page: 0.02,
            stray: Stray::Not,
            in_a_row: 2,
        }
    }
}

/// One bad answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    TooMany {
        retry_after: u8,
    },
    ServerError,
    Hang,
    /// The connection ends before the announced length.
    CutConnection,
    /// The length is right, the JSON is not.
    CutBody,
    Expired {
        in_body: bool,
    },
    LoginPage,
}

/// Counts the requests of each endpoint and decides which are answered badly.
#[derive(Debug, Default)]
pub(super) struct Gate {
    endpoints: Mutex<HashMap<u32, Endpoint>>,
}

#[derive(Debug, Default)]
struct Endpoint {
    requests: u64,
    bad_in_a_row: u32,
}

impl Gate {
    /// Lets a request in: its draws, and what goes wrong with it.
    pub(super) fn enter(
        &self,
        seed: u64,
        endpoint: u32,
        faults: &Faults,
    ) -> (Draw, Option<Trouble>) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let state = endpoints.entry(endpoint).or_default();
        state.requests += 1;
        let mut draw = Draw::new(seed, 0xFA17 << 32 | u64::from(endpoint), state.requests);
        let trouble = trouble(&mut draw, faults).filter(|_| state.bad_in_a_row < faults.in_a_row);
        state.bad_in_a_row = if trouble.is_some() { state.bad_in_a_row + 1 } else { 0 };
        (draw, trouble)
    }
}

fn trouble(draw: &mut Draw, faults: &Faults) -> Option<Trouble> {
    let coin = draw.chance(0.5);
    let kinds = [
        (faults.too_many, Trouble::TooMany { retry_after: u8::from(coin) }),
        (faults.server_error, Trouble::ServerError),
        (faults.hang, Trouble::Hang),
        (faults.truncate, if coin { Trouble::CutConnection } else { Trouble::CutBody }),
        (faults.expire, Trouble::Expired { in_body: coin }),
        (faults.login_page, Trouble::LoginPage),
    ];
    let mut point = draw.unit();
    for (probability, trouble) in kinds {
        if point < probability {
            return Some(trouble);
        }
        point -= probability;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_answers_never_outnumber_the_limit_in_a_row() {
        let gate = Gate::default();
        let faults = Faults { server_error: 1.0, in_a_row: 2, ..Faults::default() };
        let answers: Vec<bool> = (0..9).map(|_| gate.enter(1, 1, &faults).1.is_some()).collect();
        assert_eq!(answers, [true, true, false, true, true, false, true, true, false]);
    }

    #[test]
    fn every_trouble_comes_up_and_none_without_faults() {
        let faults = Faults { in_a_row: u32::MAX, ..Faults::everything() };
        let (gate, calm) = (Gate::default(), Faults::default());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5_000 {
            seen.extend(gate.enter(1, 1, &faults).1.map(|trouble| format!("{trouble:?}")));
            assert_eq!(gate.enter(1, 2, &calm).1, None);
        }
        assert_eq!(seen.len(), 9, "{seen:?}");
    }
}
