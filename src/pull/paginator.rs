//! How a stream's pages hang together, as a steward writes it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Problems, require};

const MOST_PAGES: u32 = 100_000;

/// How a stream's pages hang together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paginator {
    /// One page is everything.
    None {},
    /// Numbered pages; a page with fewer records than `page_size` is the last, unless each page tells
    /// how many there are.
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
        page_size: Option<u32>,
        /// Where a page tells how many records there are on all pages (JSON pointer): then that
        /// decides which page is the last.
        total_at: Option<String>,
        /// Where a page tells how many pages there are (JSON pointer): then that decides.
        total_pages_at: Option<String>,
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
        /// What is done where the source hands out no more pages than so many.
        reset: Option<Reset>,
    },
    /// Each page begins after so many records; a page with fewer records than `page_size` is the
    /// last, unless each page tells how many there are.
    Offset {
        /// The query parameter that carries how many records come before the page.
        query: String,
        /// What the first page is asked with.
        #[serde(default)]
        start: u64,
        /// The query parameter that carries the page size, if the source wants to be told.
        size_query: Option<String>,
        /// How many records a full page really holds.
        page_size: Option<u32>,
        /// Where a page tells how many records there are on all pages (JSON pointer): then that
        /// decides which page is the last.
        total_at: Option<String>,
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
        /// What is done where the source hands out no more pages than so many.
        reset: Option<Reset>,
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
        /// What is done where the source hands out no more pages than so many.
        reset: Option<Reset>,
    },
    /// Each page names the address of the next one; no address is the end.
    NextLink {
        /// Where the address stands in a page (JSON pointer).
        at: String,
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
        /// What is done where the source hands out no more pages than so many.
        reset: Option<Reset>,
    },
    /// Each answer names the address of the next page in its `Link` header (RFC 8288, rel="next");
    /// no such link is the end.
    LinkHeader {
        /// After this many pages the run ends as truncated.
        #[serde(default = "five_hundred")]
        max_pages: u32,
        /// What is done where the source hands out no more pages than so many.
        reset: Option<Reset>,
    },
}

/// What is done where a source hands out no more than so many records for one question: paging begins
/// anew from the latest record, which needs a cursor with `order: ascending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// When the error handler says `reset_pagination`.
    SplitUsingCursor,
    /// The same, and after so many records whatever the source says.
    AfterRecords(u64),
}

/// How a paginator that counts knows its last page.
pub(super) enum Last {
    /// It has fewer records than this.
    Short(u32),
    /// All records have come.
    Records,
    /// All pages have come.
    Pages,
}

fn one() -> u64 {
    1
}

fn five_hundred() -> u32 {
    500
}

