//! Which request comes after a page, and when there is none.
//!
//! Pure: addresses and what the decoder saw go in, the next address or an ending comes out. Three
//! guards keep a confused source from holding a run for ever: a page cap, a set of every address
//! and token already followed, and (in `run`) the hash of the page before. A next link may only
//! lead to the origin that its page came from, so credentials never travel elsewhere.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::error::{PullError, Reason};
use super::{Problems, require};

const LONGEST_NEXT: usize = 8 * 1024;
const MOST_PAGES: u32 = 100_000;

/// How a stream's pages hang together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paginator {
    /// One page is everything.
    None {},
    /// Numbered pages; a page with fewer records than `page_size` is the last.
    PageNumber {
        /// The query parameter that carries the number.
        query: String,
        /// The number of the first page.
        #[serde(default = "one")]
        start: u64,
        /// The query parameter that carries the page size, if the source wants to be told.
        size_query: Option<String>,
        /// How many records a full page really holds: if the source sends fewer than it was
        /// asked for, a full page looks like the last one.
        page_size: u32,
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
    },
    /// Each page names the token to ask the next one with; no token is the end.
    Cursor {
        /// Where the token stands in a page (JSON pointer).
        at: String,
        /// The query parameter that carries it.
        query: String,
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
    },
    /// Each page names the address of the next one; no address is the end.
    NextLink {
        /// Where the address stands in a page (JSON pointer).
        at: String,
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
    },
}

/// What the decoder saw on a page.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The text at [`Paginator::next_at`], if there is one; empty means none.
    pub next: Option<String>,
    /// Records on the page before any of them is dropped.
    pub raw_records: usize,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The source had no more pages.
    Complete,
    /// The page cap was reached; the next run goes on from the cursor.
    Truncated,
    /// The source repeated a page or pointed back to one.
    LoopDetected,
}

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this address.
    Ask(Url),
    /// There is nothing more to ask.
    End(Ending),
}

/// Walks through one run.
pub struct Pager {
    paginator: Paginator,
    base: Url,
    pages: u32,
    followed: HashSet<[u8; 32]>,
}

fn one() -> u64 {
    1
}

fn five_hundred() -> u32 {
    500
}

impl Paginator {
    /// Where the decoder finds the [`Turn::next`] of a page (JSON pointer).
    pub fn next_at(&self) -> Option<&str> {
        match self {
            Self::None {} | Self::PageNumber { .. } => None,
            Self::Cursor { at, .. } | Self::NextLink { at, .. } => Some(at),
        }
    }

    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        if let Some(pointer) = self.next_at() {
            let message = "must be a JSON pointer such as /next";
            require(pointer.starts_with('/'), &format!("{at}.at"), message, problems);
        }
        for (key, name) in self.queries() {
            require(!name.is_empty(), &format!("{at}.{key}"), "must not be empty", problems);
        }
        if let Self::PageNumber { page_size, .. } = self {
            require(*page_size > 0, &format!("{at}.page_size"), "must be at least 1", problems);
        }
        let fine = (1..=MOST_PAGES).contains(&self.max_pages());
        require(fine, &format!("{at}.max_pages"), "must be 1 to 100000", problems);
    }

    /// The query parameters that the paginator sets, by the setting that names them.
    pub(super) fn queries(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::None {} | Self::NextLink { .. } => Vec::new(),
            Self::Cursor { query, .. } => vec![("query", query)],
            Self::PageNumber { query, size_query, .. } => {
                let size = size_query.as_deref().map(|name| ("size_query", name));
                [Some(("query", query.as_str())), size].into_iter().flatten().collect()
            }
        }
    }

    fn max_pages(&self) -> u32 {
        match self {
            Self::None {} => 1,
            Self::PageNumber { max_pages, .. }
            | Self::Cursor { max_pages, .. }
            | Self::NextLink { max_pages, .. } => *max_pages,
        }
    }
}

