//! Templates of requests: `{{ cursor }}`, `{{ run_start }}`, `{{ secret.FILE }}` and a few more
//! names, and nothing else.
//!
//! There is no expression language on purpose: a request is readable at a glance, every name can
//! be checked without a network, and a value can be escaped for the place it goes to. The single
//! filter, `{{ cursor | number }}`, says that a JSON body carries the value as a number. A secret
//! is only known for the length of one attempt and only where no address or error shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::secret::{Secret, SecretFile};
use super::{Problems, Vars};

const SECRET: &str = "secret.";
const PARENT: &str = "parent.";
const NUMBER: &str = "number";

/// The contents of secret files, by the names of the files.
pub(super) type Secrets = BTreeMap<String, Secret>;

/// A name that a template may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    Cursor,
    RunStart,
    Target,
    SliceStart,
    SliceEnd,
    Area,
    Parent(&'a str),
    Secret(&'a str),
}

/// Where a template stands, which decides what it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The address of a source: a target only.
    Address,
    /// The path of a stream: everything but secrets, since a path is shown in errors.
    Path,
    /// Query, headers and forms: everything.
    Text,
    /// A text of a JSON body: everything, also as a number.
    Json,
    /// The exchange of credentials, which belongs to no run: secrets only.
    Credential,
}

/// What the names stand for in one attempt.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) vars: &'a Vars,
    pub(super) secrets: &'a Secrets,
}

/// Why a template has no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unrendered {
    /// The run has no value for the name yet: what uses it is left out where that makes sense.
    NotYet(&'static str),
    /// There is no value for the name.
    Missing(String),
    /// The template itself is wrong; `check` would have said so.
    Malformed(String),
}

