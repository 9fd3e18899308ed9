//! From the cells of a field to its type. Values are looked at here and go no further.

use std::collections::BTreeSet;

use super::sample::Cell;
use crate::config::personal;
use crate::normalise::Format;

/// The most different texts of a field that is taken for a code.
const MOST_CODES: usize = 30;

/// The longest text that is taken for a code.
const LONGEST_CODE: usize = 40;

/// The longest text that is taken for an identifier.
const LONGEST_IDENTIFIER: usize = 64;

/// How Vietnamese systems write moments, most certain first.
const MOMENTS: [&str; 9] = [
    "rfc3339",
    "yyyyMMddHHmmss",
    "dd/MM/yyyy HH:mm:ss",
    "yyyy-MM-dd HH:mm:ss",
    "yyyy-MM-ddTHH:mm:ss",
    "dd-MM-yyyy HH:mm:ss",
    "yyyy/MM/dd HH:mm:ss",
    "dd/MM/yyyy HH:mm",
    "yyyy-MM-dd HH:mm",
];

/// How they write days.
const DAYS: [&str; 5] = ["yyyy-MM-dd", "dd/MM/yyyy", "yyyyMMdd", "dd-MM-yyyy", "yyyy/MM/dd"];

/// What a field seems to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    Identifier,
    Code,
    Area,
    Timestamp(&'static str),
    Date(&'static str),
    Integer,
    Decimal(usize),
    Boolean,
    Array,
    /// Not for the draft, and why.
    LeftOut(String),
}

/// A field and what it seems to be.
#[expect(clippy::struct_excessive_bools, reason = "independent findings, each used by itself")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) at: String,
    pub(super) guess: Guess,
    /// Every record has it.
    pub(super) is_required: bool,
    /// No two records have the same.
    pub(super) is_unique: bool,
    /// It comes as a text and is none.
    pub(super) is_text: bool,
    /// Empty texts stand for nothing.
    pub(super) has_empties: bool,
}

/// What a field is, by its cells in all records.
pub(super) fn field(at: &str, cells: &[Option<&Cell>]) -> Field {
    let texts: Vec<&str> = cells
        .iter()
        .filter_map(|cell| match cell {
            Some(Cell::Text(text)) => Some(text.trim()),
            _ => None,
        })
        .collect();
    let full: Vec<&str> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
    let numbers: Vec<&str> = cells
        .iter()
        .filter_map(|cell| match cell {
            Some(Cell::Number(digits)) => Some(digits.as_str()),
            _ => None,
        })
        .collect();
    let all: Vec<&str> = full.iter().chain(&numbers).copied().collect();
    let distinct: BTreeSet<&str> = all.iter().copied().collect();
    Field {
        at: at.to_owned(),
        guess: guess(at, cells, &full, &numbers, distinct.len()),
        is_required: cells.iter().all(|cell| cell.is_some_and(is_full)),
        is_unique: all.len() > 1 && distinct.len() == all.len(),
        is_text: numbers.is_empty() && !full.is_empty(),
        has_empties: full.len() < texts.len(),
    }
}

fn is_full(cell: &Cell) -> bool {
    !matches!(cell, Cell::Null) && !matches!(cell, Cell::Text(text) if text.trim().is_empty())
}

fn guess(
    at: &str,
    cells: &[Option<&Cell>],
    texts: &[&str],
    numbers: &[&str],
    distinct: usize,
) -> Guess {
    if let Some(kind) = personal::look_at(at) {
        return Guess::LeftOut(format!("looks like {}", kind.words()));
    }
    let has = |wanted: &Cell| cells.iter().flatten().any(|cell| *cell == wanted);
    let (arrays, booleans) = (has(&Cell::Array), has(&Cell::Boolean));
    let kinds = [arrays, booleans, !texts.is_empty(), !numbers.is_empty()];
    match kinds.iter().filter(|is| **is).count() {
        0 if has(&Cell::Keyed) => {
            Guess::LeftOut("an object whose keys are data and no names".to_owned())
        }
        0 => Guess::LeftOut("empty in the whole sample".to_owned()),
        1 if arrays => Guess::Array,
        1 if booleans => Guess::Boolean,
        1 if texts.is_empty() => number(at, numbers),
        1 => text(at, texts, distinct),
        _ => Guess::LeftOut("now of one type, now of another".to_owned()),
    }
}

