//! Each fault is seen, and a patient client still gets everything.

use std::collections::HashSet;

use super::*;

fn with(faults: Faults) -> Town {
    Town::open(Settings { faults: Faults { in_a_row: 3, ..faults }, ..small() })
}

/// Status codes and bodies of one request repeated.
async fn repeat(town: &Town, path: &str, times: usize) -> Vec<(u16, Option<Vec<u8>>)> {
    repeat_within(Duration::from_secs(10), town, path, times).await
}

async fn repeat_within(
    patience: Duration,
    town: &Town,
    path: &str,
    times: usize,
) -> Vec<(u16, Option<Vec<u8>>)> {
    let mut answers = Vec::new();
    for _ in 0..times {
        let request = town.request(path).timeout(patience);
        let Ok(answer) = request.send().await else {
            answers.push((0, None));
            continue;
        };
        let status = answer.status().as_u16();
        answers.push((status, answer.bytes().await.ok().map(|body| body.to_vec())));
    }
    answers
}

#[tokio::test]
async fn answers_fail_in_every_way_they_are_told_to() {
    let path = first_page("returns", Stamp(now().0 - 86_400), 50);
    let one = Faults { in_a_row: 1, ..Faults::default() };
    let town = with(Faults { too_many: 1.0, ..one });
    let answers = repeat(&town, &path, 4).await;
    assert_eq!(answers.iter().map(|answer| answer.0).collect::<Vec<_>>(), [429, 429, 429, 200]);
    let waits = town.request(&path).send().await.unwrap();
    assert!(["0", "1"].contains(&waits.headers()["retry-after"].to_str().unwrap()));

    let town = with(Faults { server_error: 1.0, ..one });
    assert_eq!(repeat(&town, &path, 1).await[0].0, 500);

    let town = with(Faults { hang: 1.0, ..one });
    let brief = Duration::from_millis(300);
    assert_eq!(repeat_within(brief, &town, &path, 1).await, [(0, None)]);

    let town = with(Faults { login_page: 1.0, ..one });
    let answers = repeat(&town, &path, 1).await;
    assert_eq!(answers[0].0, 200);
    assert!(answers[0].1.as_ref().unwrap().starts_with(b"<!doctype html>"));

    let town = with(Faults { truncate: 1.0, ..one });
    let answers = repeat(&town, &path, 20).await;
    let is_json = |body: &[u8]| serde_json::from_slice::<Value>(body).is_ok();
    let cut_line = answers.iter().filter(|answer| answer.1.is_none()).count();
    let cut_json = answers.iter().filter_map(|answer| answer.1.as_ref());
    let cut_json = cut_json.filter(|body| !is_json(body)).count();
    assert!(cut_line > 0 && cut_json > 0 && cut_line + cut_json == 15, "{cut_line} {cut_json}");
    let said = town.province.ledger().said();
    assert!(said.iter().any(|said| said.whole) && said.iter().any(|said| !said.whole));
}

#[tokio::test]
async fn tokens_expire_by_status_and_in_the_body() {
    let town = with(Faults { expire: 1.0, ..Faults::default() });
    let path = first_page("portal", Stamp(now().0 - 86_400), 50);
    let (mut by_status, mut in_body) = (0, 0);
    for _ in 0..12 {
        town.log_in().await;
        let answer = town.request(&path).send().await.unwrap();
        if answer.status() == 401 {
            by_status += 1;
        } else if answer.text().await.unwrap().contains("\"error_code\":\"401\"") {
            in_body += 1;
        } else {
            continue;
        }
        assert_eq!(town.request(&path).send().await.unwrap().status(), 401);
    }
    assert!(by_status > 0 && in_body > 0, "{by_status} {in_body}");
}

