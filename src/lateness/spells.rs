//! Spells: stretches of time in which a stream's data are older than their contract allows.
//!
//! A rule "in by 07:30" has reports that are due; a rule "no older than 30 minutes" has none, but it is
//! broken from a moment until another, and somebody answers for that too. A spell begins at the moment
//! at which the data became too old, once a run that began later has looked and found nothing newer; it
//! ends with the first data that are young enough. What is ours is blamed on nobody, by the same rules
//! as with reports: a fault of the gateway or a pause is no look, and while the gateway is down nobody
//! looks.

use super::{Sight, missed};
use crate::model::lateness::{LatenessRegister, SPELLS_KEPT, Spell};
use crate::model::time::Stamp;
use crate::model::units::Span;

/// How old a stream's data may be, and who answers when they are older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeLimit {
    /// The largest allowed age.
    pub fresh_within: Span,
    /// The body that answers for the source.
    pub unit: String,
    /// Whether the source pushes, so that nobody asks it.
    pub is_pushed: bool,
}

/// Begins a spell or ends the one under way; nothing if nothing changes.
pub fn age(
    known: &LatenessRegister,
    limit: &AgeLimit,
    sight: Sight<'_>,
) -> Option<LatenessRegister> {
    let through = sight.data_through?;
    let too_old_at = Stamp(through.0 + limit.fresh_within.as_seconds());
    let is_open = known.spells.last().is_some_and(|spell| spell.ended_at.is_none());
    let mut register = known.clone();
    if is_open {
        if too_old_at < sight.now {
            return None;
        }
        register.spells.last_mut()?.ended_at = Some(sight.now);
        return Some(register);
    }
    let missed_by = missed(too_old_at, limit.is_pushed, sight)?.to_owned();
    register.spells.push(Spell {
        began_at: too_old_at,
        data_through: through,
        fresh_within: limit.fresh_within.as_seconds(),
        accountable_unit: limit.unit.clone(),
        missed_by,
        noticed_at: sight.now,
        ended_at: None,
    });
    let excess = register.spells.len().saturating_sub(SPELLS_KEPT);
    register.spells.drain(..excess);
    Some(register)
}

#[cfg(test)]
mod tests {
    use super::super::{Look, NOT_THERE, PATIENCE};
    use super::*;

    const LIMIT: i64 = 1800;

    fn limit(is_pushed: bool) -> AgeLimit {
        AgeLimit { fresh_within: Span::seconds(LIMIT as u64), unit: "so-yte".to_owned(), is_pushed }
    }

    /// Data up to second 0; a look that began at `began`.
    fn looked(through: i64, began: i64, failed_by: Option<&str>) -> Sight<'_> {
        Sight {
            data_through: Some(Stamp(through)),
            look: Some(Look { began: Stamp(began), failed_by }),
            listening_since: None,
            now: Stamp(began + 5),
        }
    }

    #[test]
    fn a_spell_begins_when_data_became_too_old_and_ends_with_the_first_that_are_young() {
        let nothing = LatenessRegister::default();
        let limit = limit(false);
        assert_eq!(age(&nothing, &limit, looked(0, LIMIT - 1, Some("timeout"))), None);
        let begun = age(&nothing, &limit, looked(0, LIMIT + 60, Some("timeout"))).unwrap();
        let spell = &begun.spells[0];
        assert_eq!((spell.began_at, spell.data_through), (Stamp(LIMIT), Stamp(0)));
        assert_eq!((spell.missed_by.as_str(), spell.ended_at), ("timeout", None));
        assert_eq!(spell.lasted(Stamp(LIMIT + 3600)), 3600);
        // Neither another failure nor data that are still too old change it.
        assert_eq!(age(&begun, &limit, looked(0, LIMIT + 120, None)), None);
        assert_eq!(age(&begun, &limit, looked(200, LIMIT + 3000, None)), None);
        let ended = age(&begun, &limit, looked(LIMIT + 3000, LIMIT + 3600, None)).unwrap();
        assert_eq!(ended.spells[0].ended_at, Some(Stamp(LIMIT + 3605)));
        assert_eq!(ended.spells[0].lasted(Stamp(1 << 40)), 3605);
        // The next one is another.
        let again = age(&ended, &limit, looked(LIMIT + 3000, 3 * LIMIT + 9000, None)).unwrap();
        assert_eq!(again.spells.len(), 2);
        assert_eq!(again.spells[1].missed_by, NOT_THERE);
    }

    #[test]
    fn while_nobody_looks_nobody_is_blamed() {
        let nothing = LatenessRegister::default();
        // The gateway was down for a day; its first look finds fresh data.
        assert_eq!(age(&nothing, &limit(false), looked(86_000, 86_400, None)), None);
        let unlooked = Sight { look: None, ..looked(0, 86_400, None) };
        assert_eq!(age(&nothing, &limit(false), unlooked), None);
        // Nothing has ever come: that is told as such, and no age.
        let never = Sight { data_through: None, ..looked(0, 86_400, None) };
        assert_eq!(age(&nothing, &limit(false), never), None);
    }

    #[test]
    fn who_pushes_is_blamed_when_the_gateway_has_been_listening_long_enough() {
        let nothing = LatenessRegister::default();
        let sight = |since: i64, now: i64| Sight {
            data_through: Some(Stamp(0)),
            look: None,
            listening_since: Some(Stamp(since)),
            now: Stamp(now),
        };
        assert_eq!(age(&nothing, &limit(true), sight(-5, LIMIT - 1)), None);
        assert!(age(&nothing, &limit(true), sight(-5, LIMIT)).is_some());
        let late = LIMIT + 100;
        assert_eq!(age(&nothing, &limit(true), sight(late, late + PATIENCE - 1)), None);
        assert!(age(&nothing, &limit(true), sight(late, late + PATIENCE)).is_some());
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut register = LatenessRegister::default();
        for i in 0..(SPELLS_KEPT as i64 + 3) {
            let through = i * 10_000;
            register =
                age(&register, &limit(false), looked(through, through + 2_000, None)).unwrap();
            let fresh = looked(through + 9_000, through + 9_100, None);
            register = age(&register, &limit(false), fresh).unwrap();
        }
        assert_eq!(register.spells.len(), SPELLS_KEPT);
        assert_eq!(register.spells[0].data_through, Stamp(30_000));
    }
}
