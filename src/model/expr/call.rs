//! The functions of the language: `has(x)`, `duration("2h")`, `timestamp("…")`, `date("…")`.
//!
//! All but `has` take a literal and are constants when the configuration is read: there is nothing to
//! call at run time. They are CEL's, but for `date`, which CEL has no type for. `size` is left out:
//! a row keeps the number of a text and not the text.

use super::check::{Scope, Type, flaw, node};
use super::parse::{Syntax, Tree};
use super::{Flaw, Node};
use crate::model::nearest::nearest;
use crate::model::time::{Day, Stamp};

/// Every function there is.
const NAMES: [&str; 4] = ["has", "duration", "timestamp", "date"];

/// Checks a call and yields what it stands for.
pub(super) fn check(
    tree: &Tree,
    name: &str,
    arguments: &[Tree],
    scope: &dyn Scope,
) -> Result<(Node, Type), Flaw> {
    if !NAMES.contains(&name) {
        let hint =
            nearest(name, NAMES).map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
        let known = NAMES.join(", ");
        return flaw(tree, format!("there is no function '{name}'{hint} (there are {known})"));
    }
    let [argument] = arguments else {
        return flaw(tree, format!("'{name}' takes exactly one argument"));
    };
    match (name, &argument.syntax) {
        ("has", Syntax::Name(_)) => {
            let (value, _) = node(argument, scope)?;
            let is_null = Box::new(Node::IsNull(Box::new(value)));
            Ok((Node::Not(is_null), Type::Boolean))
        }
        ("has", _) => flaw(argument, "'has' asks for a property by its name"),
        (_, Syntax::Text(text)) => literal(name, text).or_else(|message| flaw(argument, message)),
        _ => flaw(argument, format!("'{name}' takes a text in quotes")),
    }
}

fn literal(name: &str, text: &str) -> Result<(Node, Type), String> {
    let (value, kind, example) = match name {
        "duration" => (seconds(text), Type::Number(0), "2h30m, in h, m and s"),
        "timestamp" => {
            let moment = Stamp::parse(text).map(|at| at.0);
            (moment, Type::Timestamp, "2025-07-01T00:00:00+07:00")
        }
        _ => (Day::parse(text).map(|day| i64::from(day.0)), Type::Date, "2025-07-01"),
    };
    match value {
        Some(value) => Ok((Node::Constant(value), kind)),
        None => Err(format!("'{text}' is not a {name} such as {example}")),
    }
}

/// The seconds of `1h30m`, `90s` or `-5m`: each unit at most once, the larger before the smaller.
fn seconds(text: &str) -> Option<i64> {
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut total = 0_i64;
    for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if let Some(after) = rest[digits..].strip_prefix(unit) {
            let count = rest[..digits].parse::<i64>().ok()?;
            total = total.checked_add(count.checked_mul(factor)?)?;
            rest = after;
        }
    }
    let is_whole = rest.is_empty() && !text.is_empty() && text != "-";
    is_whole.then_some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_whole_seconds_or_refused() {
        let cases = [
            ("2h", Some(7200)),
            ("1h30m", Some(5400)),
            ("90s", Some(90)),
            ("-5m", Some(-300)),
            ("0s", Some(0)),
            ("24h0m1s", Some(86_401)),
            ("", None),
            ("-", None),
            ("5", None),
            ("h", None),
            ("1.5h", None),
            ("5m2h", None),
            ("1h1h", None),
            ("1d", None),
            ("2 h", None),
            ("9223372036854775807h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
