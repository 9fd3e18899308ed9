//! The place of a character inside a text value: where in the file an expression is wrong.
//!
//! A node knows where its text begins, not how it was written (plain, quoted, folded over lines), so
//! the value is laid along the source again: letters match letters, white space matches white space,
//! and what the source has besides (quotes doubled, backslashes, indentation) is stepped over. Where
//! the two cannot be brought together the beginning of the text is told, which is never wrong.

use super::problem::Place;

/// The place of the character `offset` of `value`, which begins at `start` in `source`.
pub(super) fn place_inside(source: &str, start: &Place, value: &str, offset: usize) -> Place {
    let source: Vec<char> = source.trim_start_matches('\u{feff}').chars().collect();
    let found = position(&source, start)
        .and_then(|from| walk(&source, from, value, offset))
        .map(|at| place(&source, at, &start.file));
    found.unwrap_or_else(|| start.clone())
}

/// The index of a line and column.
fn position(source: &[char], place: &Place) -> Option<usize> {
    let mut line = 1;
    let mut from = 0;
    while line < place.line {
        from += source.get(from..)?.iter().position(|c| *c == '\n')? + 1;
        line += 1;
    }
    Some(from + place.column as usize - 1)
}

fn place(source: &[char], at: usize, file: &str) -> Place {
    let before = &source[..at];
    let line = before.iter().filter(|c| **c == '\n').count() + 1;
    let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
    Place { file: file.to_owned(), line: line as u32, column: column as u32 }
}

fn walk(source: &[char], mut at: usize, value: &str, offset: usize) -> Option<usize> {
    match source.get(at)? {
        '"' | '\'' => at += 1,
        // The header of a block: what it holds begins in the next line.
        '|' | '>' => at += source[at..].iter().position(|c| *c == '\n')?,
        _ => {}
    }
    for (i, c) in value.chars().enumerate() {
        if c.is_whitespace() {
            if i == offset {
                return Some(at);
            }
            at += source[at..].iter().take_while(|c| c.is_whitespace()).count();
            continue;
        }
        at += source[at..].iter().position(|found| {
            *found == c || !(found.is_whitespace() || matches!(found, '\\' | '\''))
        })?;
        if source[at] != c {
            return None;
        }
        if i == offset {
            return Some(at);
        }
        at += 1;
    }
    // The end of the text: just behind its last character.
    (offset >= value.chars().count()).then_some(at).filter(|at| *at <= source.len())
}

#[cfg(test)]
mod tests {
    use super::super::{Problem, parse};

    fn found(yaml: &str, offset: usize) -> (u32, u32) {
        let mut problems: Vec<Problem> = Vec::new();
        let node = parse(yaml, "f.yaml", &mut problems).unwrap();
        let place = node.place_within("f.yaml", yaml, "where", offset);
        (place.line, place.column)
    }

    #[test]
    fn a_character_is_found_however_its_text_is_written() {
        let text = "a == 1 && bad";
        let at = text.find("bad").unwrap();
        for (yaml, expected) in [
            ("where: a == 1 && bad\n", (1, 18)),
            ("where: \"a == 1 && bad\"\n", (1, 19)),
            ("where: 'a == 1 && bad' # why\n", (1, 19)),
            ("x: {y: 1}\nwhere:   >-\n    a == 1\n    && bad\n", (4, 8)),
            ("where: |-\n  a == 1 && bad\n", (2, 13)),
            ("where: a == 1\n  && bad\n", (2, 6)),
            ("{other: 5, where: 'a == 1 && bad'}", (1, 30)),
        ] {
            assert_eq!(found(yaml, at), expected, "{yaml}");
        }
    }

    #[test]
    fn doubled_quotes_and_backslashes_are_stepped_over() {
        let text = "c == 'x' && bad";
        let at = text.find("bad").unwrap();
        assert_eq!(found("where: 'c == ''x'' && bad'\n", at), (1, 23));
        assert_eq!(found("where: \"c == \\\"x\\\" && bad\"\n", at), (1, 23));
        assert_eq!(found("where: 'c == ''x'' && bad'\n", 6), (1, 16));
    }

    #[test]
    fn the_end_of_a_text_has_a_place_too() {
        assert_eq!(found("where: a >\n", 3), (1, 11));
        assert_eq!(found("where: 'a >'\n", 3), (1, 12));
    }

    #[test]
    fn what_cannot_be_brought_together_is_placed_at_the_beginning() {
        assert_eq!(found("where: \"a \\u003d= 1 && bad\"\n", 10), (1, 8));
        assert_eq!(found("where: 5\n", 3), (1, 8));
        assert_eq!(found("other: 5\n", 3), (1, 1));
    }
}