enum Piece<'a> {
    Literal(&'a str),
    Value(Name<'a>),
    Number(Name<'a>),
}

impl<'a> Name<'a> {
    const PLAIN: [Name<'static>; 6] =
        [Name::Cursor, Name::RunStart, Name::Target, Name::SliceStart, Name::SliceEnd, Name::Area];

    fn parse(text: &'a str) -> Result<Self, String> {
        if let Some(file) = text.strip_prefix(SECRET) {
            let plain = SecretFile::new(file).is_plain();
            let message = "names after 'secret.' what is not a plain file name; put the secret \
                           into a file of the secrets directory and write that file's name here";
            return if plain { Ok(Self::Secret(file)) } else { Err(message.to_owned()) };
        }
        if let Some(key) = text.strip_prefix(PARENT) {
            return Ok(Self::Parent(key));
        }
        let found = Self::PLAIN.iter().find(|name| name.as_str() == text);
        found.copied().ok_or_else(|| {
            let known = Self::PLAIN.map(Name::as_str).join(", ");
            format!("knows no template '{text}'; known are: {known}, parent.KEY, secret.FILE")
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Cursor => "cursor",
            Self::RunStart => "run_start",
            Self::Target => "target",
            Self::SliceStart => "slice_start",
            Self::SliceEnd => "slice_end",
            Self::Area => "area",
            Self::Parent(_) => "parent",
            Self::Secret(_) => "secret",
        }
    }

    fn is_allowed_in(self, place: Place) -> bool {
        match place {
            Place::Address => self == Self::Target,
            Place::Path => !matches!(self, Self::Secret(_)),
            Place::Text | Place::Json => true,
            Place::Credential => matches!(self, Self::Secret(_)),
        }
    }

    fn value(self, values: Values<'_>) -> Result<String, Unrendered> {
        let Values { vars, secrets } = values;
        let not_yet = Unrendered::NotYet(self.as_str());
        let missing = || Unrendered::Missing(self.as_str().to_owned());
        match self {
            Self::Cursor => vars.cursor.clone().ok_or(not_yet),
            Self::SliceStart => vars.slice_start.clone().ok_or(not_yet),
            Self::SliceEnd => vars.slice_end.clone().ok_or(not_yet),
            Self::RunStart => Ok(vars.run_start.rfc3339()),
            Self::Target => vars.target.clone().ok_or_else(missing),
            Self::Area => vars.area.clone().ok_or_else(missing),
            Self::Parent(key) => {
                let value = vars.parent.get(key).map(str::to_owned);
                value.ok_or_else(|| Unrendered::Missing(format!("{PARENT}{key}")))
            }
            Self::Secret(file) => {
                let secret = secrets.get(file).map(|secret| secret.expose().to_owned());
                secret.ok_or_else(|| Unrendered::Missing(format!("{SECRET}{file}")))
            }
        }
    }
}

/// Notes the names that a text uses, such as `slice_end` or `parent.site`.
pub(super) fn add_names(text: &str, names: &mut BTreeSet<String>) {
    for piece in pieces(text).into_iter().flatten() {
        match piece {
            Piece::Literal(_) => {}
            Piece::Value(Name::Parent(key)) | Piece::Number(Name::Parent(key)) => {
                names.insert(format!("{PARENT}{key}"));
            }
            Piece::Value(name) | Piece::Number(name) => _ = names.insert(name.as_str().to_owned()),
        }
    }
}

/// The same for each text in a JSON value.
pub(super) fn add_names_of_json(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => add_names(text, names),
        Value::Array(items) => items.iter().for_each(|item| add_names_of_json(item, names)),
        Value::Object(members) => {
            members.values().for_each(|member| add_names_of_json(member, names));
        }
        _ => {}
    }
}

/// Pushes a problem if `text` is malformed or uses a name that cannot be used in its place.
pub(super) fn check(text: &str, place: Place, at: &str, problems: &mut Problems) {
    let found = match pieces(text) {
        Err(problem) => return problems.push((at.to_owned(), problem)),
        Ok(found) => found,
    };
    let is_whole = matches!(found[..], [Piece::Literal(""), Piece::Number(_), Piece::Literal("")]);
    for piece in found {
        let (name, as_number) = match piece {
            Piece::Literal(_) => continue,
            Piece::Value(name) => (name, false),
            Piece::Number(name) => (name, true),
        };
        if !name.is_allowed_in(place) {
            let message = format!("cannot use {{{{ {} }}}} here", name.as_str());
            problems.push((at.to_owned(), message));
        }
        if as_number && (place != Place::Json || !is_whole) {
            let message = "'| number' stands alone in a text of a JSON body, and only there";
            problems.push((at.to_owned(), message.to_owned()));
        }
    }
}

/// Pushes a problem for each text in a JSON value that is malformed or uses what it cannot.
pub(super) fn check_json(value: &Value, place: Place, at: &str, problems: &mut Problems) {
    match value {
        Value::String(text) => check(text, place, at, problems),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                check_json(item, place, &format!("{at}.{i}"), problems);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                check_json(member, place, &format!("{at}.{name}"), problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text with every value put in, escaped by `escape`.
pub(super) fn render(
    text: &str,
    values: Values<'_>,
    escape: fn(String) -> String,
) -> Result<String, Unrendered> {
    let mut rendered = String::with_capacity(text.len());
    for piece in pieces(text).map_err(Unrendered::Malformed)? {
        match piece {
            Piece::Literal(literal) => rendered.push_str(literal),
            Piece::Value(name) | Piece::Number(name) => {
                rendered.push_str(&escape(name.value(values)?));
            }
        }
    }
    Ok(rendered)
}

/// The text as it is.
pub(super) fn as_is(value: String) -> String {
    value
}

/// The JSON value with every text filled in. A member or item for whose template the run has no
/// value yet is left out; `Err(NotYet)` means that nothing is left.
pub(super) fn render_json(value: &Value, values: Values<'_>) -> Result<Value, Unrendered> {
    match value {
        Value::String(text) => render_text(text, values),
        Value::Array(items) => {
            let mut rendered = Vec::with_capacity(items.len());
            for item in items {
                rendered.extend(unless_not_yet(render_json(item, values))?);
            }
            Ok(Value::Array(rendered))
        }
        Value::Object(members) => {
            let mut rendered = Map::new();
            for (name, member) in members {
                if let Some(member) = unless_not_yet(render_json(member, values))? {
                    rendered.insert(name.clone(), member);
                }
            }
            Ok(Value::Object(rendered))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

/// The value, or `None` if the run has none yet.
pub(super) fn unless_not_yet<T>(rendered: Result<T, Unrendered>) -> Result<Option<T>, Unrendered> {
    match rendered {
        Ok(value) => Ok(Some(value)),
        Err(Unrendered::NotYet(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Adds the secret files that a text uses.
pub(super) fn add_secrets(text: &str, files: &mut BTreeSet<String>) {
    for piece in pieces(text).unwrap_or_default() {
        if let Piece::Value(Name::Secret(file)) | Piece::Number(Name::Secret(file)) = piece {
            files.insert(file.to_owned());
        }
    }
}

/// Adds the secret files that the texts of a JSON value use.
pub(super) fn add_secrets_of_json(value: &Value, files: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => add_secrets(text, files),
        Value::Array(items) => items.iter().for_each(|item| add_secrets_of_json(item, files)),
        Value::Object(members) => {
            members.values().for_each(|member| add_secrets_of_json(member, files));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
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

fn render_text(text: &str, values: Values<'_>) -> Result<Value, Unrendered> {
    let found = pieces(text).map_err(Unrendered::Malformed)?;
    let [Piece::Literal(""), Piece::Number(name), Piece::Literal("")] = found[..] else {
        return render(text, values, as_is).map(Value::String);
    };
    let value = name.value(values)?;
    let number: Option<Number> = serde_json::from_str(value.trim()).ok();
    number.map(Value::Number).ok_or_else(|| {
        Unrendered::Malformed(format!("{{{{ {} | number }}}} stands for no number", name.as_str()))
    })
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (inside, after) =
            after.split_once("}}").ok_or("opens a template with '{{' and never closes it")?;
        pieces.push(Piece::Literal(literal));
        pieces.push(match inside.split_once('|') {
            None => Piece::Value(Name::parse(inside.trim())?),
            Some((name, filter)) if filter.trim() == NUMBER => {
                Piece::Number(Name::parse(name.trim())?)
            }
            Some(_) => return Err(format!("knows no filter but '| {NUMBER}'")),
        });
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

    fn text(text: &str, vars: &Vars) -> Result<String, Unrendered> {
        let secrets = Secrets::from([("key".to_owned(), Secret::new("CANARY"))]);
        render(text, Values { vars, secrets: &secrets }, as_is)
    }

    #[test]
    fn values_stand_in_for_names_with_or_without_spaces() {
        let told = text("from {{cursor}} to {{ run_start }}.", &vars()).unwrap();
        assert_eq!(told, "from 20240402170000 to 2024-04-02T17:00:00+07:00.");
        assert_eq!(text("k={{ secret.key }}", &vars()).unwrap(), "k=CANARY");
        let missing = |name: &str| Err(Unrendered::Missing(name.to_owned()));
        assert_eq!(text("{{ target }}", &vars()), missing("target"));
        assert_eq!(text("{{ secret.other }}", &vars()), missing("secret.other"));
        assert_eq!(text("{{ slice_end }}", &vars()), Err(Unrendered::NotYet("slice_end")));
        let sliced = Vars {
            slice_start: Some("1".to_owned()),
            slice_end: Some("2".to_owned()),
            area: Some("40".to_owned()),
            ..vars()
        };
        let told = text("{{ slice_start }}-{{ slice_end }} in {{ area }}", &sliced).unwrap();
        assert_eq!(told, "1-2 in 40");
    }

    #[test]
    fn an_unknown_name_is_a_problem_that_lists_the_known_ones() {
        let mut problems = Problems::new();
        check("{{ cursr }}", Place::Text, "query.from", &mut problems);
        check("{{ cursor", Place::Text, "query.to", &mut problems);
        check("http://h/{{ cursor }}", Place::Address, "url", &mut problems);
        check("/{{ secret.key }}", Place::Path, "path", &mut problems);
        check("{{ secret.CANARY+/= }}", Place::Text, "headers.X", &mut problems);
        check("{{ cursor | number }}", Place::Text, "query.n", &mut problems);
        check("a{{ cursor | number }}", Place::Json, "body.json.n", &mut problems);
        check("{{ cursor | upper }}", Place::Json, "body.json.u", &mut problems);
        check("{{ cursor }}", Place::Credential, "login.body", &mut problems);
        check("{{ cursor }}{{ target }}{{secret.k}}", Place::Text, "query.fine", &mut problems);
        check("{{ cursor|number }}", Place::Json, "body.json.fine", &mut problems);
        let told: Vec<_> = problems.iter().map(|(at, what)| format!("{at}: {what}")).collect();
        assert_eq!(
            told,
            [
                "query.from: knows no template 'cursr'; known are: cursor, run_start, target, \
                 slice_start, slice_end, area, parent.KEY, secret.FILE",
                "query.to: opens a template with '{{' and never closes it",
                "url: cannot use {{ cursor }} here",
                "path: cannot use {{ secret }} here",
                "headers.X: names after 'secret.' what is not a plain file name; put the secret \
                 into a file of the secrets directory and write that file's name here",
                "query.n: '| number' stands alone in a text of a JSON body, and only there",
                "body.json.n: '| number' stands alone in a text of a JSON body, and only there",
                "body.json.u: knows no filter but '| number'",
                "login.body: cannot use {{ cursor }} here",
            ]
        );
    }

    #[test]
    fn a_value_cannot_change_the_shape_of_a_path() {
        assert_eq!(escape_segment("a/../b?c=d#ệ".to_owned()), "a%2F..%2Fb%3Fc%3Dd%23%E1%BB%87");
    }

    #[test]
    fn json_keeps_its_types_and_leaves_out_what_is_not_known_yet() {
        let body = serde_json::json!({
            "since": "{{ cursor | number }}", "text": "{{ cursor }}", "size": 50, "flag": true,
            "none": null, "slice": {"from": "{{ slice_start }}", "kind": "day"},
            "list": ["{{ slice_end }}", "a"],
        });
        let secrets = Secrets::new();
        let told = |vars: &Vars| render_json(&body, Values { vars, secrets: &secrets });
        assert_eq!(
            told(&vars()).unwrap(),
            serde_json::json!({
                "since": 20_240_402_170_000_u64, "text": "20240402170000", "size": 50,
                "flag": true, "none": null, "slice": {"kind": "day"}, "list": ["a"],
            })
        );
        let early = Vars { cursor: None, ..vars() };
        assert_eq!(
            told(&early).unwrap(),
            serde_json::json!({
                "size": 50, "flag": true, "none": null, "slice": {"kind": "day"}, "list": ["a"],
            })
        );
        let worded = Vars { cursor: Some("2024-04-02".to_owned()), ..vars() };
        let error = Unrendered::Malformed("{{ cursor | number }} stands for no number".to_owned());
        assert_eq!(told(&worded), Err(error));
    }

    #[test]
    fn the_secret_files_of_a_request_are_known_before_it_is_made() {
        let mut files = BTreeSet::new();
        let body = serde_json::json!({"a": ["{{ secret.one }}"], "b": {"c": "x{{secret.two}}"}});
        add_secrets_of_json(&body, &mut files);
        add_secrets("{{ secret.three }}{{ cursor }}", &mut files);
        assert_eq!(files.into_iter().collect::<Vec<_>>(), ["one", "three", "two"]);
    }
}
