//! PromQL as words: the text of a question cut into tokens, each with its place.
//!
//! Bounded by the length of the text, which is bounded itself; a character that belongs to no token
//! is told with its place.

use super::expression::Refusal;

/// The longest question, in bytes.
pub(super) const LONGEST: usize = 8192;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A metric, label, function or operator in letters.
    Word(String),
    Number(f64),
    /// Milliseconds.
    Duration(i64),
    Text(String),
    /// Punctuation and operators in signs.
    Sign(&'static str),
    End,
}

/// A token and the byte at which it begins.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
}

/// Signs, longer ones first.
const SIGNS: [&str; 25] = [
    "==", "!=", "=~", "!~", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", "=", "<", ">", "+", "-",
    "*", "/", "%", "^", "@", ":", ";",
];

/// Units of durations in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
    ("y", 31_536_000_000),
];

/// The longest duration: a hundred years.
const LONGEST_DURATION: i64 = 100 * 31_536_000_000;

/// Cuts a question into tokens; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Refusal> {
    if text.len() > LONGEST {
        return Err(Refusal::at(LONGEST, format!("a question may have {LONGEST} bytes")));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    // Inside braces a colon cannot be part of a name, and inside brackets a number is a duration.
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        if c == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (token, length) = match c {
            '"' | '\'' | '`' => quoted(rest, at)?,
            '0'..='9' | '.' => numeric(rest, at)?,
            'a'..='z' | 'A'..='Z' | '_' => word(rest),
            ':' if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && !matches!(tokens.last(), Some(Placed { token: Token::Duration(_), .. })) =>
            {
                word(rest)
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign =
                    sign.ok_or_else(|| Refusal::at(at, format!("unexpected character: {c:?}")))?;
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push(Placed { token, at });
        at += length;
    }
    tokens.push(Placed { token: Token::End, at });
    Ok(tokens)
}

fn word(rest: &str) -> (Token, usize) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    (Token::Word(rest[..length].to_owned()), length)
}

/// A number, or a duration such as `1h30m`.
fn numeric(rest: &str, at: usize) -> Result<(Token, usize), Refusal> {
    let bytes = rest.as_bytes();
    if rest.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X') {
        let digits = rest[2..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - 2);
        let number = u64::from_str_radix(&rest[2..2 + digits], 16)
            .map_err(|_| Refusal::at(at, "bad number".to_owned()))?;
        return Ok((Token::Number(number as f64), 2 + digits));
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if digits > 0 && UNITS.iter().any(|(unit, _)| rest[digits..].starts_with(unit)) {
        return duration(rest, at);
    }
    let mut length = digits;
    if bytes.get(length) == Some(&b'.') {
        length += 1;
        length +=
            rest[length..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest[length..].len());
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let mut exponent = length + 1;
        if matches!(bytes.get(exponent), Some(b'+' | b'-')) {
            exponent += 1;
        }
        length = exponent
            + rest[exponent..]
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest[exponent..].len());
    }
    let follows = rest[length..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    match rest[..length].parse() {
        Ok(number) if !follows => Ok((Token::Number(number), length)),
        _ => Err(Refusal::at(at, format!("bad number or duration syntax: {:?}", head(rest)))),
    }
}

/// `1h30m`, each unit at most once and in falling order.
fn duration(rest: &str, at: usize) -> Result<(Token, usize), Refusal> {
    let bad = || Refusal::at(at, format!("bad number or duration syntax: {:?}", head(rest)));
    let (mut length, mut sum, mut last) = (0, 0_i64, i64::MAX);
    while rest[length..].starts_with(|c: char| c.is_ascii_digit()) {
        let digits =
            rest[length..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest[length..].len());
        let count: i64 = rest[length..length + digits].parse().map_err(|_| bad())?;
        length += digits;
        let (unit, factor) =
            UNITS.iter().find(|(unit, _)| rest[length..].starts_with(unit)).ok_or_else(bad)?;
        if *factor >= last {
            return Err(bad());
        }
        (length, last) = (length + unit.len(), *factor);
        sum = count.checked_mul(*factor).and_then(|part| part.checked_add(sum)).ok_or_else(bad)?;
    }
    let follows = rest[length..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if follows || sum > LONGEST_DURATION {
        return Err(bad());
    }
    Ok((Token::Duration(sum), length))
}

/// The beginning of what could not be read.
fn head(rest: &str) -> String {
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').take(20).collect()
}

/// A duration by itself, as in `step=1h30m`; milliseconds.
pub(super) fn lone_duration(text: &str) -> Option<i64> {
    match tokens(text).ok()?.as_slice() {
        [Placed { token: Token::Duration(length), .. }, _] => Some(*length),
        _ => None,
    }
}

/// A text in quotes, escapes undone.
fn quoted(rest: &str, at: usize) -> Result<(Token, usize), Refusal> {
    let quote = rest.chars().next().unwrap_or('"');
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((i, c)) = characters.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(text), i + 1)),
            '\\' if quote != '`' => {
                let (_, escaped) = characters.next().ok_or_else(|| unterminated(at))?;
                text.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '\\' | '"' | '\'' => escaped,
                    'u' | 'x' => {
                        let digits = if escaped == 'u' { 4 } else { 2 };
                        let hex: String =
                            characters.by_ref().take(digits).map(|(_, c)| c).collect();
                        let number = u32::from_str_radix(&hex, 16).ok();
                        number
                            .and_then(char::from_u32)
                            .filter(|c| escaped == 'u' || c.is_ascii())
                            .ok_or_else(|| unknown_escape(at + i))?
                    }
                    _ => return Err(unknown_escape(at + i)),
                });
            }
            '\n' if quote != '`' => return Err(unterminated(at)),
            _ => text.push(c),
        }
    }
    Err(unterminated(at))
}

fn unterminated(at: usize) -> Refusal {
    Refusal::at(at, "unterminated quoted string".to_owned())
}

fn unknown_escape(at: usize) -> Refusal {
    Refusal::at(at, "unknown escape sequence".to_owned())
}
