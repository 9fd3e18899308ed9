//! Looking back: `as_of=` puts a question to what was known at a moment.
//!
//! The vintage brings its own figures and its own definitions, and "now" is the moment asked for, so
//! open periods, ages and freshness are what they were and the same question has the same answer for
//! ever. Reading the journal may block, so such a question is answered on a thread that may, and only
//! a few of them at once: each holds the figures of a revision that nobody else looks at.

use actix_web::web;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::context::{Asked, Context, Current, NoVintage, Question, Vintage};
use super::error::{ApiError, ParameterError, brief};
use super::query::Query;
use crate::model::time::{Day, Stamp};

/// Readings of the past at once; further ones wait their turn.
const AT_ONCE: usize = 4;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What a moment may look like.
const MOMENTS: [&str; 3] =
    ["2024-04-02T17:00", "2024-04-02T17:00:00+07:00", "2024-04-02 (the end of that day)"];

/// A function from a question to its answer.
pub(super) type Reader = fn(&Asked<'_>) -> Result<Answer, ApiError>;

/// The moment that `as_of=` names, if it stands in the query once; everything else about the query
/// is for the handler to judge.
pub(super) fn asked_moment(question: &Question) -> Result<Option<Stamp>, ApiError> {
    let mut named = url::form_urlencoded::parse(question.query_string().as_bytes())
        .filter(|(name, _)| name == "as_of");
    match (named.next(), named.next()) {
        (Some((name, text)), None) => moment(&name, &text).map(Some),
        _ => Ok(None),
    }
}

/// The moment that a parameter names, if it is there.
pub(super) fn moment_of(query: &Query, name: &str) -> Result<Option<Stamp>, ApiError> {
    query.get(name).map(|text| moment(name, text)).transpose()
}

/// Answers on a thread that may block, from what was known at `at`, or from what is known now.
pub(super) async fn answer(
    question: Question,
    context: Current,
    at: Option<Stamp>,
    reader: impl FnOnce(&Asked<'_>) -> Result<Answer, ApiError> + Send + 'static,
) -> Result<Answer, ApiError> {
    let gone = |error: String| ApiError::Internal(error);
    let turn = TURNS.acquire().await.map_err(|error| gone(error.to_string()))?;
    let work = move || {
        let _turn = turn;
        match at {
            Some(at) => {
                let vintage = vintage(&context, "as_of", at)?;
                reader(&Asked::then(&question, &context, vintage, at)).map(Answer::for_good)
            }
            None => reader(&Asked::new(&question, &context)),
        }
    };
    web::block(work).await.map_err(|error| gone(error.to_string()))?
}

/// What was known at a moment that the parameter `name` gave.
pub(super) fn vintage(context: &Context, name: &str, at: Stamp) -> Result<Vintage, ApiError> {
    if context.is_for_public() {
        let detail = format!("The public is told what is known now; leave out '{name}'.");
        return Err(ApiError::BeyondReach(detail));
    }
    // Known "at the end of that second": the second must be over.
    if at >= context.clock.now() {
        return Err(refusal(name, at, NoVintage::NotYet));
    }
    context.vintages.at(at).map_err(|error| refusal(name, at, error))
}

/// The refusal of a moment that there is no vintage of.
pub(super) fn refusal(name: &str, at: Stamp, error: NoVintage) -> ApiError {
    match error {
        NoVintage::Before(earliest) => ApiError::NoVintage { at, earliest },
        NoVintage::Compacted(nearest) => ApiError::VintageCompacted { at, nearest },
        NoVintage::NotYet => ApiError::NotYet { name: name.to_owned(), at: at.to_string() },
        NoVintage::Unreadable(cause) => ApiError::Internal(cause),
    }
}

/// The moment that a text names, which came under `name`.
pub(super) fn moment(name: &str, text: &str) -> Result<Stamp, ApiError> {
    read(text).ok_or_else(|| {
        let reason = format!("has the value '{}', which is not a moment", brief(text));
        ParameterError::new(name, reason).allowing(MOMENTS).into()
    })
}

/// A moment in local time, with an offset, or the last second of a day.
fn read(text: &str) -> Option<Stamp> {
    const LONGEST: usize = "2024-04-02T17:00:00.000000000+07:00".len();
    if !text.is_ascii() || text.len() > LONGEST {
        return None;
    }
    // An unescaped plus arrives as a space.
    let text = text.replacen(' ', "+", 1);
    let time = match text.len() {
        10 => return Some(Stamp(Day::parse(&text)?.plus(1).start().0 - 1)),
        16 => format!("{text}:00+07:00"),
        19 => format!("{text}+07:00"),
        // With parts of a second, and still without an offset.
        _ if text
            .get(19..)
            .is_some_and(|rest| rest.starts_with('.') && !rest.contains(['Z', '+', '-'])) =>
        {
            format!("{text}+07:00")
        }
        _ => text,
    };
    (time.as_bytes().get(10) == Some(&b'T')).then(|| Stamp::parse(&time)).flatten()
}

/// A moment as it stands in a link: local time without an offset.
pub(super) fn written(at: Stamp) -> String {
    at.rfc3339().trim_end_matches("+07:00").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_local_unless_it_says_otherwise_and_a_day_is_its_end() {
        let five = Stamp::parse("2024-04-02T10:00:00Z").unwrap();
        for text in [
            "2024-04-02T17:00",
            "2024-04-02T17:00:00",
            "2024-04-02T17:00:00.5",
            "2024-04-02T17:00:00+07:00",
            "2024-04-02T17:00:00 07:00",
            "2024-04-02T10:00:00Z",
        ] {
            assert_eq!(read(text), Some(five), "{text}");
        }
        assert_eq!(read(&written(five)), Some(five));
        assert_eq!(read("2024-04-02"), Stamp::parse("2024-04-02T23:59:59+07:00"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "2024",
            "2024-04",
            "2024-02-30",
            "2024-04-02T25:00",
            "2024-04-02 17:00",
            "2024-04-02T17",
            "1711990800",
            "２０２４-04-02",
            "2024-04-02T17:00:00+07:00[Asia/Ho_Chi_Minh]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
