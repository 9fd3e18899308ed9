//! A draft as files of a configuration: a contract, a source and the empty lists of its codes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use url::Url;

use super::infer::{self, Field, Guess};
use super::sample::{Kind, Sample};
use crate::config::personal;

/// What a person has to write.
const BLANK: &str = "FILL_IN";

/// The files of a draft, by name inside the configuration folder.
pub(super) struct Draft {
    pub(super) files: Vec<(String, String)>,
    pub(super) kept: usize,
    pub(super) left_out: usize,
}

/// A field that is kept, under the name of its property.
struct Property {
    name: String,
    field: Field,
}

impl Draft {
    /// Drafts what `sample` shows.
    pub(super) fn of(sample: &Sample, name: &str, url: &Url, like: Option<&str>) -> Self {
        let fields = sample.order.iter().map(|at| {
            let cells: Vec<_> = sample.rows.iter().map(|row| row.get(at)).collect();
            infer::field(at, &cells)
        });
        let (mut properties, mut left_out, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
        for field in fields {
            if let Guess::LeftOut(why) = &field.guess {
                left_out.push((shown(sample, &field.at), why.clone()));
            } else if field.at.contains('{') {
                let why = "a series with labels: write it out with the label values that count";
                left_out.push((shown(sample, &field.at), why.to_owned()));
            } else {
                let name = property_name(&field, &mut taken);
                properties.push(Property { name, field });
            }
        }
        let mut told = BTreeSet::new();
        left_out.retain(|(at, _)| told.insert(at.clone()));
        let lists = properties.iter().filter(|property| property.field.guess == Guess::Code);
        let lists = lists.map(|property| {
            (format!("lists/{}.csv", list_name(name, &property.name)), "code,vi,en\n".to_owned())
        });
        let mut files = vec![
            (format!("contracts/{name}.yaml"), contract(sample, name, &properties, &left_out)),
            (format!("sources/{name}.yaml"), source(sample, name, &properties, url, like)),
        ];
        files.extend(lists);
        Self { files, kept: properties.len(), left_out: left_out.len() }
    }
}

/// A place as it may be shown: of a series only the names of its labels.
fn shown(sample: &Sample, at: &str) -> String {
    match at.split_once('{') {
        Some((metric, labels)) if sample.kind == Kind::Prometheus => {
            format!("{metric}{{{}}}", label_names(labels).join(", "))
        }
        _ => at.to_owned(),
    }
}

/// The names in `cpu="0",mode="idle"}`; what stands between quotes is passed over.
fn label_names(labels: &str) -> Vec<String> {
    let (mut names, mut name) = (Vec::new(), String::new());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for letter in labels.chars() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '=' => names.push(std::mem::take(&mut name)),
            ',' | ' ' | '}' => {}
            letter => name.push(letter),
        }
    }
    names
}

fn list_name(contract: &str, property: &str) -> String {
    format!("{contract}_{property}")
}

/// A property's name: the field's own in small letters, with the one above where that is taken.
fn property_name(field: &Field, taken: &mut BTreeSet<String>) -> String {
    let mut parts: Vec<_> = field.at.split(['/', '@']).filter(|part| !part.is_empty()).collect();
    let own = parts.pop().unwrap_or("value");
    let snake = |text: &str| personal::words(text).join("_");
    let mut name = snake(own);
    if field.guess == Guess::Array {
        name.push_str("_count");
    }
    if let Some(above) = parts.pop().filter(|_| taken.contains(&name)) {
        name = format!("{}_{name}", snake(above));
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        name.insert_str(0, "field_");
    }
    name.truncate(60);
    let base = name.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}_{number}");
        number += 1;
    }
    name
}

fn typed(contract: &str, property: &Property) -> String {
    let mut parts = match &property.field.guess {
        Guess::Identifier => vec!["type: identifier".to_owned()],
        Guess::Code => {
            vec!["type: code".to_owned(), format!("list: {}", list_name(contract, &property.name))]
        }
        Guess::Area => vec!["type: area".to_owned()],
        Guess::Timestamp(_) => vec!["type: timestamp".to_owned()],
        Guess::Date(_) => vec!["type: date".to_owned()],
        Guess::Integer | Guess::Array | Guess::LeftOut(_) => vec!["type: integer".to_owned()],
        Guess::Decimal(decimals) => {
            vec!["type: decimal".to_owned(), format!("decimals: {decimals}")]
        }
        Guess::Boolean => vec!["type: boolean".to_owned()],
    };
    if property.field.is_required {
        parts.push("required: true".to_owned());
    }
    format!("{{{}}}", parts.join(", "))
}

