//! A full page with every state that a tile and a source can be in, written to
//! `target/console/` so that people can look at it in a browser.
//!
//! The figures come from plain arithmetic with a weekly rhythm; nothing here is real.

use std::sync::Arc;

use super::get;
use super::story::Story;
use super::world::{Ground, measure, now, source};
use crate::model::backfill::State;
use crate::model::revision::Cause;
use crate::model::snapshot::{
    Conservation, MeasureKind, Outcome, RunLine, Snapshot, StreamState, Trouble,
};
use crate::model::time::{Day, Stamp};

const INDICATORS: &str = r#"
online_rate: &rate
  title: {vi: Tỷ lệ hồ sơ nộp trực tuyến, en: Share of dossiers filed online}
  group: portal
  kind: ratio
  numerator: {measure: dossiers.received, where: {channel: online}}
  denominator: {measure: dossiers.received}
  unit_measure: percent
  direction: up
  targets: [{from: 2024-01-01, value: 0.60}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
counter_rate:
  title: {vi: Tỷ lệ hồ sơ nộp trực tiếp tại bộ phận một cửa, en: Share of dossiers filed at a counter}
  group: portal
  kind: ratio
  numerator: {measure: dossiers.received, where: {channel: counter}}
  denominator: {measure: dossiers.received}
  unit_measure: percent
  direction: down
  targets: [{from: 2024-01-01, value: 0.34}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
finished_on_time:
  title: {vi: Tỷ lệ hồ sơ giải quyết đúng hạn, en: Share of dossiers finished on time}
  group: portal
  kind: ratio
  numerator: {measure: dossiers.on_time}
  denominator: {measure: dossiers.received}
  unit_measure: percent
  direction: up
  targets: [{from: 2024-01-01, value: 0.98}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
received:
  title: {vi: Hồ sơ tiếp nhận, en: Dossiers received}
  group: portal
  kind: simple
  measure: {measure: dossiers.received}
  unit_measure: dossiers
  direction: up
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
pending:
  title: {vi: Hồ sơ đang giải quyết, en: Dossiers pending}
  group: portal
  kind: simple
  measure: {measure: dossiers.pending}
  unit_measure: dossiers
  direction: down
  targets: [{from: 2024-01-01, value: 2000}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
guests:
  title: {vi: Lượt khách lưu trú, en: Guests in accommodation}
  group: lodging
  kind: simple
  measure: {measure: lodging.guests}
  unit_measure: guests
  direction: up
  accountable: {unit: so-du-lich, role: Giám đốc Sở}
reporting:
  title: {vi: Tỷ lệ cơ sở lưu trú báo cáo hằng ngày, en: Share of facilities that report daily}
  group: lodging
  kind: ratio
  numerator: {measure: lodging.guests, where: {channel: online}}
  denominator: {measure: lodging.guests}
  unit_measure: percent
  direction: up
  targets: [{from: 2024-01-01, value: 0.9}]
  accountable: {unit: so-du-lich, role: Giám đốc Sở}
kiosk_sessions:
  title: {vi: Phiên sử dụng kiốt, en: Kiosk sessions}
  group: kiosk
  kind: simple
  measure: {measure: kiosk.sessions}
  unit_measure: sessions
  direction: up
  targets: [{from: 2024-01-01, value: 100}]
  accountable: {unit: so-tttt, role: Giám đốc Sở}
digital_service:
  title: {vi: Chỉ số phục vụ số, en: Digital service index}
  group: combined
  kind: composite
  components:
    - {indicator: online_rate, weight: 0.6, zero_at: 0, full_at: 0.8}
    - {indicator: finished_on_time, weight: 0.4, zero_at: 0.5, full_at: 1}
  unit_measure: points
  direction: up
  targets: [{from: 2024-01-01, value: 80}]
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
dossiers_per_guest:
  title: {vi: Hồ sơ trên 1.000 lượt khách, en: "Dossiers per 1,000 guests"}
  group: combined
  kind: derived
  terms: {dossiers: {measure: dossiers.received}, guests: {measure: lodging.guests}}
  value: "dossiers / guests * 1000"
  unit_measure: dossiers
  direction: up
  accountable: {unit: so-du-lich, role: Giám đốc Sở}
"#;

/// How many of something on a day: fewer at weekends, a slow rise, a little unrest.
fn rhythm(day: Day, base: i64, salt: i64) -> i64 {
    let number = i64::from(day.0);
    let weekend = if (number + 3) % 7 >= 5 { base / 2 } else { 0 };
    base - weekend + (number - 19_700) * base / 600 + (number * 7919 + salt) % (base / 5 + 1)
}

fn days() -> impl Iterator<Item = Day> {
    let today = now().day();
    (0..75).rev().map(move |back| today.plus(-back))
}

fn cells(online: i64, counter: i64) -> Vec<(Day, &'static str, &'static str, i64)> {
    let by = move |day: Day| {
        [("16681", 1), ("16663", 2), ("17000", 3)].map(move |(commune, salt)| {
            let channels = [("online", online), ("counter", counter)];
            channels.map(|(channel, base)| (day, commune, channel, rhythm(day, base / salt, salt)))
        })
    };
    days().flat_map(move |day| by(day).into_iter().flatten()).collect()
}

fn stream(source: &str, name: &str, age: i64, fails: usize) -> StreamState {
    let at = now().0 - 40;
    let total = Conservation {
        received: 118_204,
        accepted: 112_880,
        duplicate: 5_312,
        quarantined: 12,
        ..Default::default()
    };
    let run = |back: i64, outcome| RunLine {
        started: Stamp(at - back * 60),
        ended: Stamp(at - back * 60 + 20),
        outcome,
        pages: 1,
        records: Conservation::default(),
        message: None,
    };
    let runs = (0..40_i64).rev().map(|back| match back {
        back if back < fails as i64 => run(back, Outcome::Failed),
        17 => run(back, Outcome::Truncated),
        _ => run(back, Outcome::Ok),
    });
    StreamState {
        source: source.to_owned(),
        stream: name.to_owned(),
        contract: name.to_owned(),
        last_attempt: Some(Stamp(at)),
        last_success: Some(Stamp(at - age)),
        data_through: Some(Stamp(at - age - 20)),
        total,
        quarantined: if fails == 0 { 0 } else { 12 },
        trouble: (fails > 0).then(|| Trouble {
            reason: "http_5xx".to_owned(),
            message: "answered 503 Service Unavailable".to_owned(),
            since: Stamp(at - age),
            count: fails as u64,
        }),
        runs: runs.collect(),
        ..StreamState::default()
    }
}

#[actix_web::test]
async fn a_full_page_shows_every_indicator_once_and_stays_small() {
    let mut ground = Ground::new();
    ground.sources = [
        source("portal", "Cổng dịch vụ công tỉnh", "dossiers"),
        source("lodging", "Nền tảng lưu trú A", "lodging"),
        source("kiosks", "Hệ thống kiốt", "kiosk"),
    ]
    .into();
    let flow = |name, cells: Vec<_>| measure(&ground, name, MeasureKind::Flow, cells.into_iter());
    let measures = [
        flow("dossiers.received", cells(640, 350)),
        flow("dossiers.on_time", cells(600, 330)),
        flow("lodging.guests", cells(5200, 1900).into_iter().filter(|c| c.0.0 % 11 != 4).collect()),
        flow("kiosk.sessions", Vec::new()),
        measure(
            &ground,
            "dossiers.pending",
            MeasureKind::Stock,
            cells(20, 10)
                .into_iter()
                .map(|(day, commune, channel, count)| (day, commune, channel, count - 9)),
        ),
    ];
    let never = StreamState {
        source: "kiosks".to_owned(),
        stream: "kiosk".to_owned(),
        contract: "kiosk".to_owned(),
        targets: Some((0, 60)),
        ..StreamState::default()
    };
    let streams =
        [stream("portal", "dossiers", 30, 0), stream("lodging", "lodging", 7800, 9), never];
    let snapshot = Snapshot {
        revision: 18_442,
        at: Stamp(now().0 - 20),
        measures: measures.map(|m| (m.name.clone(), Arc::new(m))).into(),
        streams: streams.map(|s| (format!("{}.{}", s.source, s.stream), Arc::new(s))).into(),
        ..Snapshot::default()
    };
    let context = Arc::new(ground.context(INDICATORS, snapshot));
    let page = get(&context, "/?period=2024-03").await;
    for definition in context.definitions.catalogue.iter() {
        assert_eq!(page.text().matches(&format!(" id=\"{}\"", definition.id)).count(), 1);
    }
    let sheet = get(&context, "/assets/console.css").await;
    assert!(page.body.len() < 120_000 && sheet.body.len() < 20_000, "a first load stays small");
    write(page.text(), sheet.text());
}

#[actix_web::test]
async fn the_page_of_an_indicator_is_written_for_a_look_at_it() {
    let mut story = Story::begin("2024-03-01T07:00:00");
    for day in 1..=30 {
        let on = format!("2024-03-{day:02}");
        let many = 40 + i64::from(day * 37 % 11);
        let grown = [
            (on.as_str(), "16663", "online", many),
            (on.as_str(), "16681", "counter", many / 2),
            (on.as_str(), "16684", "online", 3),
        ];
        story.commit(&format!("{on}T17:00:00"), "dossiers.received", Cause::Arrived, &grown);
    }
    let late = [("2024-03-28", "17000", "online", 12), ("2024-03-29", "16681", "counter", -3)];
    story.commit("2024-03-31T09:15:00", "dossiers.received", Cause::Late, &late[..1]);
    story.commit("2024-03-31T10:40:00", "dossiers.received", Cause::Corrected, &late[1..]);
    let page = get(&story.context, "/indicators/online_rate?period=2024-03").await;
    assert_eq!(page.status, 200);
    let sheet = get(&story.context, "/assets/console.css").await;
    write_to("indicator.html", page.text(), sheet.text());
}

#[actix_web::test]
async fn the_page_of_jobs_is_written_for_a_look_at_it() {
    let story = Story::begin("2024-03-01T07:00:00");
    super::backfills::with(&story.context, |snapshot| {
        let states = [State::Running, State::Failed, State::Done];
        snapshot.backfills = Arc::new(states.map(super::backfills::backfill).to_vec());
    });
    let page = get(&story.context, "/jobs").await;
    assert_eq!(page.status, 200);
    let sheet = get(&story.context, "/assets/console.css").await;
    write_to("jobs.html", page.text(), sheet.text());
}

/// Writes the page with its style inside, for a browser that opens it as a file.
fn write(page: &str, sheet: &str) {
    write_to("index.html", page, sheet);
}

fn write_to(name: &str, page: &str, sheet: &str) {
    let (head, rest) = page.split_once("<link rel=\"stylesheet\"").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/console");
    std::fs::create_dir_all(folder).unwrap();
    let whole = format!("{head}<style>{sheet}</style>{rest}");
    std::fs::write(format!("{folder}/{name}"), whole).unwrap();
}
