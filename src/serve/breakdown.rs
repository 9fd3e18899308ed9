//! `/v1/indicators/{id}/breakdown`: one number by commune or by one of its dimensions, for rankings
//! and maps.
//!
//! Every commune stands in the answer once, also those without a value, so that numerators and
//! denominators add up to those of the province beside them. Missing values come last whatever the
//! order: they are neither the best nor the worst.

use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::envelope::Envelope;
use super::error::ApiError;
use super::number::Number;
use super::period::asked_period;
use super::place::area;
use super::query::{Query, refused};
use crate::indicator::reading::{NoValue, Status};
use crate::indicator::{self, By, Definition, Place, Point};
use crate::model::text::Bilingual;

/// The most rows in one answer.
const LIMIT: usize = 1000;

/// One commune or one value of a dimension.
#[derive(Debug, Serialize)]
struct Row {
    /// The commune's code or the dimension's; null where records have none.
    key: Option<String>,
    title: String,
    title_en: String,
    value: Option<Number>,
    numerator: Option<Number>,
    denominator: Option<Number>,
    status: Status,
    reason: Option<NoValue>,
    completeness_ratio: Option<Number>,
}

/// In which order the rows come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Key,
    Rising,
    Falling,
}

/// `…/breakdown?by=&period=&sort=&limit=`.
pub(super) fn breakdown(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let query = Query::read(asked.request.query_string(), &["by", "period", "sort", "limit"])?;
    let orders = [("key", Order::Key), ("value", Order::Rising), ("-value", Order::Falling)];
    let order = query.one_of("sort", &orders, Order::Key)?;
    let limit = query.count("limit", LIMIT, LIMIT)?;
    let period = asked_period(asked, definition, &query)?;
    let by = query.get("by").unwrap_or("commune");
    let cut = match by {
        "commune" => By::Commune,
        _ => By::Dimension(dimension(definition, by)?),
    };
    let points = indicator::breakdown(&asked.world(), definition, &period, cut)
        .map_err(|error| ApiError::NotApplicable(error.to_string()))?;
    let mut rows: Vec<Row> = points
        .into_iter()
        .map(|part| row(titles(asked, definition, by, &part.key), part.key, &part.point))
        .collect();
    sort(&mut rows, order);
    rows.truncate(limit);
    let reading = indicator::value(&asked.world(), definition, &period, Place::Province);
    let mut envelope = Envelope::new(asked, definition, reading, area(asked, Place::Province));
    envelope.by = Some(by.to_owned());
    envelope.items = Some(rows);
    Answer::json(&envelope)
}

fn dimension<'a>(definition: &'a Definition, by: &str) -> Result<&'a str, ApiError> {
    let names = definition.dimensions.iter().map(|dimension| dimension.name.as_str());
    match names.clone().find(|name| *name == by) {
        Some(name) => Ok(name),
        None => Err(refused("by", by, std::iter::once("commune").chain(names))),
    }
}

/// What people call a row: the commune's name, the code's title, or the attribute itself.
fn titles(asked: &Asked<'_>, definition: &Definition, by: &str, key: &str) -> Bilingual {
    if by == "commune" {
        let areas = &asked.definitions.areas;
        let area = areas.current_by_code(key).and_then(|number| areas.get(number));
        return Bilingual::same(area.map_or(key, |area| &area.name));
    }
    if key.is_empty() {
        return Bilingual { vi: "Không có".to_owned(), en: "None".to_owned() };
    }
    let dictionary = definition
        .dimensions
        .iter()
        .find(|dimension| dimension.name == by)
        .map(|dimension| dimension.dictionary.as_str());
    match (dictionary, key) {
        (Some("boolean"), "true") => Bilingual { vi: "Có".to_owned(), en: "Yes".to_owned() },
        (Some("boolean"), _) => Bilingual { vi: "Không".to_owned(), en: "No".to_owned() },
        (Some(name), _) => {
            let list =
                name.strip_prefix("list:").and_then(|list| asked.definitions.lists.get(list));
            let title = list.and_then(|list| list.title(list.number(key)?));
            title.cloned().unwrap_or_else(|| Bilingual::same(key))
        }
        (None, _) => Bilingual::same(key),
    }
}

fn row(title: Bilingual, key: String, point: &Point) -> Row {
    Row {
        key: Some(key).filter(|key| !key.is_empty()),
        title: title.vi,
        title_en: title.en,
        value: point.value.map(Number),
        numerator: point.numerator.map(Number),
        denominator: point.denominator.map(Number),
        status: point.status,
        reason: point.reason,
        completeness_ratio: point.completeness_ratio.map(Number),
    }
}

fn sort(rows: &mut [Row], order: Order) {
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    if order == Order::Key {
        return;
    }
    rows.sort_by(|a, b| match (a.value, b.value) {
        (Some(a), Some(b)) if order == Order::Rising => a.0.total_cmp(&b.0),
        (Some(a), Some(b)) => b.0.total_cmp(&a.0),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_come_last_in_either_order() {
        let point = |value| Point {
            value,
            numerator: None,
            denominator: None,
            status: Status::Final,
            reason: None,
            completeness_ratio: None,
        };
        let order = |order| {
            let values = [("a", Some(1.0)), ("b", None), ("c", Some(3.0)), ("d", Some(1.0))];
            let mut rows: Vec<Row> = values
                .into_iter()
                .map(|(key, value)| row(Bilingual::same(key), key.to_owned(), &point(value)))
                .collect();
            sort(&mut rows, order);
            rows.into_iter().filter_map(|row| row.key).collect::<String>()
        };
        assert_eq!(order(Order::Rising), "adcb");
        assert_eq!(order(Order::Falling), "cadb");
        assert_eq!(order(Order::Key), "abcd");
    }
}
