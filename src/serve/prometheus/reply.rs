//! Answers in the envelope of Prometheus' HTTP API.

use schemars::JsonSchema;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeTuple, Serializer};

use super::families::Labels;
use super::samples::{Grid, Line};
use crate::serve::answer::Answer;
use crate::serve::error::ApiError;

#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    infos: Vec<String>,
}

/// The body of a refusal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PrometheusError")]
pub(in crate::serve) struct Failed<'a> {
    pub(in crate::serve) status: &'static str,
    #[serde(rename = "errorType")]
    pub(in crate::serve) error_type: &'a str,
    pub(in crate::serve) error: &'a str,
}

/// The result of a query. `resultType` is written first: Grafana reads it while it streams.
#[derive(Serialize)]
pub(super) struct Data<R> {
    #[serde(rename = "resultType")]
    pub(super) result_type: &'static str,
    pub(super) result: R,
}

/// A series with one sample.
#[derive(Serialize)]
pub(super) struct One {
    metric: Labels,
    value: Sample,
}

/// A series with its samples.
#[derive(Serialize)]
pub(super) struct Many {
    metric: Labels,
    values: Vec<Sample>,
}

/// `[seconds, "value"]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample(pub(super) i64, pub(super) f64);

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        seconds(self.0, |whole, rest| match rest {
            0 => pair.serialize_element(&whole),
            _ => pair.serialize_element(&(self.0 as f64 / 1000.0)),
        })?;
        pair.serialize_element(&number(self.1))?;
        pair.end()
    }
}

/// `[seconds, "text"]`.
pub(super) struct Said<'a>(pub(super) i64, pub(super) &'a str);

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&(self.0 as f64 / 1000.0))?;
        pair.serialize_element(self.1)?;
        pair.end()
    }
}

fn seconds<T>(milliseconds: i64, write: impl FnOnce(i64, i64) -> T) -> T {
    write(milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000))
}

/// A value as Prometheus writes it.
pub(in crate::serve) fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}

/// A map that is written in the order of its pairs.
pub(super) struct Pairs<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A success without anything to say beside it.
pub(super) fn plain(data: impl Serialize) -> Result<Answer, ApiError> {
    success(data, Vec::new(), Vec::new())
}

/// A success with what people should know about it.
pub(super) fn success(
    data: impl Serialize,
    warnings: Vec<String>,
    infos: Vec<String>,
) -> Result<Answer, ApiError> {
    Answer::json(&Success { status: "success", data, warnings, infos })
}

/// The lines at the only step, in their order.
pub(super) fn vector(grid: Grid, lines: Vec<Line>) -> Data<Vec<One>> {
    let one = |line: Line| {
        let value = line.values.first().copied().flatten()?;
        Some(One { metric: line.labels, value: Sample(grid.start, value) })
    };
    Data { result_type: "vector", result: lines.into_iter().filter_map(one).collect() }
}

/// The lines at all steps, by labels.
pub(super) fn matrix(grid: Grid, mut lines: Vec<Line>) -> Data<Vec<Many>> {
    lines.sort_by(|one, other| one.labels.cmp(&other.labels));
    let many = |line: Line| {
        let steps = grid.times().zip(line.values);
        let values = steps.filter_map(|(at, value)| Some(Sample(at, value?)));
        Many { metric: line.labels, values: values.collect() }
    };
    Data { result_type: "matrix", result: lines.into_iter().map(many).collect() }
}

/// Samples where they lie.
pub(super) fn samples(series: Vec<(Labels, Vec<(i64, f64)>)>) -> Data<Vec<Many>> {
    let many = |(metric, samples): (Labels, Vec<(i64, f64)>)| Many {
        metric,
        values: samples.into_iter().map(|(at, value)| Sample(at, value)).collect(),
    };
    Data { result_type: "matrix", result: series.into_iter().map(many).collect() }
}
