//! Rehearse: stewards' cases, run through the very stages that records run through in production.
//!
//! A definition is only trusted when somebody can show what it does: "these records came, so these
//! rows are kept, that one is refused, and the indicator reads 0.5". Cases are YAML files in the
//! `tests/` folder of a configuration; they are checked against it as strictly as everything else
//! (a misspelt property or indicator is an error, not a case that never fails) and run in memory:
//! decode → normalise → fold → cubes → snapshot → indicator. No store, no network, no clock: a case
//! says what time it is.

pub mod case;
mod check;
mod compare;
mod report;
mod sample;
mod show;
mod stage;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::config::yaml::{self, Node, Place, Problem};
use crate::config::{Config, yaml_files};
use case::CaseFile;
use check::Ready;
use stage::Stage;

pub use report::{junit, tap};
pub use sample::{Passed, Sample, SampleError};

/// The folder of case files inside a configuration.
pub const FOLDER: &str = "tests";

/// Cases that fit the configuration they were read with.
#[derive(Debug)]
pub struct Suite {
    files: Vec<ReadFile>,
}

/// One file of cases.
#[derive(Debug)]
struct ReadFile {
    file: String,
    node: Node,
    cases: Vec<Ready>,
}

/// How one case went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The case's name, in both languages.
    pub name: String,
    /// The file it stands in, as it is spoken of.
    pub file: String,
    /// What was not as expected; empty if the case passed.
    pub differences: Vec<Difference>,
}

/// One expectation that was not met.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Where it is written.
    pub place: Place,
    /// What it is about, in words.
    pub about: String,
    /// What the case expects.
    pub expected: String,
    /// What came out.
    pub actual: String,
}

/// The case files at a path: the file itself, or the YAML files of a folder by name. A missing
/// folder has none.
pub fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() { vec![path.to_owned()] } else { yaml_files(path) }
}

/// Reads case files and checks them against a configuration; all problems at once.
pub fn read(paths: &[PathBuf], config: &Config) -> Result<Suite, Vec<Problem>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let file = path.display().to_string();
        let Some(node) = yaml::read(path, &file, &mut problems) else { continue };
        let Some(written) = yaml::decode::<CaseFile>(&node, &file, &mut problems) else { continue };
        let mut found = Vec::new();
        let cases = check::cases(written, config, &mut found);
        problems.extend(
            found
                .into_iter()
                .map(|(at, message)| Problem::new(node.place_of(&file, &at), at, message)),
        );
        files.push(ReadFile { file, node, cases });
    }
    if problems.is_empty() { Ok(Suite { files }) } else { Err(problems) }
}

/// The JSON Schema of a case file.
pub fn schema() -> serde_json::Value {
    crate::config::schema::of_type::<CaseFile>("tests/*.yaml")
}

impl Suite {
    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.cases.len()).sum()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs every case from the beginning, in the order in which they are written.
    pub fn run(&self, config: &Config) -> Vec<Verdict> {
        let cases =
            self.files.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)));
        cases.map(|(file, case)| verdict(file, case, config)).collect()
    }
}

fn verdict(file: &ReadFile, case: &Ready, config: &Config) -> Verdict {
    let mut stage = Stage::new(config);
    let mut differences = Vec::new();
    for step in &case.steps {
        let outcome = stage.take(step);
        let found = compare::step(step, &outcome, &stage);
        differences.extend(found.into_iter().map(|found| Difference {
            place: file.node.place_of(&file.file, &found.at),
            about: found.about,
            expected: found.expected,
            actual: found.actual,
        }));
    }
    Verdict { name: case.name.clone(), file: file.file.clone(), differences }
}