/// The first property of a kind whose name has one of the words, or else any of the kind.
fn first<'p>(
    properties: &'p [Property],
    of: impl Fn(&Field) -> bool,
    words: &[&str],
) -> Option<&'p str> {
    let fitting = || properties.iter().filter(|property| of(&property.field));
    let named = fitting().find(|property| {
        personal::words(&property.name).iter().any(|word| words.contains(&word.as_str()))
    });
    named.or_else(|| fitting().next()).map(|property| property.name.as_str())
}

fn is_moment(field: &Field) -> bool {
    matches!(field.guess, Guess::Timestamp(_))
}

fn version_by(properties: &[Property]) -> Option<&str> {
    let words = ["updated", "update", "modified", "changed", "version", "cap", "nhat", "sua"];
    first(properties, is_moment, &words)
}

fn contract(
    sample: &Sample,
    name: &str,
    properties: &[Property],
    left_out: &[(String, String)],
) -> String {
    let is_fleet = sample.kind == Kind::Prometheus;
    let key =
        |field: &Field| field.is_unique && field.is_required && field.guess == Guess::Identifier;
    let key = first(properties, key, &["id", "uuid", "ma", "code", "key"]);
    let area = first(properties, |field| field.guess == Guess::Area, &["xa", "commune", "ward"]);
    let blank = |found: Option<&str>| found.unwrap_or(BLANK).to_owned();
    let (key, version, area) = if is_fleet {
        ("target, slot_at".to_owned(), "polled_at".to_owned(), "commune".to_owned())
    } else {
        (blank(key), blank(version_by(properties)), blank(area))
    };
    let mut text = format!(
        "# Drafted from one page of {} record(s): types only, no value is in it. What says {BLANK} is for a person.\n\
         contract: {name}\nversion: 1\ntitle: {{vi: {BLANK}, en: {BLANK}}}\n\
         accountable_unit: {BLANK}      # a unit of units.yaml\n\
         purpose: {BLANK}\nlegal_basis: {BLANK}\nretention: 5y\n\
         key: [{key}]      # what identifies a record for ever\n\
         version_by: {version}      # the timestamp that grows with every change\n\
         area: {area}      # the property of type area\n\
         sla: {{fresh_within: 1d}}\nproperties:\n",
        sample.rows.len()
    );
    if is_fleet {
        text.push_str(
            "  target: {type: identifier, required: true}\n  slot_at: {type: timestamp, required: true}\n  \
             polled_at: {type: timestamp, required: true}\n  up: {type: boolean, required: true}\n  \
             commune: {type: area, required: true}\n",
        );
    }
    for property in properties {
        let _ = writeln!(
            text,
            "  {}: {}{}",
            property.name,
            typed(name, property),
            said(name, property)
        );
    }
    if !left_out.is_empty() {
        text.push_str("# Left out, and so never decoded:\n");
    }
    for (at, why) in left_out {
        let _ = writeln!(text, "#   {at}: {why}");
    }
    let at = if is_fleet { "slot_at".to_owned() } else { version };
    let _ = writeln!(text, "measures:\n  records: {{count: true, at: {at}}}");
    text
}

/// What a person should know of a property.
fn said(contract: &str, property: &Property) -> String {
    match &property.field.guess {
        Guess::Code => format!(
            "      # write its codes into lists/{}.csv",
            list_name(contract, &property.name)
        ),
        Guess::Array => "      # how many items the array has".to_owned(),
        Guess::Identifier => "      # kept only as a keyed hash".to_owned(),
        _ => String::new(),
    }
}

