//! From a tree to settings: all problems at once, tagged enums, what a repair brings about.

use proptest::prelude::*;

use super::*;

#[test]
fn a_good_file_has_no_problems() {
    assert_eq!(problems::<Source>(GOOD), [""; 0]);
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let found = problems::<Source>(
        "\
source: 5
titel: {vi: a, en: b}
authenticator: {kind: basic, usr: ioc, passwordfile: p}
retries: 70000
body_limit: 32MB
error_handler: [retri, status: {from: x, too: 599}, {body: /error, x: y}, {}]
streams:
  dossiers:
    contrakt: dossiers
    interval: 5
    enabled: yes
    paginator:
    map: [a]
  loans:
    contract: true
    path: ['/x']
    interval: 5 minutes
  kiosks:
    enabled: true
",
    );
    assert_eq!(
        found,
        [
            "f.yaml:1:9: source: expected text, found number 5 – write it in quotes: \"5\"",
            "f.yaml:2:1: unknown key 'titel' – did you mean 'title'?",
            "f.yaml:3:30: authenticator: unknown key 'usr' – did you mean 'user'?",
            "f.yaml:3:40: authenticator: unknown key 'passwordfile' – did you mean 'password_file'?",
            "f.yaml:4:10: retries: expected a whole number from 0 to 65535, found number 70000",
            "f.yaml:5:13: body_limit: '32MB' is not a size; write for example 64KiB, 32MiB or 2GiB",
            "f.yaml:6:17: error_handler.0: unknown value 'retri' – did you mean 'retry'?",
            "f.yaml:6:39: error_handler.1.status.from: expected a whole number from 0 to 65535, \
             found text 'x'",
            "f.yaml:6:42: error_handler.1.status: unknown key 'too' – did you mean 'to'?",
            "f.yaml:6:53: error_handler.2: expected a word or a mapping with one key, found a \
             mapping with several keys",
            "f.yaml:6:75: error_handler.3: expected a word or a mapping with one key, found an \
             empty mapping",
            "f.yaml:8:3: streams.dossiers: missing key 'path'",
            "f.yaml:9:5: streams.dossiers: unknown key 'contrakt' – did you mean 'contract'?",
            "f.yaml:10:15: streams.dossiers.interval: '5' is not a duration; write for example \
             30s, 5m, 2h or 3d",
            "f.yaml:11:14: streams.dossiers.enabled: expected true or false, found text 'yes'",
            "f.yaml:13:10: streams.dossiers.map: expected a mapping (key: value), found a list",
            "f.yaml:15:15: streams.loans.contract: expected text, found true – write it in quotes: \
             \"true\"",
            "f.yaml:16:11: streams.loans.path: expected text, found a list",
            "f.yaml:17:15: streams.loans.interval: '5 minutes' is not a duration; write for \
             example 30s, 5m, 2h or 3d",
            "f.yaml:18:3: streams.kiosks: missing key 'contract'",
            "f.yaml:18:3: streams.kiosks: missing key 'interval'",
            "f.yaml:18:3: streams.kiosks: missing key 'path'",
        ]
    );
}

/// A source whose only doubtful part is its paginator, which starts in line 8.
fn paginator(text: &str) -> Vec<String> {
    let head = "source: s\ntitle: {vi: a, en: b}\nstreams:\n  s:\n    contract: c\n    path: /p\n";
    let found = problems::<Source>(&format!("{head}    interval: 1m\n    paginator: {text}\n"));
    found.iter().map(|line| line.replace("streams.s.paginator", "…")).collect()
}

