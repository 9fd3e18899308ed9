//! `/v1/exports/openmetrics`: days of every indicator in the text form of OpenMetrics, with their moments.
//!
//! For a Prometheus that is to know what was before it came: `promtool tsdb create-blocks-from openmetrics`
//! makes blocks of it. Families and labels are those under `/prometheus`, and a value stands on the first
//! moment of its day, as there. A missing value is no sample.

use std::fmt::Write as _;

use crate::indicator::{Definition, Grain, Place, Scope, series};
use crate::serve::answer::{Answer, Keep};
use crate::serve::catalogue::one_of;
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::period::stretch_of_days;
use crate::serve::prometheus::families::{Labels, What, by_day};
use crate::serve::prometheus::reply::number;

/// The media type.
pub(in crate::serve) const MEDIA_TYPE: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The most samples of one export.
const SAMPLES: usize = 1_000_000;

/// `/v1/exports/openmetrics?from=&to=&last=&group=&by=&as_of=`.
pub(in crate::serve) fn openmetrics(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let all = asked.definitions.catalogue.iter();
    let group = one_of(&query, "group", all.map(|each| each.group.as_str()).collect())?;
    let by_commune = query.one_of("by", &[("commune", true)], false)?;
    let (first, end) = stretch_of_days(asked, &query)?;
    let is_wanted = |what: What, definition: &Definition| {
        let is_of_scope = match what {
            What::Values(Scope::Province) => true,
            What::Values(Scope::Communes) => by_commune,
            What::Info | What::Target => false,
        };
        is_of_scope && group.is_none_or(|group| definition.group == group)
    };
    let mut chosen = by_day(asked);
    chosen.retain(|chosen| is_wanted(chosen.family.what, chosen.family.definition));
    let days = usize::try_from(end.0 - first.0).unwrap_or(0);
    let samples = chosen.iter().map(|chosen| chosen.series.len()).sum::<usize>() * days;
    if samples > SAMPLES {
        let advice =
            format!("This would be {samples} samples; ask for a shorter time or one `group`.");
        return Err(ApiError::TooManyPoints { limit: SAMPLES, advice });
    }
    let (world, mut text) = (asked.world(), String::new());
    for chosen in &chosen {
        let definition = chosen.family.definition;
        let places: Vec<Place> = chosen.series.iter().map(|(place, _)| *place).collect();
        let points = series(&world, definition, Grain::Day, (first, end), &places);
        let mut lines = vec![String::new(); places.len()];
        for (i, (period, _, point)) in points.iter().enumerate() {
            let Some(value) = point.value else { continue };
            // Points come day by day; samples of a series stand together.
            let at = i % places.len();
            let value = number(definition.in_family_unit(value));
            let start = period.first.start().0;
            let _ = writeln!(
                lines[at],
                "{}{} {value} {start}",
                chosen.family.name,
                written(&chosen.series[at].1)
            );
        }
        if lines.iter().all(String::is_empty) {
            continue;
        }
        let _ = writeln!(
            text,
            "# TYPE {0} gauge\n# HELP {0} {1}",
            chosen.family.name,
            escaped(&chosen.family.help())
        );
        text.extend(lines);
    }
    text.push_str("# EOF\n");
    Ok(Answer::new(MEDIA_TYPE, text, Keep::Briefly))
}

/// Labels without the name, as they are written.
fn written(labels: &Labels) -> String {
    let pairs = labels.iter().filter(|(name, _)| *name != "__name__");
    let pairs = pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// A text that cannot leave its line or its quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
