//! The Prometheus interface of the real program, by the tools that people have: promtool asks it, and
//! a real Prometheus that holds the same samples is asked the same questions.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Prometheus, Pulled, promtool};

/// A metric of the shipped configuration for each sort: amount, ratio, duration, stock.
const METRICS: [&str; 6] = [
    "ioc_dossiers_received",
    "ioc_dossiers_received_province",
    "ioc_on_time_rate_ratio",
    "ioc_on_time_rate_province_ratio",
    "ioc_processing_median_seconds",
    "ioc_dossiers_pending",
];

/// Questions that both must answer alike.
const QUESTIONS: &[&str] = &[
    "A",
    "A > 1",
    "A >= bool 1",
    "-A",
    "A * 2 + 1",
    "2 ^ A",
    "A % 2",
    "10 / A",
    "1 - R",
    "A == 0",
    "3 < A",
    "sum(A)",
    "avg(A)",
    "min(A)",
    "max(A)",
    "count(A)",
    "quantile(0.9, A)",
    "quantile by (unit) (0.3, A)",
    "sum by (commune) (A)",
    "sum without (commune) (A)",
    "avg by (grain, unit) (R)",
    "count by (nothing) (A)",
    "max by (commune) (R) > 0.5",
    "sum(topk(3, D))",
    "sum(bottomk(2, D))",
    "sum(topk by (grain) (1, D))",
    "sum(topk(5, D))",
    "A offset 1d",
    "A offset -1d",
    "sum(A) / count(A)",
    "A / on(commune) D",
    "A - ignoring(indicator) A offset 1w",
    "A > ignoring(indicator) D",
    "A > bool on(commune) D",
    "R * on(commune, unit) R",
    "sum_over_time(A[7d])",
    "avg_over_time(R[30d])",
    "min_over_time(A[3d])",
    "max_over_time(A[3d])",
    "count_over_time(R[14d])",
    "last_over_time(R[10d])",
    "delta(A[5d])",
    "delta(D[20d])",
    "sum_over_time(A[7d] offset 3d)",
    "sum(sum_over_time(A[7d]))",
    "round(R, 0.05)",
    "round(D / 1000)",
    "abs(A - 5)",
    "clamp_min(A, 3)",
    "clamp_max(A, 2)",
    "absent(A{commune=\"none\"})",
    "absent(A)",
    "absent(sum(A > 1e9))",
    "scalar(P)",
    "vector(scalar(P))",
    "vector(time())",
    "time()",
    "label_replace(A, \"x\", \"c-$1\", \"commune\", \"(.*)1\")",
    "A{commune=~\"16.*\"}",
    "A{commune!~\".*1\"}",
    "A{commune!=\"16681\"}",
    "{__name__=~\"P|A\"}",
    "sum by (__name__) ({indicator=\"dossiers_received\",unit!=\"\"})",
    "1 + 1",
    "2 > bool 1",
    "-2 ^ 2",
    "2 ^ 3 ^ 2",
    "1 + 2 * 3 - 4 / 5 % 6",
    "(1 + 2) * 3",
    "-A ^ 2",
    "0x1F + 1e3 + .5",
    "A @ END",
    "A @ end()",
    "sum(A @ start())",
    "A{commune='16681',}",
    "P unless_is_a_name",
    "Inf",
    "NaN == bool NaN",
    "sum(A) # with a remark",
];

/// Texts that neither can read.
const UNREADABLE: &[&str] = &[
    "sum(A",
    "A{",
    "A{commune}",
    "A{commune=1}",
    "A +",
    "* A",
    "A[5d",
    "A[5]",
    "A[0d]",
    "A offset",
    "A offset 5",
    "sum(A[5d])",
    "sum_over_time(A)",
    "abs()",
    "abs(A, A, A)",
    "A @",
    "A @ A",
    "{}",
    "{a=\"\"}",
    "A{a=~\"(\"}",
    "1 > 2",
    "A == \"x\"",
    "\"x\" + 1",
    "A bool 1",
    "A + bool 1",
    "sum by commune (A)",
    "topk(A)",
    "topk(A, A)",
    "A[1d][1d]",
    "A offset 1d offset 2d",
    "(A + A)[5d]",
    "'open",
    "A $ A",
    "1d2",
    "5m5m",
    "A{__name__=\"x\"}",
    "1 + on(a) 2",
    "--",
];

