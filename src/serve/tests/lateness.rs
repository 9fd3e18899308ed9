//! The lateness register, the scorecards of units, and the table of what is missing on the first page.

use std::sync::Arc;

use serde_json::{Value, json as object};

use super::world::{bare, context, now};
use super::{get, json};
use crate::model::lateness::{LatenessRegister, Report, ReportState};
use crate::model::snapshot::Snapshot;
use crate::model::time::{DAY, Day, Stamp};
use crate::serve::Context;

/// A daily report, due at half past seven.
fn report(day: &str, unit: &str, state: ReportState) -> Report {
    let due_on = Day::parse(day).unwrap();
    let due_at = Stamp(due_on.start().0 + 27_000);
    let came = match state {
        ReportState::OnTime => Some(Stamp(due_at.0 - 60)),
        ReportState::Late => Some(Stamp(due_at.0 + DAY / 2)),
        ReportState::Pending | ReportState::Missing => None,
    };
    let is_missed = matches!(state, ReportState::Late | ReportState::Missing);
    Report {
        due_on,
        due_at,
        period: (due_on.plus(-1), due_on.plus(-1)),
        reach: due_on.start(),
        accountable_unit: unit.to_owned(),
        state,
        is_witnessed: state != ReportState::Pending,
        missed_by: is_missed.then(|| "connect".to_owned()),
        missed_at: is_missed.then_some(Stamp(due_at.0 + 3)),
        came_at: came,
        changed_at: due_at,
    }
}

/// A world in which the portal is owed nothing and the kiosks owe.
fn owing() -> Arc<Context> {
    use ReportState::{Late, Missing, OnTime, Pending};
    let context = bare();
    let mut snapshot: Snapshot = (*context.snapshot.load_full()).clone();
    let register = |unit: &str, states: &[(&str, ReportState)]| LatenessRegister {
        since: Some(Stamp(0)),
        reports: states.iter().map(|(day, state)| report(day, unit, *state)).collect(),
        spells: Vec::new(),
    };
    let mut portal = register("vp-ubnd", &[("2024-04-01", OnTime), ("2024-04-02", OnTime)]);
    portal.reports[0].is_witnessed = false;
    let kiosks = [("2024-03-31", Late), ("2024-04-01", OnTime), ("2024-04-02", Missing)];
    let mut kiosks = register("so-tttt", &kiosks);
    kiosks.reports.push(report("2024-04-03", "so-tttt", Pending));
    for (name, register) in [("portal.dossiers", portal), ("kiosks.kiosk", kiosks)] {
        let stream = snapshot.streams.get_mut(name).unwrap();
        Arc::make_mut(stream).lateness = Arc::new(register);
    }
    context.snapshot.store(Arc::new(snapshot));
    Arc::new(context)
}

fn told(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().unwrap().iter();
    let words = |item: &Value| {
        let word = |key: &str| item[key].as_str().unwrap().to_owned();
        format!("{} {} {}", word("due_on"), word("source"), word("state"))
    };
    items.map(words).collect()
}

