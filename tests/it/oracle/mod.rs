//! The proof: what the real program answers is what an independent oracle makes of the ledger.
//!
//! The oracle shares no code with the gateway: days, commune codes, latest versions, measures,
//! indicators and percentiles are all written a second time here, from the facts that the province
//! noted when it said them. So a fault would have to be made twice, in two ways, to go unseen.
//! The seed of a run is printed; `IOCGW_TEST_SEED` sets it.

mod amounts;
mod calendar;
mod compare;
mod decision_766;
mod edits;
mod evaluate;
mod facts;
mod hours;
mod indicators;
mod leaks;
mod measures;
mod office_indicators;
mod offices;
mod reforms;
mod stage;
mod vintages;

pub(crate) use measures::Edition;
pub(crate) use stage::Stage;

use std::collections::BTreeMap;
use std::time::Duration;

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::Stamp;
use ioc_gateway::province::Said;
use serde_json::Value;

use amounts::Amounts;
use calendar::{days, local_day, months, number};
use compare::Comparison;
use evaluate::Oracle;
use facts::{Places, bad, kiosks, standing};
use leaks::Leaks;
/// kill -9 so many times.
const KILLS: i64 = 8;

/// Before any facility was connected.
const BEGINNING: (i32, usize, i32) = (2023, 1, 1);

/// The seed of a run; printed, so that it can be set again.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("IOCGW_TEST_SEED").map_or(20_250_701, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    seed
}

/// A moment at which offices are open, some days after the reform of the communes.
pub(crate) fn moment(after_reform: i64) -> Stamp {
    Stamp(i64::from(number(2025, 7, 1)) * 86_400 + after_reform * 86_400 + 3 * 3600)
}

/// S28: whatever is personal carries a canary, and no store, log, quarantine or answer holds one.
#[test]
fn killed_and_misled_the_gateway_answers_exactly_what_the_ledger_says() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::new(seed, 1, 0.03, moment(25));
    for day in 1..=KILLS {
        stage.start();
        // By turns early, while pages are still being said, and late, when some streams are up to
        // date and go on from their cursors.
        let is_late = day % 2 == 0;
        if is_late {
            check_a_moment_of_pulling(&stage);
        }
        let records = if is_late { u64::MAX } else { random.u64(1..500) };
        stage.kill_after(records, Duration::from_millis(random.u64(500..4_000)));
        // The province lives on: corrections, late records and retractions of three more days.
        stage.systems.province.set_now(moment(25 + 3 * day));
    }
    let turns = stage.logs.matches("run ended").count();
    println!("{} of {KILLS} kills cut a turn short, {turns} turns ended", stage.interrupted);
    assert!(stage.interrupted >= 2);
    stage.start();
    let calm_from = stage.systems.province.ledger().said().len();
    stage.calm_down();
    let said = stage.systems.province.ledger().said();
    assert!(said.iter().any(|said| !said.whole) && said.iter().any(|said| said.withdrawn));
    let places = Places::read();
    let oracle = oracle(&said, &said[calm_from..], &places, stage.slot_day(), Edition::Shipped);
    compare_everything(&stage, &oracle, &places);
    let now = local_day(stage.systems.province.now().0);
    hours::compare_hours(&stage, &standing(&said, &places), &places, (now - 8, now - 1));
    let kept = quarantine(&stage);
    let readable = bad(&said);
    assert!(!kept.is_empty());
    for (of, count) in &kept {
        // A page may be said and its hearer killed, so fewer may be kept than were said, never more.
        assert!(count <= readable.get(of).unwrap_or(&0), "{of:?}: {kept:#?} of {readable:#?}");
    }
    assert_nothing_leaks(&mut stage, &said);
    let before = closed_answers(&stage, &oracle);
    stage.stop();
    stage.start();
    assert!(before == closed_answers(&stage, &oracle), "the answers changed with a restart");
    stage.stop();
}

#[test]
fn every_record_that_breaks_its_contract_is_kept_with_its_reason_and_its_siblings_count() {
    let seed = seed();
    let mut stage = Stage::new(seed, 1, 0.03, moment(20));
    stage.start();
    let calm_from = stage.systems.province.ledger().said().len();
    for after in 21..24 {
        stage.systems.province.set_now(moment(after));
        std::thread::park_timeout(Duration::from_millis(1_500));
    }
    stage.calm_down();
    let said = stage.systems.province.ledger().said();
    assert_eq!(quarantine(&stage), bad(&said));
    assert!(bad(&said).len() > 10, "{:?}", bad(&said));
    let places = Places::read();
    let oracle = oracle(&said, &said[calm_from..], &places, stage.slot_day(), Edition::Shipped);
    let mut comparison = Comparison::new(stage.gateway(), &oracle, &places.codes);
    let now = local_day(stage.systems.province.now().0);
    for id in oracle.ids() {
        comparison.province(id, "day", (now - 40, now + 5));
    }
    comparison.conclude();
}

