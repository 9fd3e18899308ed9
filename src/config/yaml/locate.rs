//! The place of a fault that serde reports from a buffer.
//!
//! A tagged enum (`kind: …`) is first copied into serde's own buffer, which knows no places, so all
//! that is known of a fault inside is "somewhere in this mapping". The place is found by asking: a
//! *probe*, an entry that no setting accepts, is put before the n-th entry and the mapping is decoded
//! again. If the same fault comes up, it was met before the probe; if the probe is complained about,
//! the fault lies behind it. A binary search names the entry, and the search goes on inside it.

use serde::de::DeserializeOwned;

use super::fault::{Fault, Found, Kind, Site};
use super::node::Node;
use super::overlay::{Overlay, Probe};
use super::view::View;

/// The number of the innermost node that `fault`, known to be inside the node `start`, is about.
pub(super) fn locate<T: DeserializeOwned>(
    root: &Node,
    overlay: &mut Overlay,
    fault: &Fault,
    start: u32,
) -> u32 {
    let is_list = matches!(&fault.kind, Kind::Mismatch { found: Found::Mapping, .. });
    let mut node = root.trail(start).node;
    loop {
        let children: Vec<&Node> = node.children().map(|(_, child)| child).collect();
        let container = node.id;
        let mut met_before = |index: usize| {
            overlay.probe = Some(Probe { container, index, is_list });
            let outcome = T::deserialize(View { node: root, overlay });
            overlay.probe = None;
            // A root that is a buffered enum names no node of its own.
            let same =
                |other: &Fault| other.kind == fault.kind && site(other, root) == site(fault, root);
            outcome.err().as_ref().is_some_and(same)
        };
        // Met before everything, the fault is about the node as a whole; met only after everything,
        // it is about what the node lacks.
        if children.is_empty() || met_before(0) || !met_before(children.len()) {
            return container;
        }
        let (mut behind, mut before) = (0, children.len());
        while before - behind > 1 {
            let middle = usize::midpoint(behind, before);
            if met_before(middle) {
                before = middle;
            } else {
                behind = middle;
            }
        }
        node = children[behind];
    }
}

fn site(fault: &Fault, root: &Node) -> Site {
    fault.site.unwrap_or(Site::Value(root.id))
}