impl Paginator {
    /// Where the decoder finds the [`Turn::next`](super::Turn) of a page (JSON pointer).
    pub fn next_at(&self) -> Option<&str> {
        match self {
            Self::Cursor { at, .. } | Self::NextLink { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Where the decoder finds the [`Turn::total`](super::Turn) of a page (JSON pointer).
    pub fn total_at(&self) -> Option<&str> {
        match self {
            Self::PageNumber { total_at, total_pages_at, .. } => {
                total_at.as_deref().or(total_pages_at.as_deref())
            }
            Self::Offset { total_at, .. } => total_at.as_deref(),
            _ => None,
        }
    }

    /// Whether pages are places in a list that may shift while it is walked, so that a record can
    /// slip from one page to another that was asked before.
    pub fn may_slip(&self) -> bool {
        matches!(self, Self::PageNumber { .. } | Self::Offset { .. })
    }

    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        for (key, pointer) in self.pointers() {
            let message = "must be a JSON pointer such as /next";
            require(pointer.starts_with('/'), &format!("{at}.{key}"), message, problems);
        }
        for (key, name) in self.queries() {
            require(!name.is_empty(), &format!("{at}.{key}"), "must not be empty", problems);
        }
        if let Self::PageNumber { page_size, .. } | Self::Offset { page_size, .. } = self {
            let fine = *page_size != Some(0);
            require(fine, &format!("{at}.page_size"), "must be at least 1", problems);
            let message = "needs page_size, or total_at where a page tells how many records there are: without either nobody knows the last page";
            require(page_size.is_some() || self.total_at().is_some(), at, message, problems);
        }
        if let Self::PageNumber { total_at: Some(_), total_pages_at: Some(_), .. } = self {
            let message = "stands beside total_at; one of them decides which page is the last";
            require(false, &format!("{at}.total_pages_at"), message, problems);
        }
        if let Self::PageNumber { size_query, page_size, .. }
        | Self::Offset { size_query, page_size, .. } = self
        {
            let fine = size_query.is_none() || page_size.is_some();
            let message = "is told the page size, so page_size is needed";
            require(fine, &format!("{at}.size_query"), message, problems);
        }
        let fine = self.reset_after() != Some(0);
        require(fine, &format!("{at}.reset.after_records"), "must be at least 1", problems);
        let fine = (1..=MOST_PAGES).contains(&self.max_pages());
        require(fine, &format!("{at}.max_pages"), "must be 1 to 100000", problems);
    }

    /// The places in a page that it looks at, by the setting that names them.
    fn pointers(&self) -> Vec<(&'static str, &str)> {
        let pointers = match self {
            Self::PageNumber { total_at, total_pages_at, .. } => {
                [("total_at", total_at.as_deref()), ("total_pages_at", total_pages_at.as_deref())]
            }
            Self::Offset { total_at, .. } => {
                [("total_at", total_at.as_deref()), ("total_pages_at", None)]
            }
            _ => [("at", self.next_at()), ("total_at", None)],
        };
        pointers.into_iter().filter_map(|(key, pointer)| Some((key, pointer?))).collect()
    }

    /// The query parameters that the paginator sets, by the setting that names them.
    pub(super) fn queries(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::None {} | Self::NextLink { .. } | Self::LinkHeader { .. } => Vec::new(),
            Self::Cursor { query, .. } => vec![("query", query)],
            Self::PageNumber { query, size_query, .. } | Self::Offset { query, size_query, .. } => {
                let size = size_query.as_deref().map(|name| ("size_query", name));
                [Some(("query", query.as_str())), size].into_iter().flatten().collect()
            }
        }
    }

    /// How the last page is known, for a paginator that counts.
    pub(super) fn last(&self) -> Last {
        match self {
            Self::PageNumber { total_at: Some(_), .. } | Self::Offset { total_at: Some(_), .. } => {
                Last::Records
            }
            Self::PageNumber { total_pages_at: Some(_), .. } => Last::Pages,
            Self::PageNumber { page_size, .. } | Self::Offset { page_size, .. } => {
                Last::Short(page_size.unwrap_or(1))
            }
            _ => Last::Short(u32::MAX),
        }
    }

    pub(super) fn max_pages(&self) -> u32 {
        match self {
            Self::None {} => 1,
            Self::PageNumber { max_pages, .. }
            | Self::Offset { max_pages, .. }
            | Self::Cursor { max_pages, .. }
            | Self::NextLink { max_pages, .. }
            | Self::LinkHeader { max_pages, .. } => *max_pages,
        }
    }

    /// What is done where the source hands out no more pages.
    pub fn reset(&self) -> Option<Reset> {
        match self {
            Self::None {} => None,
            Self::PageNumber { reset, .. }
            | Self::Offset { reset, .. }
            | Self::Cursor { reset, .. }
            | Self::NextLink { reset, .. }
            | Self::LinkHeader { reset, .. } => *reset,
        }
    }

    pub(super) fn reset_after(&self) -> Option<u64> {
        match self.reset()? {
            Reset::AfterRecords(records) => Some(records),
            Reset::SplitUsingCursor => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paginator(yaml: &str) -> Paginator {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn problems(yaml: &str) -> Vec<String> {
        let mut problems = Problems::new();
        paginator(yaml).check("paginator", &mut problems);
        problems.into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn settings_that_make_no_sense_are_problems() {
        assert_eq!(
            problems("{kind: next_link, at: next, max_pages: 0}"),
            ["paginator.at", "paginator.max_pages"]
        );
        assert_eq!(
            problems("{kind: page_number, query: '', page_size: 0}"),
            ["paginator.query", "paginator.page_size"]
        );
        assert_eq!(problems("{kind: offset, query: skip}"), ["paginator"]);
        assert_eq!(
            problems("{kind: offset, query: skip, size_query: take, total_at: total}"),
            ["paginator.total_at", "paginator.size_query"]
        );
        assert_eq!(
            problems("{kind: page_number, query: p, total_at: /n, total_pages_at: /m}"),
            ["paginator.total_pages_at"]
        );
        assert_eq!(problems("{kind: link_header, max_pages: 100001}"), ["paginator.max_pages"]);
        for fine in [
            "{kind: offset, query: skip, page_size: 10}",
            "{kind: offset, query: skip, total_at: /total}",
            "{kind: page_number, query: p, size_query: s, page_size: 5, total_pages_at: /pages}",
            "{kind: link_header}",
        ] {
            assert!(problems(fine).is_empty(), "{fine}");
        }
    }

    #[test]
    fn unknown_settings_are_refused_even_where_none_are_expected() {
        assert!(serde_saphyr::from_str::<Paginator>("{kind: none}").is_ok());
        assert!(serde_saphyr::from_str::<Paginator>("{kind: none, at: /next}").is_err());
        assert!(serde_saphyr::from_str::<Paginator>("{kind: next_link, at: /n, x: 1}").is_err());
        assert!(serde_saphyr::from_str::<Paginator>("{kind: link_header, at: /n}").is_err());
    }
}