#[test]
fn problems_inside_a_tagged_enum_have_their_own_places() {
    let found = paginator(
        "
      at: 5
      kind: next_link
      maxpages: 3
      max_pages: many
      stop:
        - {at: /x, wen: empty}
        - {at: /x, when: empti}
        - {at: /x, after: 5x}
        - {when: missing, after: 7}
        - {at: 5}
        - {at: 5}
        - {at: /x, wen: empty}
        - {}",
    );
    assert_eq!(
        found,
        [
            "f.yaml:9:11: ….at: expected text, found number 5 – write it in quotes: \"5\"",
            "f.yaml:11:7: …: unknown key 'maxpages' – did you mean 'max_pages'?",
            "f.yaml:12:18: ….max_pages: expected a whole number, 0 or more, found text 'many'",
            "f.yaml:14:20: ….stop.0: unknown key 'wen' – did you mean 'when'?",
            "f.yaml:15:26: ….stop.1.when: unknown value 'empti' – did you mean 'empty'?",
            "f.yaml:16:27: ….stop.2.after: '5x' is not a duration; write for example 30s, 5m, 2h \
             or 3d",
            "f.yaml:17:11: ….stop.3: missing key 'at'",
            "f.yaml:17:34: ….stop.3.after: '7' is not a duration; write for example 30s, 5m, 2h \
             or 3d",
            "f.yaml:18:16: ….stop.4.at: expected text, found number 5 – write it in quotes: \"5\"",
            "f.yaml:19:16: ….stop.5.at: expected text, found number 5 – write it in quotes: \"5\"",
            "f.yaml:20:20: ….stop.6: unknown key 'wen' – did you mean 'when'?",
            "f.yaml:21:11: ….stop.7: missing key 'at'",
        ]
    );
}

#[test]
fn a_tag_that_is_wrong_misspelt_or_missing_is_explained() {
    for (text, expected) in [
        (
            "{kind: next_lnk, at: /x}",
            "f.yaml:8:23: ….kind: unknown kind 'next_lnk' – did you mean \
          'next_link'?",
        ),
        (
            "{kind: offset}",
            "f.yaml:8:23: ….kind: unknown kind 'offset' – allowed here: none, \
          next_link, page_number",
        ),
        ("{knid: next_link, at: /x}", "f.yaml:8:17: …: unknown key 'knid' – did you mean 'kind'?"),
        (
            "{at: /x}",
            "f.yaml:8:5: …: missing key 'kind' – allowed here: none, next_link, \
          page_number",
        ),
        (
            "{kind: 5}",
            "f.yaml:8:23: ….kind: expected a word or a mapping with one key, found \
          number 5",
        ),
        ("{kind: none, at: /x}", "f.yaml:8:29: …: unknown key 'at' – no other key is allowed here"),
        ("{kind: page_number, size: 5}", "f.yaml:8:5: …: missing key 'parameter'"),
        ("next_link", "f.yaml:8:16: …: expected a mapping (key: value), found text 'next_link'"),
    ] {
        assert_eq!(paginator(text), [expected], "{text}");
    }
}

#[test]
fn several_keys_missing_in_a_tagged_enum_are_all_told() {
    let found = paginator("{kind: page_number}");
    assert_eq!(
        found,
        ["f.yaml:8:5: …: missing key 'parameter'", "f.yaml:8:5: …: missing key 'size'"]
    );
}

#[test]
fn the_whole_file_may_be_a_tagged_enum() {
    let found = problems::<Paginator>("kind: next_link\nat: /x\nstop:\n  - {at: 1}\nmax: 3\n");
    assert_eq!(
        found,
        [
            "f.yaml:4:10: stop.0.at: expected text, found number 1 – write it in quotes: \"1\"",
            "f.yaml:5:1: unknown key 'max' – allowed here: at, max_pages, stop",
        ]
    );
    assert_eq!(
        problems::<Paginator>("- 1\n"),
        ["f.yaml:1:1: expected a mapping (key: value), found a list"]
    );
}

#[test]
fn an_untagged_value_keeps_its_place() {
    let found = problems::<BTreeMap<String, From>>("a: /x\nb: {att: /y}\nc: {at: /z}\nd: 5\n");
    let words = "the value has none of the forms that are possible here";
    assert_eq!(found, [format!("f.yaml:2:4: b: {words}"), format!("f.yaml:4:4: d: {words}")]);
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Bounds")]
struct Range;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    from: i32,
    to: i32,
    #[serde(default)]
    step: Option<i32>,
}

impl TryFrom<Bounds> for Range {
    type Error = String;

    fn try_from(bounds: Bounds) -> Result<Self, String> {
        if bounds.from > bounds.to || bounds.step == Some(0) {
            return Err("'from' must not be above 'to'".to_owned());
        }
        Ok(Self)
    }
}

#[test]
fn a_cross_check_is_told_once_and_not_for_what_a_repair_brought_about() {
    let check = "'from' must not be above 'to'";
    assert_eq!(
        problems::<Vec<Range>>("- {from: 1, to: 2}\n- {from: 5, to: 2}\n"),
        [format!("f.yaml:2:3: 1: {check}")]
    );
    // Filled with 1, 'to' would lie below 'from'.
    assert_eq!(problems::<Vec<Range>>("- {from: 5}\n"), ["f.yaml:1:3: 0: missing key 'to'"]);
}

