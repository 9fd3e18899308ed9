//! Contracts that are edited while records come in: figures are those of the contract in force, as
//! if it had been in force from the beginning.

use std::path::Path;
use std::time::Duration;

use super::{Edition, Stage, compare_days, moment, seed};
use crate::support::edit;

/// Another condition and another bucket.
pub(super) const RECEIVED: &str =
    "    count: true\n    at: received_at\n    by: [channel, procedure,";
pub(super) const STRICTER: &str = "    count: true\n    at: submitted_at\n    where: \"vneid && received_at != null\"\n    by: [channel, procedure,";

/// A property more: entities are packed anew and everything is asked for again.
const PROPERTY: &str = "  refused_at:     {type: timestamp}\n";
const MORE: &str = "  refused_at:     {type: timestamp}\n  returned_at:    {type: timestamp}\n";
const AT: &str = "      refused_at:     {at: /NgayTuChoi, format: yyyyMMddHHmmss}\n";
const AND_AT: &str = "      refused_at:     {at: /NgayTuChoi, format: yyyyMMddHHmmss}\n      returned_at:    {at: /NgayTra, format: yyyyMMddHHmmss}\n";

/// A file, what stands in it, and what shall stand there instead.
type Change<'a> = (&'a Path, &'a str, &'a str);

/// G10: definitions change.
#[test]
fn a_contract_edited_in_mid_run_counts_as_if_it_had_always_been_so() {
    let mut stage = Stage::awake(seed(), 1, 0.03, moment(20));
    let contract = stage.folder.path().join("config/contracts/dossiers.yaml");
    let source = stage.folder.path().join("config/sources/portal.yaml");
    let calm_from = stage.systems.province.ledger().said().len();
    let faults = Stage::faults();
    let edits: [(&[Change<'_>], Edition); 4] = [
        (&[(&contract, RECEIVED, STRICTER)], Edition::Stricter),
        (&[(&contract, PROPERTY, MORE), (&source, AT, AND_AT)], Edition::Stricter),
        (&[(&contract, STRICTER, RECEIVED)], Edition::Shipped),
        (&[(&contract, MORE, PROPERTY), (&source, AND_AT, AT)], Edition::Shipped),
    ];
    stage.start();
    for (day, (changes, edition)) in (21..).zip(edits) {
        stage.kill_after(300, Duration::from_secs(2));
        for (path, from, to) in changes {
            edit(path, from, to);
        }
        stage.systems.province.set_faults(faults);
        stage.systems.province.set_now(moment(day));
        stage.start();
        stage.calm_down();
        let points = compare_days(&stage, calm_from, edition);
        println!("{points} points, {edition:?}");
    }
    stage.stop();
}