#[tokio::test]
async fn pages_come_twice_smaller_and_in_disorder() {
    let calm = Town::open(small());
    calm.log_in().await;
    let town = with(Faults { repeat_page: 0.5, ..Faults::default() });
    town.log_in().await;
    for stream in ["portal", "luu-tru", "sessions"] {
        let truth = calm.run(stream, Stamp(0), 40).await;
        let doubled = town.run(stream, Stamp(0), 40).await;
        assert!(doubled.len() > truth.len() + 40, "{stream}");
        assert_eq!(latest(stream, doubled), latest(stream, truth), "{stream}");
    }
    let town = with(Faults { resplit: 1.0, ..Faults::default() });
    town.log_in().await;
    for stream in ["portal", "returns"] {
        let page = town.get(&first_page(stream, Stamp(0), 40)).await;
        let records = page.get("data").or(page.get("items")).unwrap();
        assert!(records.as_array().unwrap().len() < 40, "{stream}");
        assert_eq!(town.run(stream, Stamp(0), 40).await, calm.run(stream, Stamp(0), 40).await);
    }
    let town = with(Faults { reorder: 1.0, ..Faults::default() });
    town.log_in().await;
    for stream in STREAMS {
        let truth = calm.run(stream, Stamp(0), 50).await;
        let mixed = town.run(stream, Stamp(0), 50).await;
        assert_ne!(mixed, truth, "{stream}");
        assert_eq!(mixed.len(), truth.len(), "{stream}");
        assert_eq!(latest(stream, mixed), latest(stream, truth), "{stream}");
    }
}

#[tokio::test]
async fn disorder_across_pages_stays_within_its_limit() {
    let settings = Settings { scale: 1.0, ..small() };
    let faults = Faults { reorder: 1.0, ..Faults::default() };
    let town = Town::open(Settings { faults, ..settings });
    town.log_in().await;
    let mut path = first_page("portal", Stamp(now().0 - 5 * 86_400), 40);
    let (mut highest, mut worst) = (Stamp(0), 0);
    for _ in 0..50 {
        let body = town.get(&path).await;
        let stamps: Vec<Stamp> = body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let text = row["NgayCapNhat"].as_str().unwrap();
                let (date, time) = (&text[..8], &text[8..]);
                let day = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
                let clock = format!("{}:{}:{}", &time[..2], &time[2..4], &time[4..]);
                Stamp::parse(&format!("{day}T{clock}+07:00")).unwrap()
            })
            .collect();
        let lowest = stamps.iter().copied().min().unwrap();
        worst = worst.max(highest.0 - lowest.0);
        highest = highest.max(stamps.iter().copied().max().unwrap());
        path = body["next"].as_str().unwrap().to_owned();
    }
    assert!(worst > 60 && worst <= DISORDER_AT_MOST, "{worst}");
}

#[tokio::test]
async fn older_versions_and_doubles_are_true_and_change_nothing() {
    let calm = Town::open(small());
    let town = with(Faults { stale: 0.5, duplicate: 0.3, ..Faults::default() });
    calm.log_in().await;
    town.log_in().await;
    for stream in STREAMS {
        let truth = latest(stream, calm.run(stream, Stamp(0), 100).await);
        let records = town.run(stream, Stamp(0), 100).await;
        let mut versions: HashMap<(String, String), Value> = HashMap::new();
        for record in &records {
            let known = versions.entry(identity(stream, record)).or_insert_with(|| record.clone());
            assert_eq!(known, record, "{stream}: one version, two contents");
        }
        assert!(versions.len() < records.len(), "{stream} has no doubles");
        let has_history = !matches!(stream, "facilities" | "co-so");
        assert!(versions.len() > truth.len() || !has_history, "{stream} has no older versions");
        assert_eq!(latest(stream, records), truth, "{stream}");
    }
    // What was replayed is what the portal said when it was young.
    let old = town.province.ledger().read(|said| {
        said.iter()
            .find(|said| matches!(&said.fact, Fact::Dossier(one) if one.status == 2))
            .cloned()
    });
    let old = old.unwrap();
    let Fact::Dossier(dossier) = &old.fact else { panic!("not a dossier") };
    town.province.set_faults(Faults::default());
    town.province.set_now(old.version);
    town.log_in().await;
    town.run("portal", old.version, 100).await;
    let again = town.province.ledger().read(|said| {
        let found = said.iter().rev().find(|said| match &said.fact {
            Fact::Dossier(one) => one.dossier == dossier.dossier,
            _ => false,
        });
        found.cloned()
    });
    assert_eq!(again.unwrap().fact, old.fact);
}