#[actix_web::test]
async fn a_report_tells_when_it_was_due_when_it_came_how_late_and_whose_it_is() {
    let body = json(&owing(), "/v1/lateness?state=late").await;
    insta::assert_json_snapshot!(body, @r#"
    {
      "as_of": "2024-04-02T16:59:40+07:00",
      "counts": {
        "late": 1,
        "missing": 0,
        "on_time": 0,
        "pending": 0
      },
      "items": [
        {
          "accountable": {
            "name": "Sở TTTT",
            "name_en": "Department",
            "unit": "so-tttt"
          },
          "came_at": "2024-03-31T19:30:00+07:00",
          "contract": "kiosk",
          "days_late": 1,
          "due_at": "2024-03-31T07:30:00+07:00",
          "due_on": "2024-03-31",
          "late_seconds": 43200,
          "missed_at": "2024-03-31T07:30:03+07:00",
          "missed_by": "connect",
          "period_from": "2024-03-30",
          "period_until": "2024-03-30",
          "repaired_at": "2024-03-31T19:30:00+07:00",
          "source": "kiosks",
          "state": "late",
          "stream": "kiosk",
          "witnessed": true
        }
      ],
      "revision": 18442
    }
    "#);
    let missing = json(&owing(), "/v1/lateness?state=missing").await;
    let item = &missing["items"][0];
    // 16:59:40 cut to the minute, or the snapshot's own moment.
    let late = now().0.max(Stamp::parse("2024-04-02T16:59:40+07:00").unwrap().0);
    let due = Stamp::parse("2024-04-02T07:30:00+07:00").unwrap().0;
    assert!((item["late_seconds"].as_i64().unwrap() - (late - due)).abs() <= 60, "{item}");
    assert_eq!((&item["repaired_at"], &item["came_at"]), (&object!(null), &object!(null)));
}

#[actix_web::test]
async fn reports_come_newest_first_in_pages_and_by_every_filter() {
    let context = owing();
    let all = json(&context, "/v1/lateness").await;
    let wanted = [
        "2024-04-03 kiosks pending",
        "2024-04-02 kiosks missing",
        "2024-04-02 portal on_time",
        "2024-04-01 kiosks on_time",
        "2024-04-01 portal on_time",
        "2024-03-31 kiosks late",
    ];
    assert_eq!(told(&all), wanted);
    let counts = object!({"pending": 1, "on_time": 3, "missing": 1, "late": 1});
    assert_eq!((&all["counts"], all.get("next")), (&counts, None));
    let mut pages = Vec::new();
    let mut next = Some("/v1/lateness?unit=so-tttt&limit=3".to_owned());
    while let Some(path) = next.take().filter(|_| pages.len() < 10) {
        let page = json(&context, &path).await;
        assert_eq!(page["counts"]["on_time"], 1, "of all that match");
        pages.extend(told(&page));
        next = page["next"].as_str().map(str::to_owned);
    }
    let kiosks: Vec<_> = wanted.iter().filter(|line| line.contains("kiosks")).collect();
    assert_eq!(pages.iter().collect::<Vec<_>>(), kiosks);
    for (query, count) in [
        ("source=portal", 2),
        ("contract=kiosk", 4),
        ("from=2024-04-02", 3),
        ("from=2024-04-01&to=2024-04-02", 2),
        ("unit=so-du-lich", 0),
    ] {
        let body = json(&context, &format!("/v1/lateness?{query}")).await;
        assert_eq!(told(&body).len(), count, "{query}");
    }
}

#[actix_web::test]
async fn the_register_comes_as_csv() {
    let reply = get(&owing(), "/v1/lateness?format=csv&source=kiosks").await;
    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"lateness.csv\"");
    let lines: Vec<&str> = reply.text().lines().collect();
    assert_eq!(lines.len(), 5);
    let late = "kiosks,kiosk,kiosk,so-tttt,2024-03-31,2024-03-31T07:30:00+07:00,2024-03-30,2024-03-30,late,\
                2024-03-31T19:30:00+07:00,43200,1,true,connect,2024-03-31T07:30:03+07:00,2024-03-31T19:30:00+07:00,18442";
    assert_eq!(lines[4], late);
}

