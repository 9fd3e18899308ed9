//! What is not YAML, in plain words: the parser's errors as problems.
//!
//! The common slips (a tab, a second document, an alias without its anchor) are named and come with
//! advice; for the rest the parser's own words are kept. Its snippets never are: they print source
//! lines, and a source line may hold a secret.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location};

use super::node::Spot;
use super::parse::{MAX_DEPTH, MAX_NODES};
use super::problem::{Place, Problem};

/// The place of a problem with the file as a whole.
pub(super) fn start(file: &str) -> Place {
    Place { file: file.to_owned(), line: 1, column: 1 }
}

/// The parser's place in ours.
pub(super) fn spot(location: Location) -> Spot {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    Spot { line: small(location.line()), column: small(location.column()) }
}

/// The problem that an error of the parser stands for.
pub(super) fn syntax_problem(error: &Error, text: &str, file: &str) -> Problem {
    let error = error.without_snippet();
    let place = error.location().map_or(start(file), |location| spot(location).place(file));
    if tab_indents(text, place.line) {
        return Problem::new(place, "", "a tab is used for indentation").hint("indent with spaces");
    }
    let (message, hint) = match error {
        Error::AliasError { error, .. } => return syntax_problem(error, text, file),
        Error::MultipleDocuments { .. } => {
            ("a second document starts here ('---')".to_owned(), Some("write it into its own file"))
        }
        Error::NullIntoString { .. } => ("a key is missing before the ':'".to_owned(), None),
        Error::Eof { .. } => ("the file is empty".to_owned(), None),
        Error::UnknownAnchor { .. } => ("this alias names no anchor in the file".to_owned(), None),
        Error::UnsupportedTag { .. } => ("a tag (!…) is not allowed here".to_owned(), None),
        Error::Budget { breach, .. } => budget(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => (
            "the aliases unfold into more values than are allowed".to_owned(),
            Some("write the values out"),
        ),
        Error::ExternalMessage { msg, .. } => (
            format!("this is not YAML: {msg}"),
            Some("look at indentation, quotes and brackets here and in the line above"),
        ),
        Error::UnexpectedMappingEnd { .. }
        | Error::UnexpectedSequenceEnd { .. }
        | Error::Unexpected { .. } => ("a mapping or list cannot be a key".to_owned(), None),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            ("'<<' takes the alias of a mapping".to_owned(), None)
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            ("this alias stands inside its own anchor".to_owned(), None)
        }
        other => (format!("this is not YAML that can be used here: {}", plain(other)), None),
    };
    let problem = Problem::new(place, "", message);
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn budget(breach: &BudgetBreach) -> (String, Option<&'static str>) {
    match breach {
        BudgetBreach::Depth { .. } => (format!("nested deeper than {MAX_DEPTH} levels"), None),
        BudgetBreach::Documents { .. } => {
            ("a second document starts here ('---')".to_owned(), Some("write it into its own file"))
        }
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => (
            format!("more than {MAX_NODES} values in one file, aliases unfolded"),
            Some("split the file, or write the aliases out"),
        ),
        _ => ("more anchors, aliases or text than are allowed in one file".to_owned(), None),
    }
}

/// The parser's own words without the place that it appends.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

fn tab_indents(text: &str, line: u32) -> bool {
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    // The parser may notice the tab only when it meets the line after it.
    text.lines().skip(index.saturating_sub(1)).take(2).any(|line| {
        line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).any(|byte| byte == b'\t')
    })
}
