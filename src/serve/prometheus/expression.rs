//! A question in PromQL as a tree, and what this gateway answers of the language.
//!
//! The tree can only hold what is answered: everything else is refused while it is read, with its
//! place and what would do instead. The tables here are the reference that `/docs/prometheus` shows.

use regex_automata::meta::Regex;

/// Why a question is refused, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The byte, if it is about a place.
    pub(super) at: Option<usize>,
    pub(super) reason: String,
}

impl Refusal {
    pub(super) fn at(at: usize, reason: String) -> Self {
        Self { at: Some(at), reason }
    }

    /// In Prometheus' words: line, column, reason.
    pub(super) fn said(&self, text: &str) -> String {
        let Some(at) = self.at else { return self.reason.clone() };
        let before = text.get(..at.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{line}:{column}: parse error: {}", self.reason)
    }
}

/// What an expression yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl Kind {
    /// As Prometheus calls it in errors.
    pub(super) const fn said(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::Text => "string",
        }
    }
}

/// How a label must be.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) is: Wanted,
    /// Whether a label that fits is refused instead.
    pub(super) not: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Text(String),
    Pattern(Regex),
}

impl Matcher {
    /// A label that is not there counts as empty.
    pub(super) fn fits(&self, value: &str) -> bool {
        let is_so = match &self.is {
            Wanted::Text(text) => text == value,
            Wanted::Pattern(pattern) => pattern.is_match(value),
        };
        is_so != self.not
    }
}

/// Which series, and when.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    pub(super) matchers: Vec<Matcher>,
    /// Milliseconds to look back.
    pub(super) offset: i64,
    pub(super) moment: Moment,
}

/// At which time a selector is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Moment {
    /// At each step.
    #[default]
    Step,
    Start,
    End,
    /// At this millisecond.
    At(i64),
}

/// `by`/`without`, `on`/`ignoring`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labelled {
    /// The labels named are the ones kept, not the ones left out.
    pub(super) keep: bool,
    pub(super) labels: Vec<String>,
}

/// A question.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Number(f64),
    Text(String),
    Selector(Selector),
    /// With the milliseconds of the range.
    Range(Selector, i64),
    Negative(Box<Expression>),
    Call(Function, Vec<Expression>),
    Aggregate {
        by: Aggregation,
        parameter: Option<Box<Expression>>,
        of: Box<Expression>,
        grouping: Labelled,
    },
    Binary {
        operator: Operator,
        /// A comparison yields 0 or 1 instead of choosing.
        bool: bool,
        matching: Labelled,
        sides: Box<(Expression, Expression)>,
    },
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant),* }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant),*];

            pub(super) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub(super) fn find(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|each| each.word() == word)
            }
        }
    };
}

words! {
    /// Aggregations over series.
    Aggregation {
        Sum "sum", Avg "avg", Min "min", Max "max", Count "count",
        Topk "topk", Bottomk "bottomk", Quantile "quantile",
    }
}

words! {
    /// Functions.
    Function {
        Absent "absent", Abs "abs", Round "round", ClampMin "clamp_min", ClampMax "clamp_max",
        LabelReplace "label_replace", Sort "sort", SortDesc "sort_desc", Vector "vector",
        Scalar "scalar", Time "time", AvgOver "avg_over_time", MinOver "min_over_time",
        MaxOver "max_over_time", SumOver "sum_over_time", CountOver "count_over_time",
        LastOver "last_over_time", Delta "delta",
    }
}

words! {
    /// Operators between two expressions.
    Operator {
        Add "+", Subtract "-", Multiply "*", Divide "/", Modulo "%", Power "^",
        Equal "==", NotEqual "!=", Greater ">", Less "<", GreaterEqual ">=", LessEqual "<=",
    }
}

impl Aggregation {
    /// What stands before the expression, if anything.
    pub(super) const fn parameter(self) -> bool {
        matches!(self, Self::Topk | Self::Bottomk | Self::Quantile)
    }
}

impl Operator {
    pub(super) const fn compares(self) -> bool {
        self.binding() == 1
    }

    /// How tightly it binds.
    pub(super) const fn binding(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 2,
            Self::Multiply | Self::Divide | Self::Modulo => 3,
            Self::Power => 4,
            _ => 1,
        }
    }
}

impl Function {
    /// What it takes; the last `optional` ones may be left out.
    pub(super) const fn takes(self) -> (&'static [Kind], usize) {
        use Kind::{Matrix, Scalar, Text, Vector};
        match self {
            Self::Time => (&[], 0),
            Self::Absent | Self::Abs | Self::Sort | Self::SortDesc | Self::Scalar => (&[Vector], 0),
            Self::Round => (&[Vector, Scalar], 1),
            Self::ClampMin | Self::ClampMax => (&[Vector, Scalar], 0),
            Self::LabelReplace => (&[Vector, Text, Text, Text, Text], 0),
            Self::Vector => (&[Scalar], 0),
            _ => (&[Matrix], 0),
        }
    }

    pub(super) const fn yields(self) -> Kind {
        match self {
            Self::Time | Self::Scalar => Kind::Scalar,
            _ => Kind::Vector,
        }
    }
}

impl Expression {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Scalar,
            Self::Text(_) => Kind::Text,
            Self::Selector(_) | Self::Aggregate { .. } => Kind::Vector,
            Self::Range(..) => Kind::Matrix,
            Self::Negative(of) => of.kind(),
            Self::Call(function, _) => function.yields(),
            Self::Binary { sides, .. } => match (sides.0.kind(), sides.1.kind()) {
                (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
                _ => Kind::Vector,
            },
        }
    }

    /// Calls `look` for this expression and everything in it.
    pub(super) fn walk<'e>(&'e self, look: &mut dyn FnMut(&'e Self)) {
        look(self);
        match self {
            Self::Number(_) | Self::Text(_) | Self::Selector(_) | Self::Range(..) => {}
            Self::Negative(of) => of.walk(look),
            Self::Call(_, arguments) => arguments.iter().for_each(|each| each.walk(look)),
            Self::Aggregate { parameter, of, .. } => {
                if let Some(parameter) = parameter {
                    parameter.walk(look);
                }
                of.walk(look);
            }
            Self::Binary { sides, .. } => {
                sides.0.walk(look);
                sides.1.walk(look);
            }
        }
    }
}
