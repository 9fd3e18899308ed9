//! What the README shows is true: its configuration is good, its commands exist.

use std::path::Path;
use std::process::Command;

/// The README's fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_fourth_system_of_the_readme_is_configuration_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    copy(&crate::support::shipped(), folder.path());
    let mut files = 0;
    for block in blocks("yaml") {
        let name = block
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# config/"))
            .expect("the file's name comes first");
        std::fs::write(folder.path().join(name), &block).unwrap();
        files += 1;
    }
    assert_eq!(files, 3, "a contract, a source and its indicators");
    std::fs::write(folder.path().join("lists/certification_site.csv"), &blocks("csv")[0]).unwrap();
    let before = checked(&crate::support::shipped());
    let after = checked(folder.path());
    let added = ["sources", "indicators"].map(|what| count(&after, what) - count(&before, what));
    assert_eq!(added, [1, 2], "{after}");
}

/// What the check of a good configuration says.
fn checked(config: &Path) -> String {
    let checked = Command::new(env!("CARGO_BIN_EXE_iocgw"))
        .args(["config", "check", "--config"])
        .arg(config)
        .envs(crate::support::variables())
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
