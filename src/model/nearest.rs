//! The nearest known name to a mistyped one: "unknown key 'mapp' – did you mean 'map'?"
//!
//! Distance is optimal string alignment (insert, delete, replace, swap neighbours) on lower-cased
//! characters, with `-` and `_` taken as equal. A suggestion that is too far off misleads more than
//! it helps, so at most a third of the letters may differ.

/// Words longer than this get no suggestion; the work stays bounded whatever is typed.
const LONGEST: usize = 64;

/// The candidate closest to `word`, or `None` when nothing is close; ties go to the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = letters(word)?;
    let cutoff = (typed.len() / 3).max(1);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let Some(known) = letters(candidate) else { continue };
        if known.len().abs_diff(typed.len()) > cutoff {
            continue;
        }
        let distance = alignment(&typed, &known);
        // Replacing every letter turns any short word into any other.
        let shares_a_letter = distance < typed.len().max(known.len());
        if distance <= cutoff && shares_a_letter && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The characters that count, or `None` when there are none or too many.
fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word
        .chars()
        .flat_map(char::to_lowercase)
        .map(|letter| if letter == '-' { '_' } else { letter })
        .take(LONGEST + 1)
        .collect();
    (!letters.is_empty() && letters.len() <= LONGEST).then_some(letters)
}

/// Optimal string alignment distance, three rows at a time.
fn alignment(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = above[j] + usize::from(a != b);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["title", "map", "path", "interval", "client_secret_file", "at"];

    #[test]
    fn finds_the_key_that_was_meant() {
        for (typed, meant) in [
            ("titel", "title"),
            ("mapp", "map"),
            ("Path", "path"),
            ("intervall", "interval"),
            ("client-secret-file", "client_secret_file"),
            ("clientsecretfile", "client_secret_file"),
            ("ta", "at"),
        ] {
            assert_eq!(nearest(typed, KEYS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn says_nothing_when_nothing_is_close() {
        let long = "x".repeat(100);
        for typed in ["", "by", "x", "owner", "retention", long.as_str()] {
            assert_eq!(nearest(typed, KEYS), None, "{typed}");
        }
    }

    #[test]
    fn takes_the_closest_and_then_the_first() {
        assert_eq!(nearest("counts", ["country", "count"]), Some("count"));
        assert_eq!(nearest("bat", ["cat", "hat"]), Some("cat"));
    }

    #[test]
    fn counts_letters_and_not_bytes() {
        assert_eq!(nearest("tiêu_de", ["tiêu_đề"]), Some("tiêu_đề"));
    }
}
