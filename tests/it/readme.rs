//! What the README shows is true: its configuration is good, its commands exist.

use std::path::Path;
use std::process::Command;

use crate::support::{Gateway, Overlay, Reply, Upstream, variables};

/// The README's fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The shipped configuration with the README's thirteenth system, and how many lines of YAML that is.
fn thirteenth() -> (Overlay, usize) {
    let overlay = Overlay::new();
    let mut lines = 0;
    let mut files = 0;
    for block in blocks("yaml") {
        let name = block
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# config/"))
            .expect("the file's name comes first");
        overlay.write(name, &block);
        lines += block.lines().filter(|line| !line.trim().is_empty()).count();
        files += 1;
    }
    assert_eq!(files, 3, "a contract, a source and its indicators");
    overlay.write("lists/call_subject.csv", &blocks("csv")[0]);
    (overlay, lines)
}

#[test]
fn the_thirteenth_system_of_the_readme_is_configuration_and_nothing_else() {
    let (overlay, lines) = thirteenth();
    assert!(lines < 80, "{lines} lines of YAML");
    let before = checked(&crate::support::shipped());
    let after = checked(&overlay.config());
    let added = ["sources", "indicators"].map(|what| count(&after, what) - count(&before, what));
    assert_eq!(added, [1, 2], "{after}");
}

/// A call as the invented help line tells it; its caller's number is never read.
fn call(number: u32, about: &str, rang: &str, answered: Option<&str>) -> serde_json::Value {
    serde_json::json!({
        "call_no": format!("CANARY-{number}"), "commune": "16681", "about": about,
        "rang_at": rang, "answered_at": answered, "caller": "CANARY-never-read",
        "changed_at": "2025-08-04T17:00:00+07:00",
    })
}

#[test]
fn the_numbers_of_the_thirteenth_system_come_out_while_all_others_are_away() {
    let calls = [
        call(1, "DVC", "2025-08-04 08:15:00", Some("2025-08-04 08:16:30")),
        call(2, "DDDT", "2025-08-04 08:20:00", Some("2025-08-04 08:20:10")),
        call(3, "CT", "2025-08-04 09:00:00", None),
        call(4, "KHAC", "2025-08-04 09:30:00", Some("2025-08-04 09:31:00")),
        call(5, "XEM_TV", "2025-08-04 09:45:00", None),
    ];
    let page = serde_json::json!({ "calls": calls }).to_string();
    let help_line = Upstream::start(move |_| Reply::json(&page));
    let (overlay, _) = thirteenth();
    let secrets = overlay.folder().join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("help_line_token"), "CANARY-token").unwrap();
    let key = "an identifier key for tests, and for tests only";
    std::fs::write(secrets.join("identifier_key"), key).unwrap();
    let mut addresses = variables();
    addresses.insert("HELP_LINE_URL".to_owned(), help_line.url());
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &addresses);
    let rate = "/v1/indicators/calls_answered_rate/value?period=2025-08-04&area=commune:16681";
    let answer = gateway.wait_until("a share of answered calls", rate, |answer| {
        answer.status == 200 && !answer.json()["value"].is_null()
    });
    let reading = answer.json();
    // The call about something that nobody wrote down waits in quarantine, and the number says so.
    assert_eq!([&reading["numerator"], &reading["denominator"]], [3, 4], "{reading}");
    assert_eq!(reading["quality"]["quarantined"], 1, "{reading}");
    assert_eq!(reading["accountable"]["unit"], "vp-ubnd");
    let asked = help_line.asked();
    assert!(asked[0].starts_with("/api/calls?"), "{asked:?}");
    assert!(!answer.body.contains("CANARY"));
    let combined = "/v1/indicators/calls_per_online_dossier/value?period=2025-08-04";
    let combined = gateway.get(combined).json();
    assert!(combined["value"].is_null(), "nobody knows of the dossiers: {combined}");
}

/// What the check of a good configuration says.
fn checked(config: &Path) -> String {
    let checked = Command::new(env!("CARGO_BIN_EXE_iocgw"))
        .args(["config", "check", "--config"])
        .arg(config)
        .envs(variables())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned()
        + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    said
}

/// The number before a word.
fn count(said: &str, what: &str) -> i32 {
    let before = said.split(&format!(" {what}")).next().expect("split has a first part");
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number before it")
}

#[test]
fn every_command_of_the_readme_is_one_that_the_program_has() {
    let commands: Vec<_> = blocks("console")
        .join("\n")
        .lines()
        .filter_map(|line| line.strip_prefix("$ iocgw ").map(str::to_owned))
        .collect();
    assert!(commands.len() >= 3);
    for command in commands {
        let words: Vec<_> = command.split(' ').take_while(|word| !word.starts_with('-')).collect();
        let shown = Command::new(env!("CARGO_BIN_EXE_iocgw"))
            .args(words.iter().take(2))
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8_lossy(&shown.stdout);
        assert!(shown.status.success(), "{command}");
        for option in command.split(' ').filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: {option}\n{help}");
        }
    }
}
