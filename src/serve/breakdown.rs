//! `/v1/indicators/{id}/breakdown`: one number by commune or by one of its dimensions, for rankings
//! and maps.
//!
//! Every commune stands in the answer once, also those without a value, so that numerators and
//! denominators add up to those of the province beside them. Missing values come last whatever the
//! order: they are neither the best nor the worst. What was reported from communes that were abolished
//! without a known successor is a row of its own. As reported, a period in which the boundaries
//! changed has the rows of both lists, each for the days in which it was in force.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::envelope::Envelope;
use super::error::ApiError;
use super::filter::narrowed;
use super::number::Number;
use super::period::asked_period;
use super::place::{self, Area, Boundaries, layout_by};
use super::query::refused;
use super::table::Columns;
use super::value::Spot;
use crate::indicator::layout::Cell;
use crate::indicator::reading::{Carried, NoValue, Status};
use crate::indicator::{self, By, Definition, Level, Period, Point};
use crate::model::cube::HOURS;
use crate::model::text::Bilingual;
use crate::model::time::Day;

/// The most rows in one answer.
const LIMIT: usize = 1000;

/// One commune or one value of a dimension.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BreakdownRow")]
pub(super) struct Row {
    /// The code of the commune or district, as reported with its list, or of the dimension; null
    /// where records have none.
    key: Option<String>,
    title: String,
    title_en: String,
    /// As reported: the first day that is covered, and the first one after.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Day>,
    value: Option<Number>,
    numerator: Option<Number>,
    denominator: Option<Number>,
    status: Status,
    reason: Option<NoValue>,
    completeness_ratio: Option<Number>,
    /// Components of which an earlier value stands in; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<Carried>,
}

/// A reading with its parts.
pub(super) type Body = Envelope<Row>;

/// The columns of a breakdown as a table.
const COLUMNS: Columns = &[
    ("indicator", "^/indicator"),
    ("period", "^/period/id"),
    ("by", "^/by"),
    ("key", "/key"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("value", "/value"),
    ("numerator", "/numerator"),
    ("denominator", "/denominator"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("completeness_ratio", "/completeness_ratio"),
    ("accountable_unit", "^/accountable/unit"),
    ("revision", "^/revision"),
    ("filter", "^/filter"),
];

/// In which order the rows come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Key,
    Rising,
    Falling,
}

/// `…/breakdown?by=&period=&filter[…]=&boundaries=&as_of=&sort=&limit=`.
pub(super) fn breakdown(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let definition = &*narrowed(asked, &query)?;
    let orders = [("key", Order::Key), ("value", Order::Rising), ("-value", Order::Falling)];
    let order = query.one_of("sort", &orders, Order::Key)?;
    let limit = query.count("limit", LIMIT, LIMIT)?;
    let period = asked_period(asked, definition, &query)?;
    let by = query.get("by").unwrap_or("commune");
    let boundaries = place::boundaries(asked, &query)?;
    let mut rows = match by {
        "commune" => units(asked, definition, &period, (Level::Commune, boundaries))?,
        "district" => units(asked, definition, &period, (Level::District, boundaries))?,
        _ => values(asked, definition, &period, by)?,
    };
    sort(&mut rows, order);
    rows.truncate(limit);
    let province = Spot::of(asked, &Area::Province, boundaries, &period)?;
    let reading = province
        .read(asked, definition, &period)
        .ok_or_else(|| ApiError::Internal("the province has no reading".to_owned()))?;
    let area = (province.area(asked), boundaries);
    let mut envelope = Envelope::new(asked, definition, reading, area);
    envelope.by = Some(by.to_owned());
    envelope.items = Some(rows);
    asked.listed(&envelope, COLUMNS, &format!("{}-by-{by}", definition.id))
}

/// How many points a breakdown costs: all communes, whatever the limit leaves of them.
pub(super) fn cost(asked: &Asked<'_>) -> Result<usize, ApiError> {
    asked.definition()?;
    Ok(place::all_of_today(&asked.world()).len())
}

/// The communes or districts.
fn units(
    asked: &Asked<'_>,
    definition: &Definition,
    period: &Period,
    by: (Level, Boundaries),
) -> Result<Vec<Row>, ApiError> {
    let reported = by.1 == Boundaries::AsReported;
    let row = |cell: Cell| Row {
        from: reported.then_some(cell.period.first),
        to: reported.then_some(cell.period.end),
        ..row(place::title(&cell.title), cell.key.unwrap_or_default(), &cell.point)
    };
    let layout = layout_by(asked, std::slice::from_ref(period), by)?;
    Ok(layout.cells(&asked.world(), definition).into_iter().map(row).collect())
}

/// The values of a dimension.
fn values(
    asked: &Asked<'_>,
    definition: &Definition,
    period: &Period,
    by: &str,
) -> Result<Vec<Row>, ApiError> {
    let cut = By::Dimension(dimension(definition, by)?);
    let parts = indicator::breakdown(&asked.world(), definition, period, cut)
        .map_err(|error| ApiError::NotApplicable(error.to_string()))?;
    let dictionary = dictionary(definition, by);
    let row =
        |part: indicator::Row| row(titles(asked, dictionary, &part.key), part.key, &part.point);
    Ok(parts.into_iter().map(row).collect())
}

/// Where the titles of a dimension's values come from.
pub(super) fn dictionary<'a>(definition: &'a Definition, dimension: &str) -> Option<&'a str> {
    let found = definition.dimensions.iter().find(|found| found.name == dimension);
    found.map(|found| found.dictionary.as_str())
}