fn number(at: &str, digits: &[&str]) -> Guess {
    let all = |holds: fn(&str) -> bool| digits.iter().all(|digits| holds(digits));
    if !all(is_whole) {
        let decimals = digits.iter().filter_map(|digits| digits.split_once('.'));
        let most = decimals.map(|(_, decimals)| decimals.len()).max().unwrap_or(0);
        return Guess::Decimal(most.clamp(1, 6));
    }
    if speaks(at, &["at", "time", "date", "ts", "timestamp", "ngay", "gio"]) {
        if all(|digits| digits.len() == 13 && digits.starts_with('1')) {
            return Guess::Timestamp("unix_millis");
        }
        if all(|digits| digits.len() == 10 && digits.starts_with('1')) {
            return Guess::Timestamp("unix_seconds");
        }
    }
    if names_area(at) && all(|digits| matches!(digits.len(), 3..=5)) {
        return Guess::Area;
    }
    if names_identifier(at) { Guess::Identifier } else { Guess::Integer }
}

fn text(at: &str, texts: &[&str], distinct: usize) -> Guess {
    let all = |holds: &dyn Fn(&str) -> bool| texts.iter().all(|text| holds(text));
    if let Some(what) = personal_by_form(texts) {
        return Guess::LeftOut(format!("its values look like {what}"));
    }
    let written = |formats: &[&'static str], reads: fn(&Format, &str) -> bool| {
        formats.iter().copied().find(|format| {
            Format::parse(format).is_ok_and(|format| all(&|text: &str| reads(&format, text)))
        })
    };
    if let Some(format) = written(&MOMENTS, |format, text| format.moment(text).is_some()) {
        return Guess::Timestamp(format);
    }
    if let Some(format) = written(&DAYS, |format, text| format.day(text).is_some()) {
        return Guess::Date(format);
    }
    if all(&|text| text.len() == 5 && is_digits(text))
        && (names_area(at) || speaks(at, &["ma", "code", "dvhc"]))
    {
        return Guess::Area;
    }
    if all(&|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "false"))
        || (distinct == 2 && all(&|text| matches!(text, "0" | "1")))
    {
        return Guess::Boolean;
    }
    let is_number = |text: &str| {
        is_whole(text) && text.len() <= 15 && (text.len() == 1 || !text.starts_with('0'))
    };
    if all(&is_number) && !names_identifier(at) && !names_code(at) {
        return Guess::Integer;
    }
    if !names_code(at) && all(&is_decimal) {
        let decimals = texts.iter().filter_map(|text| text.split_once('.'));
        let most = decimals.map(|(_, decimals)| decimals.len()).max().unwrap_or(0);
        return Guess::Decimal(most.clamp(1, 6));
    }
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let is_repeated = distinct < texts.len() && distinct * 2 <= texts.len().max(4);
    if distinct <= MOST_CODES && longest <= LONGEST_CODE && is_repeated {
        return Guess::Code;
    }
    if longest <= LONGEST_IDENTIFIER && all(&|text| !text.contains(char::is_whitespace)) {
        return Guess::Identifier;
    }
    Guess::LeftOut("free text: a figure never needs it".to_owned())
}

/// What all the texts look like that nobody may know.
fn personal_by_form(texts: &[&str]) -> Option<&'static str> {
    let all = |is: fn(&str) -> bool| texts.iter().all(|text| is(text));
    if all(is_identity_number) {
        return Some("numbers that identify persons");
    }
    if all(is_telephone_number) {
        return Some("telephone numbers");
    }
    all(|text| text.contains('@') && text.contains('.')).then_some("e-mail addresses")
}

fn is_identity_number(text: &str) -> bool {
    text.len() == 12 && is_digits(text) && text.starts_with('0')
}

fn is_telephone_number(text: &str) -> bool {
    let bare = text.replace([' ', '.', '-'], "");
    let bare = bare.strip_prefix("+84").map_or(bare.clone(), |rest| format!("0{rest}"));
    bare.len() == 10 && is_digits(&bare) && bare.starts_with('0')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_whole(text: &str) -> bool {
    is_digits(text.strip_prefix('-').unwrap_or(text))
}

fn is_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    is_whole(whole) && is_digits(part)
}

/// The words of a field's own name.
fn words(at: &str) -> Vec<String> {
    let last = at.rsplit(['/', '@']).next().unwrap_or(at);
    personal::words(last)
}

fn speaks(at: &str, of: &[&str]) -> bool {
    words(at).iter().any(|word| of.contains(&word.as_str()))
}

fn names_identifier(at: &str) -> bool {
    speaks(at, &["id", "uuid", "guid", "ma", "so", "key", "no", "number"])
}

fn names_area(at: &str) -> bool {
    speaks(at, &["xa", "phuong", "commune", "ward", "area", "maxa"])
}

fn names_code(at: &str) -> bool {
    speaks(
        at,
        &["code", "status", "state", "type", "kind", "loai", "hinh", "kenh", "trang", "tinh"],
    ) && !names_identifier(at)
}
