//! What others wrote, in places where it could do harm: names on pages, cursors in addresses.

use std::sync::Arc;

use serde_json::Value;

use super::access::{closed, read};
use super::reference::{address, every};
use super::world::{AREAS, Ground, INDICATORS, Listed, bare, quarantined, received, snapshot};
use super::{get, json};
use crate::indicator::UnitName;
use crate::model::backfill::State;
use crate::model::snapshot::Trouble;
use crate::model::text::Bilingual;
use crate::serve::Context;
use crate::serve::routes::Verb;

/// Words that would run, or break out of an attribute, if a page took them for its own.
const MARKUP: [&str; 4] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(1)-' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
];

/// A province in which everything that has a name is called `word`.
fn called(word: &str) -> Arc<Context> {
    let mut ground = Ground::new();
    let named = |name: &str| Bilingual::same(&format!("{name} {word}"));
    let (id, mut source) = super::world::source("portal", word, "dossiers");
    source.title = named("portal");
    ground.sources.insert(id, source);
    let mut pictured = snapshot(vec![received(&ground)]);
    let stream = pictured.streams.get_mut("portal.dossiers").unwrap();
    let message = word.to_owned();
    let (reason, since) = ("timeout".to_owned(), pictured.at);
    Arc::make_mut(stream).trouble = Some(Trouble { reason, message, since, count: 1 });
    let mut asked = super::backfills::backfill(State::Running);
    (asked.wanted.by, asked.message) = (word.to_owned(), Some(word.to_owned()));
    pictured.backfills = Arc::new(vec![asked]);
    let quoted = format!("'{}'", word.replace('\'', "''"));
    let indicators = INDICATORS
        .replace("Hồ sơ tiếp nhận", &quoted)
        .replace("Dossiers received", &quoted)
        .replace("Hồ sơ nộp trực tuyến trên tổng số", &quoted);
    let indicators = indicators.split("kiosk_sessions:").next().unwrap();
    let mut context = ground.context(indicators, pictured);
    let definitions = Arc::make_mut(&mut context.definitions);
    definitions.province.name = named("province");
    for unit in definitions.units.values_mut() {
        *unit = UnitName { name: named("unit"), role: word.to_owned(), parent: None };
    }
    let mut record = quarantined(1, "portal", "check_failed");
    record.rule = word.to_owned();
    context.quarantine = Arc::new(Listed(vec![record]));
    Arc::new(context)
}

/// C14: a page shows what it is told as text, and could not run anything if it did not.
#[actix_web::test]
async fn c14_names_and_messages_of_others_are_shown_as_text_on_every_page() {
    for word in MARKUP {
        let context = called(word);
        let mut shown = 0;
        for path in [
            "/",
            "/indicators/received",
            "/indicators/online_rate",
            "/units",
            "/units/vp-ubnd",
            "/quarantine",
            "/jobs",
            "/docs",
            "/v1/badges/received.svg",
            "/v1/badges/sources/portal.svg",
        ] {
            let page = get(&context, path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text());
            let text = page.text();
            for harm in ["<script", "<img", "<svg/"] {
                assert!(!text.contains(harm), "{path} with {word}");
            }
            for tag in text.split('<').filter_map(|tag| tag.split('>').next()) {
                // What stands in quotes is a value; the rest are names, of which none is a handler.
                let names: String = tag.split('"').step_by(2).collect();
                assert!(
                    !names.contains("onmouseover") && !names.contains("onerror"),
                    "{path}: {tag}"
                );
            }
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
            shown += usize::from(text.contains("alert(1)"));
        }
        assert!(shown >= 5, "{word} stands on {shown} pages only: the test looks at nothing");
    }
    assert!(AREAS.contains("Phường"), "areas come from tables of the province, not from records");
}

/// Cursors that nobody was given.
const FORGED: [&str; 14] = [
    "0",
    "1",
    "2",
    "999999999999999999",
    "9223372036854775807",
    "18446744073709551616",
    "-1",
    "1.portal",
    "0.portal.dossiers",
    "MQ==",
    "%00",
    "1%20OR%201=1",
    "..%2F..%2F",
    "%C4%91",
];

/// C12: a cursor is a place in a list and no permission: whatever is made up, a reader gets a part of
/// what the key reads anyway, or is refused.
#[actix_web::test]
async fn c12_a_forged_cursor_leads_to_nothing_that_the_key_does_not_read() {
    let (mut world, mut lists, mut told) = (bare(), 0, 0);
    let records = [(1, "portal"), (2, "portal"), (3, "portal")];
    let records = records.map(|(id, source)| quarantined(id, source, "wrong_type"));
    world.quarantine = Arc::new(Listed(records.into()));
    let (context, _) = closed(world);
    for (route, operation) in every().filter(|(_, operation)| operation.verb == Verb::Read) {
        let name = ["cursor", "after"].into_iter().find(|name| operation.names().contains(name));
        let Some(name) = name else { continue };
        lists += 1;
        let uri = address(route, operation);
        for key in ["all", "commune", "unit"] {
            let whole = read(&context, key, &uri).await;
            let items = |body: &Value| body["items"].as_array().cloned().unwrap_or_default();
            let known = if whole.status == 200 { items(&whole.json()) } else { Vec::new() };
            for forged in FORGED {
                let reply = read(&context, key, &format!("{uri}?{name}={forged}")).await;
                assert!(
                    [200, 400, 403, 404].contains(&reply.status),
                    "{uri} {forged}: {}",
                    reply.text()
                );
                if reply.status == 200 {
                    let page = items(&reply.json());
                    assert!(page.iter().all(|item| known.contains(item)), "{uri} {forged} {key}");
                    told += page.len();
                }
            }
        }
    }
    assert!(lists >= 5 && told > 0, "{lists} lists, {told} rows");
    // The page after a page is the rest of it, and no row is lost or told twice.
    let (mut seen, mut path) = (Vec::new(), "/v1/quarantine?limit=1".to_owned());
    let mut open = bare();
    let all = [1, 2, 3].map(|id| quarantined(id, "portal", "wrong_type"));
    open.quarantine = Arc::new(Listed(all.into()));
    let open = Arc::new(open);
    for _ in 0..5 {
        let page = json(&open, &path).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = next.to_owned();
    }
    assert_eq!(seen, [1, 2, 3]);
}
