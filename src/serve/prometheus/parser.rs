//! From text to tree: the grammar of PromQL, as far as it is answered.
//!
//! Our own, for three reasons: what is not answered is refused at its place with what to do instead,
//! nothing deep or long can exhaust the stack, and no parser generator has to be built. A test holds
//! it against Prometheus' own parser.

use regex_automata::meta::Regex;

use super::expression::{
    Aggregation, Expression, Function, Kind, Labelled, Matcher, Moment, Operator, Refusal,
    Selector, Wanted,
};
use super::lexer::{Placed, Token, tokens};
use crate::model::nearest::nearest;

/// The most parts of a question; also how deep it can be.
const PARTS: usize = 200;

/// The largest compiled pattern, in bytes.
const PATTERN_LIMIT: usize = 1 << 18;

/// Where the subset is described.
const SEE: &str = "see /docs/prometheus";

/// Reads a question.
pub(super) fn parse(text: &str) -> Result<Expression, Refusal> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, parts: 0, depth: 0 };
    let expression = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("")),
    }
}

/// Reads a selector alone, as in `match[]=`.
pub(super) fn parse_selector(text: &str) -> Result<Selector, Refusal> {
    match parse(text)? {
        Expression::Selector(selector) => Ok(selector),
        _ => Err(Refusal::at(0, "expected a selector such as {indicator=\"…\"}".to_owned())),
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    parts: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)].token
    }

    fn at(&self) -> usize {
        self.tokens[self.next.min(self.tokens.len() - 1)].at
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    /// Whether the next token is this word, in any case.
    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str, within: &str) -> Result<(), Refusal> {
        if self.take_sign(sign) {
            return Ok(());
        }
        Err(self.unexpected(&format!(" in {within}, expected {sign:?}")))
    }

    fn refused<T>(&self, reason: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::at(self.at(), reason.into()))
    }

    fn unexpected(&self, rest: &str) -> Refusal {
        let found = match self.peek() {
            Token::Word(word) => format!("identifier {word:?}"),
            Token::Number(number) => format!("number \"{number}\""),
            Token::Duration(_) => "duration".to_owned(),
            Token::Text(_) => "string".to_owned(),
            Token::Sign(sign) => format!("{sign:?}"),
            Token::End => "end of input".to_owned(),
        };
        Refusal::at(self.at(), format!("unexpected {found}{rest}"))
    }

    /// Counts a part of the tree.
    fn part(&mut self) -> Result<(), Refusal> {
        self.parts += 1;
        if self.parts > PARTS || self.depth > PARTS / 4 {
            return self.refused(format!(
                "the question is too long: it may have {PARTS} parts, {} deep",
                PARTS / 4
            ));
        }
        Ok(())
    }

    /// Operators that bind at least as tightly as `least`, over what stands between them.
    fn expression(&mut self, least: u8) -> Result<Expression, Refusal> {
        self.depth += 1;
        let mut left = self.unary()?;
        while let Some(operator) = self.operator()? {
            let binding = operator.binding();
            if binding < least {
                break;
            }
            let at = self.at();
            self.next += 1;
            self.part()?;
            let bool = self.take_word("bool");
            if bool && !operator.compares() {
                return Err(Refusal::at(
                    at,
                    "bool modifier can only be used on comparison operators".to_owned(),
                ));
            }
            let matching = self.matching()?;
            // A power binds to the right, everything else to the left.
            let right = self.expression(binding + u8::from(operator != Operator::Power))?;
            left = binary(at, (operator, bool, matching), left, right)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that comes next, if any.
    fn operator(&self) -> Result<Option<Operator>, Refusal> {
        match self.peek() {
            Token::Sign(sign) => Ok(Operator::find(sign)),
            Token::Word(word) => {
                let lower = word.to_ascii_lowercase();
                if ["and", "or", "unless", "atan2"].contains(&lower.as_str()) {
                    return self.refused(format!(
                        "operator {lower:?} is not supported by this gateway ({SEE})"
                    ));
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// `on (…)`, `ignoring (…)`.
    fn matching(&mut self) -> Result<Labelled, Refusal> {
        let keep = self.is_word("on");
        let mut matching = Labelled::default();
        if keep || self.is_word("ignoring") {
            self.next += 1;
            matching = Labelled { keep, labels: self.labels()? };
        }
        if self.is_word("group_left") || self.is_word("group_right") {
            return self
                .refused(format!("many-to-one matching is not supported by this gateway ({SEE})"));
        }
        Ok(matching)
    }

    fn unary(&mut self) -> Result<Expression, Refusal> {
        let at = self.at();
        let negative = self.is_sign("-");
        if !negative && !self.is_sign("+") {
            return self.postfix();
        }
        self.next += 1;
        self.part()?;
        let of = self.expression(Operator::Power.binding())?;
        if !matches!(of.kind(), Kind::Scalar | Kind::Vector) {
            let kind = of.kind().said();
            return Err(Refusal::at(
                at,
                format!(
                    "unary expression only allowed on expressions of type scalar or instant \
                     vector, got {kind:?}"
                ),
            ));
        }
        Ok(if negative { Expression::Negative(Box::new(of)) } else { of })
    }

    /// A primary with its range, offset and time.
    fn postfix(&mut self) -> Result<Expression, Refusal> {
        self.part()?;
        let at = self.at();
        let mut found = self.primary()?;
        let (mut offset, mut moment) = (false, false);
        loop {
            if self.is_sign("[") {
                found = self.range(found, at)?;
            } else if self.take_word("offset") {
                let distance = self.offset()?;
                let place = selector_of(&mut found, at, "offset")?;
                if std::mem::replace(&mut offset, true) {
                    return Err(Refusal::at(at, "offset may not be set multiple times".to_owned()));
                }
                place.offset = distance;
            } else if self.take_sign("@") {
                let when = self.moment()?;
                let place = selector_of(&mut found, at, "@")?;
                if std::mem::replace(&mut moment, true) {
                    return Err(Refusal::at(
                        at,
                        "@ <timestamp> may not be set multiple times".to_owned(),
                    ));
                }
                place.moment = when;
            } else {
                return Ok(found);
            }
        }
    }

    fn range(&mut self, of: Expression, at: usize) -> Result<Expression, Refusal> {
        self.next += 1;
        let Token::Duration(length) = *self.peek() else {
            return Err(self.unexpected(" in range selector, expected duration"));
        };
        self.next += 1;
        if self.is_sign(":") {
            return self.refused(format!("subqueries are not supported by this gateway ({SEE})"));
        }
        self.need("]", "range selector")?;
        match of {
            Expression::Selector(selector)
                if selector.offset == 0 && selector.moment == Moment::Step =>
            {
                if length == 0 {
                    return Err(Refusal::at(at, "duration must be greater than 0".to_owned()));
                }
                Ok(Expression::Range(selector, length))
            }
            Expression::Selector(_) => {
                Err(Refusal::at(at, "no offset or @ modifiers allowed before range".to_owned()))
            }
            _ => Err(Refusal::at(at, "ranges only allowed for vector selectors".to_owned())),
        }
    }

    fn offset(&mut self) -> Result<i64, Refusal> {
        let negative = self.take_sign("-");
        if !negative {
            self.take_sign("+");
        }
        let Token::Duration(length) = self.advance() else {
            self.next -= 1;
            return Err(self.unexpected(" in offset, expected duration"));
        };
        Ok(if negative { -length } else { length })
    }

    fn moment(&mut self) -> Result<Moment, Refusal> {
        for (word, moment) in [("start", Moment::Start), ("end", Moment::End)] {
            if self.take_word(word) {
                self.need("(", "@")?;
                self.need(")", "@")?;
                return Ok(moment);
            }
        }
        let negative = self.take_sign("-");
        match self.advance() {
            Token::Number(seconds) if seconds.abs() < 1e12 => {
                let seconds = if negative { -seconds } else { seconds };
                Ok(Moment::At((seconds * 1000.0).round() as i64))
            }
            _ => {
                self.next -= 1;
                Err(self.unexpected(" in @, expected timestamp"))
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, Refusal> {
        match self.peek().clone() {
            Token::Number(number) => {
                self.next += 1;
                Ok(Expression::Number(number))
            }
            Token::Text(text) => {
                self.next += 1;
                Ok(Expression::Text(text))
            }
            Token::Sign("(") => {
                self.next += 1;
                let inside = self.expression(0)?;
                self.need(")", "paren expression")?;
                Ok(inside)
            }
            Token::Sign("{") => self.selector(None),
            Token::Word(word) => self.named(&word),
            _ => Err(self.unexpected("")),
        }
    }

    /// An aggregation, a function, a number in letters or a metric.
    fn named(&mut self, word: &str) -> Result<Expression, Refusal> {
        let at = self.at();
        let lower = word.to_ascii_lowercase();
        self.next += 1;
        if let Some(by) = Aggregation::find(&lower)
            && (self.is_sign("(") || self.is_word("by") || self.is_word("without"))
        {
            return self.aggregate(by, at);
        }
        if lower == "inf" || lower == "nan" {
            return Ok(Expression::Number(if lower == "inf" { f64::INFINITY } else { f64::NAN }));
        }
        if self.is_sign("(") || self.is_word("by") || self.is_word("without") {
            return match Function::find(word) {
                Some(function) if self.is_sign("(") => self.call(function, at),
                _ => Err(Refusal::at(at, unsupported(word, &lower))),
            };
        }
        self.next -= 1;
        if ["by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"]
            .contains(&lower.as_str())
        {
            return Err(self.unexpected(""));
        }
        self.next += 1;
        self.selector(Some(word))
    }

    fn aggregate(&mut self, by: Aggregation, at: usize) -> Result<Expression, Refusal> {
        let mut grouping = self.grouping()?;
        let mut arguments = self.arguments("aggregation")?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let wanted = 1 + usize::from(by.parameter());
        if arguments.len() != wanted {
            let found = arguments.len();
            return Err(Refusal::at(
                at,
                format!(
                    "wrong number of arguments for aggregate expression provided, expected \
                     {wanted}, got {found}"
                ),
            ));
        }
        let of = arguments.pop().ok_or_else(|| self.unexpected(""))?;
        let parameter = arguments.pop();
        expect(&of, Kind::Vector, "aggregation expression", at)?;
        if let Some(parameter) = &parameter {
            expect(parameter, Kind::Scalar, "aggregation parameter", at)?;
        }
        let grouping = grouping.unwrap_or(Labelled { keep: true, labels: Vec::new() });
        Ok(Expression::Aggregate {
            by,
            parameter: parameter.map(Box::new),
            of: Box::new(of),
            grouping,
        })
    }

    fn grouping(&mut self) -> Result<Option<Labelled>, Refusal> {
        let keep = self.is_word("by");
        if !keep && !self.is_word("without") {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Labelled { keep, labels: self.labels()? }))
    }

    fn call(&mut self, function: Function, at: usize) -> Result<Expression, Refusal> {
        let arguments = self.arguments("call")?;
        let (takes, optional) = function.takes();
        let (name, found) = (function.word(), arguments.len());
        if found > takes.len() || found + optional < takes.len() {
            return Err(Refusal::at(
                at,
                format!(
                    "expected {} argument(s) in call to {name:?}, got {found}",
                    takes.len() - optional
                ),
            ));
        }
        for (argument, kind) in arguments.iter().zip(takes) {
            expect(argument, *kind, &format!("call to function {name:?}"), at)?;
        }
        if function == Function::LabelReplace {
            let Expression::Text(pattern) = &arguments[4] else {
                return Err(Refusal::at(at, "expected string literals".to_owned()));
            };
            compiled(pattern).map_err(|reason| Refusal::at(at, reason))?;
        }
        Ok(Expression::Call(function, arguments))
    }

    fn arguments(&mut self, within: &str) -> Result<Vec<Expression>, Refusal> {
        self.need("(", within)?;
        let mut arguments = Vec::new();
        if self.take_sign(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(0)?);
            if self.take_sign(")") {
                return Ok(arguments);
            }
            self.need(",", within)?;
        }
    }

    /// `(a, b)`.
    fn labels(&mut self) -> Result<Vec<String>, Refusal> {
        self.need("(", "grouping opts")?;
        let mut labels = Vec::new();
        while !self.take_sign(")") {
            match self.advance() {
                Token::Word(label) if !label.contains(':') => labels.push(label),
                _ => {
                    self.next -= 1;
                    return Err(self.unexpected(" in grouping opts, expected label"));
                }
            }
            if !self.is_sign(")") {
                self.need(",", "grouping opts")?;
            }
        }
        Ok(labels)
    }

    /// `name{label="value", …}`.
    fn selector(&mut self, name: Option<&str>) -> Result<Expression, Refusal> {
        let at = self.at();
        let mut matchers = Vec::new();
        if let Some(name) = name {
            let is = Wanted::Text(name.to_owned());
            matchers.push(Matcher { label: "__name__".to_owned(), is, not: false });
        }
        if self.take_sign("{") {
            while !self.take_sign("}") {
                let matcher = self.matcher()?;
                if name.is_some() && matcher.label == "__name__" {
                    return Err(Refusal::at(at, "metric name must not be set twice".to_owned()));
                }
                matchers.push(matcher);
                if !self.is_sign("}") {
                    self.need(",", "label matching")?;
                }
            }
        }
        if matchers.iter().all(|matcher| matcher.fits("")) {
            return Err(Refusal::at(
                at,
                "vector selector must contain at least one non-empty matcher".to_owned(),
            ));
        }
        Ok(Expression::Selector(Selector { matchers, offset: 0, moment: Moment::Step }))
    }

    fn matcher(&mut self) -> Result<Matcher, Refusal> {
        let Token::Word(label) = self.advance() else {
            self.next -= 1;
            return Err(self.unexpected(" in label matching, expected identifier or \"}\""));
        };
        let (pattern, not) = match self.advance() {
            Token::Sign("=") => (false, false),
            Token::Sign("!=") => (false, true),
            Token::Sign("=~") => (true, false),
            Token::Sign("!~") => (true, true),
            _ => {
                self.next -= 1;
                return Err(self.unexpected(" in label matching, expected label matching operator"));
            }
        };
        let at = self.at();
        let Token::Text(text) = self.advance() else {
            self.next -= 1;
            return Err(self.unexpected(" in label matching, expected string"));
        };
        let is = if pattern {
            Wanted::Pattern(compiled(&text).map_err(|reason| Refusal::at(at, reason))?)
        } else {
            Wanted::Text(text)
        };
        Ok(Matcher { label, is, not })
    }
}

/// A pattern that must fit a whole value.
pub(super) fn compiled(pattern: &str) -> Result<Regex, String> {
    let limits = Regex::config().nfa_size_limit(Some(PATTERN_LIMIT));
    Regex::builder()
        .configure(limits)
        .build(&format!("^(?s:{pattern})$"))
        .map_err(|error| format!("error parsing regexp: {error}"))
}

/// The selector that a modifier belongs to.
fn selector_of<'e>(
    found: &'e mut Expression,
    at: usize,
    modifier: &str,
) -> Result<&'e mut Selector, Refusal> {
    match found {
        Expression::Selector(selector) | Expression::Range(selector, _) => Ok(selector),
        _ => Err(Refusal::at(
            at,
            format!("{modifier} modifier must be preceded by an instant or range selector"),
        )),
    }
}

fn binary(
    at: usize,
    (operator, bool, matching): (Operator, bool, Labelled),
    left: Expression,
    right: Expression,
) -> Result<Expression, Refusal> {
    let kinds = (left.kind(), right.kind());
    for kind in [kinds.0, kinds.1] {
        if !matches!(kind, Kind::Scalar | Kind::Vector) {
            return Err(Refusal::at(
                at,
                "binary expression must contain only scalar and instant vector types".to_owned(),
            ));
        }
    }
    if kinds == (Kind::Scalar, Kind::Scalar) && operator.compares() && !bool {
        return Err(Refusal::at(
            at,
            "comparisons between scalars must use BOOL modifier".to_owned(),
        ));
    }
    if kinds != (Kind::Vector, Kind::Vector) && matching != Labelled::default() {
        return Err(Refusal::at(
            at,
            "vector matching only allowed between instant vectors".to_owned(),
        ));
    }
    Ok(Expression::Binary { operator, bool, matching, sides: Box::new((left, right)) })
}

fn expect(found: &Expression, kind: Kind, within: &str, at: usize) -> Result<(), Refusal> {
    if found.kind() == kind {
        return Ok(());
    }
    let (wanted, found) = (kind.said(), found.kind().said());
    Err(Refusal::at(at, format!("expected type {wanted} in {within}, got {found}")))
}

/// What is said of a function that is not answered.
fn unsupported(word: &str, lower: &str) -> String {
    let counters = ["rate", "irate", "increase", "resets", "deriv", "idelta"];
    let known = || {
        let functions = Function::ALL.iter().map(|function| function.word());
        functions.chain(Aggregation::ALL.iter().map(|by| by.word()))
    };
    let hint = match nearest(lower, known()) {
        _ if counters.contains(&lower) => {
            "; every value is the amount of its own bucket, not a counter that grows: use \
             sum_over_time, or delta for what changed"
                .to_owned()
        }
        Some(near) => format!("; did you mean {near:?}?"),
        None => String::new(),
    };
    format!("function {word:?} is not supported by this gateway ({SEE}){hint}")
}