/// The systems lose records without a word: streams that are read in full passes take back exactly
/// these, although the program is killed in the middle of passes and pages are damaged; what is read by
/// its changes only stays.
#[test]
fn what_vanishes_from_full_lists_is_taken_back_and_nothing_else() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::new(seed, 1, 0.03, moment(25));
    stage.start();
    stage.calm_down();
    stage.lose(0.02);
    stage.systems.province.set_faults(Stage::faults());
    for _ in 0..4 {
        stage.kill_after(random.u64(100..8_000), Duration::from_secs(4));
        stage.start();
    }
    let (since, calm_from) = (Clock::System.now(), stage.systems.province.ledger().said().len());
    stage.calm_down();
    stage.wait_for_full_passes(since);
    let said = stage.systems.province.ledger().said();
    // An answer that was being made when they were lost may still have told them; by now none is.
    let left = facts::left(&said, calm_from);
    let places = Places::read();
    let vanished = standing(&said, &places).len() - standing(&left, &places).len();
    println!("seed {seed}, {vanished} records vanished");
    assert!(vanished > 100, "{vanished}");
    let oracle = oracle(&left, &said[calm_from..], &places, stage.slot_day(), Edition::Shipped);
    let mut comparison = Comparison::new(stage.gateway(), &oracle, &places.codes);
    let (first, now) =
        (stage.systems.province.first_day().0, local_day(stage.systems.province.now().0));
    for id in oracle.ids() {
        comparison.province(id, "month", (first - 40, now + 40));
        comparison.days(id, (now - 12, now + 3), true);
    }
    println!("{} points, {} of them not zero", comparison.points, comparison.telling);
    comparison.conclude();
    stage.stop();
}

/// What is true by the ledger; the kiosks by what was said since the misbehaviour ended.
fn oracle(
    said: &[Said],
    calm: &[Said],
    places: &Places,
    slot_day: i32,
    edition: Edition,
) -> Oracle {
    let (year, month, date) = BEGINNING;
    let mut amounts = Amounts::new(number(year, month, date), slot_day + 1);
    measures::add(&mut amounts, &standing(said, places), edition);
    measures::add_kiosks(&mut amounts, &kiosks(calm, places), slot_day);
    Oracle::new(amounts)
}

/// Every indicator on every day of the history by commune, after whatever the program went through;
/// `calm_from` is what had been said when the misbehaviour ended. Yields how many points there were.
pub(crate) fn compare_days(stage: &Stage, calm_from: usize, edition: Edition) -> usize {
    let said = stage.systems.province.ledger().said();
    let places = Places::read();
    let today = stage.slot_day();
    let oracle = oracle(&said, &said[calm_from..], &places, today, edition);
    let province = &stage.systems.province;
    let (first, now) = (province.first_day().0, local_day(province.now().0));
    let mut comparison = Comparison::new(stage.gateway(), &oracle, &places.codes);
    for id in oracle.ids() {
        comparison.days(id, (first - 3, now + 3), true);
        comparison.days(id, (today, today + 1), false);
    }
    let kept = quarantine(stage);
    let readable = bad(&said);
    for (of, count) in &kept {
        assert!(count <= readable.get(of).unwrap_or(&0), "{of:?}: {kept:#?} of {readable:#?}");
    }
    let points = comparison.points;
    assert!(comparison.telling > points / 100, "{} of {points}", comparison.telling);
    comparison.conclude();
    points
}

