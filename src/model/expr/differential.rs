//! The checked expressions against a naive interpreter, on random expressions and rows.
//!
//! A generator writes an expression and, beside it, what it means as a plain function over optional
//! wide integers. It knows nothing of slots, scales or nodes, so both agree only if both are right.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Named, Scope, Type, compile};
use crate::model::row::NULL;

/// What a record says; slot numbers are the scope's affair.
#[derive(Clone, Debug)]
struct Record {
    rooms: Option<i64>,
    fee: Option<i64>,
    from: Option<i64>,
    until: Option<i64>,
    closed: Option<bool>,
    channel: Option<u8>,
}

impl Record {
    fn row(&self) -> [i64; 6] {
        let channel = self.channel.map(i64::from);
        let closed = self.closed.map(i64::from);
        [self.until, self.from, self.rooms, self.fee, closed, channel]
            .map(|value| value.unwrap_or(NULL))
    }
}

struct Names;

impl Scope for Names {
    fn name(&self, name: &str) -> Result<Named, String> {
        let (slot, kind) = match name {
            "until" => (0, Type::Timestamp),
            "from" => (1, Type::Timestamp),
            "rooms" => (2, Type::Number(0)),
            "fee" => (3, Type::Number(2)),
            "closed" => (4, Type::Boolean),
            "channel" => (5, Type::Code("list:channel".to_owned())),
            "channel.kind" => {
                let kind = Type::Code("list:channel.kind".to_owned());
                return Ok((5, Some(Arc::from([0, 9, 8, 9, 0])), kind));
            }
            _ => return Err(format!("there is no '{name}'")),
        };
        Ok((slot, None, kind))
    }

    fn code(&self, dictionary: &str, word: &str) -> Result<i64, String> {
        match (dictionary, word) {
            ("list:channel", "c1") => Ok(1),
            ("list:channel", "c2") => Ok(2),
            ("list:channel", "c3") => Ok(3),
            ("list:channel.kind", "digital") => Ok(9),
            _ => Err(format!("no '{word}'")),
        }
    }
}

type Meaning<T> = Box<dyn Fn(&Record) -> T>;

/// A number: its text, its decimals, its digits without the point.
struct Number(String, u32, Meaning<Option<i128>>);

/// A condition, which is never null.
struct Condition(String, Meaning<bool>);

/// Turns drawn bytes into an expression; when they run out, everything is as small as can be.
struct Writer {
    bytes: std::vec::IntoIter<u8>,
}

fn fits(value: i128) -> Option<i128> {
    // The smallest number of all stands for null.
    (value > i128::from(i64::MIN) && value <= i128::from(i64::MAX)).then_some(value)
}

impl Writer {
    fn below(&mut self, count: u8) -> u8 {
        self.bytes.next().unwrap_or(0) % count
    }

    fn number(&mut self, depth: u8) -> Number {
        let choice = if depth == 0 { self.below(4) } else { self.below(9) };
        match choice {
            0 => Number("rooms".into(), 0, Box::new(|r| r.rooms.map(i128::from))),
            1 => Number("fee".into(), 2, Box::new(|r| r.fee.map(i128::from))),
            2 => {
                let value = i128::from(self.below(20));
                Number(value.to_string(), 0, Box::new(move |_| Some(value)))
            }
            3 => {
                let value = i128::from(self.below(100));
                Number(format!("{}.{}", value / 10, value % 10), 1, Box::new(move |_| Some(value)))
            }
            4 => Number(
                "until - from".into(),
                0,
                Box::new(|r| r.until.zip(r.from).map(|(a, b)| i128::from(a) - i128::from(b))),
            )
            .bracketed(),
            5 => {
                let Number(text, decimals, of) = self.number(depth - 1);
                Number(format!("-({text})"), decimals, Box::new(move |r| of(r).map(|a| -a)))
            }
            6 => self.choice(depth - 1),
            7 => self.quotient(depth - 1),
            _ => self.arithmetic(depth - 1),
        }
    }

    fn choice(&mut self, depth: u8) -> Number {
        let Condition(when, holds) = self.condition(depth);
        let (a, b) = (self.number(depth), self.number(depth));
        let decimals = a.1.max(b.1);
        let (a, b) = (a.widened(decimals), b.widened(decimals));
        let text = format!("({when} ? {} : {})", a.0, b.0);
        Number(text, decimals, Box::new(move |r| if holds(r) { a.2(r) } else { b.2(r) }))
    }

    fn quotient(&mut self, depth: u8) -> Number {
        let Number(text, decimals, of) = self.number(depth);
        let divisor = i128::from(self.below(5)) - 2;
        let (sign, is_rest) = (["/", "%"], usize::from(self.below(2)));
        let text = format!("({text}) {} ({divisor})", sign[is_rest]);
        let value = move |r: &Record| {
            let a = of(r).filter(|_| divisor != 0)?;
            fits(if is_rest == 1 { a % divisor } else { a / divisor })
        };
        Number(text, decimals, Box::new(value)).bracketed()
    }

    fn arithmetic(&mut self, depth: u8) -> Number {
        let (a, b) = (self.number(depth), self.number(depth));
        let sign = self.below(3);
        if sign == 2 && a.1 + b.1 <= 6 {
            let text = format!("({}) * ({})", a.0, b.0);
            let decimals = a.1 + b.1;
            let value = move |r: &Record| fits(a.2(r)?.checked_mul(b.2(r)?)?);
            return Number(text, decimals, Box::new(value)).bracketed();
        }
        let decimals = a.1.max(b.1);
        let (a, b) = (a.widened(decimals), b.widened(decimals));
        let text = format!("({}){}({})", a.0, if sign == 0 { "+" } else { " - " }, b.0);
        let value = move |r: &Record| {
            let (a, b) = (a.2(r)?, b.2(r)?);
            fits(if sign == 0 { a + b } else { a - b })
        };
        Number(text, decimals, Box::new(value)).bracketed()
    }