impl Pager {
    /// A pager over `base`, the stream's address with its query; also the first address to ask.
    pub fn start(paginator: &Paginator, mut base: Url) -> (Self, Url) {
        let mut first = base.clone();
        if let Paginator::PageNumber { query, start, size_query, page_size, .. } = paginator {
            if let Some(size_query) = size_query {
                set_pair(&mut base, size_query, &page_size.to_string());
            }
            first = base.clone();
            set_pair(&mut first, query, &start.to_string());
        }
        let followed = HashSet::from([mark(first.as_str())]);
        (Self { paginator: paginator.clone(), base, pages: 0, followed }, first)
    }

    /// The step after the page that came from `asked` and held what `turn` tells.
    pub fn after(&mut self, asked: &Url, turn: &Turn) -> Result<Step, PullError> {
        self.pages = self.pages.saturating_add(1);
        let next = turn.next.as_deref().map(str::trim).filter(|next| !next.is_empty());
        if next.is_some_and(|next| next.len() > LONGEST_NEXT) {
            return Err(refused("the next link or token is longer than 8KiB"));
        }
        let mut url = self.base.clone();
        match (&self.paginator, next) {
            (Paginator::None {}, _)
            | (Paginator::Cursor { .. } | Paginator::NextLink { .. }, None) => {
                return Ok(Step::End(Ending::Complete));
            }
            (Paginator::PageNumber { query, start, page_size, .. }, _) => {
                if turn.raw_records < *page_size as usize {
                    return Ok(Step::End(Ending::Complete));
                }
                let number = start.saturating_add(u64::from(self.pages));
                set_pair(&mut url, query, &number.to_string());
            }
            (Paginator::Cursor { query, .. }, Some(token)) => set_pair(&mut url, query, token),
            (Paginator::NextLink { .. }, Some(link)) => url = resolve(asked, link)?,
        }
        if !self.followed.insert(mark(url.as_str())) {
            return Ok(Step::End(Ending::LoopDetected));
        }
        if self.pages >= self.paginator.max_pages() {
            return Ok(Step::End(Ending::Truncated));
        }
        Ok(Step::Ask(url))
    }
}

/// Sets a query parameter, replacing what was there by that name.
pub(super) fn set_pair(url: &mut Url, name: &str, value: &str) {
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(key, _)| key != name).map(into_owned).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
}

