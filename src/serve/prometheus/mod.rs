//! `/prometheus`: indicators for everyone who speaks Prometheus, Grafana first.
//!
//! The address to enter as a Prometheus data source is `http://…/prometheus`; no plugin is needed.
//! It answers the part of Prometheus' HTTP API and of PromQL that dashboards use, computed from the
//! indicators themselves: text → [`lexer`] → [`parser`] → [`expression`] → [`evaluate`], with
//! [`samples`] as the only reader of values. Everything outside the subset is refused in words that
//! say what to use instead; sums of ratios get a warning, provisional and stale values a note.
//! Errors have the shape that Prometheus' clients read, not that of `/v1`.

mod aggregate;
mod evaluate;
mod expression;
pub(super) mod families;
mod functions;
mod lexer;
mod operate;
mod parameters;
mod parser;
pub(super) mod reply;
mod samples;
pub(super) mod subset;

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::header;
use actix_web::{HttpRequest, Route, web};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::value::to_raw_value;

use self::evaluate::{Value, evaluate};
use self::expression::{Aggregation, Expression, Function};
use self::families::{LABELS, Labels, choose, families};
use self::parameters::{Parameters, unread};
use self::parser::parse;
use self::reply::{Data, Pairs, Said, Sample, plain, success};
use self::samples::{Grid, Reader};
use super::answer::{Answer, Keep};
use super::context::{Asked, Current, Question};
use super::error::ApiError;
use super::past;

/// The largest form, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

/// How long a form may take.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// What Prometheus' clients take this server for. No `features`: Grafana asks for none then.
const VERSION: &str = "2.42.0-compatible";

/// Hands a question from the address or from a form to `reader`.
pub(super) fn form(reader: past::Reader) -> Route {
    web::to(move |request: HttpRequest, context: Current, body: web::Payload| async move {
        let slow = || Err(ApiError::BadQuery(format!("the form took more than {WITHIN:?}")));
        let text = tokio::time::timeout(WITHIN, text_of(&request, body)).await;
        let result = match text.unwrap_or_else(|_| slow()) {
            Ok(form) => {
                let question = Question::of(&request).with_form(form);
                past::answer(question, context, None, reader).await
            }
            Err(error) => Err(error),
        };
        super::respond(&request, result)
    })
}

/// The form in a body; nothing if the body is something else.
async fn text_of(request: &HttpRequest, mut body: web::Payload) -> Result<String, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ApiError::BadQuery("the form ends early".to_owned()))?;
        if bytes.len() + chunk.len() > FORM_LIMIT {
            return Err(ApiError::BadQuery(format!("the form is larger than {FORM_LIMIT} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| ApiError::BadQuery("the form is not UTF-8".to_owned()))
}

/// `/prometheus/`: where clients knock to see whether somebody is there.
pub(super) fn start(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let docs = asked.link("/docs/prometheus");
    let text =
        format!("The indicators in Prometheus' own language; {docs} tells which part of it.\n");
    Ok(Answer::new("text/plain; charset=utf-8", text, Keep::Briefly))
}

/// Reads `query`, computes it at the steps of `grid` and says what must be said about it.
fn computed<T>(
    asked: &Asked<'_>,
    parameters: &Parameters,
    grid: Grid,
    then: impl FnOnce(&Reader<'_>, &Expression) -> Result<T, String>,
) -> Result<(T, Vec<String>, Vec<String>), ApiError> {
    let text = parameters.query()?;
    let question = parse(text).map_err(|refusal| unread("query", text, &refusal))?;
    let reader = Reader::new(asked, grid);
    reader.admit(&question).map_err(ApiError::BadQuery)?;
    let warnings = summed_ratios(&reader, &question);
    let found = then(&reader, &question).map_err(ApiError::QueryFailed)?;
    Ok((found, warnings, reader.notes()))
}

/// `/query`: the value at one moment.
pub(super) fn instant(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let parameters = Parameters::of(asked);
    let grid = parameters.instant(asked)?;
    let compute = |reader: &Reader<'_>, question: &Expression| match question {
        Expression::Range(selector, range) => {
            let found = evaluate::raw(reader, selector, *range);
            Ok(to_raw_value(&reply::samples(found)))
        }
        _ => Ok(match evaluate(reader, question)? {
            Value::Vector(lines) => to_raw_value(&reply::vector(grid, lines)),
            Value::Scalar(values) => {
                let value = values.first().copied().unwrap_or(f64::NAN);
                let result = Sample(grid.start, value);
                to_raw_value(&Data { result_type: "scalar", result })
            }
            Value::Text(text) => {
                let result = Said(grid.start, &text);
                to_raw_value(&Data { result_type: "string", result })
            }
        }),
    };
    let (data, warnings, infos) = computed(asked, &parameters, grid, compute)?;
    success(data.map_err(|error| ApiError::Internal(error.to_string()))?, warnings, infos)
}

/// `/query_range`: the value at each step.
pub(super) fn range(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let parameters = Parameters::of(asked);
    let grid = parameters.range()?;
    let compute = |reader: &Reader<'_>, question: &Expression| {
        let lines = match evaluate(reader, question)? {
            Value::Vector(lines) => lines,
            Value::Scalar(values) => vec![samples::Line {
                labels: Labels::new(),
                values: values.into_iter().map(Some).collect(),
            }],
            Value::Text(_) => Vec::new(),
        };
        Ok(reply::matrix(grid, lines))
    };
    let kind = parse(parameters.query()?).map(|question| question.kind());
    if let Ok(kind @ (expression::Kind::Text | expression::Kind::Matrix)) = kind {
        return Err(ApiError::BadQuery(format!(
            "invalid parameter \"query\": invalid expression type \"{}\" for range query, must be \
             Scalar or instant Vector",
            kind.said()
        )));
    }
    let (data, warnings, infos) = computed(asked, &parameters, grid, compute)?;
    success(data, warnings, infos)
}

/// What is said of every sum or average over what does not add up.
fn summed_ratios(reader: &Reader<'_>, question: &Expression) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    question.walk(&mut |part| {
        let (word, of) = match part {
            Expression::Aggregate {
                by: by @ (Aggregation::Sum | Aggregation::Avg), of, ..
            } => (by.word(), &**of),
            Expression::Call(by @ (Function::SumOver | Function::AvgOver), arguments) => {
                (by.word(), &arguments[0])
            }
            _ => return,
        };
        of.walk(&mut |part| {
            let (Expression::Selector(selector) | Expression::Range(selector, _)) = part else {
                return;
            };
            if let Some((name, province)) = reader.ratio(selector) {
                warnings.insert(format!(
                    "{word} over {name}: shares of different wholes do not add up and their mean \
                     is not the share of the whole; {province} is the province's own value, \
                     grain=\"month\" that of a month, and /v1/indicators/{{id}}/series?by=commune \
                     has numerators and denominators"
                ));
            }
        });
    });
    warnings.into_iter().collect()
}

