//! Numbers, truth values and empty texts to the letter: what is read, and as what it is refused.

use super::super::value::{self, Horizon};
use super::*;
use crate::model::contract::PropertyType;
use crate::model::schema::Field;

/// What becomes of a value.
#[derive(Debug, PartialEq)]
enum Becomes {
    /// This whole number, scaled.
    Is(i64),
    /// No value.
    Null,
    /// A reject.
    Refused(Reason),
    /// The page is refused: it is not JSON.
    NoPage,
}

use Becomes::{Is, NoPage, Null, Refused};

const WRONG: Becomes = Refused(Reason::WrongType);
const RANGE: Becomes = Refused(Reason::OutOfRange);

fn field(kind: PropertyType, decimals: u8) -> Field {
    let schema = normaliser().schema;
    let fee = &schema.fields[schema.slot("fee").unwrap()];
    Field {
        kind,
        decimals,
        bounds: (i64::MIN + 1, i64::MAX),
        list: None,
        empty: None,
        ..fee.clone()
    }
}

fn read(wire: &str, field: &Field, coercions: &[Coercion]) -> Becomes {
    let page = format!("[{{\"v\":{wire}}}]");
    let picks = Picks::new(Some(""), &["/v".to_owned()], &[]).unwrap();
    let Ok(decoded) = decode(page.as_bytes(), &picks) else { return NoPage };
    let settings = MapSettings {
        at: Some("/v".to_owned()),
        coerce: Some(coercions.to_vec()),
        ..MapSettings::default()
    };
    let entry = Entry::compile(&settings, field, &mut Wanted::default()).unwrap();
    let horizon = Horizon { moment: i64::MAX, day: i64::MAX };
    match value::read(&decoded.records.values[0], field, &entry, horizon) {
        Ok(slot) if slot.value == NULL => Null,
        Ok(slot) => Is(slot.value),
        Err(reason) => Refused(reason),
    }
}

