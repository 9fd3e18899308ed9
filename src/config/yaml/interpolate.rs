//! `${VARIABLE}` and `${VARIABLE:-default}` in the texts of a file.
//!
//! A variable always gives text, never a number or a mapping, so what stands around it keeps its
//! meaning whatever the environment holds. A variable that is not set is a problem at its text; the
//! text stays as it is, so that the other problems of the file are still found. The text as written
//! is kept for messages: what a variable stands for may be a secret.

use super::node::{Node, Value};
use super::problem::Problem;

/// How a message about a variable that is not set begins.
pub const UNSET: &str = "the environment variable";

/// Replaces the variables in all texts of the tree; `$${` stands for a plain `${`.
pub fn interpolate(
    node: &mut Node,
    file: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    walk(node, file, lookup, &mut Vec::new(), problems);
}

fn walk(
    node: &mut Node,
    file: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    labels: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) {
    let place = node.place(file);
    match &mut node.value {
        Value::Text(text) => {
            let mut report = |fault: Fault| {
                let problem = Problem::new(place.clone(), labels.join("."), fault.message);
                problems.push(problem.hint(fault.hint));
            };
            if let Some(value) = expand(&text.value, lookup, &mut report) {
                text.written = Some(std::mem::replace(&mut text.value, value));
            }
        }
        Value::Mapping(entries) => {
            for (key, child) in entries {
                labels.push(key.text().to_owned());
                walk(child, file, lookup, labels, problems);
                labels.pop();
            }
        }
        Value::Sequence(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                labels.push(index.to_string());
                walk(child, file, lookup, labels, problems);
                labels.pop();
            }
        }
        Value::Integer(..) | Value::Float(..) | Value::Bool(_) | Value::Null => {}
    }
}

struct Fault {
    message: String,
    hint: String,
}

/// The text with its variables put in; `None` when there is nothing to replace or something failed.
fn expand(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    report: &mut dyn FnMut(Fault),
) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut failed = false;
    while let Some(at) = rest.find("${") {
        let before = &rest[..at];
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(before);
        let Some(length) = rest[at..].find('}') else {
            report(Fault {
                message: "a '${' is never closed".to_owned(),
                hint: "write ${NAME}, or $${ for a plain ${".to_owned(),
            });
            return None;
        };
        match value_of(&rest[at + 2..at + length], lookup) {
            Ok(value) => out.push_str(&value),
            Err(fault) => {
                report(fault);
                failed = true;
            }
        }
        rest = &rest[at + length + 1..];
    }
    out.push_str(rest);
    (!failed && out != text).then_some(out)
}

/// What stands between `${` and `}`.
fn value_of(reference: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    if !is_name(name) {
        return Err(Fault {
            message: "what stands in '${…}' is not the name of a variable".to_owned(),
            hint: "names have letters, digits and _; write $${ for a plain ${".to_owned(),
        });
    }
    match (lookup(name), default) {
        // As in a shell, `:-` also covers a variable that is set but empty.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Fault {
            message: format!("{UNSET} {name} is not set"),
            hint: format!("set it, or give a default: ${{{name}:-…}}"),
        }),
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "PORTAL_URL" => Some("http://127.0.0.1:1".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${PORTAL_URL}".to_owned()),
            _ => None,
        }
    }

    fn load(text: &str) -> (Node, Vec<String>) {
        let mut problems = Vec::new();
        let mut node = parse(text, "f.yaml", &mut problems).unwrap();
        interpolate(&mut node, "f.yaml", &environment, &mut problems);
        (node, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn puts_variables_and_defaults_in() {
        for (written, meant) in [
            ("${PORTAL_URL}/token", "http://127.0.0.1:1/token"),
            ("${OTHER:-a:-b}", "a:-b"),
            ("<${OTHER:-}>", "<>"),
            ("${EMPTY:-fallback}", "fallback"),
            ("<${EMPTY}>", "<>"),
            ("$${PORTAL_URL}", "${PORTAL_URL}"),
            ("${NESTED}", "${PORTAL_URL}"),
            ("$5 {{ cursor }} $ tiền", "$5 {{ cursor }} $ tiền"),
        ] {
            let (node, problems) = load(&format!("a: [\"{written}\"]"));
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!(node.at("a.0").unwrap().text(), Some(meant), "{written}");
        }
    }

    #[test]
    fn reports_every_variable_that_is_not_set_and_keeps_the_text() {
        let (node, problems) = load("a:\n  url: ${ONE}/${TWO}\n  b: [x, '${THREE}']\n");
        assert_eq!(
            problems,
            [
                "f.yaml:2:8: a.url: the environment variable ONE is not set – set it, or give a \
                 default: ${ONE:-…}",
                "f.yaml:2:8: a.url: the environment variable TWO is not set – set it, or give a \
                 default: ${TWO:-…}",
                "f.yaml:3:10: a.b.1: the environment variable THREE is not set – set it, or give \
                 a default: ${THREE:-…}",
            ]
        );
        assert_eq!(node.at("a.url").unwrap().text(), Some("${ONE}/${TWO}"));
    }

    #[test]
    fn reports_what_is_not_a_variable() {
        let (_, problems) = load("a: '${PORTAL_URL'\nb: '${1x}'\nc: '${}'\n");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("f.yaml:1:4: a: a '${' is never closed"));
    }
}