#[actix_web::test]
async fn a_unit_is_told_with_what_it_answers_for_and_how_its_reports_stand() {
    let context = owing();
    let body = json(&context, "/v1/units").await;
    let units: Vec<_> = body["items"].as_array().unwrap().iter().collect();
    assert_eq!(units.len(), 3);
    let of = |id: &str| *units.iter().find(|unit| unit["unit"] == id).unwrap();
    let reports = object!({
        "due": 3, "on_time": 1, "late": 1, "missing": 1, "unwitnessed": 0, "on_time_ratio": 0.3333,
        "mean_days_late": 1, "missing_since": "2024-04-02T07:30:00+07:00"
    });
    assert_eq!(of("so-tttt")["reports"], reports);
    let reports = &of("vp-ubnd")["reports"];
    assert_eq!((&reports["due"], &reports["unwitnessed"]), (&object!(1), &object!(1)));
    let none = &of("so-du-lich")["reports"];
    assert_eq!((&none["due"], &none["on_time_ratio"]), (&object!(0), &object!(null)));
    let body = json(&context, "/v1/units?from=2024-04-01&to=2024-04-02").await;
    let units: Vec<_> = body["items"].as_array().unwrap().iter().collect();
    assert_eq!(units.iter().find(|unit| unit["unit"] == "so-tttt").unwrap()["reports"]["due"], 1);

    let card = json(&context, "/v1/units/vp-ubnd").await;
    insta::assert_json_snapshot!(card, @r#"
    {
      "answers_for": {
        "contracts": 2,
        "indicators": 2,
        "sources": 2
      },
      "as_of": "2024-04-02T16:59:40+07:00",
      "breaches": {
        "additive": 0,
        "breaking": 0
      },
      "contracts": [
        "dossiers",
        "kiosk"
      ],
      "indicators": [
        {
          "indicator": "online_rate",
          "title": "Tỷ lệ nộp trực tuyến",
          "title_en": "Share filed online"
        },
        {
          "indicator": "received",
          "title": "Hồ sơ tiếp nhận",
          "title_en": "Dossiers received"
        }
      ],
      "items": {
        "cancelled": 1,
        "done": 1,
        "due": 1,
        "due_short_of_target": 0,
        "in_progress": 0,
        "not_started": 0,
        "overdue": 0,
        "reports_late": 0,
        "total": 1
      },
      "links": {
        "breaches": "/v1/breaches?unit=vp-ubnd",
        "catalogue": "/v1/catalogue?unit=vp-ubnd",
        "lateness": "/v1/lateness?unit=vp-ubnd",
        "page": "/units/vp-ubnd",
        "self": "/v1/units/vp-ubnd"
      },
      "name": "Văn phòng UBND tỉnh",
      "name_en": "Office",
      "overdue_items": [],
      "parent": null,
      "reports": {
        "due": 1,
        "late": 0,
        "mean_days_late": null,
        "missing": 0,
        "missing_since": null,
        "on_time": 1,
        "on_time_ratio": 1,
        "unwitnessed": 1
      },
      "revision": 18442,
      "role": "Chánh Văn phòng",
      "sources": [
        {
          "data_through": null,
          "freshness": "never_reported",
          "health": "unknown",
          "reasons": [
            "never_reported",
            "failing",
            "silent_targets"
          ],
          "source": "kiosks",
          "title": "Kiốt",
          "title_en": "kiosks"
        },
        {
          "data_through": "2024-04-02T16:59:00+07:00",
          "freshness": "fresh",
          "health": "healthy",
          "reasons": [],
          "source": "portal",
          "title": "Cổng",
          "title_en": "portal"
        }
      ],
      "spells": {
        "ended": 0,
        "lasted_seconds": 0,
        "open": 0
      },
      "stale_sources": [
        "kiosks"
      ],
      "unit": "vp-ubnd"
    }
    "#);
    for link in ["self", "page", "lateness", "breaches", "catalogue"] {
        let path = card["links"][link].as_str().unwrap();
        assert_eq!(get(&context, path).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn an_unknown_unit_is_refused_with_the_nearest() {
    let reply = get(&context(), "/v1/units/so-ttt").await;
    assert_eq!(reply.status, 404);
    let body = reply.json();
    assert_eq!(body["type"], "/docs/problems/unknown-unit");
    assert_eq!(body["suggestions"], object!(["so-tttt"]));
}

#[actix_web::test]
async fn what_is_missing_stands_on_the_first_page_with_whose_it_is() {
    let page = get(&owing(), "/").await;
    let text = page.text();
    let section = text.split("id=\"lateness\"").nth(1).expect("there is a section");
    let section = section.split("</section>").next().unwrap();
    for words in ["Báo cáo trễ hạn", "01/04/2024", "02/04/2024 07:30", "trễ 9 giờ", "Sở TTTT"]
    {
        assert!(section.contains(words), "{words}\n{section}");
    }
    assert!(
        section.contains("Không kết nối được") && !section.contains("Văn phòng UBND"),
        "{section}"
    );
    assert!(!get(&context(), "/").await.text().contains("id=\"lateness\""), "nothing is missing");
}

#[actix_web::test]
async fn the_pages_of_units_say_who_is_late_and_what_each_answers_for() {
    let context = owing();
    let page = get(&context, "/units").await;
    let row = |unit: &str| {
        let mark = format!("href=\"/units/{unit}\"");
        let row = page.text().split("<tr>").find(|row| row.contains(&mark));
        row.unwrap_or_else(|| panic!("{unit}: {}", page.text())).to_owned()
    };
    for words in
        ["Sở TTTT", "Chánh Văn phòng", "Thiếu báo cáo", "chủ trì 3, xong 0", "1 mục quá hạn"]
    {
        assert!(row("so-tttt").contains(words), "{words}: {}", row("so-tttt"));
    }
    assert!(row("vp-ubnd").contains("Đúng hạn"), "{}", row("vp-ubnd"));
    assert!(row("so-du-lich").contains("không có báo cáo đến hạn"), "{}", row("so-du-lich"));
    // The one with the most to mend stands first.
    let at = |unit: &str| page.text().find(&format!("href=\"/units/{unit}\"")).unwrap();
    assert!(at("so-tttt") < at("so-du-lich"));

    let unit = get(&context, "/units/so-tttt").await;
    for words in [
        "Mô hình, nhiệm vụ quá hạn",
        "NV01 · Nhiệm vụ 1 (giữ chỗ)",
        "Báo cáo trễ hạn, chưa có",
        "id=\"kiosk_sessions\"",
    ] {
        assert!(unit.text().contains(words), "{words}\n{}", unit.text());
    }
    assert!(!unit.text().contains("id=\"online_rate\""), "another unit answers for it");
    assert_eq!(get(&context, "/units/so-ttt").await.status, 404);
}

#[actix_web::test]
async fn spells_of_old_data_say_since_when_how_long_and_whose_they_are() {
    let context = bare();
    let mut snapshot: Snapshot = (*context.snapshot.load_full()).clone();
    let spell = |began: i64, ended: Option<i64>| crate::model::lateness::Spell {
        began_at: Stamp(began),
        data_through: Stamp(began - 1800),
        fresh_within: 1800,
        accountable_unit: "so-tttt".to_owned(),
        missed_by: "connect".to_owned(),
        noticed_at: Stamp(began + 60),
        ended_at: ended.map(Stamp),
    };
    let noon = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap().0;
    let spells = vec![spell(noon - DAY, Some(noon - DAY + 600)), spell(noon, None)];
    let stream = snapshot.streams.get_mut("kiosks.kiosk").unwrap();
    Arc::make_mut(stream).lateness = Arc::new(LatenessRegister { spells, ..Default::default() });
    context.snapshot.store(Arc::new(snapshot));
    let context = Arc::new(context);

    let body = json(&context, "/v1/lateness/spells").await;
    assert_eq!(body["open"], 1);
    assert_eq!(
        body["items"][0],
        object!({
            "source": "kiosks", "stream": "kiosk", "contract": "kiosk", "state": "open",
            "began_at": "2024-04-02T12:00:00+07:00", "ended_at": null, "lasted_seconds": 5 * 3600,
            "data_through": "2024-04-02T11:30:00+07:00", "limit_seconds": 1800,
            "missed_by": "connect", "noticed_at": "2024-04-02T12:01:00+07:00",
            "accountable": {"unit": "so-tttt", "name": "Sở TTTT", "name_en": "Department"}
        })
    );
    let ended = json(&context, "/v1/lateness/spells?state=ended&unit=so-tttt").await;
    assert_eq!(ended["items"][0]["lasted_seconds"], 600);
    assert_eq!(json(&context, "/v1/lateness/spells?source=portal").await["items"], object!([]));
    assert_eq!(get(&context, "/v1/lateness/spells?unit=so-ttt").await.status, 400);
    let card = json(&context, "/v1/units/so-tttt").await;
    let counts = object!({"open": 1, "ended": 1, "lasted_seconds": 5 * 3600 + 600});
    assert_eq!(card["spells"], counts);
}
