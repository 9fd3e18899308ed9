//! `/docs/prometheus`: which part of Prometheus is answered, made from the very tables that decide it.

use std::fmt::Write as _;

use super::expression::{Aggregation, Function, Operator};
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;

const ABOUT: &str = "\
Chỉ tiêu theo giao thức Prometheus · Indicators in Prometheus' language
=======================================================================

Nguồn dữ liệu Prometheus trong Grafana: URL là địa chỉ của cổng, thêm /prometheus; không cần plugin.
Data source in Grafana: type Prometheus, URL is this gateway's address with /prometheus; no plugin.

Metrics
  ioc_<indicator>_<unit>{commune, indicator, grain, unit}    one series for each commune
  ioc_<indicator>_province_<unit>{indicator, grain, unit}    the province's own value
  ioc_indicator_info{indicator, metric, title, unit_of_measure, accountable, grain}
  ioc_indicator_target{indicator}

  Ratios are 0 to 1 and end in _ratio; durations are in seconds. `unit` is the accountable unit.

What differs from a Prometheus server
  - A value stands on the first moment of its bucket, in local time (+07:00), and is seen until the
    bucket ends: the look-back is the length of the bucket, not five minutes. What is told a day
    later has no value today: last_over_time(x[7d]) is the newest value there is.
  - Without a matcher on `grain` a selector means days. grain=\"week\", \"month\", \"quarter\" and
    \"year\" are computed from their own sums, not from days: ask for a month's ratio, do not average.
  - A range [7d] holds the buckets that begin within it, its earliest moment excluded.
  - A missing value is no sample. Provisional and stale values come with a note under `infos`.
  - sum, avg and their _over_time over what does not add up (ratios, scores, medians) come with a
    warning under `warnings` that names the metric to use instead.
  - All of an answer comes from one revision of the store.

";

/// The page.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let mut text = ABOUT.to_owned();
    let list = |words: &mut dyn Iterator<Item = &'static str>| words.collect::<Vec<_>>().join(" ");
    let _ = writeln!(text, "The language");
    let _ = writeln!(text, "  selectors     = != =~ !~, offset, @, ranges such as [7d]");
    let aggregations = list(&mut Aggregation::ALL.iter().map(|each| each.word()));
    let _ = writeln!(text, "  aggregations  {aggregations}, with by and without");
    let functions = list(&mut Function::ALL.iter().map(|each| each.word()));
    let _ = writeln!(text, "  functions     {functions}");
    let operators = list(&mut Operator::ALL.iter().map(|each| each.word()));
    let _ = writeln!(text, "  operators     {operators}, with bool, on and ignoring");
    let _ = writeln!(
        text,
        "  not answered  and or unless, group_left, subqueries, rate and increase (no value here is \
         a counter that grows: use sum_over_time or delta)"
    );
    Ok(Answer::new("text/plain; charset=utf-8", text, Keep::Briefly))
}
