//! Tokens: those that prove who asks, and those that say where a run goes on.
//!
//! A page token carries everything that its run needs, so the province keeps no runs: what since,
//! as of when, from which record on. It is scrambled, because clients must not read it.

use std::sync::PoisonError;

use super::Province;
use super::draw::{Draw, mix};
use super::feed::Pin;
use super::ledger::System;
use crate::model::time::Stamp;

/// Seconds for which a token of the portal is valid.
pub(super) const TOKEN_LIFE: i64 = 600;

/// The portal's client.
pub(super) const CLIENT: &str = "ioc";

const TOKENS_KEPT: usize = 64;
const RUNS_KEPT: usize = 64;

/// The portal's client secret of a seed.
pub(super) fn portal_secret(seed: u64) -> String {
    format!("simulated-portal-{:016x}", mix(seed, 0xD))
}

/// Writes where a run goes on. `nonce` makes tokens of repeated pages differ.
pub(super) fn page_token(seed: u64, pin: Pin, offset: usize, nonce: u64) -> String {
    let flags = u64::from(pin.is_disordered) | u64::from(pin.is_split) << 1;
    let words = [
        (pin.since.0 as u64) << 32 | pin.now.0 as u64 & 0xFFFF_FFFF,
        (offset as u64) << 32 | flags << 24 | nonce & 0xFF_FFFF,
    ];
    let check = mix(mix(seed, words[0]), words[1]);
    let scrambled = [words[0] ^ mix(check, 1), words[1] ^ mix(check, 2)];
    format!("{:016x}{:016x}{check:016x}", scrambled[0], scrambled[1])
}

/// Reads where a run goes on; none if this is no token of this province's.
pub(super) fn read_page_token(seed: u64, token: &str) -> Option<(Pin, usize)> {
    let word = |at: usize| u64::from_str_radix(token.get(at..at + 16)?, 16).ok();
    let check = word(32).filter(|_| token.len() == 48)?;
    let (first, second) = (word(0)? ^ mix(check, 1), word(16)? ^ mix(check, 2));
    if mix(mix(seed, first), second) != check {
        return None;
    }
    let stamp = |word: u64| Stamp((word & 0xFFFF_FFFF) as i64);
    let flags = second >> 24;
    let pin = Pin {
        since: stamp(first >> 32),
        now: stamp(first),
        is_disordered: flags & 1 == 1,
        is_numbered: false,
        is_split: flags & 2 == 2,
    };
    Some((pin, (second >> 32) as usize))
}

impl Province {
    /// Issues a token of the portal.
    pub(super) fn issue_token(&self, draw: &mut Draw) -> String {
        let token = format!("{:016x}{:016x}", draw.next(), draw.next());
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() == TOKENS_KEPT {
            tokens.remove(0);
        }
        tokens.push((token.clone(), Stamp(self.now().0 + TOKEN_LIFE)));
        token
    }

    /// Whether a token of the portal is valid now.
    pub(super) fn is_token_valid(&self, token: &str) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().any(|(known, until)| known == token && self.now() < *until)
    }

    /// Ends a token of the portal before its time.
    pub(super) fn revoke_token(&self, token: &str) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|(known, _)| known != token);
    }

    /// The pin of a run over numbered pages: set by its first page, found again by the others.
    pub(super) fn numbered_run(&self, system: System, is_first: bool, fresh: Pin) -> Pin {
        let mut runs = self.numbered.lock().unwrap_or_else(PoisonError::into_inner);
        let place = runs.iter().position(|(of, pin)| *of == system && pin.since == fresh.since);
        match place {
            Some(place) if !is_first => runs[place].1,
            Some(place) => {
                runs[place].1 = fresh;
                fresh
            }
            None => {
                if runs.len() == RUNS_KEPT {
                    runs.remove(0);
                }
                runs.push((system, fresh));
                fresh
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_tokens_are_read_back_and_forgeries_refused() {
        let (since, now) = (Stamp(1_712_000_000), Stamp(1_790_000_000));
        let pin = Pin { since, now, is_disordered: true, is_numbered: false, is_split: false };
        let token = page_token(7, pin, 5_000, 3);
        assert_eq!(read_page_token(7, &token), Some((pin, 5_000)));
        assert_ne!(token, page_token(7, pin, 5_000, 4));
        assert_eq!(read_page_token(8, &token), None);
        assert_eq!(read_page_token(7, "5000"), None);
        let forged = token.replacen(&token[..1], if &token[..1] == "0" { "1" } else { "0" }, 1);
        assert_eq!(read_page_token(7, &forged), None);
    }
}
