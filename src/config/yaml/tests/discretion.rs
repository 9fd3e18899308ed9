//! What problems may show, and that one mistake is told once.

use super::*;

#[test]
fn a_tree_never_prints_its_values() {
    let printed = format!("{:?}", tree("password: CANARY\nlist: [CANARY, 4711, {a: 'CANARY'}]\n"));
    assert!(!printed.contains("CANARY") && !printed.contains("4711"), "{printed}");
    assert!(printed.contains("password@1:1"), "{printed}");
}

/// All checks in the order in which a file goes through them.
fn whole_way<T: serde::de::DeserializeOwned>(text: &str) -> Vec<String> {
    let environment = |name: &str| match name {
        "SET" => Some("CANARY-from-the-environment".to_owned()),
        "NUMBER" => Some("5".to_owned()),
        _ => None,
    };
    let mut problems = Vec::new();
    let mut node = parse(text, "f.yaml", &mut problems).expect("a tree");
    refuse_inline_secrets(&node, "f.yaml", &mut problems);
    interpolate(&mut node, "f.yaml", &environment, &mut problems);
    assert!(decode::<T>(&node, "f.yaml", &mut problems).is_none());
    shown(&problems)
}

#[test]
fn one_mistake_is_told_once() {
    let found = whole_way::<BTreeMap<String, Stop>>(
        "a: {at: /x, after: '${GONE}'}\nb: {at: /x, token: CANARY}\nc: {at: 1}\n",
    );
    assert_eq!(
        found,
        [
            "f.yaml:2:13: b.token: a secret stands in the file – put it in a file and name it with \
             token_file",
            "f.yaml:1:20: a.after: the environment variable GONE is not set – set it, or give a \
             default: ${GONE:-…}",
            "f.yaml:3:9: c.at: expected text, found number 1 – write it in quotes: \"1\"",
        ]
    );
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
enum Careless {
    Held { token: Span, password: When, secret: u8, other: Span, count: u8, when: When },
}

#[test]
fn no_message_shows_a_secret_or_what_a_variable_stood_for() {
    let text = "kind: held\ntoken: CANARY1\npassword: CANARY2\nsecret: CANARY3\n\
                other: ${SET}\ncount: ${NUMBER}\nwhen: ${SET}\n";
    let found = whole_way::<Careless>(text);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found.iter().all(|line| !line.contains("CANARY")), "{found:#?}");
    assert!(found[3].contains("other: '${SET}' is not a duration"), "{found:#?}");
    assert_eq!(
        found[4],
        "f.yaml:6:8: count: expected a whole number from 0 to 255, found text '${NUMBER}' – a \
         variable always gives text"
    );
    // Without the check for secrets, the type alone complains and must be just as discreet.
    let found = problems::<Careless>(text);
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found.iter().all(|line| !line.contains("CANARY")), "{found:#?}");
    let nested = problems::<Vec<Careless>>(&text.replace("kind", "- kind").replace('\n', "\n  "));
    assert!(nested.iter().all(|line| !line.contains("CANARY")), "{nested:#?}");
}

#[test]
fn a_problem_has_no_empty_parts() {
    let place = Place { file: "f.yaml".to_owned(), line: 1, column: 2 };
    let problem = Problem::new(place.clone(), "", "wrong");
    assert_eq!(problem.to_string(), "f.yaml:1:2: wrong");
    let problem = Problem::new(place, "a.b", "wrong").hint("mend it");
    assert_eq!(problem.to_string(), "f.yaml:1:2: a.b: wrong – mend it");
}
