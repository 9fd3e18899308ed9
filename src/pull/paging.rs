//! Which request comes after a page, and when there is none.
//!
//! Pure: addresses and what the decoder saw go in, the next address or an ending comes out. Three
//! guards keep a confused source from holding a run for ever: a page cap, a set of every address
//! and token already followed, and (in `run`) the hash of the page before. A next link may only
//! lead to the origin that its page came from, so credentials never travel elsewhere. Where a list
//! ends is judged by the raw count of a page, before any record is dropped.

use std::collections::HashSet;

use url::Url;

use super::error::{PullError, Reason};
use super::paginator::{Last, Paginator};

const LONGEST_NEXT: usize = 8 * 1024;

/// What was seen on a page.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The text at [`Paginator::next_at`], if there is one; empty means none.
    pub next: Option<String>,
    /// The text at [`Paginator::total_at`], if there is one.
    pub total: Option<String>,
    /// Records on the page before any of them is dropped.
    pub raw_records: usize,
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The source had no more pages.
    Complete,
    /// The source said that nothing has changed since the last complete run.
    Unchanged,
    /// There was more, and the run stopped before it.
    Truncated(Cut),
    /// The source repeated a page or pointed back to one.
    LoopDetected,
    /// The source hands out no more pages of this question, although there is more: paging begins
    /// anew from the latest record.
    Reset,
}

/// Why a run stopped before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has as many pages as it may have.
    Pages,
    /// It has as many records as it may have.
    Records,
    /// It has taken as long as it may take.
    Time,
    /// As many listed records have been asked about as may be.
    Children,
    /// The source ended its pages before as many records came as it had told of.
    Short,
    /// The source hands out no more pages, and beginning anew leads nowhere.
    Reset,
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
    /// Raw records of all pages.
    records: u64,
    /// How many records or pages there are, as the last page that told it said.
    total: Option<u64>,
    followed: HashSet<[u8; 32]>,
}

impl Pager {
    /// A pager over `base`, the stream's address with its query; also the first address to ask.
    pub fn start(paginator: &Paginator, mut base: Url) -> (Self, Url) {
        let mut first = base.clone();
        if let Paginator::PageNumber { query, start, size_query, page_size, .. }
        | Paginator::Offset { query, start, size_query, page_size, .. } = paginator
        {
            if let (Some(size_query), Some(page_size)) = (size_query, page_size) {
                set_pair(&mut base, size_query, &page_size.to_string());
            }
            first = base.clone();
            set_pair(&mut first, query, &start.to_string());
        }
        let followed = HashSet::from([mark(first.as_str())]);
        let paginator = paginator.clone();
        (Self { paginator, base, pages: 0, records: 0, total: None, followed }, first)
    }

    /// Whether the headers of an answer lead to the next page.
    pub(super) fn goes_by_links(&self) -> bool {
        matches!(self.paginator, Paginator::LinkHeader { .. })
    }

    /// The step after the page that came from `asked` and held what `turn` tells. Where a source is
    /// known to stop after so many records, neither an end nor a next page there is believed.
    pub fn after(&mut self, asked: &Url, turn: &Turn) -> Result<Step, PullError> {
        let step = self.step(asked, turn)?;
        let is_open = matches!(step, Step::Ask(_) | Step::End(Ending::Complete));
        let at_most = self.paginator.reset_after().filter(|_| is_open);
        let is_over = at_most.is_some_and(|at_most| self.records >= at_most);
        Ok(if is_over { Step::End(Ending::Reset) } else { step })
    }

