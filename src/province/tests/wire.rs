//! Paging, cursors, credentials.

use super::*;

#[tokio::test]
async fn every_record_comes_exactly_once_whatever_the_page_size() {
    let town = Town::open(small());
    town.log_in().await;
    for stream in STREAMS {
        let whole = town.run(stream, Stamp(0), 5_000).await;
        let pieces = town.run(stream, Stamp(0), 7).await;
        assert!(whole.len() >= 8, "{stream}: {}", whole.len());
        assert_eq!(whole, pieces, "{stream}");
        let keys: std::collections::HashSet<_> =
            whole.iter().map(|record| identity(stream, record).0).collect();
        assert_eq!(keys.len(), whole.len(), "{stream}");
    }
}

#[tokio::test]
async fn records_stand_in_the_order_of_their_stamps_and_keys() {
    let town = Town::open(small());
    town.log_in().await;
    for stream in STREAMS {
        let records = town.run(stream, Stamp(0), 5_000).await;
        let stamps: Vec<String> = records.iter().map(|record| identity(stream, record).1).collect();
        assert!(stamps.is_sorted(), "{stream}");
    }
    let records = town.run("portal", Stamp(0), 5_000).await;
    let order: Vec<_> = records.iter().map(|record| identity("portal", record)).collect();
    assert!(order.iter().map(|(key, version)| (version, key)).is_sorted());
}

#[tokio::test]
async fn a_cursor_finds_what_changed_since_and_nothing_else() {
    let town = Town::open(small());
    town.log_in().await;
    let yesterday = Stamp(now().0 - 86_400);
    town.province.set_now(yesterday);
    let mut known = HashMap::new();
    for stream in STREAMS {
        known.insert(stream, latest(stream, town.run(stream, Stamp(0), 100).await));
    }
    town.province.set_now(now());
    town.log_in().await;
    let from = identity("portal", &serde_json::json!({"NgayCapNhat": "20261122160000"})).1;
    for stream in STREAMS {
        let news = town.run(stream, yesterday, 100).await;
        if stream == "portal" {
            assert!(news.iter().all(|record| record["NgayCapNhat"].as_str() >= Some(&from)));
        }
        let mut records = known.remove(stream).unwrap();
        records.extend(latest(stream, news));
        let all = latest(stream, town.run(stream, Stamp(0), 100).await);
        assert_eq!(records, all, "{stream}");
    }
}