fn into_owned(pair: (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (pair.0.into_owned(), pair.1.into_owned())
}

fn resolve(asked: &Url, link: &str) -> Result<Url, PullError> {
    let mut url = asked.join(link).map_err(|_| refused("the next link is not an address"))?;
    url.set_fragment(None);
    if url.origin() != asked.origin() {
        return Err(refused("the next link leaves the source's origin (scheme, host and port)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("the next link carries credentials"));
    }
    Ok(url)
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Other, detail)
}

fn mark(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paginator(yaml: &str) -> Paginator {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn next(text: &str) -> Turn {
        Turn { next: Some(text.to_owned()), raw_records: 1 }
    }

    fn base() -> Url {
        Url::parse("http://portal.test:8080/api/rows?limit=5").unwrap()
    }

    #[test]
    fn numbered_pages_end_with_the_first_page_that_is_not_full() {
        let yaml = "{kind: page_number, query: p, start: 0, size_query: size, page_size: 3}";
        let (mut pager, first) = Pager::start(&paginator(yaml), base());
        assert_eq!(first.query(), Some("limit=5&size=3&p=0"));
        let full = Turn { next: None, raw_records: 3 };
        let Step::Ask(second) = pager.after(&first, &full).unwrap() else { panic!("ended early") };
        assert_eq!(second.query(), Some("limit=5&size=3&p=1"));
        let short = Turn { next: None, raw_records: 2 };
        assert_eq!(pager.after(&second, &short).unwrap(), Step::End(Ending::Complete));
    }

    #[test]
    fn a_token_is_escaped_and_replaces_the_one_before() {
        let (mut pager, first) =
            Pager::start(&paginator("{kind: cursor, at: /c, query: c}"), base());
        assert_eq!(first, base());
        let Step::Ask(second) = pager.after(&first, &next("a+b&c")).unwrap() else { panic!() };
        assert_eq!(second.query(), Some("limit=5&c=a%2Bb%26c"));
        let Step::Ask(third) = pager.after(&second, &next("d")).unwrap() else { panic!() };
        assert_eq!(third.query(), Some("limit=5&c=d"));
        assert_eq!(pager.after(&third, &next(" ")).unwrap(), Step::End(Ending::Complete));
    }

    #[test]
    fn next_links_are_resolved_against_their_page_and_stay_on_its_origin() {
        for (link, wanted) in [
            ("/api/rows?after=2", Some("http://portal.test:8080/api/rows?after=2")),
            ("?after=2", Some("http://portal.test:8080/api/rows?after=2")),
            ("more#top", Some("http://portal.test:8080/api/more")),
            ("http://PORTAL.test:8080/x", Some("http://portal.test:8080/x")),
            ("https://portal.test:8080/x", None),
            ("http://portal.test/x", None),
            ("http://portal.test:8081/x", None),
            ("//elsewhere.test:8080/x", None),
            ("\\\\elsewhere.test\\x", None),
            ("http://portal.test.evil.test:8080/x", None),
            ("http://portal.test:8080@elsewhere.test/x", None),
            ("http://user:word@portal.test:8080/x", None),
            ("http://169.254.169.254/latest", None),
            ("file:///etc/passwd", None),
            ("data:text/plain,x", None),
            ("http://[", None),
        ] {
            let (mut pager, first) =
                Pager::start(&paginator("{kind: next_link, at: /next}"), base());
            match (pager.after(&first, &next(link)), wanted) {
                (Ok(Step::Ask(url)), Some(wanted)) => assert_eq!(url.as_str(), wanted),
                (Err(PullError::Refused { reason: Reason::Other, .. }), None) => {}
                (outcome, _) => panic!("{link}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn going_back_is_a_loop_and_a_full_run_is_truncated() {
        let next_link = paginator("{kind: next_link, at: /next, max_pages: 3}");
        let (mut pager, first) = Pager::start(&next_link, base());
        let Step::Ask(second) = pager.after(&first, &next("/b")).unwrap() else { panic!() };
        let back = next("/api/rows?limit=5");
        assert_eq!(pager.after(&second, &back).unwrap(), Step::End(Ending::LoopDetected));

        let (mut pager, first) = Pager::start(&next_link, base());
        for page in ["/b", "/c"] {
            assert!(matches!(pager.after(&first, &next(page)).unwrap(), Step::Ask(_)));
        }
        assert_eq!(pager.after(&first, &next("/d")).unwrap(), Step::End(Ending::Truncated));
    }

    #[test]
    fn the_last_allowed_page_may_be_the_last_page() {
        let (mut pager, first) =
            Pager::start(&paginator("{kind: next_link, at: /next, max_pages: 1}"), base());
        let end = pager.after(&first, &Turn::default()).unwrap();
        assert_eq!(end, Step::End(Ending::Complete));
    }

    #[test]
    fn settings_that_make_no_sense_are_problems() {
        let mut problems = Problems::new();
        paginator("{kind: next_link, at: next, max_pages: 0}").check("paginator", &mut problems);
        paginator("{kind: page_number, query: '', page_size: 0}").check("paginator", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            ["paginator.at", "paginator.max_pages", "paginator.query", "paginator.page_size"]
        );
    }

    #[test]
    fn unknown_settings_are_refused_even_where_none_are_expected() {
        assert!(serde_saphyr::from_str::<Paginator>("{kind: none}").is_ok());
        assert!(serde_saphyr::from_str::<Paginator>("{kind: none, at: /next}").is_err());
        assert!(serde_saphyr::from_str::<Paginator>("{kind: next_link, at: /n, x: 1}").is_err());
    }
}
