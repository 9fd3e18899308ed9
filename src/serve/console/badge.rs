//! `/v1/badges/{id}.svg` and `/v1/badges/sources/{id}.svg`: one number, or how a source fares, as a small
//! picture for portals and documents.
//!
//! It stands alone, so it carries what qualifies the number: unit, period, status and the day up to
//! which it is known; when its sources are late it turns grey and says so, never a silent old number.
//! Vietnamese with English below; colour is never the only mark. No style sheet and no font of
//! anybody's: attributes alone, which every viewer draws.

use maud::{Markup, PreEscaped, html};

use super::format;
use super::words::{self, Tone};
use crate::indicator::reading::{FreshnessState, Reading};
use crate::indicator::{Definition, Place, value};
use crate::model::time::Stamp;
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::period::asked_period;
use crate::serve::sources;

/// The width of a letter of the upper and of the lower line, roughly; wide scripts get no more.
const WIDE: usize = 8;
const NARROW: usize = 6;

/// The space at either side of a text.
const EDGE: usize = 10;

/// The most letters of a title.
const TITLE: usize = 60;

/// What stands in one half of a badge: the Vietnamese line, and the line below.
struct Half {
    upper: String,
    lower: String,
}

impl Half {
    fn width(&self) -> usize {
        let of = |text: &str, letter: usize| text.chars().count() * letter;
        of(&self.upper, WIDE).max(of(&self.lower, NARROW)) + 2 * EDGE
    }
}

/// `/v1/badges/{id}.svg?period=&as_of=`.
pub(in crate::serve) fn picture(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let query = asked.query()?;
    let period = asked_period(asked, definition, &query)?;
    let reading = value(&asked.world(), definition, &period, Place::Province);
    let markup = drawn(&about(definition), &told(definition, &reading), tone(&reading));
    Ok(Answer::new("image/svg+xml", markup.into_string(), Keep::Briefly))
}

/// `/v1/badges/sources/{id}.svg`.
pub(in crate::serve) fn picture_of_source(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let state = sources::named(asked, false)?;
    let (tone, (vi, en)) = words::health(state.health);
    let (why, why_en) = state.reasons.first().map_or((vi, en), |reason| words::reason(reason));
    let through = through(state.freshness.data_through);
    let unit = &state.accountable.name;
    let upper = if state.reasons.is_empty() { vi.to_owned() } else { format!("{vi}: {why}") };
    let told = Half { upper, lower: format!("{why_en} · {through} · {unit}") };
    let markup = drawn(&titled(state.title, state.title_en), &told, tone);
    Ok(Answer::new("image/svg+xml", markup.into_string(), Keep::Briefly))
}

fn about(definition: &Definition) -> Half {
    titled(&definition.title.vi, &definition.title.en)
}

fn titled(vi: &str, en: &str) -> Half {
    let short = |text: &str| match text.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    Half { upper: short(vi), lower: short(en) }
}

/// How far something is known.
fn through(moment: Option<Stamp>) -> String {
    match moment {
        Some(through) => format!("đến/to {}", format::time(through)),
        None => "chưa có dữ liệu/no data".to_owned(),
    }
}

/// The value with its unit, and below: period, status, and how far the number is known.
fn told(definition: &Definition, reading: &Reading) -> Half {
    let unit = words::unit(&definition.unit_measure).0;
    let upper = match reading.point.value {
        Some(value) => {
            let value = format::value(value, &definition.unit_measure, definition.decimals);
            format!("{value} {unit}").trim_end().to_owned()
        }
        None => words::no_value(reading.point.reason).0.to_owned(),
    };
    let (period, _) = words::period(&reading.period.id, reading.period.first);
    let (status, status_en) = words::status(reading.point.status);
    let through = through(reading.freshness.data_through);
    let stale = match reading.freshness.state {
        FreshnessState::Stale => " · SỐ LIỆU CŨ/STALE",
        FreshnessState::Fresh | FreshnessState::NeverReported => "",
    };
    Half { upper, lower: format!("{period} · {status}/{status_en} · {through}{stale}") }
}

/// How the value stands; an old one is no longer praised or blamed.
fn tone(reading: &Reading) -> Tone {
    if reading.freshness.state != FreshnessState::Fresh || reading.point.value.is_none() {
        return Tone::Plain;
    }
    words::target(reading.target.status).0
}

const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "#146c2e",
        Tone::Near => "#7a4d00",
        Tone::Bad => "#a8201a",
        Tone::Plain => "#4a5868",
    }
}

fn drawn(about: &Half, told: &Half, tone: Tone) -> Markup {
    let (left, right) = (about.width(), told.width());
    let width = left + right;
    let said = format!("{} / {}: {} ({})", about.upper, about.lower, told.upper, told.lower);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(said)
            width=(width) height="44" viewBox={ "0 0 " (width) " 44" } {
            title { (said) }
            rect width=(left) height="44" fill="#15202e" {}
            rect x=(left) width=(right) height="44" fill=(colour(tone)) {}
            g fill="#ffffff" font-family="Verdana, DejaVu Sans, sans-serif" {
                (half(about, EDGE))
                (half(told, left + EDGE))
            }
        }
    }
}

fn half(half: &Half, x: usize) -> Markup {
    html! {
        text x=(x) y="19" font-size="13" font-weight="bold" { (half.upper) }
        text x=(x) y="35" font-size="10" { (half.lower) }
    }
}