#[tokio::test]
async fn a_run_over_several_pages_does_not_see_the_clock_move() {
    let town = Town::open(small());
    town.log_in().await;
    let first = town.get(&first_page("portal", Stamp(0), 10)).await;
    let page = town.get(&(first_page("returns", Stamp(0), 10) + "&page=1")).await;
    town.province.set_now(Stamp(now().0 + 300));
    let next = first["next"].as_str().unwrap().to_owned();
    let mut seen = first["data"].as_array().unwrap().clone();
    let mut path = next;
    for _ in 0..1_000 {
        let body = town.get(&path).await;
        seen.extend(body["data"].as_array().unwrap().iter().cloned());
        match body["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert!(seen.iter().all(|record| record["NgayCapNhat"].as_str() <= Some("20261123160000")));
    let later = town.get(&(first_page("returns", Stamp(0), 10) + "&page=2")).await;
    assert_eq!(page["pages"], later["pages"]);
}

#[tokio::test]
async fn nobody_gets_in_without_credentials() {
    let town = Town::open(small());
    for stream in STREAMS {
        let url = format!("http://{}{}", town.at, first_page(stream, Stamp(0), 10));
        for header in ["", "Bearer wrong", "Basic aW9jOndyb25n"] {
            let request = town.client.get(&url).header("Authorization", header);
            let answer = request.header("X-Api-Key", "wrong").send().await.unwrap();
            assert_eq!(answer.status(), 401, "{stream} {header}");
        }
    }
    let form =
        [("grant_type", "client_credentials"), ("client_id", "ioc"), ("client_secret", "no")];
    let url = format!("http://{}/portal/token", town.at);
    assert_eq!(town.client.post(&url).form(&form).send().await.unwrap().status(), 401);
    let basic = town.client.post(&url).basic_auth("ioc", Some(town.secret("portal_secret")));
    let basic = basic.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
    assert_eq!(basic.status(), 200);
    assert!(town.province.ledger().said().is_empty());
}

#[tokio::test]
async fn a_token_of_the_portal_ends_after_ten_minutes() {
    let town = Town::open(small());
    town.log_in().await;
    let path = first_page("portal", now(), 10);
    town.province.set_now(Stamp(now().0 + 599));
    assert_eq!(town.request(&path).send().await.unwrap().status(), 200);
    town.province.set_now(Stamp(now().0 + 600));
    assert_eq!(town.request(&path).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn nonsense_is_refused_politely() {
    let town = Town::open(small());
    town.log_in().await;
    for path in [
        "/portal/api/hoso?updated_from=yesterday",
        "/portal/api/hoso?limit=0",
        "/portal/api/hoso?trang=beef",
        "/lodging-a/v1/returns?changed_since=1",
        "/lodging-a/v1/returns?page=0",
        "/lodging-b/api/luu-tru?tuThoiDiem=2026",
        "/kiosk-platform/sessions?since=x",
    ] {
        assert_eq!(town.request(path).send().await.unwrap().status(), 400, "{path}");
    }
    assert_eq!(town.request("/kiosks/KSK-999/status").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn kiosks_answer_for_themselves_and_some_never_do() {
    let fleet = Fleet { silent: 0.2, slow: 0.0 };
    let town = Town::open(Settings { fleet, ..small() });
    let (mut up, mut silent) = (0, 0);
    for kiosk in 1..=20 {
        let path = format!("/kiosks/KSK-{kiosk:03}/status");
        let is_silent = kiosks::mood(11, fleet, kiosk - 1, now()) == kiosks::Mood::Silent;
        let patience = Duration::from_millis(if is_silent { 300 } else { 10_000 });
        match town.request(&path).timeout(patience).send().await {
            Ok(answer) => {
                assert!(!is_silent);
                let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                assert_eq!(body["kiosk_id"], format!("KSK-{kiosk:03}"));
                up += 1;
            }
            Err(error) => {
                assert!(error.is_timeout());
                silent += 1;
            }
        }
    }
    assert!(up > 10 && silent > 0, "{up} up, {silent} silent");
    let heartbeats = |said: &Said| matches!(said.fact, Fact::Heartbeat(_));
    let said = town.province.ledger().said();
    assert_eq!(said.iter().filter(|said| heartbeats(said)).count(), up);
    assert_eq!(said.len(), up + silent);
}

#[tokio::test]
async fn the_province_stops_at_once_even_while_a_request_hangs() {
    let province = Province::new(small());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let silent = (1..=60).map(|kiosk| format!("KSK-{kiosk:03}")).find(|id| {
        let index = id[4..].parse::<usize>().unwrap() - 1;
        kiosks::mood(11, Fleet::default(), index, now()) == kiosks::Mood::Silent
    });
    let path = format!("http://{at}/kiosks/{}/status", silent.unwrap());
    let serving = tokio::spawn(serve(Arc::clone(&province), listener, stop.clone()));
    let client = client();
    let hanging = tokio::spawn(client.get(path).send());
    // Other requests pass the time until the hanging one has arrived.
    for _ in 0..500 {
        if !province.ledger().said().is_empty() {
            break;
        }
        client.get(format!("http://{at}/kiosks")).send().await.unwrap();
    }
    assert!(!hanging.is_finished());
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), serving).await.unwrap().unwrap().unwrap();
    assert!(hanging.await.unwrap().is_err());
}
