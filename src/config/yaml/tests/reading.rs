//! From text to a tree: places to the column, what is not YAML, limits.

use std::fmt::Write;

use super::*;

#[test]
fn keys_and_values_know_their_line_and_column() {
    let text = "\u{feff}tiếng: việt # chú thích\nb:   {c: 0.80}\n'q r': |\n  many\n  lines\n";
    let expected =
        [("tiếng", 1, 1), ("tiếng", 1, 8), ("b", 2, 1), ("b", 2, 6), ("q r", 3, 1), ("q r", 4, 3)];
    assert_eq!(places(text), expected.map(|(key, line, column)| (key.to_owned(), line, column)));
}

#[test]
fn dotted_paths_lead_into_lists_and_through_keys_with_dots() {
    let node = tree("a:\n  b.c:\n    - x\n    - {d: deep}\n  b: {c: short, e: f}\n");
    assert_eq!(node.at("a.b.c.1.d").and_then(Node::text), Some("deep"));
    assert_eq!(node.at("a.b.e").and_then(Node::text), Some("f"));
    assert!(node.at("a.b.c").is_some_and(|found| found.items().len() == 2), "the longest match");
    for absent in ["a.b.c.2", "a.b.c.x", "a.b.", "ab", "a.b.c.1.d.e", "a.b.c.1."] {
        assert!(node.at(absent).is_none(), "{absent}");
    }
    assert_eq!(node.at("").map(|found| found.place("f")), Some(node.place("f")));
}

#[test]
fn what_is_not_in_the_file_has_the_place_of_the_deepest_thing_that_is() {
    let node = tree("a: 1\nstreams:\n  dossiers:\n    path: /x\n    map: {k: v}\n");
    for (dotted, value, key) in [
        ("streams.dossiers.path", "f:4:11", "f:4:5"),
        ("streams.dossiers.interval", "f:4:5", "f:3:3"),
        ("streams.dossiers.map.k", "f:5:14", "f:5:11"),
        ("streams.dossiers.map.z", "f:5:10", "f:5:5"),
        ("streams.loans.path", "f:3:3", "f:2:1"),
        ("nothing", "f:1:1", "f:1:1"),
    ] {
        assert_eq!(node.place_of("f", dotted).to_string(), value, "{dotted}");
        assert_eq!(node.key_place_of("f", dotted).to_string(), key, "{dotted}");
    }
}

#[test]
fn words_and_codes_stay_text() {
    let text = "a: [no, yes, on, 00123, 1_000, 2024-01-01, 12:30, .inf, 'true', 1.2.3]";
    let node = tree(text);
    let texts: Vec<_> = node.at("a").unwrap().items().iter().filter_map(Node::text).collect();
    let meant =
        ["no", "yes", "on", "00123", "1_000", "2024-01-01", "12:30", ".inf", "true", "1.2.3"];
    assert_eq!(texts, meant);
}

#[test]
fn every_key_that_is_given_twice_is_told() {
    let found = problems::<BTreeMap<String, BTreeMap<String, i32>>>(
        "a: {x: 1, y: 2, x: 3}\nb: {}\n\"a\": {z: 1}\n",
    );
    assert_eq!(
        found,
        [
            "f.yaml:1:17: a: the key 'x' is given twice – it stands in line 1 already",
            "f.yaml:3:1: the key 'a' is given twice – it stands in line 1 already",
        ]
    );
}

#[test]
fn what_is_not_yaml_is_one_problem_with_its_place() {
    let look = "look at indentation, quotes and brackets here and in the line above";
    for (text, expected) in [
        ("a:\n\t- b", "2:2: a tab is used for indentation – indent with spaces".to_owned()),
        ("a: [1", format!("1:4: this is not YAML: unclosed bracket '[' – {look}")),
        ("a: 'x", format!("1:4: this is not YAML: unclosed quote – {look}")),
        ("a: *x", "1:4: this alias names no anchor in the file".to_owned()),
        ("a: &x [*x]", "1:8: this alias stands inside its own anchor".to_owned()),
        ("<<: 5", "1:5: '<<' takes the alias of a mapping".to_owned()),
        ("? [a]\n: b", "1:3: a mapping or list cannot be a key".to_owned()),
        (": x", "1:1: a key is missing before the ':'".to_owned()),
        ("a: !secret b", "1:12: a tag (!…) is not allowed here".to_owned()),
        (
            "a: 1\n---\nb: 2\n",
            "2:1: a second document starts here ('---') – write it into its \
          own file"
                .to_owned(),
        ),
        ("", "1:1: the file is empty".to_owned()),
        ("# only a comment\n", "1:1: the file is empty".to_owned()),
    ] {
        assert_eq!(problems::<Source>(text), [format!("f.yaml:{expected}")], "{text:?}");
    }
}

#[test]
fn a_file_beyond_the_limits_is_refused() {
    let large = format!("a: {}\n", "x".repeat(MAX_BYTES));
    assert_eq!(
        problems::<Source>(&large),
        ["f.yaml:1:1: the file is larger than 1 MiB – split it into several"]
    );
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    assert_eq!(problems::<Source>(&deep), ["f.yaml:1:33: nested deeper than 32 levels"]);
    let wide = "- 1\n".repeat(120_000);
    let found = problems::<Source>(&wide);
    assert!(found[0].contains("more than 100000 values in one file"), "{found:?}");
}

#[test]
fn a_file_at_the_limit_is_read() {
    let deep = format!("{}{}", "[".repeat(32), "]".repeat(32));
    assert_eq!(tree(&deep).items().len(), 1);
    let large = format!("a: {}", "x".repeat(MAX_BYTES - 3));
    assert_eq!(tree(&large).get("a").and_then(Node::text).map(str::len), Some(MAX_BYTES - 3));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let uses = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{uses}]").unwrap();
    }
    let found = problems::<Source>(&bomb);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("alias"), "{found:?}");
}

#[test]
fn a_file_is_read_from_disk_or_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portal.yaml");
    let outcome = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let mut problems = Vec::new();
        let node = read(&path, "config/portal.yaml", &mut problems);
        (node.is_some(), shown(&problems))
    };
    assert_eq!(outcome(GOOD.as_bytes()), (true, Vec::new()));
    let (_, found) = outcome(b"a: b\nc: \xc4\x83 \xff\n");
    let told = "config/portal.yaml:2:6: the file is not UTF-8 text – save it as UTF-8";
    assert_eq!(found, [told]);
    let (_, found) = outcome("ă".repeat(MAX_BYTES).as_bytes());
    assert!(found[0].contains("larger than 1 MiB"), "{found:?}");
    std::fs::remove_file(&path).unwrap();
    let mut problems = Vec::new();
    assert!(read(&path, "config/portal.yaml", &mut problems).is_none());
    let found = shown(&problems);
    assert!(found[0].starts_with("config/portal.yaml:1:1: the file cannot be read: "), "{found:?}");
}