#[test]
fn keys_of_a_map_may_be_numbers_or_words_of_a_list() {
    assert_eq!(problems::<BTreeMap<u16, f64>>("2024: 0.8\n2025: 1\n"), [""; 0]);
    assert_eq!(
        problems::<BTreeMap<u16, f64>>("2024: 0.8\nlast: 1\n99999: '2'\n"),
        [
            "f.yaml:2:1: the key does not have the expected form",
            "f.yaml:3:1: the key does not have the expected form",
        ]
    );
}

#[test]
fn many_problems_end_at_a_hundred() {
    let text: Vec<String> = (0..150).map(|n| format!("k{n}: {{at: 1}}\n")).collect();
    assert_eq!(problems::<BTreeMap<String, Stop>>(&text.concat()).len(), 100);
}

#[test]
fn an_alias_is_judged_where_its_anchor_stands() {
    let text = "a: &stop {at: /x, wen: empty}\nb: *stop\nc: {<<: *stop, at: /y}\n";
    let found = problems::<BTreeMap<String, Stop>>(text);
    let told = "unknown key 'wen' – did you mean 'when'?";
    assert_eq!(found, ["a", "b", "c"].map(|key| format!("f.yaml:1:19: {key}: {told}")));
}

/// A good file with one piece of it replaced by another, over and over.
fn mutilated() -> impl Strategy<Value = String> {
    const PIECES: [&str; 16] = [
        "", " ", "\n", "\n  ", "x", "5", "kind", "{", "}", "[", "]", ": ", "- ", "'", "~", "&a *a",
    ];
    let cut = (0..GOOD.len(), 0_usize..12, 0..PIECES.len());
    proptest::collection::vec(cut, 1..6).prop_map(|cuts| {
        cuts.into_iter().fold(GOOD.to_owned(), |text, (from, length, piece)| {
            let letters: Vec<char> = text.chars().collect();
            let from = from.min(letters.len());
            let to = (from + length).min(letters.len());
            let head: String = letters[..from].iter().collect();
            head + PIECES[piece] + &letters[to..].iter().collect::<String>()
        })
    })
}

proptest! {
    #[test]
    fn whatever_is_written_ends_in_settings_or_in_problems(text in mutilated()) {
        let mut problems = Vec::new();
        let node = parse(&text, "f.yaml", &mut problems);
        let duplicates = problems.len();
        prop_assert!(node.is_some() || duplicates > 0);
        if let Some(node) = node {
            let settings = decode::<Source>(&node, "f.yaml", &mut problems);
            prop_assert_eq!(settings.is_none(), problems.len() > duplicates, "{:#?}", problems);
        }
        let lines = u32::try_from(text.lines().count()).unwrap() + 1;
        for problem in &problems {
            let place = &problem.place;
            prop_assert!((1..=lines).contains(&place.line) && place.column >= 1, "{:?}", place);
        }
    }
}

#[test]
fn the_problems_are_the_same_whatever_else_is_wrong() {
    // Each mistake alone, then all together: none may hide another.
    let mistakes = [
        ("retries: 5", "retries: five"),
        ("body_limit: 32MiB", "bodylimit: 32MiB"),
        ("user: ioc", "usr: ioc"),
        ("max_pages: 500", "max_pages: many"),
        ("interval: 1m", "interval: 1"),
        ("at: /NgayTiepNhan", "att: /NgayTiepNhan"),
        ("to: 599", "to: high"),
        ("en: Portal", "eng: Portal"),
    ];
    let mut one_by_one: Vec<String> = mistakes
        .iter()
        .flat_map(|(good, bad)| problems::<Source>(&GOOD.replace(good, bad)))
        .map(|told| without_place(&told))
        .collect();
    let all = mistakes.iter().fold(GOOD.to_owned(), |text, (good, bad)| text.replace(good, bad));
    let mut together: Vec<String> =
        problems::<Source>(&all).iter().map(|told| without_place(told)).collect();
    one_by_one.sort();
    together.sort();
    assert_eq!(together, one_by_one);
    assert_eq!(together.len(), mistakes.len());
}

fn without_place(told: &str) -> String {
    told.split_once(": ").map_or(told, |(_, rest)| rest).to_owned()
}