    fn condition(&mut self, depth: u8) -> Condition {
        let choice = if depth == 0 { self.below(5) } else { self.below(9) };
        match choice {
            0 => Condition("closed".into(), Box::new(|r| r.closed == Some(true))),
            1 => Condition("has(until)".into(), Box::new(|r| r.until.is_some())),
            2 => Condition("fee != null".into(), Box::new(|r| r.fee.is_some())),
            3 => {
                let word = 1 + self.below(3);
                let (sign, wanted) = if self.below(2) == 0 { ("==", true) } else { ("!=", false) };
                let text = format!("channel {sign} 'c{word}'");
                let holds = move |r: &Record| r.channel.is_some_and(|c| (c == word) == wanted);
                Condition(text, Box::new(holds))
            }
            4 => Condition(
                "channel.kind in ['digital']".into(),
                Box::new(|r| matches!(r.channel, Some(1 | 3))),
            ),
            5 => {
                let Condition(text, of) = self.condition(depth - 1);
                Condition(format!("!({text})"), Box::new(move |r| !of(r)))
            }
            6 => {
                let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
                if self.below(2) == 0 {
                    let text = format!("({}) && ({})", a.0, b.0);
                    Condition(text, Box::new(move |r| a.1(r) & b.1(r)))
                } else {
                    let text = format!("({} || {})", a.0, b.0);
                    Condition(text, Box::new(move |r| a.1(r) | b.1(r)))
                }
            }
            7 => {
                let Number(text, decimals, of) = self.number(depth - 1);
                let scale = 10_i128.pow(decimals);
                let text = format!("({text}) in [1, -2, 5]");
                let holds = move |r: &Record| {
                    of(r).is_some_and(|a| [1, -2, 5].iter().any(|n| n * scale == a))
                };
                Condition(text, Box::new(holds))
            }
            _ => self.comparison(depth - 1),
        }
    }

    fn comparison(&mut self, depth: u8) -> Condition {
        let (a, b) = (self.number(depth), self.number(depth));
        let decimals = a.1.max(b.1);
        let (a, b) = (a.widened(decimals), b.widened(decimals));
        let sign = ["<", "<=", ">", ">=", "==", "!="][usize::from(self.below(6))];
        let text = format!("({}) {sign} {}", a.0, b.0);
        let holds = move |r: &Record| {
            let (Some(a), Some(b)) = (a.2(r), b.2(r)) else { return false };
            match sign {
                "<" => a < b,
                "<=" => a <= b,
                ">" => a > b,
                ">=" => a >= b,
                "==" => a == b,
                _ => a != b,
            }
        };
        Condition(text, Box::new(holds))
    }
}

impl Number {
    /// The same text, meant with more decimals; null when that does not fit.
    fn widened(self, decimals: u32) -> Self {
        let factor = 10_i128.pow(decimals - self.1);
        let of = self.2;
        Self(self.0, decimals, Box::new(move |r| fits(of(r)?.checked_mul(factor)?)))
    }

    fn bracketed(self) -> Self {
        Self(format!("({})", self.0), self.1, self.2)
    }
}

fn quantity() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        1 => Just(None),
        6 => (-50_i64..50).prop_map(Some),
        1 => any::<i64>().prop_filter("stands for null", |n| *n != NULL).prop_map(Some),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let moment = || prop::option::weighted(0.8, 0_i64..100_000);
    let closed = prop::option::weighted(0.8, any::<bool>());
    let channel = prop::option::weighted(0.8, 1_u8..4);
    (quantity(), quantity(), moment(), moment(), closed, channel).prop_map(
        |(rooms, fee, from, until, closed, channel)| Record {
            rooms,
            fee,
            from,
            until,
            closed,
            channel,
        },
    )
}

proptest! {
    #[test]
    fn an_expression_means_what_a_naive_reader_takes_it_for(
        bytes in prop::collection::vec(any::<u8>(), 1..80),
        records in prop::collection::vec(record(), 4),
    ) {
        let mut writer = Writer { bytes: bytes.into_iter() };
        let Condition(text, holds) = writer.condition(4);
        if text.len() < 2000 {
            let expr = compile(&text, &Names).map_err(|flaw| TestCaseError::fail(format!("{text}: {flaw}")))?;
            for record in &records {
                prop_assert_eq!(expr.holds(&record.row()), holds(record), "{} on {:?}", &text, record);
            }
        }
        let Number(text, decimals, of) = writer.number(4);
        if text.len() < 2000 {
            let expr = compile(&text, &Names).map_err(|flaw| TestCaseError::fail(format!("{text}: {flaw}")))?;
            prop_assert_eq!(&expr.kind, &Type::Number(decimals as u8));
            for record in &records {
                let expected = of(record).map_or(NULL, |value| value as i64);
                prop_assert_eq!(expr.value(&record.row()), expected, "{} on {:?}", &text, record);
            }
        }
    }

    /// Whatever is typed, the answer is an expression or a flaw inside the text.
    #[test]
    fn no_text_makes_it_panic(text in "[-a-z0-9.'\"\\\\ ()\\[\\]!=<>&|?:+*/%,_]{0,60}") {
        if let Err(flaw) = compile(&text, &Names) {
            prop_assert!(flaw.offset <= text.chars().count(), "{} in {}", flaw, text);
        }
    }
}
