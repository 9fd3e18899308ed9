//! What machines ask of the gateway itself: alive, ready, metrics, and what a problem means.
//!
//! `/readyz` is about the gateway alone. A source that is down never makes it unready: that would
//! take the last good numbers away just when they are needed.

use std::fmt::Write as _;

use super::answer::{Answer, Keep};
use super::context::Asked;
use super::error::{ApiError, KINDS};

const PLAIN: &str = "text/plain; charset=utf-8";

/// The type of Prometheus' text format, to the letter: Prometheus 3 refuses what it does not know.
pub(super) const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/livez`: the loop turns.
pub(super) fn live(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    Ok(Answer::new(PLAIN, "ok\n", Keep::Never))
}

/// `/readyz?verbose`: every check of the gateway itself holds.
pub(super) fn ready(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let checks = (asked.context.ready)();
    let failed: Vec<String> = checks
        .iter()
        .filter_map(|(name, result)| Some(format!("{name} ({})", result.as_ref().err()?)))
        .collect();
    if !failed.is_empty() {
        return Err(ApiError::NotReady(failed.join(", ")));
    }
    let mut text = String::new();
    if query.get("verbose").is_some() {
        for (name, _) in &checks {
            let _ = writeln!(text, "[+] {name} ok");
        }
    }
    text.push_str("ok\n");
    Ok(Answer::new(PLAIN, text, Keep::Never))
}

/// `/metrics`, in the text format that every Prometheus reads.
pub(super) fn metrics(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let text = (asked.context.metrics)();
    Ok(Answer::new(EXPOSITION, text, Keep::Never))
}

/// `/docs/problems/{code}`: what a problem's `type` means and what to do.
pub(super) fn problem(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let code = asked.piece("code");
    let Some(kind) = KINDS.iter().find(|kind| kind.code == code) else {
        let suggestions = KINDS
            .iter()
            .map(|kind| asked.link(format_args!("/docs/problems/{}", kind.code)))
            .collect();
        return Err(ApiError::UnknownPath { suggestions });
    };
    let text = format!("{} ({})\n\n{}\n", kind.title, kind.status.as_u16(), kind.advice);
    Ok(Answer::new(PLAIN, text, Keep::Briefly))
}