    fn step(&mut self, asked: &Url, turn: &Turn) -> Result<Step, PullError> {
        self.pages = self.pages.saturating_add(1);
        self.records = self.records.saturating_add(turn.raw_records as u64);
        let next = turn.next.as_deref().map(str::trim).filter(|next| !next.is_empty());
        if next.is_some_and(|next| next.len() > LONGEST_NEXT) {
            return Err(refused("the next link or token is longer than 8KiB"));
        }
        let mut url = self.base.clone();
        match (&self.paginator, next) {
            (Paginator::None {}, _)
            | (
                Paginator::Cursor { .. }
                | Paginator::NextLink { .. }
                | Paginator::LinkHeader { .. },
                None,
            ) => return Ok(Step::End(Ending::Complete)),
            (
                Paginator::PageNumber { query, start, .. } | Paginator::Offset { query, start, .. },
                _,
            ) => {
                let is_numbered = matches!(self.paginator, Paginator::PageNumber { .. });
                let passed = if is_numbered { self.pages.into() } else { self.records };
                set_pair(&mut url, query, &start.saturating_add(passed).to_string());
                if let Some(ending) = self.counted_end(turn)? {
                    return Ok(Step::End(ending));
                }
            }
            (Paginator::Cursor { query, .. }, Some(token)) => set_pair(&mut url, query, token),
            (Paginator::NextLink { .. } | Paginator::LinkHeader { .. }, Some(link)) => {
                url = resolve(asked, link)?;
            }
        }
        if !self.followed.insert(mark(url.as_str())) {
            return Ok(Step::End(Ending::LoopDetected));
        }
        if self.pages >= self.paginator.max_pages() {
            return Ok(Step::End(Ending::Truncated(Cut::Pages)));
        }
        Ok(Step::Ask(url))
    }

    /// How a list that is walked by counting ends with this page, if it does.
    fn counted_end(&mut self, turn: &Turn) -> Result<Option<Ending>, PullError> {
        let last = self.paginator.last();
        if !matches!(last, Last::Short(_)) {
            let told = turn.total.as_deref().and_then(|text| text.trim().parse().ok());
            self.total = told.or(self.total);
            if self.total.is_none() {
                return Err(refused("no page tells how many there are where total_at points"));
            }
        }
        let total = self.total.unwrap_or(0);
        let is_whole = match last {
            Last::Short(full) => turn.raw_records < full as usize,
            Last::Records => self.records >= total,
            Last::Pages => u64::from(self.pages) >= total,
        };
        let is_short = matches!(last, Last::Records) && turn.raw_records == 0;
        Ok(match (is_whole, is_short) {
            (true, _) => Some(Ending::Complete),
            (false, true) => Some(Ending::Truncated(Cut::Short)),
            (false, false) => None,
        })
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
        Turn { next: Some(text.to_owned()), raw_records: 1, ..Turn::default() }
    }

    fn of(raw_records: usize) -> Turn {
        Turn { raw_records, ..Turn::default() }
    }

    fn with_total(raw_records: usize, total: &str) -> Turn {
        Turn { total: Some(total.to_owned()), ..of(raw_records) }
    }

    fn base() -> Url {
        Url::parse("http://portal.test:8080/api/rows?limit=5").unwrap()
    }

    #[test]
    fn numbered_pages_end_with_the_first_page_that_is_not_full() {
        let yaml = "{kind: page_number, query: p, start: 0, size_query: size, page_size: 3}";
        let (mut pager, first) = Pager::start(&paginator(yaml), base());
        assert_eq!(first.query(), Some("limit=5&size=3&p=0"));
        let full = of(3);
        let Step::Ask(second) = pager.after(&first, &full).unwrap() else { panic!("ended early") };
        assert_eq!(second.query(), Some("limit=5&size=3&p=1"));
        let short = of(2);
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
        assert_eq!(
            pager.after(&first, &next("/d")).unwrap(),
            Step::End(Ending::Truncated(Cut::Pages))
        );
    }

    #[test]
    fn the_last_allowed_page_may_be_the_last_page() {
        let (mut pager, first) =
            Pager::start(&paginator("{kind: next_link, at: /next, max_pages: 1}"), base());
        let end = pager.after(&first, &Turn::default()).unwrap();
        assert_eq!(end, Step::End(Ending::Complete));
    }

    /// Walks from page to page and yields the queries that were asked and the end.
    fn walk(yaml: &str, pages: &[Turn]) -> (Vec<String>, Ending) {
        let (mut pager, mut asked) = Pager::start(&paginator(yaml), base());
        let mut queries = Vec::new();
        for page in pages {
            queries.push(asked.query().unwrap_or("").replace("limit=5&", ""));
            match pager.after(&asked, page).unwrap() {
                Step::Ask(next) => asked = next,
                Step::End(ending) => return (queries, ending),
            }
        }
        panic!("the pages do not end: {queries:?}");
    }

