//! Text to syntax tree: a precedence-climbing parser over the CEL subset, bounded in depth.

use super::Flaw;

/// How deep expressions may nest.
const MAX_DEPTH: u32 = 64;

/// Longest expression, in characters.
const MAX_LENGTH: usize = 2000;

/// The most decimals of a number: what 64 bits can tell apart.
pub(super) const MAX_DECIMALS: u8 = 18;

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// A syntax node and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Character offset.
    pub offset: usize,
    /// The node.
    pub syntax: Syntax,
}

/// What stands in an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Syntax {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// A number: its digits without the point, and how many of them are decimals.
    Number(i64, u8),
    /// `'text'`
    Text(String),
    /// `name` or `name.attribute`
    Name(String),
    /// `[a, b]`
    List(Vec<Tree>),
    /// `!x`
    Not(Box<Tree>),
    /// `-x`
    Negative(Box<Tree>),
    /// `x op y`
    Pair(Binary, Box<Tree>, Box<Tree>),
    /// `c ? x : y`
    Choose(Box<Tree>, Box<Tree>, Box<Tree>),
    /// `has(x)`
    Call(String, Vec<Tree>),
}

impl Tree {
    /// Shows this node and everything below it to `visit`, from left to right.
    pub fn each<'t>(&'t self, visit: &mut dyn FnMut(&'t Self)) {
        visit(self);
        match &self.syntax {
            Syntax::Null
            | Syntax::Boolean(_)
            | Syntax::Number(..)
            | Syntax::Text(_)
            | Syntax::Name(_) => {}
            Syntax::List(items) | Syntax::Call(_, items) => {
                items.iter().for_each(|item| item.each(visit));
            }
            Syntax::Not(inner) | Syntax::Negative(inner) => inner.each(visit),
            Syntax::Pair(_, left, right) => {
                left.each(visit);
                right.each(visit);
            }
            Syntax::Choose(condition, yes, no) => {
                [condition, yes, no].into_iter().for_each(|part| part.each(visit));
            }
        }
    }

    /// The names that stand in it, as written, each as often as it stands there.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.each(&mut |tree| {
            if let Syntax::Name(name) = &tree.syntax {
                names.push(name.as_str());
            }
        });
        names
    }
}

/// Parses `text`.
pub fn parse(text: &str) -> Result<Tree, Flaw> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > MAX_LENGTH {
        return Err(Flaw {
            offset: MAX_LENGTH,
            message: format!("an expression has at most {MAX_LENGTH} characters"),
        });
    }
    let mut parser = Parser { text: characters, at: 0, depth: 0 };
    let tree = parser.choice()?;
    parser.blank();
    match parser.text.get(parser.at) {
        None => Ok(tree),
        Some(extra) => Err(parser.flaw(format!("'{extra}' was not expected here"))),
    }
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: u32,
}

/// Operators by binding strength, weakest first; longer spellings before their prefixes.
const LEVELS: [&[(&str, Binary)]; 5] = [
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[
        ("==", Binary::Equal),
        ("!=", Binary::NotEqual),
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
        ("in", Binary::In),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Remainder)],
];

impl Parser {
    fn flaw(&self, message: impl Into<String>) -> Flaw {
        Flaw { offset: self.at, message: message.into() }
    }

    fn blank(&mut self) {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, word: &str) -> bool {
        self.blank();
        let fits = word.chars().enumerate().all(|(i, c)| self.text.get(self.at + i) == Some(&c));
        // `in` is a word, so `inside` does not begin with it.
        let is_word = word.ends_with(|c: char| c.is_ascii_alphabetic());
        let goes_on = self.text.get(self.at + word.len()).is_some_and(|c| is_part_of_name(*c));
        let fits = fits && !(is_word && goes_on);
        if fits {
            self.at += word.chars().count();
        }
        fits
    }

    fn expect(&mut self, word: &str) -> Result<(), Flaw> {
        if self.eat(word) { Ok(()) } else { Err(self.flaw(format!("'{word}' is missing here"))) }
    }

