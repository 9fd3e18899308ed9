//! A tree as it would read after some repairs, without copying it.
//!
//! Struck nodes are read as if they were not in the file, fillers as if a missing key were there,
//! and a probe is one thing too many at a chosen position. What has been repaired once is not
//! complained about again, so the next decode meets the next problem.

use std::collections::{BTreeMap, BTreeSet};

use super::node::Node;

/// The repairs that are laid over a tree.
#[derive(Default)]
pub(super) struct Overlay {
    struck: BTreeSet<u32>,
    /// By mapping: the missing keys, each with the sample that stands in for its value.
    fillers: BTreeMap<u32, Vec<(&'static str, usize)>>,
    pub(super) probe: Option<Probe>,
    /// A number or boolean that is read as the text it was written as.
    pub(super) as_text: Option<u32>,
}

/// A foreign entry or item put before the item with this number of a mapping or list.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    pub(super) container: u32,
    pub(super) index: usize,
    /// The foreign value is a list instead of a mapping.
    pub(super) is_list: bool,
}

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.struck.is_empty() && self.fillers.is_empty()
    }

    pub(super) fn is_struck(&self, node: &Node) -> bool {
        self.struck.contains(&node.id)
    }

    /// Strikes a node out; false if it was out already.
    pub(super) fn strike(&mut self, id: u32) -> bool {
        self.struck.insert(id)
    }

    /// The stand-ins for missing keys of a mapping.
    pub(super) fn fillers(&self, mapping: u32) -> &[(&'static str, usize)] {
        self.fillers.get(&mapping).map_or(&[], Vec::as_slice)
    }

    /// Puts the first sample in for a missing key.
    pub(super) fn fill(&mut self, mapping: u32, key: &'static str) {
        self.fillers.entry(mapping).or_default().push((key, 0));
    }

    /// Tries the next sample for a key, or gives up on all keys of the mapping and returns false.
    pub(super) fn refill(&mut self, mapping: u32, key: &str, samples: usize) -> bool {
        let fillers = self.fillers.entry(mapping).or_default();
        match fillers.iter_mut().find(|(filled, _)| *filled == key) {
            Some((_, sample)) if *sample + 1 < samples => {
                *sample += 1;
                true
            }
            _ => {
                self.fillers.remove(&mapping);
                false
            }
        }
    }

    /// Whether anything inside a node has been repaired.
    pub(super) fn is_damaged(&self, node: &Node) -> bool {
        self.struck.range(node.id..node.end).next().is_some()
            || self.fillers.range(node.id..node.end).next().is_some()
    }

    /// The probe's kind and position if it sits in this mapping or list.
    pub(super) fn probe_in(&self, node: &Node) -> Option<Probe> {
        self.probe.filter(|probe| probe.container == node.id)
    }
}
