//! Next links and tokens out of a page: they never lead to another origin, and never in a circle.
#![no_main]

use ioc_gateway::pull::{Pager, Paginator, Step, Turn};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|input: (bool, Vec<&str>)| {
    let (is_link, texts) = input;
    let paginator = if is_link {
        "{kind: next_link, at: /n, max_pages: 50}"
    } else {
        "{kind: cursor, at: /n, query: c, max_pages: 50}"
    };
    let paginator: Paginator = serde_saphyr::from_str(paginator).expect("the paginator is right");
    let base = Url::parse("http://source.invalid:8080/a/b?x=1").expect("an address");
    let (mut pager, mut asked) = Pager::start(&paginator, base.clone());
    let mut seen = vec![asked.clone()];
    for text in texts {
        let turn = Turn { next: Some(text.to_owned()), raw_records: 1, ..Turn::default() };
        let Ok(Step::Ask(next)) = pager.after(&asked, &turn) else { return };
        assert_eq!(next.origin(), base.origin());
        assert!(next.username().is_empty() && next.password().is_none());
        assert!(!seen.contains(&next), "asked before");
        seen.push(next.clone());
        asked = next;
    }
});