/// In the middle of everything: one revision, communes that add up, no zero for what is missing.
fn check_a_moment_of_pulling(stage: &Stage) {
    let path = "/v1/indicators/online_filing_rate/breakdown?by=commune&period=2025-07";
    let answer = stage.gateway().get(path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    let rows = answer["items"].as_array().unwrap();
    assert_eq!(rows.len(), 130);
    for what in ["numerator", "denominator"] {
        let sum: f64 = rows.iter().filter_map(|row| row[what].as_f64()).sum();
        assert_eq!(sum, answer[what].as_f64().unwrap_or(0.0), "{what} of {path}");
    }
    for row in rows.iter().chain([&answer]) {
        let is_missing = row["denominator"].as_f64().unwrap_or(0.0) == 0.0;
        assert_eq!(row["value"].is_null(), is_missing, "{row}");
        assert_eq!(row["reason"].is_string(), is_missing, "{row}");
    }
}

/// Every indicator × area × day of the history, every month, every day since the first facility was
/// connected, and today.
fn compare_everything(stage: &Stage, oracle: &Oracle, places: &Places) {
    let listed = stage.gateway().get("/v1/catalogue").json();
    let id = |item: &Value| item["indicator"].as_str().unwrap().to_owned();
    let mut ids: Vec<String> = listed["items"].as_array().unwrap().iter().map(id).collect();
    ids.sort();
    // What the gateway knows by itself is in no ledger; `lateness` tests it.
    ids.retain(|id| !id.starts_with("source_report"));
    assert_eq!(ids, oracle.ids(), "the oracle knows every indicator that is shipped");
    let province = &stage.systems.province;
    let (first, now) = (province.first_day().0, local_day(province.now().0));
    let (year, month, date) = BEGINNING;
    let today = stage.slot_day();
    let mut comparison = Comparison::new(stage.gateway(), oracle, &places.codes);
    for id in &ids {
        comparison.days(id, (first - 3, now + 3), true);
        comparison.days(id, (today, today + 1), false);
        comparison.province(id, "day", (number(year, month, date), today));
        comparison.province(id, "month", (first - 40, now + 40));
        for month in months(first - 40, now + 40) {
            comparison.breakdown(id, &month);
        }
    }
    println!("{} points, {} of them not zero", comparison.points, comparison.telling);
    assert!(comparison.telling > 100_000);
    comparison.conclude();
}

/// Records in quarantine by source, stream and reason, over all pages of the answer.
fn quarantine(stage: &Stage) -> BTreeMap<facts::Kept, usize> {
    let mut kept = BTreeMap::new();
    for page in quarantine_pages(stage) {
        let page: Value = serde_json::from_str(&page).unwrap();
        for item in page["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            *kept.entry((text("source"), text("stream"), text("reason"))).or_insert(0) += 1;
        }
    }
    kept
}

fn quarantine_pages(stage: &Stage) -> Vec<String> {
    let mut pages = Vec::new();
    let mut path = "/v1/quarantine?limit=1000".to_owned();
    for _ in 0..100 {
        let answer = stage.gateway().get(&path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let next = answer.json()["next"].as_str().map(str::to_owned);
        pages.push(answer.body);
        match next {
            Some(next) => path = next,
            None => return pages,
        }
    }
    panic!("the quarantine does not end");
}

/// Store, logs and every kind of answer hold no canary, no identifier in clear and no secret.
fn assert_nothing_leaks(stage: &mut Stage, said: &[Said]) {
    let secrets = stage.systems.province.secrets();
    let leaks = Leaks::new(secrets.into_iter().map(|(name, secret)| (name.to_owned(), secret)));
    leaks.prove(said);
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in std::fs::read_dir(stage.folder.path()).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            texts.push((entry.file_name().to_string_lossy().into_owned(), bytes));
        }
    }
    for file in ["iocgw.db", "iocgw.db-wal"] {
        assert!(texts.iter().any(|(name, bytes)| name == file && !bytes.is_empty()), "{file}");
    }
    stage.logs.push_str(&stage.gateway.as_ref().expect("the program runs").log());
    assert!(stage.logs.contains("run ended"));
    texts.push(("the log".to_owned(), stage.logs.clone().into_bytes()));
    let pages = quarantine_pages(stage);
    texts.extend(pages.into_iter().map(|page| ("/v1/quarantine".to_owned(), page.into_bytes())));
    for path in paths(stage) {
        let answer = stage.gateway().get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        texts.push((path, format!("{:?}\n{}", answer.headers, answer.body).into_bytes()));
    }
    let found: Vec<String> =
        texts.iter().flat_map(|(name, bytes)| leaks.find(name, bytes)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Every kind of address, and every kind for every indicator and source.
fn paths(stage: &Stage) -> Vec<String> {
    let plain = ["/", "/metrics", "/v1", "/v1/catalogue", "/v1/sources"];
    let mut paths: Vec<String> = plain.map(str::to_owned).into();
    paths.push("/v1/dimensions/area/values".to_owned());
    let items = |path: &str, name: &str| -> Vec<String> {
        let answer = stage.gateway().get(path).json();
        let items = answer["items"].as_array().unwrap().iter();
        items.map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    for id in items("/v1/catalogue", "indicator") {
        paths.push(format!("/v1/indicators/{id}"));
        paths.push(format!("/v1/indicators/{id}/value?period=2025-07"));
        paths.push(format!("/v1/indicators/{id}/breakdown?period=2025-07"));
        paths.push(format!("/v1/indicators/{id}/series?period=2025-07"));
        paths.push(format!("/v1/indicators/{id}/series?period=2025-07&format=csv"));
    }
    for source in items("/v1/sources", "source") {
        paths.push(format!("/v1/sources/{source}"));
    }
    paths
}

/// The rows of a closed month, by commune and by day, as they were written.
fn closed_answers(stage: &Stage, oracle: &Oracle) -> Vec<String> {
    let july = "period=2025-07";
    let rows = |path: &str| {
        let answer = stage.gateway().get(path).json();
        answer["items"].to_string()
    };
    let both = |id: &str| {
        [
            rows(&format!("/v1/indicators/{id}/breakdown?{july}")),
            rows(&format!("/v1/indicators/{id}/series?{july}")),
        ]
    };
    let answers: Vec<String> = oracle.ids().into_iter().flat_map(both).collect();
    let july_days = days(number(2025, 7, 1), number(2025, 8, 1));
    assert!(answers[1].matches("\"period\":").count() == july_days.len());
    answers
}
