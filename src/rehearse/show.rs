//! Slots of a row as a steward writes them, and back: for comparing rows and for showing them.

use serde_json::Value;

use crate::config::Config;
use crate::model::contract::PropertyType;
use crate::model::dictionary::Dictionary;
use crate::model::nearest::nearest;
use crate::model::row::NULL;
use crate::model::schema::Field;
use crate::model::time::{Day, Stamp};

/// The value of a slot in words; `None` for none. `texts` is the dictionary of a text property.
pub(super) fn slot(
    field: &Field,
    value: i64,
    config: &Config,
    texts: Option<&Dictionary>,
) -> Option<String> {
    if value == NULL {
        return None;
    }
    Some(match field.kind {
        PropertyType::Timestamp => Stamp(value).rfc3339(),
        PropertyType::Date => Day(value as i32).to_string(),
        PropertyType::Boolean => (value != 0).to_string(),
        PropertyType::Area => word(config.words.get("area"), value),
        PropertyType::Text => word(texts, value),
        PropertyType::Code => {
            let list = field.list.as_ref().map_or("", |list| list.name.as_str());
            word(config.words.get(&format!("list:{list}")), value)
        }
        PropertyType::Decimal => {
            let scale = 10_i64.pow(u32::from(field.decimals));
            let sign = if value < 0 { "-" } else { "" };
            let (whole, rest) = ((value / scale).abs(), (value % scale).abs());
            let width = usize::from(field.decimals);
            if width == 0 { value.to_string() } else { format!("{sign}{whole}.{rest:0width$}") }
        }
        _ => value.to_string(),
    })
}

fn word(dictionary: Option<&Dictionary>, number: i64) -> String {
    let word = dictionary.and_then(|dictionary| dictionary.word(number as u16));
    word.unwrap_or("?").to_owned()
}

/// What a case expects of a property, brought to the form in which [`slot`] shows it; `None` for
/// null. The error says why no record can have that value.
pub(super) fn expected(
    field: &Field,
    value: &Value,
    config: &Config,
) -> Result<Option<String>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => return Err("a property holds one value".to_owned()),
    };
    let wrong = |what: &str| Err(format!("'{text}' is not {what}"));
    match field.kind {
        PropertyType::Identifier => {
            Err("an identifier is kept only as a keyed hash and cannot be compared".to_owned())
        }
        PropertyType::Timestamp => match Stamp::parse(&text) {
            Some(moment) => Ok(Some(moment.rfc3339())),
            None => wrong("a moment such as 2025-08-01T09:00:00+07:00"),
        },
        PropertyType::Date if Day::parse(&text).is_none() => wrong("a day such as 2025-07-01"),
        PropertyType::Boolean if text != "true" && text != "false" => wrong("true or false"),
        PropertyType::Code => {
            let list = field.list.as_ref();
            if list.is_some_and(|list| list.number(&text).is_some()) {
                return Ok(Some(text));
            }
            let codes = list.iter().flat_map(|list| list.codes()).map(|(_, code)| code);
            let hint = nearest(&text, codes).map(|near| format!(" – did you mean '{near}'?"));
            wrong(&format!("a code of the list{}", hint.unwrap_or_default()))
        }
        PropertyType::Area => {
            let areas = config.words.get("area").into_iter().flat_map(|words| words.since(0));
            let mut known = areas.map(|(_, word)| word);
            if known.any(|word| is_area(&text, word)) { Ok(Some(text)) } else { wrong("an area") }
        }
        PropertyType::Decimal => {
            let places = usize::from(field.decimals);
            match text.parse::<f64>() {
                Ok(number) => Ok(Some(format!("{number:.places$}"))),
                Err(_) => wrong("a number"),
            }
        }
        PropertyType::Integer if text.parse::<i64>().is_err() => wrong("a whole number"),
        _ => Ok(Some(text)),
    }
}

/// Whether what came is what was expected, both in the form of [`slot`].
pub(super) fn is_same(field: &Field, expected: Option<&str>, actual: Option<&str>) -> bool {
    match (field.kind, expected, actual) {
        (PropertyType::Area, Some(expected), Some(actual)) => is_area(expected, actual),
        _ => expected == actual,
    }
}

/// Whether `17329` or `17329@2024-12` names the area that is known as `17329@2024-12`.
fn is_area(text: &str, known: &str) -> bool {
    text == known || known.split_once('@').is_some_and(|(code, _)| code == text)
}
