//! Expressions by example.

use std::sync::Arc;

use super::*;

struct Example;

impl Scope for Example {
    fn name(&self, name: &str) -> Result<Named, String> {
        match name {
            "received_at" => Ok((0, None, Type::Timestamp)),
            "finished_at" => Ok((1, None, Type::Timestamp)),
            "channel" => Ok((2, None, Type::Code("list:channel".to_owned()))),
            "rooms" => Ok((3, None, Type::Number(0))),
            "fee" => Ok((4, None, Type::Number(2))),
            "deleted" => Ok((5, None, Type::Boolean)),
            "channel.kind" => {
                Ok((2, Some(Arc::from([0, 7, 8])), Type::Code("list:channel.kind".to_owned())))
            }
            _ => Err(format!("there is no property '{name}'")),
        }
    }

    fn code(&self, dictionary: &str, word: &str) -> Result<i64, String> {
        match (dictionary, word) {
            ("list:channel", "online") => Ok(1),
            ("list:channel", "counter") => Ok(2),
            ("list:channel", "it's") => Ok(3),
            ("list:channel.kind", "digital") => Ok(7),
            _ => Err(format!("'{word}' is not a code")),
        }
    }
}

fn holds(text: &str, row: [i64; 6]) -> bool {
    compile(text, &Example).unwrap().holds(&row)
}

const ROW: [i64; 6] = [100, 160, 1, 5, 1250, 0];

#[test]
fn conditions_hold_or_not() {
    for text in [
        "finished_at >= received_at",
        "finished_at == null || finished_at >= received_at",
        "channel == 'online'",
        "channel in ['counter', 'online']",
        "channel.kind == 'digital'",
        "fee > 12 && fee == 12.5",
        "rooms * 2 - 1 == 9",
        "!deleted",
        "!(rooms < 3) && (rooms > 4 ? true : false)",
        "finished_at - received_at == 60",
        "-rooms < 0",
        "has(finished_at) && !(has(finished_at) == false)",
        "finished_at <= received_at + duration(\"1m\")",
        "finished_at - received_at < duration('1h30m')",
        "received_at < timestamp('2025-07-01T00:00:00+07:00')",
        "rooms in[1, 10 / 2, -3]",
        "fee in [12.5, 3]",
        "rooms % 3 == 2 && -rooms / 2 == -2",
        "(rooms > 3 ? fee : rooms) == 12.50",
        "channel != 'it\\'s' ? true : false",
    ] {
        assert!(holds(text, ROW), "{text}");
    }
}

#[test]
fn null_is_never_true_but_for_null_itself() {
    let row = [100, NULL, NULL, NULL, NULL, NULL];
    for text in [
        "finished_at > received_at",
        "finished_at <= received_at",
        "channel == 'online'",
        "channel.kind == 'digital'",
        "deleted",
        "rooms + 1 > 0",
    ] {
        assert!(!holds(text, row), "{text}");
    }
    assert!(holds("finished_at == null", row));
    assert!(!holds("finished_at != null", row));
    assert_eq!(compile("rooms + 1", &Example).unwrap().value(&row), NULL);
}

#[test]
fn division_by_zero_and_overflow_are_null() {
    assert_eq!(compile("rooms / (rooms - 5)", &Example).unwrap().value(&ROW), NULL);
    assert_eq!(compile("9223372036854775807 * rooms", &Example).unwrap().value(&ROW), NULL);
}

#[test]
fn what_cannot_mean_anything_is_refused_with_its_place() {
    let cases = [
        ("received_at == 5", 0),
        ("channel == 'onlin'", 11),
        ("rooms + 'a' > 3", 0),
        ("recieved_at == null", 0),
        ("rooms >", 7),
        ("rooms > 3)", 9),
        ("!rooms", 1),
        ("channel < 'online'", 0),
        ("'abc", 0),
        ("rooms in 5", 9),
        ("rooms ? 1 : 2", 0),
        ("haz(rooms)", 0),
        ("has(rooms, fee)", 0),
        ("has(rooms + 1)", 4),
        ("rooms > duration('2d')", 17),
        ("received_at > timestamp('2025-07-01')", 24),
        ("received_at > date('2025-07-01')", 0),
        ("rooms in [5, fee]", 13),
        ("rooms in [5, null]", 13),
        ("rooms inside [5]", 6),
        ("rooms > 1.0000000000000000001", 8),
        ("rooms > 0x10", 9),
        ("channel == 'on\\line'", 14),
        ("1.000000001 * 1.0000000001 > 0", 0),
    ];
    for (text, offset) in cases {
        assert_eq!(compile(text, &Example).unwrap_err().offset, offset, "{text}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}rooms{}", "(".repeat(5000), ")".repeat(5000));
    assert!(compile(&deep[..1900], &Example).unwrap_err().message.contains("too deeply"));
    assert!(compile(&deep, &Example).unwrap_err().message.contains("at most"));
    assert!(compile(&"!".repeat(500), &Example).unwrap_err().message.contains("too deeply"));
    // Decimals multiply into more decimals, which end somewhere too.
    let product = format!("{}1.5", "1.5*".repeat(300));
    assert!(compile(&product, &Example).unwrap_err().message.contains("decimals"));
    let list = format!("rooms in [{}1]", "1,".repeat(900));
    assert!(compile(&list, &Example).is_ok(), "as long as an expression may be");
}
