//! What must never be written or answered: canaries, identifiers in clear, secrets.
//!
//! The patterns are tried on what the province really says, so a pattern that finds nothing cannot
//! pass for a gateway that leaks nothing.

use ioc_gateway::province::{Fact, Said};

/// A shape of text: `0` stands for any digit, everything else for itself.
const IDENTIFIERS: [(&str, &str); 4] = [
    ("dossier", "H41.000-000000-00000"),
    ("facility of platform A", "CSLT-40-000000"),
    ("facility of platform B", "NA00000"),
    ("session", "PS-000-00000000-0000"),
];

/// What is looked for.
pub(super) struct Leaks {
    secrets: Vec<(String, String)>,
}

impl Leaks {
    /// Canaries and identifiers, and the secrets beside them.
    pub(super) fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { secrets: secrets.into_iter().collect() }
    }

    /// Everything of the kind in `bytes`, each kind once, called by where it was found.
    pub(super) fn find(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let patterns = std::iter::once(("canary", "CANARY")).chain(IDENTIFIERS);
        let secrets = self.secrets.iter().map(|(name, secret)| (name.as_str(), secret.as_str()));
        let mut found = Vec::new();
        for (what, pattern) in patterns {
            if let Some(at) = position(bytes, pattern.as_bytes(), true) {
                found.push(format!("{what} in {place}: {}", around(bytes, at)));
            }
        }
        for (what, secret) in secrets {
            if position(bytes, secret.as_bytes(), false).is_some() {
                found.push(format!("secret '{what}' in {place}"));
            }
        }
        found
    }

    /// Fails unless every pattern fits what the province said.
    pub(super) fn prove(&self, said: &[Said]) {
        let mut text = String::from("CANARY-NAME");
        for said in said {
            match &said.fact {
                Fact::Dossier(dossier) => text.push_str(&dossier.dossier),
                Fact::Facility(facility) => text.push_str(&facility.facility),
                Fact::Session(session) => text.push_str(&session.session),
                _ => continue,
            }
            text.push('\n');
        }
        text.extend(self.secrets.iter().map(|(_, secret)| secret.as_str()));
        let found = self.find("what was said", text.as_bytes());
        assert_eq!(found.len(), 1 + IDENTIFIERS.len() + self.secrets.len(), "{found:#?}");
    }
}

fn position(bytes: &[u8], pattern: &[u8], has_digits: bool) -> Option<usize> {
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' if has_digits => byte.is_ascii_digit(),
        wanted => byte == wanted,
    };
    // Stores are large and what is looked for is rarely there: only where the beginning stands.
    let literal = pattern.iter().position(|byte| has_digits && *byte == b'0');
    let begins = &pattern[..literal.unwrap_or(pattern.len())];
    memchr::memmem::find_iter(bytes, begins).find(|at| {
        let window = bytes.get(*at..at + pattern.len());
        window.is_some_and(|window| window.iter().zip(pattern).all(fits))
    })
}

fn around(bytes: &[u8], at: usize) -> String {
    let window = &bytes[at.saturating_sub(40)..bytes.len().min(at + 40)];
    String::from_utf8_lossy(window).into_owned()
}
