//! Link headers: whatever a source sends, the reading ends; what is written by the book is read.
#![no_main]

use ioc_gateway::pull::next_link;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, Vec<&str>)| {
    let (wild, title, targets) = input;
    if let Ok(Some(next)) = next_link([wild]) {
        assert!(wild.contains(&next), "an address that nobody sent");
    }
    let targets: Vec<&str> = targets.into_iter().filter(|one| !one.contains('>')).collect();
    let title = title.replace('\\', "\\\\").replace('"', "\\\"");
    let (mut header, mut wanted) = (String::new(), None);
    for (i, target) in targets.iter().enumerate() {
        let relation = if i + 1 == targets.len() { "last next" } else { "prev" };
        wanted = (relation != "prev").then(|| target.trim().to_owned());
        header.push_str(&format!(",<{target}> ; title=\"{title}\";rel=\"{relation}\" "));
    }
    assert_eq!(next_link([header.as_str()]), Ok(wanted), "{header}");
});
