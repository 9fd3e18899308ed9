//! Credentials that a source does not accept: asked with once in a while, not more.
//!
//! Whoever keeps knocking with a revoked key gets the account locked or the address blocked. So a
//! stream whose credentials were refused does not ask again for a minute, and the streams of a source
//! that have all been refused share that one attempt, each in its turn. Only a stream's own refusal
//! holds it back: a source that lets one path pass and forbids another is asked as ever for the first.
//! A token that was granted a moment ago and is refused says little about the credentials behind it,
//! so that must happen twice. As soon as a secret changes, what was remembered is forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Streams that are remembered; one beyond these is asked as if it were new.
const MOST: usize = 10_000;

/// Who was refused at a source, and when.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    /// What the secrets looked like when they were refused.
    secrets: u64,
    /// Who was refused, and whether that is certain.
    refused: BTreeMap<String, bool>,
    last: Option<(Instant, String)>,
    /// Somebody else was held back since the last attempt, and goes first when the time comes.
    others_wait: bool,
}

impl Denials {
    /// Whether `who` is known to be refused; only then somebody needs to look at the secrets.
    pub(super) fn knows(&self, who: &str) -> bool {
        self.book().refused.get(who) == Some(&true)
    }

    /// How long `who` has to wait before it may ask with these secrets, of the `pause` between two
    /// attempts. Yields `None` to one at a time: whoever gets it has the attempt.
    pub(super) fn wait(
        &self,
        who: &str,
        secrets: u64,
        pause: Duration,
        now: Instant,
    ) -> Option<Duration> {
        let mut book = self.book();
        if book.secrets != secrets {
            *book = Book::default();
        }
        if book.refused.get(who) != Some(&true) {
            return None;
        }
        let (at, by) = book.last.clone()?;
        let left = pause.saturating_sub(now.saturating_duration_since(at));
        if !left.is_zero() {
            book.others_wait |= by != who;
            return Some(left);
        }
        if by == who && std::mem::take(&mut book.others_wait) {
            return Some(Duration::from_secs(1));
        }
        book.last = Some((now, who.to_owned()));
        None
    }

    /// Remembers that the source refused `who`, who came with these secrets, perhaps with a token
    /// that is `fresh`.
    pub(super) fn refused(&self, who: &str, secrets: u64, is_fresh: bool, now: Instant) {
        let mut book = self.book();
        if book.secrets != secrets {
            *book = Book { secrets, ..Book::default() };
        }
        let is_known = book.refused.contains_key(who);
        if is_known || book.refused.len() < MOST {
            book.refused.insert(who.to_owned(), is_known || !is_fresh);
        }
        book.last = Some((now, who.to_owned()));
    }

    /// Remembers that the source let `who` in.
    pub(super) fn accepted(&self, who: &str) {
        self.book().refused.remove(who);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_mins(1);

    #[test]
    fn all_who_were_refused_share_one_attempt_a_minute_in_turn() {
        let denials = Denials::default();
        let start = Instant::now();
        for who in ["a", "b"] {
            assert_eq!(denials.wait(who, 1, PAUSE, start), None, "nothing is known yet");
            denials.refused(who, 1, false, start);
        }
        assert!(denials.knows("a"));
        let mut asked = Vec::new();
        for second in 1..=300 {
            let now = start + Duration::from_secs(second);
            for who in ["b", "a"] {
                if denials.wait(who, 1, PAUSE, now).is_none() {
                    denials.refused(who, 1, false, now);
                    asked.push(who);
                }
            }
        }
        assert!((4..=5).contains(&asked.len()), "{asked:?}");
        assert!(asked.contains(&"a") && asked.contains(&"b"), "{asked:?}");
    }

    #[test]
    fn a_path_that_is_forbidden_holds_no_other_path_back() {
        let (denials, now) = (Denials::default(), Instant::now());
        denials.refused("/secret", 1, false, now);
        assert_eq!(denials.wait("/open", 1, PAUSE, now), None);
        denials.accepted("/open");
        assert_eq!(denials.wait("/secret", 1, PAUSE, now), Some(PAUSE));
        denials.accepted("/secret");
        assert_eq!(denials.wait("/secret", 1, PAUSE, now), None);
        assert!(!denials.knows("/secret"));
    }

    #[test]
    fn a_secret_that_changes_is_tried_at_once() {
        let (denials, now) = (Denials::default(), Instant::now());
        denials.refused("a", 1, false, now);
        assert_eq!(denials.wait("a", 1, PAUSE, now), Some(PAUSE));
        assert_eq!(denials.wait("a", 2, PAUSE, now), None);
        denials.refused("a", 2, false, now);
        assert_eq!(denials.wait("a", 2, PAUSE, now), Some(PAUSE));
    }

    #[test]
    fn a_fresh_token_must_be_refused_twice() {
        let (denials, now) = (Denials::default(), Instant::now());
        denials.refused("a", 1, true, now);
        assert!(!denials.knows("a"));
        assert_eq!(denials.wait("a", 1, PAUSE, now), None);
        denials.refused("a", 1, true, now);
        assert!(denials.knows("a"));
        assert_eq!(denials.wait("a", 1, PAUSE, now), Some(PAUSE));
    }
}
