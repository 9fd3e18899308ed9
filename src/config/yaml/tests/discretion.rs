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

/// The shapes that the shipped configuration has.
const SHIPPED_SHAPES: &str = "\
source: portal
requester: {url: '${PORTAL_URL}', timeout: 20s, body_limit: 32MiB}
authenticator:
  kind: oauth2_client_credentials
  token_url: '${PORTAL_URL}/token'
  client_id: ioc
  client_secret_file: portal_secret
error_handler: {max_retries: 5, on: [{body: /error_code, not: '0', then: refresh_token_then_retry}]}
streams:
  dossiers:
    contract: dossiers
    query: {updated_from: '{{ cursor }}', limit: 5000}
    paginator: {kind: cursor, at: /next_token, token: page_token, max_pages: 500}
    map:
      dossier: /MaHoSo
      procedure: {at: /MaTTHC, strip_suffix: '.000.00.00.H41'}
contracts:
  - contract: dossiers
    legal_basis: Decision 766/QD-TTg
    key: [dossier]
    properties: {dossier: {type: identifier}, channel: {type: code, list: filing_channel}}
    measures: {received: {count: true, at: received_at, by: [channel, procedure.essential]}}
indicators:
  online_filing_rate: {kind: ratio, numerator: {measure: dossiers.received, where: {channel: online}}}
";

#[test]
fn the_shapes_of_the_shipped_configuration_hold_no_secret() {
    let mut problems = Vec::new();
    refuse_inline_secrets(&tree(SHIPPED_SHAPES), "f.yaml", &mut problems);
    assert_eq!(shown(&problems), [""; 0]);
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Login")]
struct Talkative;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    password: String,
    #[serde(default)]
    api_key: u32,
}

impl TryFrom<Login> for Talkative {
    type Error = String;

    fn try_from(login: Login) -> Result<Self, String> {
        Err(format!("'{}' with '{}' or {} is refused", login.user, login.password, login.api_key))
    }
}

#[test]
fn a_cross_check_cannot_give_a_secret_away() {
    let found = problems::<Talkative>("{user: ioc, password: CANARY, api_key: 471100}\n");
    assert_eq!(found, ["f.yaml:1:1: 'ioc' with '***' or *** is refused"]);
}