/// The dimension that `by=` names where it names no level of areas.
pub(super) fn dimension<'a>(definition: &'a Definition, by: &str) -> Result<&'a str, ApiError> {
    let names = definition.dimensions.iter().map(|dimension| dimension.name.as_str());
    match names.clone().find(|name| *name == by) {
        Some(name) => Ok(name),
        None => Err(refused("by", by, ["commune", "district"].into_iter().chain(names))),
    }
}

/// What people call a value of a dictionary: the code's title, or the attribute itself.
pub(super) fn titles(asked: &Asked<'_>, dictionary: Option<&str>, key: &str) -> Bilingual {
    if key.is_empty() {
        return Bilingual { vi: "Không có".to_owned(), en: "None".to_owned() };
    }
    match (dictionary, key) {
        (Some("boolean"), "true") => Bilingual { vi: "Có".to_owned(), en: "Yes".to_owned() },
        (Some("boolean"), _) => Bilingual { vi: "Không".to_owned(), en: "No".to_owned() },
        (Some(HOURS), hour) => Bilingual { vi: format!("{hour} giờ"), en: format!("{hour}:00") },
        (Some(name), _) => code_title(asked, name.trim_start_matches("list:"), key),
        (None, _) => Bilingual::same(key),
    }
}

/// The title of a code of a list, or of a value of one of its attributes (`list.attribute`). Values
/// without a title are words of the configuration; `yes` and `no` speak for themselves.
fn code_title(asked: &Asked<'_>, list: &str, key: &str) -> Bilingual {
    let lists = &asked.definitions.lists;
    let known = match list.split_once('.') {
        Some((list, attribute)) => lists.get(list).and_then(|list| {
            let column = list.attribute(attribute)?;
            column.title(*column.values.get(key)?).cloned()
        }),
        None => lists.get(list).and_then(|list| list.title(list.number(key)?).cloned()),
    };
    known.unwrap_or_else(|| match (list.contains('.'), key) {
        (true, "yes") => Bilingual { vi: "Có".to_owned(), en: "Yes".to_owned() },
        (true, "no") => Bilingual { vi: "Không".to_owned(), en: "No".to_owned() },
        _ => Bilingual::same(key),
    })
}

fn row(title: Bilingual, key: String, point: &Point) -> Row {
    Row {
        key: Some(key).filter(|key| !key.is_empty()),
        title: title.vi,
        title_en: title.en,
        from: None,
        to: None,
        value: point.value.map(Number),
        numerator: point.numerator.map(Number),
        denominator: point.denominator.map(Number),
        status: point.status,
        reason: point.reason,
        completeness_ratio: point.completeness_ratio.map(Number),
        carried: point.carried.clone(),
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
            carried: Vec::new(),
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
