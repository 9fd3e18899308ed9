//! The register of models and tasks by the real program: what was reported of the province comes out.

use crate::support::Pulled;

#[test]
fn the_register_shows_what_was_reported_of_the_31st_of_march_2024() {
    let Pulled { gateway, .. } = &Pulled::start(9);
    let value = |id: &str, period: &str| {
        let answer = gateway.get(&format!("/v1/indicators/{id}/value?period={period}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["value"].as_f64()
    };
    let reported = [
        ("models_total", 38.0),
        ("models_done", 6.0),
        ("models_in_progress", 20.0),
        ("models_not_started", 12.0),
        ("tasks_total", 51.0),
        ("tasks_due", 10.0),
        ("programme_overdue", 10.0),
    ];
    for (id, wanted) in reported {
        assert_eq!(value(id, "2024-03-31"), Some(wanted), "{id}");
        assert_eq!(value(id, "2024-Q1"), Some(wanted), "{id} of the quarter");
    }
    let attained = value("tasks_due_attainment", "2024-03-31").unwrap();
    assert!(attained > 0.0 && attained < 100.0, "{attained} % of what was due");
    let timely = value("report_timeliness", "2024-03-31").unwrap();
    assert!(timely > 0.0 && timely < 1.0, "{timely} of the reports in time");
    assert!(value("report_days_late", "2024-03-31").unwrap() >= 1.0);
    // What was not done then is overdue by now, though nobody said anything since.
    assert!(value("programme_overdue", "latest").unwrap() > 70.0);

    let path = "/v1/indicators/tasks_total/breakdown?by=group_no&period=2024-03-31";
    let groups = gateway.get(path).json();
    let tasks: Vec<f64> = groups["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["value"].as_f64())
        .collect();
    assert_eq!((tasks.len(), tasks.iter().sum::<f64>()), (10, 51.0), "{groups}");
    let path = "/v1/indicators/report_timeliness/breakdown?by=lead_unit_code&period=2024-03-31";
    let units = gateway.get(path).json();
    let late = |row: &&serde_json::Value| row["value"].as_f64().is_some_and(|value| value < 1.0);
    assert!(units["items"].as_array().unwrap().iter().any(|row| late(&row)), "{units}");
}
