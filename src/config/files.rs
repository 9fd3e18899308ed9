//! The files of a configuration folder: read, with every problem noted at its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::Options;
use super::yaml::{self, Node, Place, Problem};

/// The largest file that is not YAML: lists of areas and codes.
const MAX_BYTES: u64 = 8 << 20;

/// The YAML files of a folder in the order of their names; a missing folder has none.
pub fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    named(folder, "yaml").into_iter().map(|name| folder.join(name)).collect()
}

/// The names with this extension in a folder, in order, hidden ones left out.
fn named(folder: &Path, extension: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| {
            !name.starts_with('.')
                && Path::new(name).extension().is_some_and(|found| found == extension)
        })
        .collect();
    names.sort();
    names
}

/// Reads a configuration folder and gathers what is wrong with it.
pub(super) struct Files<'a> {
    dir: PathBuf,
    kept: Option<BTreeMap<&'a str, &'a str>>,
    /// What was read, by name.
    texts: BTreeMap<String, String>,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    /// Everything found so far.
    pub(super) problems: Vec<Problem>,
    /// Words of problems that only follow from others.
    following: Vec<String>,
    hash: blake3::Hasher,
}

/// A file that was read, with the tree that knows its places.
pub(super) struct Read<T> {
    pub(super) file: String,
    pub(super) node: Node,
    pub(super) value: T,
}

impl<'a> Files<'a> {
    pub(super) fn new(options: &Options<'a>) -> Self {
        let kept = options
            .kept
            .map(|kept| kept.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect());
        Self {
            dir: options.dir.to_owned(),
            kept,
            texts: BTreeMap::new(),
            lookup: options.lookup,
            problems: Vec::new(),
            following: Vec::new(),
            hash: blake3::Hasher::new(),
        }
    }

    /// The folder itself.
    pub(super) fn folder_path(&self) -> &Path {
        &self.dir
    }

    /// Whether an earlier configuration is read again, to know what its numbers meant.
    pub(super) fn is_of_the_past(&self) -> bool {
        self.kept.is_some()
    }

    /// The name under which a file is spoken of.
    fn shown(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// One YAML file.
    pub(super) fn yaml<T: DeserializeOwned>(&mut self, name: &str) -> Option<Read<T>> {
        let file = self.shown(name);
        let mut node = match &self.kept {
            Some(kept) => yaml::parse(kept.get(name)?, &file, &mut self.problems)?,
            None => yaml::read(&self.dir.join(name), &file, &mut self.problems)?,
        };
        self.note(name);
        yaml::refuse_inline_secrets(&node, &file, &mut self.problems);
        yaml::interpolate(&mut node, &file, self.lookup, &mut self.problems);
        let value = yaml::decode(&node, &file, &mut self.problems)?;
        Some(Read { file, node, value })
    }

    /// Whether a file is there that may be left out.
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.kept {
            Some(kept) => kept.contains_key(name),
            None => self.dir.join(name).exists(),
        }
    }

    /// All YAML files of a folder, by name; a missing folder has none.
    pub(super) fn folder<T: DeserializeOwned>(&mut self, folder: &str) -> Vec<Read<T>> {
        let names = self.names(folder, "yaml");
        names.iter().filter_map(|name| self.yaml(name)).collect()
    }

    /// The files of a folder with this extension, by name, as paths below the configuration.
    pub(super) fn names(&mut self, folder: &str, extension: &str) -> Vec<String> {
        if let Some(kept) = &self.kept {
            let is_asked = |name: &&&str| {
                name.strip_prefix(folder)
                    .and_then(|name| name.strip_prefix('/'))
                    .is_some_and(|name| !name.contains('/') && !name.starts_with('.'))
                    && Path::new(name).extension().is_some_and(|found| found == extension)
            };
            return kept.keys().filter(is_asked).map(|name| (*name).to_owned()).collect();
        }
        let names = named(&self.dir.join(folder), extension);
        names.into_iter().map(|name| format!("{folder}/{name}")).collect()
    }

    /// A text file; the problem is placed where it was asked for, or at its own beginning.
    pub(super) fn text(&mut self, name: &str, asked: Option<Place>) -> Option<String> {
        let path = self.dir.join(name);
        let read = match std::fs::metadata(&path) {
            _ if self.kept.is_some() => self
                .kept
                .as_ref()
                .and_then(|kept| kept.get(name))
                .map(|text| (*text).to_owned())
                .ok_or_else(|| "it was not kept".to_owned()),
            Ok(meta) if meta.len() > MAX_BYTES => {
                Err(format!("it is larger than {MAX_BYTES} bytes"))
            }
            _ => std::fs::read_to_string(&path).map_err(|error| error.to_string()),
        };
        self.note(name);
        match read {
            Ok(text) => Some(text),
            Err(error) => {
                let place = asked.unwrap_or_else(|| self.place(name, 1));
                self.problems.push(Problem::new(
                    place,
                    "",
                    format!("cannot read {}: {error}", self.shown(name)),
                ));
                None
            }
        }
    }

    fn note(&mut self, name: &str) {
        let bytes = match &self.kept {
            Some(kept) => kept.get(name).map(|text| text.as_bytes().to_vec()).unwrap_or_default(),
            None => std::fs::read(self.dir.join(name)).unwrap_or_default(),
        };
        self.hash.update(name.as_bytes());
        self.hash.update(&bytes);
        self.texts.insert(name.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
    }

    /// A line of a file that is not YAML.
    pub(super) fn place(&self, name: &str, line: u32) -> Place {
        Place { file: self.shown(name), line, column: 1 }
    }

    /// Notes a problem at a dotted place of a file that was read; `place@n` is the character `n` of
    /// the text that stands there.
    pub(super) fn problem<T>(&mut self, read: &Read<T>, at: &str, message: &str) {
        let inside = at.rsplit_once('@').and_then(|(at, n)| Some((at, n.parse::<usize>().ok()?)));
        if let Some((at, offset)) = inside {
            // Only a problem needs the text again, so it is not kept.
            let source = std::fs::read_to_string(&read.file).unwrap_or_default();
            let place = read.node.place_within(&read.file, &source, at, offset);
            self.problems.push(Problem::new(place, at, message));
            return;
        }
        let place = read.node.place_of(&read.file, at);
        self.problems.push(Problem::new(place, at, message));
    }

    /// Whether `file`, as it is spoken of, is the file called `name`.
    pub(super) fn is(&self, file: &str, name: &str) -> bool {
        self.shown(name) == file
    }

    /// Problems with these words only follow from one that is already told: something could not be
    /// read, so whoever refers to it seems to be wrong.
    pub(super) fn follows(&mut self, words: &str) {
        self.following.push(words.to_owned());
    }

    /// The problems in the order of their places, without those that follow from others.
    pub(super) fn causes(self) -> Vec<Problem> {
        let Self { mut problems, following, .. } = self;
        problems.retain(|problem| !following.iter().any(|words| problem.message.contains(words)));
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        // What is said second of the same place follows from what was said first.
        problems.dedup_by(|later, first| later.place == first.place && later.at == first.at);
        // A variable is set once, wherever it is used.
        let mut unset = BTreeSet::new();
        problems.retain(|problem| {
            !problem.message.starts_with(yaml::UNSET) || unset.insert(problem.message.clone())
        });
        problems
    }

    /// The texts of all files read, by name.
    pub(super) fn texts(&self) -> Vec<(String, String)> {
        self.texts.iter().map(|(name, text)| (name.clone(), text.clone())).collect()
    }

    /// A hash over all files read.
    pub(super) fn hash(&self) -> String {
        self.hash.finalize().to_hex()[..16].to_owned()
    }
}