/// The question with the names of the metrics.
fn spelled(question: &str, at: i64) -> String {
    let mut text = String::new();
    for piece in question.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let end =
            piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(piece.len());
        let (word, rest) = piece.split_at(end);
        text.push_str(match word {
            "A" => METRICS[0],
            "P" => METRICS[1],
            "R" => METRICS[2],
            "D" => METRICS[4],
            "END" => "",
            "unless_is_a_name" => "> 0",
            other => other,
        });
        if word == "END" {
            let _ = write!(text, "{}", at - 86_400);
        }
        text.push_str(rest);
    }
    text
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn promtool_asks_the_gateway_as_it_asks_prometheus() {
    let pulled = Pulled::start(11);
    let server = format!("http://{}/prometheus", pulled.gateway.address);
    for (arguments, said) in [
        (vec!["query", "instant", &server, "sum(last_over_time(ioc_rooms_connected[7d]))"], "=>"),
        (vec!["query", "instant", &server, "1+1"], "scalar: 2"),
        (vec!["query", "range", "--step=24h", &server, "ioc_dossiers_received_province"], "@["),
        (vec!["query", "series", "--match=ioc_on_time_rate_ratio", &server], "commune=\"16681\""),
        (vec!["query", "labels", &server, "commune"], "16681"),
    ] {
        let (done, text) = promtool(&arguments, "");
        assert!(done && text.contains(said), "{arguments:?}: {text}");
    }
    let (done, text) = promtool(&["query", "instant", &server, "rate(x[5m])"], "");
    assert!(!done && text.contains("not supported by this gateway"), "{text}");
    what_prometheus_can_read_is_read_and_what_it_cannot_is_not(&pulled);
}

