//! Templates of requests: `{{ cursor }}`, `{{ run_start }}` and `{{ target }}`, and nothing else.
//!
//! There is no expression language on purpose: a request is readable at a glance, every name can
//! be checked without a network, and a value can be escaped for the place it goes to.

use super::{Problems, Vars};

/// A name that a template may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Cursor,
    RunStart,
    Target,
}

/// Every name, for places where all of them make sense.
pub(super) const ALL: &[Name] = &[Name::Cursor, Name::RunStart, Name::Target];

/// Why a template has no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unrendered {
    /// The run has no value for the name (yet).
    Missing(Name),
    /// The template itself is wrong; `check` would have said so.
    Malformed(String),
}

enum Piece<'a> {
    Literal(&'a str),
    Value(Name),
}

impl Name {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cursor => "cursor",
            Self::RunStart => "run_start",
            Self::Target => "target",
        }
    }

    fn value(self, vars: &Vars) -> Option<String> {
        match self {
            Self::Cursor => vars.cursor.clone(),
            Self::RunStart => Some(vars.run_start.rfc3339()),
            Self::Target => vars.target.clone(),
        }
    }
}

/// Pushes a problem if `text` is malformed or uses a name that is not `allowed` there.
pub(super) fn check(text: &str, allowed: &[Name], at: &str, problems: &mut Problems) {
    match pieces(text) {
        Err(problem) => problems.push((at.to_owned(), problem)),
        Ok(pieces) => {
            for piece in pieces {
                if let Piece::Value(name) = piece
                    && !allowed.contains(&name)
                {
                    let message = format!("cannot use {{{{ {} }}}} here", name.as_str());
                    problems.push((at.to_owned(), message));
                }
            }
        }
    }
}

/// The text with every value put in, escaped by `escape`.
pub(super) fn render(
    text: &str,
    vars: &Vars,
    escape: fn(String) -> String,
) -> Result<String, Unrendered> {
    let mut rendered = String::with_capacity(text.len());
    for piece in pieces(text).map_err(Unrendered::Malformed)? {
        match piece {
            Piece::Literal(literal) => rendered.push_str(literal),
            Piece::Value(name) => {
                let value = name.value(vars).ok_or(Unrendered::Missing(name))?;
                rendered.push_str(&escape(value));
            }
        }
    }
    Ok(rendered)
}

/// Percent-encodes everything that could change the shape of a path.
pub(super) fn escape_segment(value: String) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.into_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    escaped
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (inside, after) =
            after.split_once("}}").ok_or("opens a template with '{{' and never closes it")?;
        let name = ALL.iter().find(|name| name.as_str() == inside.trim()).ok_or_else(|| {
            let known = ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            format!("knows no template '{}'; known are: {known}", inside.trim())
        })?;
        pieces.push(Piece::Literal(literal));
        pieces.push(Piece::Value(*name));
        rest = after;
    }
    pieces.push(Piece::Literal(rest));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Stamp;

    fn vars() -> Vars {
        Vars {
            cursor: Some("20240402170000".to_owned()),
            ..Vars::at(Stamp::parse("2024-04-02T10:00:00Z").unwrap())
        }
    }

    #[test]
    fn values_stand_in_for_names_with_or_without_spaces() {
        let text = render("from {{cursor}} to {{ run_start }}.", &vars(), |value| value).unwrap();
        assert_eq!(text, "from 20240402170000 to 2024-04-02T17:00:00+07:00.");
        assert_eq!(
            render("{{ target }}", &vars(), |value| value),
            Err(Unrendered::Missing(Name::Target))
        );
    }

    #[test]
    fn an_unknown_name_is_a_problem_that_lists_the_known_ones() {
        let mut problems = Problems::new();
        check("{{ cursr }}", ALL, "query.from", &mut problems);
        check("{{ cursor", ALL, "query.to", &mut problems);
        check("http://h/{{ cursor }}", &[Name::Target], "url", &mut problems);
        check("{{ cursor }}{{ target }}", ALL, "query.fine", &mut problems);
        let told: Vec<_> = problems.iter().map(|(at, what)| format!("{at}: {what}")).collect();
        assert_eq!(
            told,
            [
                "query.from: knows no template 'cursr'; known are: cursor, run_start, target",
                "query.to: opens a template with '{{' and never closes it",
                "url: cannot use {{ cursor }} here",
            ]
        );
    }

    #[test]
    fn a_value_cannot_change_the_shape_of_a_path() {
        assert_eq!(escape_segment("a/../b?c=d#ệ".to_owned()), "a%2F..%2Fb%3Fc%3Dd%23%E1%BB%87");
    }
}