#[tokio::test]
async fn bad_records_are_strangers_and_marked_with_their_reason() {
    let town = with(Faults { bad: 0.3, ..Faults::default() });
    town.log_in().await;
    for stream in STREAMS {
        town.run(stream, Stamp(0), 200).await;
    }
    let said = town.province.ledger().said();
    let mut reasons: HashMap<System, HashSet<Bad>> = HashMap::new();
    let (mut good, mut bad) = (HashSet::new(), HashSet::new());
    for said in &said {
        let key = match &said.fact {
            Fact::Dossier(one) => one.dossier.clone(),
            Fact::Return(one) => format!("{} {}", one.facility, one.stay_date),
            Fact::Facility(one) => one.facility.clone(),
            Fact::Session(one) => one.session.clone(),
            Fact::Record(one) => one.key.clone(),
            Fact::Heartbeat(_) | Fact::Silence { .. } => continue,
        };
        match said.bad {
            Some(reason) => {
                reasons.entry(said.system).or_default().insert(reason);
                bad.insert((said.system, key));
            }
            None => {
                good.insert((said.system, key));
            }
        }
    }
    assert!(good.is_disjoint(&bad), "a stranger took the key of a record");
    for system in [System::Portal, System::ReturnsB, System::Sessions] {
        assert_eq!(reasons[&system].len(), 4, "{system:?}");
    }
    assert_eq!(reasons[&System::ReturnsA].len(), 3);
    let future = |said: &Said| match (&said.fact, said.bad) {
        (Fact::Dossier(one), Some(Bad::FutureDate)) => one.received_at > Some(now()),
        (Fact::Return(one), Some(Bad::FutureDate)) => one.stay_date > now().day(),
        (Fact::Session(one), Some(Bad::FutureDate)) => one.started_at > now(),
        _ => true,
    };
    assert!(said.iter().all(future));
    let unknown = |said: &Said| match (&said.fact, said.bad) {
        (Fact::Dossier(one), Some(Bad::UnknownCommune)) => one.commune_code == 99_999,
        _ => true,
    };
    assert!(said.iter().all(unknown));
}

#[tokio::test]
async fn late_records_appear_within_five_minutes() {
    let town = with(Faults { late: 0.5, ..Faults::default() });
    let calm = Town::open(small());
    town.log_in().await;
    calm.log_in().await;
    let noon = Stamp(now().0 - 6 * 3600);
    let mut seen = 0;
    for step in 0..12 {
        let at = Stamp(noon.0 + step * 1800);
        town.province.set_now(at);
        calm.province.set_now(at);
        town.log_in().await;
        calm.log_in().await;
        let late = latest("portal", town.run("portal", Stamp(0), 5_000).await);
        let truth = latest("portal", calm.run("portal", Stamp(0), 5_000).await);
        seen += usize::from(late != truth);
        town.province.set_now(Stamp(at.0 + LATE_AT_MOST));
        let later = latest("portal", town.run("portal", Stamp(0), 5_000).await);
        for (key, (version, _)) in truth {
            assert!(later[&key].0 >= version, "{key}");
        }
    }
    assert!(seen > 0, "nothing was ever late");
}

#[tokio::test]
async fn with_everything_at_once_a_patient_client_gets_everything() {
    let faults = Faults { bad: 0.0, ..Faults::everything() };
    let same_truth = Faults {
        late: faults.late,
        correct: faults.correct,
        retract: faults.retract,
        ..Faults::default()
    };
    let calm = Town::open(Settings { faults: same_truth, ..small() });
    let town = Town::open(Settings { faults, ..small() });
    calm.log_in().await;
    town.log_in().await;
    for stream in STREAMS {
        let truth = latest(stream, calm.run(stream, Stamp(0), 100).await);
        assert_eq!(latest(stream, town.run(stream, Stamp(0), 100).await), truth, "{stream}");
    }
}

#[tokio::test]
async fn the_same_requests_get_the_same_bytes_faults_included() {
    let faults = Faults { hang: 0.0, ..Faults::everything() };
    let mut answers = Vec::new();
    for _ in 0..2 {
        let town = Town::open(Settings { faults, ..small() });
        town.log_in().await;
        let mut said = Vec::new();
        for stream in STREAMS {
            for (status, body) in repeat(&town, &first_page(stream, Stamp(0), 30), 8).await {
                // The portal's next link holds the port, which the machine picks.
                let text = body.map(|body| String::from_utf8_lossy(&body).into_owned());
                said.push((status, text.map(|text| text.replace(&town.at.to_string(), "HERE"))));
            }
        }
        answers.push(said);
    }
    assert_eq!(answers[0], answers[1]);
}