fn source(
    sample: &Sample,
    name: &str,
    properties: &[Property],
    url: &Url,
    like: Option<&str>,
) -> String {
    let mut text = format!(
        "source: {name}\nsource_kind: {name}\ntitle: {{vi: {BLANK}, en: {BLANK}}}\naccountable_unit: {BLANK}\n"
    );
    let (origin, path) = (url.origin().ascii_serialization(), url.path());
    let is_fleet = sample.kind == Kind::Prometheus;
    let address = if is_fleet { format!("{}://{{{{ target }}}}", url.scheme()) } else { origin };
    let _ = writeln!(text, "requester: {{url: \"{address}\", timeout: 20s, body_limit: 8MiB}}");
    match like {
        Some(like) => {
            let _ = writeln!(
                text,
                "authenticator: {BLANK}      # that of source '{like}', with which it was asked"
            );
        }
        None => text.push_str(
            "authenticator: {kind: none}      # or: {kind: bearer, token_file: NAME}, …\n",
        ),
    }
    if is_fleet {
        let _ = writeln!(
            text,
            "fleet: {{targets_file: {BLANK}, slot: 15m}}      # targets with the label commune_code"
        );
    }
    let _ = write!(
        text,
        "rate_limit: {{requests: 60, per: 1m}}\nstreams:\n  records:\n    contract: {name}\n"
    );
    if path != "/" {
        let _ = writeln!(text, "    path: \"{path}\"");
    }
    text.push_str("    interval: 15m\n");
    query(&mut text, url);
    if !sample.format.is_empty() {
        let _ = writeln!(text, "    format: {}", sample.format);
    }
    if let Some(records) = &sample.records {
        let _ = writeln!(text, "    records: \"{records}\"");
    }
    around(&mut text, sample);
    if !is_fleet && let Some(version) = version_by(properties) {
        let _ = writeln!(
            text,
            "    # If it can be asked for changes: cursor: {{property: {version}, format: …, lookback: 1h}} and a query with {{{{ cursor }}}}."
        );
    }
    coerce(&mut text, sample, properties);
    text.push_str("    map:\n");
    if is_fleet {
        text.push_str(
            "      target: {poll: target}\n      slot_at: {poll: slot}\n      polled_at: {poll: at}\n      up: {poll: up}\n      commune: {label: commune_code}\n",
        );
    }
    for Property { name, field } in properties {
        let at = &field.at;
        let _ = match &field.guess {
            Guess::Timestamp(format) | Guess::Date(format) => {
                writeln!(text, "      {name}: {{at: \"{at}\", format: \"{format}\"}}")
            }
            Guess::Array => writeln!(text, "      {name}: {{at: \"{at}\", reduce: count}}"),
            _ => writeln!(text, "      {name}: \"{at}\""),
        };
    }
    text
}

/// The query that was asked; only whole numbers stand there as they were, for a key may be among the
/// rest.
fn query(text: &mut String, url: &Url) {
    let parts: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| {
            let is_number =
                !value.is_empty() && value.len() < 7 && value.bytes().all(|b| b.is_ascii_digit());
            format!("\"{name}\": {}", if is_number { &value } else { BLANK })
        })
        .collect();
    if !parts.is_empty() {
        let _ = writeln!(text, "    query: {{{}}}", parts.join(", "));
    }
}

/// What stands around the records, for the paginator and the error handler.
fn around(text: &mut String, sample: &Sample) {
    if !sample.others.is_empty() {
        let _ = writeln!(text, "    # Records could also stand at: {}", sample.others.join(", "));
    }
    if !sample.around.is_empty() {
        let _ = writeln!(
            text,
            "    # Around the records stand: {}; see paginator and error_handler.",
            sample.around.join(", ")
        );
    }
}

fn coerce(text: &mut String, sample: &Sample, properties: &[Property]) {
    if matches!(sample.kind, Kind::Csv | Kind::Xml | Kind::Prometheus) {
        return;
    }
    let has = |of: &dyn Fn(&Field) -> bool| properties.iter().any(|property| of(&property.field));
    let number =
        |field: &Field| field.is_text && matches!(field.guess, Guess::Integer | Guess::Decimal(_));
    let boolean = |field: &Field| field.is_text && field.guess == Guess::Boolean;
    let wanted = [
        (has(&|field| field.has_empties), "empty_to_null"),
        (has(&number), "text_to_number"),
        (has(&boolean), "text_to_boolean"),
    ];
    let wanted: Vec<_> = wanted.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    if !wanted.is_empty() {
        let _ = writeln!(text, "    coerce: [{}]", wanted.join(", "));
    }
}