    fn choice(&mut self) -> Result<Tree, Flaw> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.flaw("the expression is nested too deeply"));
        }
        let condition = self.level(0)?;
        let tree = if self.eat("?") {
            let yes = self.choice()?;
            self.expect(":")?;
            let no = self.choice()?;
            let offset = condition.offset;
            Tree {
                offset,
                syntax: Syntax::Choose(Box::new(condition), Box::new(yes), Box::new(no)),
            }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn level(&mut self, level: usize) -> Result<Tree, Flaw> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(word, _)| self.eat(word)) {
            let right = self.level(level + 1)?;
            let offset = left.offset;
            left =
                Tree { offset, syntax: Syntax::Pair(*operator, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Tree, Flaw> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.flaw("the expression is nested too deeply"));
        }
        self.blank();
        let offset = self.at;
        let tree = if self.eat("!") {
            Tree { offset, syntax: Syntax::Not(Box::new(self.unary()?)) }
        } else if self.eat("-") {
            Tree { offset, syntax: Syntax::Negative(Box::new(self.unary()?)) }
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn primary(&mut self) -> Result<Tree, Flaw> {
        self.blank();
        let offset = self.at;
        let syntax = match self.text.get(self.at).copied() {
            None => return Err(self.flaw("the expression ends too early")),
            Some('(') => {
                self.at += 1;
                let inner = self.choice()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Some('[') => {
                self.at += 1;
                Syntax::List(self.items("]")?)
            }
            Some(quote @ ('\'' | '"')) => self.text_literal(quote)?,
            Some(c) if c.is_ascii_digit() => self.number()?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name()?,
            Some(other) => return Err(self.flaw(format!("'{other}' was not expected here"))),
        };
        Ok(Tree { offset, syntax })
    }

    /// What stands up to the closing bracket, separated by commas.
    fn items(&mut self, close: &str) -> Result<Vec<Tree>, Flaw> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }

    fn text_literal(&mut self, quote: char) -> Result<Syntax, Flaw> {
        let start = self.at;
        let mut text = String::new();
        loop {
            self.at += 1;
            match self.text.get(self.at).copied() {
                None => {
                    let message = "the text is not closed".to_owned();
                    return Err(Flaw { offset: start, message });
                }
                Some(c) if c == quote => break,
                Some('\\') => match self.text.get(self.at + 1).copied() {
                    Some(escaped @ ('\'' | '"' | '\\')) => {
                        self.at += 1;
                        text.push(escaped);
                    }
                    _ => return Err(self.flaw(r#"only \', \" and \\ may follow a backslash"#)),
                },
                Some(c) => text.push(c),
            }
        }
        self.at += 1;
        Ok(Syntax::Text(text))
    }

    fn number(&mut self) -> Result<Syntax, Flaw> {
        let start = self.at;
        let (mut value, mut decimals, mut point) = (0_i64, 0_u8, false);
        while let Some(c) = self.text.get(self.at) {
            match c.to_digit(10) {
                Some(digit) => {
                    value = value
                        .checked_mul(10)
                        .and_then(|value| value.checked_add(i64::from(digit)))
                        .filter(|_| decimals < MAX_DECIMALS || !point)
                        .ok_or_else(|| Flaw {
                            offset: start,
                            message: "the number is too large or too precise".to_owned(),
                        })?;
                    decimals += u8::from(point);
                }
                None if *c == '.' && !point => point = true,
                None => break,
            }
            self.at += 1;
        }
        if self.text.get(self.at).is_some_and(|c| is_part_of_name(*c)) {
            return Err(self.flaw("a number is digits and at most one point"));
        }
        Ok(Syntax::Number(value, decimals))
    }

    fn name(&mut self) -> Result<Syntax, Flaw> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|c| is_part_of_name(*c) || *c == '.') {
            self.at += 1;
        }
        let name: String = self.text[start..self.at].iter().collect();
        if self.eat("(") {
            return Ok(Syntax::Call(name, self.items(")")?));
        }
        Ok(match name.as_str() {
            "null" => Syntax::Null,
            "true" => Syntax::Boolean(true),
            "false" => Syntax::Boolean(false),
            _ => Syntax::Name(name),
        })
    }
}

const fn is_part_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
