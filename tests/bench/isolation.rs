//! How much one sick source costs another: `cargo bench --bench isolation`.
//!
//! The real program pulls two sources once a second. `steady` takes a tenth of a second to answer,
//! as a portal does; `sick` is well, then ill in each of its ways. What is printed is the mean time
//! of a pull of `steady`, and how far it is from the mean while both are well. It is reported and
//! asserted by nobody: it depends on the machine, and on what else the machine does.

#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, clippy::unwrap_used, reason = "made for the tests")]
mod support;

use std::time::Duration;

use support::certification::{addresses, page, points, record};
use support::{Gateway, Reply, Upstream};

/// Pulls of `steady` that are measured in each state of the other.
const PULLS: f64 = 15.0;

/// What the other source answers.
type Answer = fn() -> Reply;

fn main() {
    let states: [(&str, Answer); 6] = [
        ("well", || Reply::json(&page(&[record("a")]))),
        ("accepts and says nothing", || Reply::Silence),
        ("sends without end", || {
            Reply::Endless("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".into())
        }),
        ("fails", || Reply::new("500 Oh", "", "")),
        ("sends rubbish", || Reply::json(&"[{]".repeat(20_000))),
        ("well again", || Reply::json(&page(&[record("a")]))),
    ];
    println!("{:<28} {:>14} {:>10}", "the other source", "mean pull, ms", "change, %");
    let mut well = None;
    for (state, reply) in states {
        let mean = measure(reply);
        let against = *well.get_or_insert(mean);
        println!("{state:<28} {:>14.2} {:>+10.2}", mean * 1e3, (mean / against - 1.0) * 1e2);
    }
}

/// The mean time of a pull of `steady`, in seconds, while the other answers like this.
fn measure(reply: Answer) -> f64 {
    let overlay = points(&["sick", "steady"]);
    let path = overlay.config().join("sources/sick.yaml");
    let text = std::fs::read_to_string(&path).expect("the overlay has just been written");
    // Without its breaker and with repeats, so that it does all the harm it can.
    let restless = "max_retries: 4, first: 10ms, longest: 10ms, budget_percent: 1000, after_denial: 1s}\n\
                    circuit_breaker: {failures: 1000}";
    overlay
        .write("sources/sick.yaml", &text.replace("max_retries: 0, after_denial: 1s}", restless));
    let sick = Upstream::start(move |_| reply());
    let steady = Upstream::start(|_| {
        std::thread::sleep(Duration::from_millis(100));
        Reply::json(&page(&[record("b")]))
    });
    let variables = addresses(&[("sick", &sick), ("steady", &steady)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let [begun, spent] = pulls(&gateway, 2.0);
    let [ended, total] = pulls(&gateway, begun + PULLS);
    (total - spent) / (ended - begun)
}

/// Waits for so many pulls of `steady`; yields how many there were, and their time in all.
fn pulls(gateway: &Gateway, count: f64) -> [f64; 2] {
    let of = |text: &str, name: &str| {
        let start = format!("iocgw_source_pull_duration_seconds_{name}{{source=\"steady\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned));
        line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
    };
    let read = |text: &str| [of(text, "count"), of(text, "sum")];
    let enough = |text: &str| of(text, "count") >= count;
    read(&gateway.wait_until("more pulls", "/metrics", |answer| enough(&answer.body)).body)
}
