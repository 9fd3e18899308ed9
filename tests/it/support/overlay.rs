//! The shipped configuration in a folder of its own, with a case's files laid over it.
//!
//! A case therefore holds only what it is about, and stays true when the shipped files change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::shipped;

/// A copy of the shipped configuration at `config` inside a temporary folder.
pub(crate) struct Overlay {
    folder: tempfile::TempDir,
}

impl Overlay {
    /// Copies the shipped configuration.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&shipped(), &folder.path().join("config"));
        Self { folder }
    }

    /// Lays the files of `tests/config/<case>` over the copy. Files named in the case's `ABSENT`
    /// are taken away.
    pub(crate) fn lay(self, case: &str) -> Self {
        let case = cases().join(case);
        copy(&case, &self.config());
        let absent = self.config().join("ABSENT");
        if absent.exists() {
            for name in fs::read_to_string(&absent).unwrap().lines() {
                fs::remove_file(self.config().join(name)).unwrap();
            }
            fs::remove_file(absent).unwrap();
        }
        self
    }

    /// Writes one file of the copy.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.config().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Takes a folder of the copy away.
    pub(crate) fn clear(&self, name: &str) {
        fs::remove_dir_all(self.config().join(name)).unwrap();
        fs::create_dir(self.config().join(name)).unwrap();
    }

    /// The temporary folder; the configuration is its `config`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The copy.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }
}

/// An address for every variable that the shipped sources name; nothing listens there.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in fs::read_dir(shipped().join("sources")).unwrap() {
        let text = fs::read_to_string(source.unwrap().path()).unwrap();
        for rest in text.split("${").skip(1) {
            let name = rest.split(['}', ':']).next().expect("a variable is closed");
            found.insert(name.to_owned(), "http://127.0.0.1:9".to_owned());
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

/// Where cases live.
pub(crate) fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// The cases of one kind (`good`, `bad`), by name.
pub(crate) fn named(kind: &str) -> Vec<String> {
    let entries = fs::read_dir(cases().join(kind)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Changes a copied file in one place; what is replaced must be there.
pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{}: the shipped file has changed", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}