/// `/series`: the series that fit one of the selectors.
pub(super) fn series(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let parameters = Parameters::of(asked);
    let matches = parameters.matches()?;
    if matches.is_empty() {
        return Err(ApiError::BadQuery("no match[] parameter provided".to_owned()));
    }
    let all: BTreeSet<Labels> = matches
        .iter()
        .flat_map(|matchers| choose(asked, matchers))
        .flat_map(|chosen| chosen.series.into_iter().map(|(_, labels)| labels))
        .collect();
    limited(all, parameters.limit()?)
}

/// `/labels`: the names of labels.
pub(super) fn labels(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let parameters = Parameters::of(asked);
    let matches = parameters.matches()?;
    let names: BTreeSet<String> = if matches.is_empty() {
        LABELS.map(str::to_owned).into()
    } else {
        let all = matches.iter().flat_map(|matchers| choose(asked, matchers));
        all.flat_map(|chosen| chosen.series)
            .flat_map(|(_, labels)| labels.into_keys().collect::<Vec<_>>())
            .collect()
    };
    limited(names, parameters.limit()?)
}

/// `/label/{name}/values`: the values of a label.
pub(super) fn label_values(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let parameters = Parameters::of(asked);
    let mut matches = parameters.matches()?;
    if matches.is_empty() {
        // All series: at every grain if that is the question.
        let any =
            if asked.piece("name") == "grain" { "{grain=~\".+\"}" } else { "{indicator!=\"\"}" };
        matches = vec![parse_any(any)?];
    }
    let values: BTreeSet<String> = matches
        .iter()
        .flat_map(|matchers| choose(asked, matchers))
        .flat_map(|chosen| chosen.series)
        .filter_map(|(_, mut labels)| labels.remove(asked.piece("name")))
        .collect();
    limited(values, parameters.limit()?)
}

fn parse_any(text: &str) -> Result<Vec<expression::Matcher>, ApiError> {
    let selector = parser::parse_selector(text);
    selector.map(|found| found.matchers).map_err(|refusal| unread("match[]", text, &refusal))
}

/// The first `limit` of all, with a warning if that left some out.
fn limited<T: Serialize>(all: BTreeSet<T>, limit: usize) -> Result<Answer, ApiError> {
    let cut = all.len() > limit;
    let warnings = if cut { vec!["results truncated due to limit".to_owned()] } else { Vec::new() };
    let all: Vec<T> = all.into_iter().take(limit).collect();
    success(all, warnings, Vec::new())
}

/// `/metadata?metric=&limit=`: what each metric is.
pub(super) fn metadata(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    #[derive(Serialize)]
    struct About {
        r#type: &'static str,
        help: String,
        unit: String,
    }
    let parameters = Parameters::of(asked);
    let wanted = parameters.get("metric").filter(|name| !name.is_empty());
    let mut all: BTreeMap<String, [About; 1]> = BTreeMap::new();
    for family in families(asked).filter(|each| wanted.is_none_or(|name| each.name == name)) {
        let about = About { r#type: "gauge", help: family.help(), unit: family.unit().to_owned() };
        all.insert(family.name, [about]);
    }
    let limit = parameters.limit()?;
    plain(all.into_iter().take(limit).collect::<BTreeMap<_, _>>())
}

/// `/status/buildinfo`.
pub(super) fn build_info(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    plain(Pairs(&[
        ("version", VERSION),
        ("revision", asked.context.version),
        ("branch", ""),
        ("buildUser", ""),
        ("buildDate", ""),
        ("goVersion", ""),
    ]))
}

/// `/query_exemplars`: there are none.
pub(super) fn exemplars(_: &Asked<'_>) -> Result<Answer, ApiError> {
    plain([(); 0])
}

/// `/rules`: there are none.
pub(super) fn rules(_: &Asked<'_>) -> Result<Answer, ApiError> {
    plain(BTreeMap::from([("groups", Vec::<String>::new())]))
}

/// `/alerts`: there are none.
pub(super) fn alerts(_: &Asked<'_>) -> Result<Answer, ApiError> {
    plain(BTreeMap::from([("alerts", Vec::<String>::new())]))
}
