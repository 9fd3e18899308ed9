//! Arrays inside a record, reduced to one value: any, all, count, sum, min, max, first, last.
//!
//! A dossier carries its fees, supplements and papers as arrays; a contract has one value per
//! property. What nobody sent is null and never false or 0: an array that is absent or null has no
//! value, whatever the reduction; an empty one has the value that its words say (`any` false, `all`
//! true, `count` and `sum` 0, the others null). Sums are exact in the property's decimals.

use schemars::JsonSchema;
use serde::Deserialize;

use super::mapping::Entry;
use super::value::{self, Horizon, Slot};
use crate::model::contract::PropertyType;
use crate::model::observation::Reason;
use crate::model::record::{Items, Value};
use crate::model::row::NULL;
use crate::model::schema::Field;
use crate::model::text::normal;

/// How an array becomes one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reduce {
    /// Whether there is an item, or one whose value is true.
    Any,
    /// Whether every item meets `where`, or has a value that is true.
    All,
    /// How many items there are, or how many have the value.
    Count,
    /// The values added up; items without one are passed over.
    Sum,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The value of the first item.
    First,
    /// The value of the last item.
    Last,
}

/// A checked reduction; columns are places among the wanted values of an item.
#[derive(Clone, Debug)]
pub(super) struct Reduction {
    pub(super) how: Reduce,
    /// The item's value.
    pub(super) item: Option<usize>,
    /// Columns and the texts of which each must be one.
    pub(super) only: Vec<(usize, Vec<String>)>,
}

impl Reduce {
    /// Whether a property of this type can come of it; what is needed if not.
    pub(super) fn check(
        self,
        kind: PropertyType,
        has_item: bool,
        has_where: bool,
    ) -> Result<(), String> {
        use PropertyType::{Area, Boolean, Date, Decimal, Identifier, Integer, Text, Timestamp};
        let (fits, needed) = match self {
            Self::Any | Self::All => (kind == Boolean, "a boolean"),
            Self::Count => (kind == Integer, "an integer"),
            Self::Sum => (matches!(kind, Integer | Decimal), "an integer or a decimal"),
            Self::Min | Self::Max => (
                matches!(kind, Integer | Decimal | Timestamp | Date),
                "a number, a timestamp or a date",
            ),
            Self::First | Self::Last => {
                (!matches!(kind, Identifier | Area | Text), "a code, a number, a date or a boolean")
            }
        };
        let word = format!("{self:?}").to_lowercase();
        if !fits {
            return Err(format!("'reduce: {word}' yields {needed}"));
        }
        let needs_item = !matches!(self, Self::Any | Self::All | Self::Count);
        if needs_item && !has_item {
            return Err(format!(
                "'reduce: {word}' needs 'item': where the value stands in an item"
            ));
        }
        if self == Self::All && !has_item && !has_where {
            return Err(
                "'reduce: all' needs 'item' or 'where': what every item must meet".to_owned()
            );
        }
        Ok(())
    }
}

/// Reduces the items of one array.
pub(super) fn read(
    items: &Items<'_>,
    reduction: &Reduction,
    field: &Field,
    entry: &Entry,
    horizon: Horizon,
) -> Result<Slot, Reason> {
    let mut kept: Vec<&[Value<'_>]> = Vec::with_capacity(items.count);
    for item in items.iter() {
        if meets(item, &reduction.only)? {
            kept.push(item);
        }
    }
    let Some(column) = reduction.item else {
        let value = match reduction.how {
            Reduce::Any => i64::from(!kept.is_empty()),
            Reduce::All => i64::from(kept.len() == items.count),
            _ => value::within(kept.len() as i64, field)?,
        };
        return Ok(Slot { value, is_other: false });
    };
    let values = kept.iter().map(|item| &item[column]);
    match reduction.how {
        Reduce::Any | Reduce::All => {
            truth(values, reduction.how, entry).map(|value| Slot { value, is_other: false })
        }
        Reduce::Count => {
            let mut count = 0;
            for value in values {
                count += i64::from(!text(value)?.is_empty());
            }
            let value = value::within(count, field)?;
            Ok(Slot { value, is_other: false })
        }
        Reduce::Sum => {
            let value = value::within(sum(values, field, entry)?, field)?;
            Ok(Slot { value, is_other: false })
        }
        Reduce::Min | Reduce::Max => {
            let mut found = NULL;
            for value in values {
                let value = value::read(value, field, entry, horizon)?.value;
                let is_better =
                    if reduction.how == Reduce::Min { value < found } else { value > found };
                if value != NULL && (found == NULL || is_better) {
                    found = value;
                }
            }
            Ok(Slot { value: found, is_other: false })
        }
        Reduce::First | Reduce::Last => {
            // Each is read, so that a wrong one is noticed wherever it stands.
            let read: Result<Vec<_>, _> =
                values.map(|value| value::read(value, field, entry, horizon)).collect();
            let mut read = read?.into_iter();
            let found = if reduction.how == Reduce::First { read.next() } else { read.next_back() };
            let empty = || value::read(&Value::Absent, field, entry, horizon);
            found.map_or_else(empty, Ok)
        }
    }
}

/// Whether each of the item's filtered columns has one of its texts.
fn meets(item: &[Value<'_>], only: &[(usize, Vec<String>)]) -> Result<bool, Reason> {
    for (column, wanted) in only {
        let found = text(&item[*column])?;
        if !wanted.iter().any(|text| *text == *found) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A scalar as a text; nothing is the empty one.
fn text<'v>(value: &'v Value<'_>) -> Result<std::borrow::Cow<'v, str>, Reason> {
    Ok(match value {
        Value::Absent | Value::Null => "".into(),
        Value::Text(text) => normal(text),
        Value::Number(digits) => (*digits).into(),
        Value::Boolean(true) => "true".into(),
        Value::Boolean(false) => "false".into(),
        Value::Unfit | Value::Items(_) => return Err(Reason::WrongType),
    })
}

/// Null is not true, so one item without a value makes `all` false.
fn truth<'v, 'a: 'v>(
    values: impl Iterator<Item = &'v Value<'a>>,
    how: Reduce,
    entry: &Entry,
) -> Result<i64, Reason> {
    let (mut any, mut all) = (false, true);
    for value in values {
        let is_true = value::boolean(value, entry)? == 1;
        (any, all) = (any | is_true, all & is_true);
    }
    Ok(i64::from(if how == Reduce::Any { any } else { all }))
}

fn sum<'v, 'a: 'v>(
    values: impl Iterator<Item = &'v Value<'a>>,
    field: &Field,
    entry: &Entry,
) -> Result<i64, Reason> {
    let mut total = 0_i64;
    for value in values {
        // Bounds are the sum's; a single item may lie outside them, as a refund does.
        match value::number(value, field.decimals, entry)? {
            None => {}
            Some(number) => total = total.checked_add(number).ok_or(Reason::OutOfRange)?,
        }
    }
    if total == NULL { Err(Reason::OutOfRange) } else { Ok(total) }
}
