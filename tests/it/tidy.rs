//! The house rules that no compiler keeps: who may know whom, what every file opens with, how long
//! it may be, and what stands nowhere.
//!
//! They are read from the source text, roughly but without mercy: a rule that only reviewers keep
//! is kept until the first busy week. Test code may import what it likes. What a rule does with a
//! planted fault is tested beside it, so that a rule which sees nothing is noticed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the bottom to the top. One may import those of lower rows, never its row's.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["failpoint"],
    &["clock"],
    &["pull", "decode", "normalise", "fold", "indicator", "lateness"],
    &["store", "telemetry"],
    &["notify", "pipeline", "serve"],
    &["config"],
    &["app", "rehearse"],
    &["cli"],
];

/// The simulated province shares nothing with the gateway but the words for time.
const PROVINCE_MAY_IMPORT: &[&str] = &["model", "clock"];

/// Serving reads snapshots and never reaches back into how they came about.
const SERVE_MAY_IMPORT: &[&str] = &["model", "clock", "indicator"];

/// Synchronous, without input or output: what comes in alone decides what goes out.
const PURE: &[&str] = &["decode", "normalise", "fold", "indicator", "lateness"];

/// What a pure module has no use for: words, and modules of the standard library.
const IMPURE: &[&str] = &["async", "await", "tokio", "tracing", "reqwest", "actix_web", "rusqlite"];
const IMPURE_STD: &[&str] = &["fs", "net", "env", "io", "process", "thread", "time"];

const LONGEST_FILE: usize = 600;
const LONGEST_LINE: usize = 200;

/// Names that say nothing.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "misc", "types", "core"];

/// Addresses in the text of `serve` that are no links, each with where it stands: templates, labels of
/// metrics, what a listener offers.
const NO_LINKS: &[(&str, &str)] = &[
    ("src/serve/mod.rs", "/metrics"),
    ("src/serve/mod.rs", "/livez"),
    ("src/serve/mod.rs", "/readyz"),
    ("src/serve/batch.rs", "/v1/indicators/{{id}}/{}"),
    ("src/serve/intake.rs", "/v1/intake/{stream}"),
    ("src/serve/openapi/page.rs", "/v1/sources/{id}"),
    ("src/serve/openapi/page.rs", "/indicators/"),
];

struct File {
    /// Below the project's folder, with `/`.
    path: String,
    text: String,
}