    #[test]
    fn an_offset_counts_the_records_that_really_came() {
        let yaml = "{kind: offset, query: skip, size_query: take, page_size: 3}";
        let (asked, ending) = walk(yaml, &[of(3), of(4), of(2)]);
        assert_eq!(asked, ["take=3&skip=0", "take=3&skip=3", "take=3&skip=7"]);
        assert_eq!(ending, Ending::Complete);
        let (_, ending) = walk(yaml, &[of(3), of(0)]);
        assert_eq!(ending, Ending::Complete);
        let (asked, ending) = walk(
            "{kind: offset, query: from, start: 1, page_size: 2, max_pages: 2}",
            &[of(2), of(2)],
        );
        assert_eq!((asked.len(), ending), (2, Ending::Truncated(Cut::Pages)));
        assert_eq!(asked[1], "from=3");
    }

    #[test]
    fn a_total_decides_where_a_page_size_is_not_honoured() {
        let yaml = "{kind: offset, query: skip, size_query: take, page_size: 9, total_at: /n}";
        let (asked, ending) = walk(yaml, &[with_total(4, "7"), with_total(3, "7")]);
        assert_eq!(asked, ["take=9&skip=0", "take=9&skip=4"]);
        assert_eq!(ending, Ending::Complete);
        let numbered = "{kind: page_number, query: p, total_at: /n}";
        let (asked, ending) = walk(numbered, &[with_total(4, "7"), of(1), with_total(2, "7")]);
        assert_eq!((asked.len(), ending), (3, Ending::Complete), "told once is enough");
        let pages = "{kind: page_number, query: p, total_pages_at: /pages}";
        let (asked, ending) = walk(pages, &[with_total(4, "2"), with_total(0, "2")]);
        assert_eq!((asked.len(), ending), (2, Ending::Complete));
        assert_eq!(walk(numbered, &[with_total(0, "0")]).1, Ending::Complete);
    }

    #[test]
    fn fewer_records_than_were_announced_are_never_a_whole_list() {
        let yaml = "{kind: offset, query: skip, total_at: /n}";
        let (_, ending) = walk(yaml, &[with_total(4, "9"), with_total(0, "9")]);
        assert_eq!(ending, Ending::Truncated(Cut::Short));
        // Rows that go while the list is walked are no longer announced either.
        let (_, ending) = walk(yaml, &[with_total(4, "9"), with_total(4, "8")]);
        assert_eq!(ending, Ending::Complete);
        for nonsense in ["", "many", "-1", "1.5"] {
            let (mut pager, first) = Pager::start(&paginator(yaml), base());
            let error = pager.after(&first, &with_total(1, nonsense)).unwrap_err();
            assert!(error.to_string().contains("total_at"), "{error}");
        }
    }

    #[test]
    fn a_link_of_the_header_keeps_to_the_rules_of_next_links() {
        let (mut pager, first) = Pager::start(&paginator("{kind: link_header}"), base());
        let Step::Ask(second) = pager.after(&first, &next("?after=2")).unwrap() else { panic!() };
        assert_eq!(second.as_str(), "http://portal.test:8080/api/rows?after=2");
        assert!(pager.after(&second, &next("http://elsewhere.test/x")).is_err());
        let (mut pager, first) = Pager::start(&paginator("{kind: link_header}"), base());
        let itself = next(first.as_str());
        assert_eq!(pager.after(&first, &itself).unwrap(), Step::End(Ending::LoopDetected));
        assert_eq!(pager.after(&first, &of(9)).unwrap(), Step::End(Ending::Complete));
    }

    #[test]
    fn where_a_source_is_known_to_stop_its_end_is_not_believed() {
        let yaml = "{kind: offset, query: skip, page_size: 3, reset: {after_records: 6}}";
        assert_eq!(walk(yaml, &[of(3), of(3)]).1, Ending::Reset);
        assert_eq!(walk(yaml, &[of(3), of(2)]).1, Ending::Complete);
        let yaml = "{kind: next_link, at: /n, reset: {after_records: 2}}";
        assert_eq!(walk(yaml, &[next("/b"), next("")]).1, Ending::Reset);
        assert_eq!(walk(yaml, &[next("/b"), of(0)]).1, Ending::Complete);
        // A source that goes in circles is no source that stops.
        assert_eq!(walk(yaml, &[next("/b"), next("/b")]).1, Ending::LoopDetected);
    }
}
