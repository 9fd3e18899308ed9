//! The fourth system as a small world of its own: its configuration with short intervals and small
//! limits, and records in its shape.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Overlay, Upstream, cases};

/// Today's code of a commune.
pub(crate) const COMMUNE: &str = "16681";

/// A configuration in which only certification points are pulled: one source for each name.
pub(crate) fn points(sources: &[&str]) -> Overlay {
    let overlay = Overlay::new().lay("good/fourth_system");
    overlay.clear("sources");
    overlay.clear("indicators");
    // What is evidence there are the indicators of the shipped systems.
    overlay.clear("trackers");
    overlay.clear("boards");
    let copy = |name: &str| std::fs::read_to_string(cases().join("good/fourth_system").join(name));
    overlay.write("indicators/certification.yaml", &copy("indicators/certification.yaml").unwrap());
    let text = copy("sources/certification.yaml").unwrap();
    for source in sources {
        let text = [
            ("source: certification\n", format!("source: {source}\n")),
            ("${CERTIFICATION_URL}", format!("${{{}}}", variable(source))),
            ("timeout: 20s, body_limit: 8MiB", "timeout: 1s, body_limit: 64KiB".to_owned()),
            ("max_retries: 4", "max_retries: 0, after_denial: 1s".to_owned()),
            ("{requests: 60, per: 1m}", "{requests: 6000, per: 1m}".to_owned()),
            ("interval: 15m", "interval: 1s".to_owned()),
            ("page_size: 500, max_pages: 200", "page_size: 3, max_pages: 4".to_owned()),
        ]
        .iter()
        .fold(text.clone(), |text, (from, to)| {
            assert!(text.contains(from), "the shipped example no longer has '{from}'");
            text.replace(from, to)
        });
        overlay.write(&format!("sources/{source}.yaml"), &text);
    }
    let contract = copy("contracts/certification_acts.yaml").unwrap();
    assert!(contract.contains("fresh_within: 1h"));
    overlay.write(
        "contracts/certification_acts.yaml",
        &contract.replace("fresh_within: 1h}", "fresh_within: 2s}\nprecedence: newest"),
    );
    secrets(&overlay.folder().join("secrets"));
    overlay
}

/// Writes a token and an identifier key.
pub(crate) fn secrets(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("certification_token"), "CANARY-token").unwrap();
    std::fs::write(
        folder.join("identifier_key"),
        "an identifier key for tests, and for tests only",
    )
    .unwrap();
}

/// Where each source is.
pub(crate) fn addresses(upstreams: &[(&str, &Upstream)]) -> BTreeMap<String, String> {
    upstreams.iter().map(|(source, upstream)| (variable(source), upstream.url())).collect()
}

fn variable(source: &str) -> String {
    format!("{}_URL", source.to_uppercase())
}

/// One day of a point: 30 paper copies and 10 electronic ones.
pub(crate) fn record(site: &str) -> serde_json::Value {
    serde_json::json!({
        "site_code": format!("CANARY-{site}"), "day": "2025-08-04", "commune_code": COMMUNE,
        "site_type": "commune", "certified_copies": 30, "e_certified_copies": 10,
        "chip_checks_ok": 4, "chip_checks_failed": 1, "fees_vnd": 60000,
        "clerk": "CANARY-never-read", "updated_at": "2025-08-04T17:00:00+07:00",
    })
}

/// A page of records.
pub(crate) fn page(records: &[serde_json::Value]) -> String {
    serde_json::json!({ "items": records }).to_string()
}
