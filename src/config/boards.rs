//! `boards/*.yaml`: what is told in one answer, checked against the indicators.

use std::collections::BTreeMap;

use super::compile::Compiler;
use crate::indicator::Catalogue;
use crate::serve::Board;

impl Compiler<'_> {
    /// The boards by name; nothing is said of any while indicators are broken.
    pub(super) fn boards(&mut self, catalogue: Option<&Catalogue>) -> BTreeMap<String, Board> {
        let mut boards = BTreeMap::new();
        for read in self.files.folder::<Board>("boards") {
            let name = &read.value.board;
            if boards.contains_key(name) {
                let message = format!("board '{name}' stands in two files");
                self.files.problem(&read, "board", &message);
            }
            let problems = catalogue.map(|catalogue| read.value.check(catalogue));
            for (at, message) in problems.unwrap_or_default() {
                self.files.problem(&read, &at, &message);
            }
            boards.insert(name.clone(), read.value.clone());
        }
        boards
    }
}
