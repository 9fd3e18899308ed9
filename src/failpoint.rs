//! Places at which a test can make the process die, or a part of it break.
//!
//! "Once" is a promise about deaths at the worst moment, and the worst moments are too short for a
//! kill from outside to meet them often. So the way of a page is marked with named places, and each
//! SQL statement is one before and one after itself (the store sees to that). `IOCGW_FAILPOINT` is
//! `NAME:N`, to die by SIGKILL on the Nth passage of a place, `panic:NAME:N`, to panic there, which
//! ends what is being done and not the process, or `record:FILE`, to append the name of each passed
//! place to a file, so that a test knows them all without keeping a list. In either case limits that
//! only a million records would reach are small, and `IOCGW_CLOCK_BEHIND` is by how many seconds the
//! clock is behind, so that many days pass in a test.
//!
//! Builds with debug assertions have this, and those with the feature `failpoints`; in every other
//! build the functions are empty, [`limit`] is the shipped value and the clock is right.

#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use live::{behind, is_on, limit, pass};

/// Whether the variable is set.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
pub fn is_on() -> bool {
    false
}

/// Seconds by which the machine's clock is behind.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
#[inline]
pub fn behind() -> i64 {
    0
}

/// Passes a named place.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
#[inline]
pub fn pass(_: &str) {}

/// The limit as shipped, or a small one while places are watched.
#[cfg(not(any(debug_assertions, feature = "failpoints")))]
#[inline]
pub fn limit(shipped: u64, _: u64) -> u64 {
    shipped
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
mod live {
    use std::fs::File;
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// What the variable asks for.
    #[derive(Debug)]
    pub(super) enum Order {
        End { name: String, at: u64, passed: AtomicU64, how: How },
        Record(File),
    }

    /// What ends at the place.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum How {
        /// The process, as if by a power cut.
        Kill,
        /// What is being done there, as by a mistake of ours.
        Panic,
    }

    impl Order {
        /// Nothing where the variable makes no sense: then nobody dies, and a test notices that.
        pub(super) fn parse(text: &str) -> Option<Self> {
            if let Some(path) = text.strip_prefix("record:") {
                let file = File::options().create(true).append(true).open(path).ok()?;
                return Some(Self::Record(file));
            }
            let (how, place) =
                text.strip_prefix("panic:").map_or((How::Kill, text), |place| (How::Panic, place));
            let (name, at) = place.rsplit_once(':')?;
            let at = at.parse().ok().filter(|at| *at > 0)?;
            Some(Self::End { name: name.to_owned(), at, passed: AtomicU64::new(0), how })
        }

        /// What ends at this passage, if it is the ordered one.
        pub(super) fn at(&self, passing: &str) -> Option<How> {
            match self {
                Self::End { name, at, passed, how } => (name == passing
                    && passed.fetch_add(1, Ordering::SeqCst) + 1 == *at)
                    .then_some(*how),
                Self::Record(file) => {
                    // One write, so that the lines of several threads do not mix.
                    let _ = (&*file).write_all(format!("{passing}\n").as_bytes());
                    None
                }
            }
        }
    }

    fn order() -> Option<&'static Order> {
        static ORDER: OnceLock<Option<Order>> = OnceLock::new();
        let read = || Order::parse(&std::env::var("IOCGW_FAILPOINT").ok()?);
        ORDER.get_or_init(read).as_ref()
    }

    /// Seconds by which the machine's clock is behind.
    pub fn behind() -> i64 {
        static BEHIND: OnceLock<i64> = OnceLock::new();
        let read = || std::env::var("IOCGW_CLOCK_BEHIND").ok()?.parse().ok();
        if is_on() { *BEHIND.get_or_init(|| read().unwrap_or(0)) } else { 0 }
    }

    /// Whether the variable is set.
    pub fn is_on() -> bool {
        order().is_some()
    }

    /// Passes a named place; does not return if this is where the process is to die.
    pub fn pass(name: &str) {
        match order().and_then(|order| order.at(name)) {
            Some(How::Kill) => _ = kill_process(getpid(), Signal::KILL),
            Some(How::Panic) => panic!("CANARY: a panic was ordered at '{name}'"),
            None => {}
        }
    }

    /// The limit as shipped, or a small one while places are watched.
    pub fn limit(shipped: u64, small: u64) -> u64 {
        if is_on() { small } else { shipped }
    }
}

#[cfg(any(debug_assertions, feature = "failpoints"))]
#[cfg(test)]
mod tests {

    use super::live::{How, Order};
    use super::{is_on, limit, pass};

    #[test]
    fn something_ends_at_the_ordered_passage_of_the_named_place_and_at_no_other() {
        for (text, how) in
            [("before UPDATE stream:3", How::Kill), ("panic:before UPDATE stream:3", How::Panic)]
        {
            let order = Order::parse(text).unwrap();
            let passed = ["decoded", "before UPDATE stream", "before UPDATE stream", "decoded"];
            assert!(!passed.iter().any(|name| order.at(name).is_some()));
            assert_eq!(order.at("before UPDATE stream"), Some(how));
            assert_eq!(order.at("before UPDATE stream"), None);
        }
    }

    #[test]
    fn recorded_passages_stand_in_the_file_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("places");
        let order = Order::parse(&format!("record:{}", path.display())).unwrap();
        assert_eq!((order.at("fetched"), order.at("decoded")), (None, None));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "fetched\ndecoded\n");
    }

    #[test]
    fn what_makes_no_sense_kills_nobody_and_changes_no_limit() {
        let nonsense = ["", "decoded", "decoded:", "decoded:0", "decoded:-1", "panic:decoded"];
        for text in nonsense.into_iter().chain(["panic:", "record:/nowhere/at/all"]) {
            assert!(Order::parse(text).is_none(), "{text}");
        }
        pass("a place without an order");
        assert_eq!((is_on(), limit(64, 1)), (false, 64));
    }
}