fn what_prometheus_can_read_is_read_and_what_it_cannot_is_not(pulled: &Pulled) {
    let reads = |query: &str| {
        let answer =
            pulled.gateway.get(&format!("/prometheus/api/v1/query?query={}", encoded(query)));
        let parsed = !answer.body.contains("parse error");
        assert!(
            answer.status == 200 || answer.status == 422 || !parsed,
            "{query}: {}",
            answer.body
        );
        parsed
    };
    let rules = |queries: &[String]| {
        let mut text = "groups:\n- name: g\n  rules:\n".to_owned();
        for query in queries {
            let _ = writeln!(
                text,
                "  - {{record: r, expr: {}}}",
                serde_json::to_string(query).unwrap()
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yml");
        std::fs::write(&file, text).unwrap();
        promtool(&["check", "rules", "--lint=none", file.to_str().unwrap()], "")
    };
    let good: Vec<String> =
        QUESTIONS.iter().map(|question| spelled(question, 1_712_000_000)).collect();
    let (done, said) = rules(&good);
    assert!(done, "{said}");
    for query in &good {
        assert!(reads(query), "{query}");
    }
    for question in UNREADABLE {
        let query = spelled(question, 0);
        let (done, said) = rules(std::slice::from_ref(&query));
        assert!(!done, "promtool reads {query}: {said}");
        assert!(!reads(&query), "the gateway reads {query}");
    }
}

#[test]
fn a_real_prometheus_with_the_same_samples_answers_the_same() {
    let pulled = Pulled::start(13);
    let now = pulled.gateway.get("/prometheus/api/v1/query?query=time()").json();
    let now = now["data"]["result"][0].as_f64().unwrap() as i64;
    // A quarter past a full hour: no bucket begins there.
    let at = (now - 3 * 86_400) / 3600 * 3600 + 900;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.txt");
    std::fs::write(&file, samples(&pulled, at)).unwrap();
    let data = folder.path().join("data");
    let (made, said) = promtool(
        &[
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            file.to_str().unwrap(),
            data.to_str().unwrap(),
        ],
        "",
    );
    assert!(made, "{said}");
    // Its look-back is fixed; ours follows the bucket, which is a day here.
    let flags = ["--query.lookback-delta=1d"];
    let real = Prometheus::start(folder.path(), "global: {}\n", &flags);
    let mut with_values = 0;
    for question in QUESTIONS {
        let query = encoded(&spelled(question, at));
        let instant = format!("/api/v1/query?query={query}&time={at}");
        let range = format!(
            "/api/v1/query_range?query={query}&start={}&end={at}&step=7h",
            at - 12 * 86_400
        );
        for path in [instant, range] {
            let ours = pulled.gateway.get(&format!("/prometheus{path}")).json();
            let theirs = real.get(&path).json();
            let same = alike(&ours["data"]["result"], &theirs["data"]["result"]);
            assert!(same, "{question}\n{path}\nours: {ours}\ntheirs: {theirs}");
            with_values +=
                usize::from(theirs["data"]["result"].as_array().is_some_and(|r| !r.is_empty()));
        }
    }
    assert!(with_values > QUESTIONS.len(), "only {with_values} answers had values");
}

/// The samples of all metrics as a file that promtool takes.
fn samples(pulled: &Pulled, at: i64) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let _ = writeln!(text, "# TYPE {metric} gauge");
        let query = encoded(&format!("{metric}[50d]"));
        let answer = pulled
            .gateway
            .get(&format!("/prometheus/api/v1/query?query={query}&time={}", at + 86_400));
        let answer = answer.json();
        let result = answer["data"]["result"].as_array().unwrap();
        assert!(!result.is_empty(), "{metric}: {answer}");
        for series in result {
            let labels = series["metric"].as_object().unwrap();
            let labels: Vec<String> = labels
                .iter()
                .filter(|(name, _)| *name != "__name__")
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            for sample in series["values"].as_array().unwrap() {
                let (at, value) = (&sample[0], sample[1].as_str().unwrap());
                let _ = writeln!(text, "{metric}{{{}}} {value} {at}", labels.join(","));
            }
        }
    }
    text + "# EOF\n"
}

/// Whether two results say the same: the same series with the same samples, to the last digits.
fn alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            let ordered = |items: &[Value]| {
                let mut items = items.to_vec();
                if items.iter().all(Value::is_object) {
                    items.sort_by_key(|item| item["metric"].to_string());
                }
                items
            };
            let (ours, theirs) = (ordered(ours), ordered(theirs));
            ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(one, other)| alike(one, other))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, value)| theirs.get(key).is_some_and(|other| alike(value, other)))
        }
        (Value::String(one), Value::String(other)) => {
            one == other
                || matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(one), Ok(other))
                    if (one - other).abs() <= 1e-9 * other.abs().max(1e-300))
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

#[test]
fn promtool_makes_blocks_of_an_export_that_hold_what_was_exported() {
    let pulled = Pulled::start(41);
    let answer = pulled.gateway.get("/v1/exports/openmetrics?last=10d&by=commune");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let folder = tempfile::tempdir().unwrap();
    let (text, blocks) = (folder.path().join("export.txt"), folder.path().join("blocks"));
    std::fs::write(&text, &answer.body).unwrap();
    let (text, blocks) = (text.to_str().unwrap(), blocks.to_str().unwrap());
    let (done, said) = promtool(&["tsdb", "create-blocks-from", "openmetrics", text, blocks], "");
    assert!(done, "{said}");
    // An empty journal beside them: promtool reads a whole store.
    std::fs::create_dir(folder.path().join("blocks/wal")).unwrap();
    let (done, dumped) = promtool(&["tsdb", "dump", blocks], "");
    assert!(done, "{dumped}");
    let exported = answer.body.lines().filter(|line| !line.starts_with('#')).count();
    let held = dumped.lines().filter(|line| line.starts_with('{')).count();
    assert!(exported > 1000, "{exported}");
    assert_eq!(held, exported);
}