/// S16: numbers as texts, with exponents, commas, beyond 64 bits, not a number.
#[test]
fn numbers_are_exact_or_refused() {
    // Wire value; as an integer that may only be a number; as one that may be a text of digits too;
    // the same with two decimals.
    let table = [
        ("12", Is(12), Is(12), Is(1200)),
        ("-12", Is(-12), Is(-12), Is(-1200)),
        ("0", Is(0), Is(0), Is(0)),
        ("-0", Is(0), Is(0), Is(0)),
        ("12.0", Is(12), Is(12), Is(1200)),
        ("12.000000000000000000000000", Is(12), Is(12), Is(1200)),
        ("12.5", WRONG, WRONG, Is(1250)),
        ("12.05", WRONG, WRONG, Is(1205)),
        ("-0.05", WRONG, WRONG, Is(-5)),
        ("12.505", WRONG, WRONG, WRONG),
        ("0.1", WRONG, WRONG, Is(10)),
        ("1e3", WRONG, WRONG, WRONG),
        ("1E3", WRONG, WRONG, WRONG),
        ("1e-2", WRONG, WRONG, WRONG),
        ("1.5e1", WRONG, WRONG, WRONG),
        ("1e400", WRONG, WRONG, WRONG),
        (
            "9007199254740993",
            Is(9_007_199_254_740_993),
            Is(9_007_199_254_740_993),
            Is(900_719_925_474_099_300),
        ),
        ("9223372036854775807", Is(i64::MAX), Is(i64::MAX), RANGE),
        ("9223372036854775808", RANGE, RANGE, RANGE),
        ("-9223372036854775807", Is(-i64::MAX), Is(-i64::MAX), RANGE),
        ("-9223372036854775808", RANGE, RANGE, RANGE),
        ("18446744073709551616", RANGE, RANGE, RANGE),
        ("92233720368547758.08", WRONG, WRONG, RANGE),
        ("99999999999999999999999999999999", RANGE, RANGE, RANGE),
        ("007", NoPage, NoPage, NoPage),
        ("+5", NoPage, NoPage, NoPage),
        (".5", NoPage, NoPage, NoPage),
        ("5.", NoPage, NoPage, NoPage),
        ("0x10", NoPage, NoPage, NoPage),
        ("1_000", NoPage, NoPage, NoPage),
        ("NaN", NoPage, NoPage, NoPage),
        ("Infinity", NoPage, NoPage, NoPage),
        ("1,5", NoPage, NoPage, NoPage),
        ("null", Null, Null, Null),
        ("true", WRONG, WRONG, WRONG),
        ("[12]", WRONG, WRONG, WRONG),
        ("{\"n\":12}", WRONG, WRONG, WRONG),
        ("\"12\"", WRONG, Is(12), Is(1200)),
        ("\"-12\"", WRONG, Is(-12), Is(-1200)),
        ("\" 12 \"", WRONG, Is(12), Is(1200)),
        ("\"12\\u00a0\"", WRONG, Is(12), Is(1200)),
        ("\"007\"", WRONG, Is(7), Is(700)),
        ("\"-0\"", WRONG, Is(0), Is(0)),
        ("\"12.0\"", WRONG, Is(12), Is(1200)),
        ("\"12.5\"", WRONG, WRONG, Is(1250)),
        ("\"12,5\"", WRONG, WRONG, WRONG),
        ("\"12.000\"", WRONG, Is(12), Is(1200)),
        ("\"12.000,5\"", WRONG, WRONG, WRONG),
        ("\"12 000\"", WRONG, WRONG, WRONG),
        ("\"1_000\"", WRONG, WRONG, WRONG),
        ("\"+5\"", WRONG, WRONG, WRONG),
        ("\"--5\"", WRONG, WRONG, WRONG),
        ("\"5-\"", WRONG, WRONG, WRONG),
        ("\"- 5\"", WRONG, WRONG, WRONG),
        ("\"-\"", WRONG, WRONG, WRONG),
        ("\".5\"", WRONG, WRONG, WRONG),
        ("\"5.\"", WRONG, WRONG, WRONG),
        ("\"1.2.3\"", WRONG, WRONG, WRONG),
        ("\"1e3\"", WRONG, WRONG, WRONG),
        ("\"0x10\"", WRONG, WRONG, WRONG),
        ("\"12%\"", WRONG, WRONG, WRONG),
        ("\"12 đ\"", WRONG, WRONG, WRONG),
        ("\"NaN\"", WRONG, WRONG, WRONG),
        ("\"-Infinity\"", WRONG, WRONG, WRONG),
        ("\"muoi hai\"", WRONG, WRONG, WRONG),
        ("\"\\u0661\\u0662\"", WRONG, WRONG, WRONG),
        ("\"１２\"", WRONG, WRONG, WRONG),
        ("\"1\\u0000\"", WRONG, WRONG, WRONG),
        ("\"9223372036854775807\"", WRONG, Is(i64::MAX), RANGE),
        ("\"9223372036854775808\"", WRONG, RANGE, RANGE),
        ("\"-9223372036854775808\"", WRONG, RANGE, RANGE),
        ("\"\"", WRONG, WRONG, WRONG),
        ("\"  \"", WRONG, WRONG, WRONG),
        ("\"null\"", WRONG, WRONG, WRONG),
    ];
    assert!(table.len() >= 40);
    let integer = field(PropertyType::Integer, 0);
    let money = field(PropertyType::Decimal, 2);
    for (wire, number, text, decimal) in table {
        let coerced = [Coercion::TextToNumber];
        assert_eq!(read(wire, &integer, &[]), number, "{wire} as a number");
        assert_eq!(read(wire, &integer, &coerced), text, "{wire} as a number or a text");
        assert_eq!(read(wire, &money, &coerced), decimal, "{wire} with two decimals");
    }
}

/// S16: truth values.
#[test]
fn truth_values_are_taken_as_declared() {
    let table = [
        ("true", Is(1), Is(1), Is(1)),
        ("false", Is(0), Is(0), Is(0)),
        ("null", Null, Null, Null),
        ("1", WRONG, WRONG, Is(1)),
        ("0", WRONG, WRONG, Is(0)),
        ("2", WRONG, WRONG, WRONG),
        ("1.0", WRONG, WRONG, WRONG),
        ("\"1\"", WRONG, Is(1), WRONG),
        ("\"0\"", WRONG, Is(0), WRONG),
        ("\" True \"", WRONG, Is(1), WRONG),
        ("\"false\"", WRONG, Is(0), WRONG),
        ("\"TRUE\"", WRONG, WRONG, WRONG),
        ("\"yes\"", WRONG, WRONG, WRONG),
        ("\"01\"", WRONG, WRONG, WRONG),
        ("\"\"", WRONG, WRONG, WRONG),
        ("[true]", WRONG, WRONG, WRONG),
    ];
    let flag = field(PropertyType::Boolean, 0);
    for (wire, plain, text, number) in table {
        assert_eq!(read(wire, &flag, &[]), plain, "{wire}");
        assert_eq!(read(wire, &flag, &[Coercion::TextToBoolean]), text, "{wire} as a text");
        assert_eq!(read(wire, &flag, &[Coercion::NumberToBoolean]), number, "{wire} as a number");
    }
}

