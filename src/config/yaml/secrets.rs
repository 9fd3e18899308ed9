//! A secret must not stand in a configuration file: such files are shared, shown and versioned.
//!
//! The rule goes by names, not by how random a value looks: a key that is called like a secret may
//! not hold a text or number. What only points to a secret is fine: names ending in `_file`, `_url`
//! and the like, a value that is nothing but `${VARIABLE}` or `{{ template }}`, the JSON pointers of a
//! `map`, and `key` where it names the key of a contract's records. Values are never printed.

use super::node::{Node, Value};
use super::problem::Problem;

/// Names that mean a secret, alone or as the last words of a longer name (`client_secret`).
const SECRET_WORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "private_key",
    "secret_key",
    "access_key",
    "authorization",
];
/// Blocks whose values say where something stands in an answer, never what it is.
const POINTER_BLOCKS: [&str; 3] = ["map", "paginator", "cursor"];

/// Reports every secret that is written into the file itself.
pub fn refuse_inline_secrets(node: &Node, file: &str, problems: &mut Vec<Problem>) {
    walk(node, file, &mut Vec::new(), problems);
}

/// Whether a key is called like a secret, so that its value must never be shown.
pub(super) fn is_secret_name(key: &str) -> bool {
    let name = key.to_lowercase().replace('-', "_");
    name == "key"
        || SECRET_WORDS.iter().any(|word| {
            name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
        })
}

/// Whether a text carries a password inside a URL: `https://user:password@host`.
pub(super) fn has_url_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !is_stand_in(password))
}

fn walk(node: &Node, file: &str, labels: &mut Vec<String>, problems: &mut Vec<Problem>) {
    let in_pointers = labels.last().is_some_and(|label| POINTER_BLOCKS.contains(&label.as_str()));
    let is_contract = node.get("contract").is_some() || node.get("properties").is_some();
    for (index, (key, child)) in node.children().enumerate() {
        labels.push(key.map_or_else(|| index.to_string(), |key| key.text().to_owned()));
        let at = labels.join(".");
        if let Some(key) = key {
            let exempt = in_pointers || (is_contract && key.text() == "key");
            if is_secret_name(key.text()) && !exempt && stands_there(child) {
                let hint = advice(key.text(), labels);
                problems.push(
                    Problem::new(key.place(file), at.clone(), "a secret stands in the file")
                        .hint(hint),
                );
            }
        }
        if text_of(child).is_some_and(has_url_password) {
            problems.push(
                Problem::new(child.place(file), at, "a password stands in the URL")
                    .hint("put it in a file and use an authenticator that names the file"),
            );
        }
        walk(child, file, labels, problems);
        labels.pop();
    }
}

/// A text or number that is the secret itself and does not merely stand in for it.
fn stands_there(node: &Node) -> bool {
    match &node.value {
        Value::Text(text) => !text.value.is_empty() && !is_stand_in(text.as_written()),
        Value::Integer(..) | Value::Float(..) => true,
        Value::Mapping(_) | Value::Sequence(_) | Value::Bool(_) | Value::Null => false,
    }
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text.as_written()),
        _ => None,
    }
}

/// `${VARIABLE}` without a default, or `{{ template }}`, and nothing around it.
fn is_stand_in(text: &str) -> bool {
    let text = text.trim();
    let inner = |open: &str, close: &str| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains(['{', '}'])).then_some(inner)
    };
    inner("${", "}").is_some_and(|name| !name.contains(":-")) || inner("{{", "}}").is_some()
}

fn advice(key: &str, labels: &[String]) -> String {
    let is_sent = labels.iter().any(|label| label == "query");
    if key.eq_ignore_ascii_case("authorization") || key.contains('-') || is_sent {
        return "put it in a file and use an authenticator that names the file".to_owned();
    }
    format!("put it in a file and name it with {}_file", key.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn refused(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let node = parse(text, "f.yaml", &mut problems).unwrap();
        refuse_inline_secrets(&node, "f.yaml", &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn refuses_a_secret_without_showing_it() {
        let found = refused(
            "authenticator: {kind: oauth2, client_secret: CANARY-1, api_key: CANARY-2}\n\
             headers:\n  Authorization: Bearer CANARY-3\n  X-Api-Key: CANARY-4\n\
             password: 12345678\n\
             url: https://reader:CANARY-5@portal.example/\n",
        );
        assert_eq!(
            found,
            [
                "f.yaml:1:31: authenticator.client_secret: a secret stands in the file – put it in \
                 a file and name it with client_secret_file",
                "f.yaml:1:56: authenticator.api_key: a secret stands in the file – put it in a \
                 file and name it with api_key_file",
                "f.yaml:3:3: headers.Authorization: a secret stands in the file – put it in a file \
                 and use an authenticator that names the file",
                "f.yaml:4:3: headers.X-Api-Key: a secret stands in the file – put it in a file and \
                 use an authenticator that names the file",
                "f.yaml:5:1: password: a secret stands in the file – put it in a file and name it \
                 with password_file",
                "f.yaml:6:6: url: a password stands in the URL – put it in a file and use an \
                 authenticator that names the file",
            ]
        );
    }

    #[test]
    fn a_default_is_a_secret_in_the_file_too() {
        assert_eq!(refused("a: {token: '${TOKEN:-CANARY}'}").len(), 1);
        assert_eq!(refused("a: {url: 'https://u:${P:-CANARY}@h/'}").len(), 1);
    }

    #[test]
    fn leaves_alone_what_only_points_to_a_secret() {
        let found = refused(
            "contract: c\n\
             key: dossier\n\
             token_url: https://portal.example/token\n\
             client_secret_file: portal_secret\n\
             api_key_header: X-Api-Key\n\
             token: ${TOKEN}\n\
             secret: \"{{ secret }}\"\n\
             password:\n\
             url: https://u:${P}@portal.example:8443/a@b:c\n\
             properties: {key: {type: identifier}, token: {type: text}}\n\
             map: {key: /Key, token: /Token}\n\
             paginator: {kind: cursor, token: /next_token}\n\
             on: [{then: refresh_token_then_retry}]\n\
             monkey: bars\n",
        );
        assert!(found.is_empty(), "{found:#?}");
    }
}