impl File {
    /// Names of the modules around the file's content: `decode`, `json` for `src/decode/json.rs`.
    fn modules(&self) -> Vec<&str> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut modules: Vec<&str> = inside.split('/').collect();
        if modules.last() == Some(&"mod") {
            modules.pop();
        }
        modules
    }

    /// Whether the whole file is test code.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// The program's own code: without comments, and without the test module at the end.
    fn code(&self) -> String {
        let own = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..own].lines();
        lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn lower_modules_never_import_higher_ones_nor_their_neighbours() {
    let mut faults = Vec::new();
    for file in program() {
        let modules = file.modules();
        let module = modules[0];
        let imported = imports(&file.code(), &modules);
        let wrong = imported.iter().filter(|other| !may_import(module, other));
        faults.extend(wrong.map(|other| format!("{}: {module} imports {other}", file.path)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_module_of_the_map_has_its_layer() {
    let map = read("src/lib.rs");
    let mapped: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .filter(|module| *module != "province")
        .collect();
    let layered: BTreeSet<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    assert_eq!(mapped, layered);
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    let within = ["decode", "json"];
    for text in [
        "use crate::normalise::Normaliser;",
        "use crate::{\n    model::time::Day,\n    normalise::{date, key},\n};",
        "fn f() -> crate::normalise::Format { g() }",
        "use super::super::normalise;",
    ] {
        let found = imports(text, &within);
        assert!(found.contains("normalise"), "{text}: {found:?}");
        assert!(found.iter().any(|other| !may_import("decode", other)), "{text}");
    }
    assert_eq!(imports("use super::picks::Picks;", &within), BTreeSet::new());
    assert!(imports("use super::cli::run;", &["app"]).contains("cli"));
    assert!(!may_import("model", "clock"));
    assert!(!may_import("pull", "decode"));
    assert!(!may_import("province", "indicator"));
    assert!(!may_import("serve", "store"));
    assert!(may_import("cli", "province"));
    assert!(!may_import("app", "province"));
}

#[test]
fn pure_modules_do_no_input_or_output_and_never_wait() {
    let mut faults = Vec::new();
    for file in program().iter().filter(|file| PURE.contains(&file.modules()[0])) {
        let code = file.code();
        let words: BTreeSet<&str> = words(&code).collect();
        let std = first_segments(&code, "std");
        faults.extend(
            IMPURE
                .iter()
                .filter(|word| words.contains(*word))
                .chain(IMPURE_STD.iter().filter(|module| std.contains(**module)))
                .map(|word| format!("{}: {word}", file.path)),
        );
        if imports(&code, &file.modules()).contains("clock") {
            faults.push(format!("{}: clock", file.path));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(first_segments("use std::{collections::BTreeMap, fs};", "std").contains("fs"));
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    let asking = ["SystemTime", "Timestamp::now", "Zoned::now", "UNIX_EPOCH"];
    let mut faults = Vec::new();
    for file in program().iter().filter(|file| file.path != "src/clock.rs") {
        let code = file.code();
        let told = asking.iter().filter(|ask| code.contains(**ask)).map(|ask| (*ask).to_owned());
        // The monotonic clock is tokio's, which a test can stop.
        let std = code.lines().filter(|line| {
            line.contains("std::time::") && words(line).any(|word| word == "Instant")
        });
        faults.extend(told.chain(std.map(str::to_owned)).map(|ask| (file.path.clone(), ask)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_file_says_first_what_it_is() {
    for file in all() {
        let header: Vec<&str> = file.text.lines().take_while(|l| l.starts_with("//!")).collect();
        assert!(!header.is_empty(), "{}: does not open with //!", file.path);
        assert!(header[0].len() > 12, "{}: an empty header", file.path);
    }
}

#[test]
fn files_and_lines_stay_readable() {
    for file in all() {
        let lines = file.text.lines().count();
        assert!(lines <= LONGEST_FILE, "{}: {lines} lines, more than {LONGEST_FILE}", file.path);
        for (i, line) in file.text.lines().enumerate() {
            let width = line.chars().count();
            assert!(width <= LONGEST_LINE, "{}:{}: {width} characters", file.path, i + 1);
        }
    }
}

#[test]
fn nothing_is_left_for_later_skipped_or_let_through() {
    // Written in two halves, so that this file does not find itself.
    let everywhere = [
        concat!("tod", "o!"),
        concat!("unimple", "mented!"),
        concat!("FIX", "ME"),
        concat!("#[ign", "ore"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
    ];
    let in_program = ["unbounded_channel", "unbounded()", "serde(flatten)", "unsafe {"];
    let sleeps = [concat!("thread::", "sleep"), concat!("time::", "sleep(Dur")];
    for file in all() {
        for word in everywhere {
            assert!(!file.text.contains(word), "{}: {word}", file.path);
        }
        let code = file.code();
        for word in in_program.iter().filter(|_| !file.is_test()) {
            assert!(!code.contains(word), "{}: {word}", file.path);
        }
        // A benchmark looks at a running process now and then; a test waits for something.
        let is_sleeping = file.is_test()
            && !file.path.starts_with("tests/bench/")
            && sleeps.iter().any(|sleep| file.text.contains(sleep));
        assert!(!is_sleeping, "{}: a test sleeps instead of waiting for something", file.path);
    }
}

#[test]
fn names_say_what_a_thing_is() {
    for file in all() {
        let inside = file.path.trim_end_matches(".rs");
        let empty = inside.split('/').find(|part| EMPTY_NAMES.contains(part));
        assert_eq!(empty, None, "{}", file.path);
        for line in file.text.lines() {
            let named = ["struct ", "enum ", "trait ", "mod "].iter().find_map(|kind| {
                let (before, after) = line.split_once(kind)?;
                let is_item = matches!(before.trim(), "" | "pub" | "pub(crate)" | "pub(super)");
                is_item.then(|| words(after).next())?
            });
            let Some(name) = named else { continue };
            let vague = ["Manager", "Helper", "Util"].iter().any(|end| name.ends_with(end));
            assert!(!vague && !EMPTY_NAMES.contains(&name), "{}: {line}", file.path);
        }
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = read("Cargo.toml");
    let mut section = "";
    let mut count = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && line.contains('=') {
            let reason = line.rsplit_once("# ").map_or("", |(_, reason)| reason);
            assert!(reason.len() >= 5, "no reason given: {line}");
            count += 1;
        }
    }
    assert!(count > 20, "the manifest was not understood: {count} dependencies");
}

#[test]
fn links_are_made_in_one_place() {
    let files = program();
    let addresses = first_pieces(&files);
    assert!(addresses.contains("v1") && addresses.contains("units"), "{addresses:?}");
    let (mut faults, mut met) = (Vec::new(), BTreeSet::new());
    let serving = files.iter().filter(|file| {
        file.path.starts_with("src/serve/") && !file.path.starts_with("src/serve/routes/")
    });
    for file in serving {
        let code = file.code();
        for address in written_addresses(&code, &addresses) {
            match NO_LINKS.iter().find(|known| **known == (&*file.path, address)) {
                Some(known) => _ = met.insert(known),
                None => faults.push(format!("{}: {address}", file.path)),
            }
        }
    }
    assert!(faults.is_empty(), "not made by `link`: {faults:#?}");
    assert_eq!(met.len(), NO_LINKS.len(), "what stands nowhere needs no exception: {met:?}");
}

#[test]
fn a_link_that_is_written_by_hand_is_found() {
    let addresses = BTreeSet::from(["v1".to_owned(), "units".to_owned()]);
    for text in [
        r#"link: format!("/v1/boards/{}", board.board),"#,
        r#"link: "/units".to_owned(),"#,
        r#"let path = "/v1?a=1";"#,
        r#"json!({"next": "/v1"})"#,
        r#"a href="/" {"#,
        r#"a href={ "/units/" (unit) } {"#,
        r#"img src="/picture.svg";"#,
        r#"form action={ "/" } {"#,
    ] {
        assert_eq!(written_addresses(text, &addresses).len(), 1, "{text}");
    }
    for text in [
        r#"asked.link("/v1/boards")"#,
        r#"base.link(format_args!(
               "/v1/boards/{}", board.board))"#,
        r#"("unit", "/units"),"#,
        r#"let advice = "/v1/units lists them";"#,
        r#"a href="data:," {"#,
        r#"let other = "/v11";"#,
    ] {
        assert_eq!(written_addresses(text, &addresses), Vec::<&str>::new(), "{text}");
    }
}

/// The first pieces of all addresses of the table.
fn first_pieces(files: &[File]) -> BTreeSet<String> {
    let tables = files.iter().filter(|file| file.path.starts_with("src/serve/routes/"));
    let codes = tables.map(File::code).collect::<Vec<_>>().join("\n");
    let paths = codes.split("path: \"/").skip(1);
    paths.map(first_piece).filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
}

fn first_piece(path: &str) -> &str {
    path.split(['/', '?', '#', '{', '"']).next().unwrap_or_default()
}

/// Literals that are addresses and are not handed to `link`. One with a space in it is prose; the second of
/// a pair of literals is the place of a table's column.
fn written_addresses<'c>(code: &'c str, addresses: &BTreeSet<String>) -> Vec<&'c str> {
    let literals = code.match_indices("\"/").filter_map(|(at, _)| {
        let text = code[at + 1..].split('"').next()?;
        Some((code[..at].trim_end(), text))
    });
    let is_by_hand = |(before, text): &(&str, &str)| {
        let attribute = before.trim_end_matches(['{', '(', ' ']);
        let is_link = ["href=", "src=", "action="].iter().any(|name| attribute.ends_with(name));
        let is_address = addresses.contains(first_piece(&text[1..])) && !text.contains(' ');
        let is_made = ["link(", "link(format_args!(", "\","].iter().any(|by| before.ends_with(by));
        is_link || (is_address && !is_made)
    };
    literals.filter(is_by_hand).map(|(_, text)| text).collect()
}

fn may_import(module: &str, other: &str) -> bool {
    let level = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    match (module, other) {
        (module, other) if module == other => true,
        ("province", other) => PROVINCE_MAY_IMPORT.contains(&other),
        ("serve", other) => SERVE_MAY_IMPORT.contains(&other),
        ("main" | "lib", _) | ("cli", "province") => true,
        // A name that is no module (a macro, a constant of the root) has no level.
        (module, other) => match (level(module), level(other)) {
            (Some(here), Some(there)) => there < here,
            _ => false,
        },
    }
}

/// The modules at the root that a text names: by `crate::`, or by enough `super::`.
fn imports(code: &str, modules: &[&str]) -> BTreeSet<String> {
    let mut found = first_segments(code, "crate");
    let to_root = ["super"].repeat(modules.len()).join("::");
    found.extend(first_segments(code, &to_root));
    found.remove("super");
    found
}

/// What follows `root::`, also in groups: `x` and `y` of `root::{x::z, y}`.
fn first_segments(code: &str, root: &str) -> BTreeSet<String> {
    let start = format!("{root}::");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&start) {
        // `my_crate::`, and `super::super::` when one `super::` is asked for, are other paths.
        if code[..at].ends_with(|c: char| is_word(c) || c == ':') {
            continue;
        }
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(members(group)),
            None => found.extend(words(rest).next().map(str::to_owned)),
        }
    }
    found
}

/// The first word of each member of a group whose opening brace has been read.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut member, mut found) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(std::mem::take(&mut member)),
            _ => {}
        }
        if c != ',' || depth > 0 {
            member.push(c);
        }
    }
    found.push(member);
    found.iter().filter_map(|member| words(member).next().map(str::to_owned)).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The program's own files, without test code.
fn program() -> Vec<File> {
    let mut files = all();
    files.retain(|file| {
        file.path.starts_with("src/")
            && !file.is_test()
            && !matches!(file.path.as_str(), "src/lib.rs" | "src/main.rs")
    });
    assert!(files.len() > 100, "only {} files: the walk lost its way", files.len());
    files
}

/// Every Rust file of the project.
fn all() -> Vec<File> {
    let (mut folders, mut files) = (vec!["src".to_owned(), "tests".to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if Path::new(&path).extension().is_some_and(|kind| kind == "rs") {
                files.push(File { text: read(&path), path });
            }
        }
    }
    files
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(PathBuf::from(path))).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