#[test]
fn a_sources_own_words_for_true_and_false_are_mapped() {
    let flag = field(PropertyType::Boolean, 0);
    let settings: MapSettings =
        serde_saphyr::from_str("{at: /v, values: {CO: true, KHONG: false, '9': true, '': false}}")
            .unwrap();
    let entry = Entry::compile(&settings, &flag, &mut Wanted::default()).unwrap();
    let read = |value: Value<'_>| value::boolean(&value, &entry);
    assert_eq!(read(Value::Text(" CO ".into())), Ok(1));
    assert_eq!(read(Value::Text("KHONG".into())), Ok(0));
    assert_eq!(read(Value::Text("".into())), Ok(0));
    assert_eq!(read(Value::Number("9")), Ok(1));
    assert_eq!(read(Value::Boolean(false)), Ok(0));
    assert_eq!(read(Value::Text("co".into())), Err(Reason::WrongType));
    assert_eq!(read(Value::Text("1".into())), Err(Reason::WrongType));
    let wrong: MapSettings = serde_saphyr::from_str("{at: /v, values: {CO: co}}").unwrap();
    assert!(Entry::compile(&wrong, &flag, &mut Wanted::default()).is_err());
}

#[test]
fn an_empty_text_is_null_only_where_that_is_declared() {
    for kind in
        [PropertyType::Integer, PropertyType::Boolean, PropertyType::Code, PropertyType::Decimal]
    {
        let field = field(kind, 0);
        assert_eq!(read("\" \"", &field, &[]), WRONG, "{kind:?}");
        assert_eq!(read("\" \"", &field, &[Coercion::EmptyToNull]), Null, "{kind:?}");
        assert_eq!(read("null", &field, &[]), Null, "{kind:?}");
    }
    // A contract that says what an empty code means has declared it.
    let code = Field { empty: Some(7), ..field(PropertyType::Code, 0) };
    assert_eq!(read("\"\"", &code, &[]), Is(7));
    assert_eq!(read("null", &code, &[]), Is(7));
}

#[test]
fn a_code_may_come_as_a_whole_number_and_as_no_other() {
    let code = Field { other: Some(9), ..field(PropertyType::Code, 0) };
    assert_eq!(read("42", &code, &[]), Is(9), "unknown, so it is the other one");
    for wire in ["1.0", "1e3", "true", "[1]", "{}"] {
        assert_eq!(read(wire, &code, &[]), WRONG, "{wire}");
    }
}

/// S18: composed and decomposed letters, white space around them.
#[test]
fn two_spellings_of_one_vietnamese_text_are_one_identifier_and_one_code() {
    let key = |id: &str| {
        let out = normalise(&record(&serde_json::json!({"id": id})));
        assert!(out.rejects.is_empty(), "{:?}", out.rejects);
        out.observations.keys[0]
    };
    assert_eq!(key("HỒ SƠ 1"), key(" HO\u{302}\u{300} SƠ 1\u{a0}"));
    assert_ne!(key("HỒ SƠ 1"), key("Hồ SƠ 1"), "case may mean something");
    assert_ne!(key("HỒ SƠ 1"), key("HỒ  SƠ 1"));
    let list = "code,wire,vi,en\ncounter,Tr\u{1ef1}c ti\u{1ebf}p,a,a\n";
    let list = CodeList::read("way", list, &mut Dictionaries::default()).unwrap();
    let decomposed = "Tru\u{31b}\u{323}c tie\u{302}\u{301}p";
    assert_eq!(list.from_wire(&crate::model::text::normal(decomposed)), list.number("counter"));
}
