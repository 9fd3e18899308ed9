//! The promise of the fold: state is the maximum of what was seen, the cube a sum over state.

mod algebra;
mod edits;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::contract::Contract;
use crate::model::cube::{Cube, HOURS, area_of, bin, cell};
use crate::model::dictionary::Dictionaries;
use crate::model::list::CodeList;
use crate::model::row::EARLIEST_DAY;
use crate::model::schema::{Lists, Schema};
use crate::model::time::DAY;

const CONTRACT: &str = "
contract: dossiers
version: 1
title: {vi: Hồ sơ, en: Dossiers}
accountable_unit: u
purpose: p
legal_basis: l
retention: 5y
key: [dossier]
version_by: updated_at
area: area
sla: {fresh_within: 30m}
properties:
  area: {type: area}
  channel: {type: code, list: channel}
  dossier: {type: identifier}
  due_at: {type: timestamp}
  fee: {type: integer, min: 0, max: 1000000}
  finished_at: {type: timestamp}
  received_at: {type: timestamp}
  updated_at: {type: timestamp}
measures:
  received: {count: true, at: received_at, by: [channel, channel.digital]}
  fees: {sum: fee, at: received_at, where: \"channel == 'online'\"}
  pending: {stock: true, from: received_at, until: finished_at}
  overdue: {stock: true, from: due_at, until: finished_at, by: [channel]}
  time: {distribution: finished_at - received_at, at: finished_at}
";

fn plan() -> Plan {
    plan_of(CONTRACT)
}

fn plan_of(text: &str) -> Plan {
    let mut words = Dictionaries::default();
    let list =
        CodeList::read("channel", "code,vi,en,digital\nonline,a,a,yes\ncounter,b,b,\n", &mut words)
            .unwrap();
    let lists = Lists::from([("channel".to_owned(), Arc::new(list))]);
    let contract: Contract = serde_saphyr::from_str(text).unwrap();
    let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
    Plan::compile(&contract, &schema, &words).unwrap()
}

/// One version of one dossier: slots in the alphabetical order of the properties.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    key: u128,
    row: [i64; 8],
    retracted: bool,
}

fn moment(day: i64, second: i64) -> i64 {
    (EARLIEST_DAY + day) * DAY + second
}

prop_compose! {
    fn said()(key in 0_u128..12, area in 1_i64..4, channel in 1_i64..3, received in 0_i64..9, due in 0_i64..9,
              finished in prop::option::of(0_i64..9), fee in prop::option::of(0_i64..5), version in 0_i64..6, retracted in prop::bool::weighted(0.15)) -> Said {
        let row = [area, channel, NULL, moment(due, 500), fee.unwrap_or(NULL), finished.map_or(NULL, |day| moment(day, 900)), moment(received, 100), moment(20 + version, 0)];
        Said { key: key.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835), row, retracted }
    }
}

fn page(said: &[Said]) -> Observations {
    let mut page = Observations::new(8);
    for one in said {
        page.push(one.key, &one.row, one.retracted);
    }
    page
}

/// Folds pages into cubes, the way a store does.
fn folded(plan: &Plan, pages: &[Vec<Said>]) -> (Entities, Vec<Cube>) {
    let mut entities = Entities::new(&plan.schema.layout);
    let mut cubes = vec![Cube::default(); plan.measures.len()];
    for said in pages {
        let folded = against(&mut entities, plan, &page(said), Bringer::default());
        assert_eq!(folded.accepted() + folded.superseded + folded.duplicate, said.len() as u64);
        for (i, cube) in cubes.iter_mut().enumerate() {
            cube.add(&folded.changes(i));
        }
    }
    (entities, cubes)
}

fn cells(cube: &Cube) -> Vec<(i32, u64, i64)> {
    cube.days()
        .flat_map(|(day, cells)| cells.iter().map(move |cell| (day.0, cell.0, cell.1)))
        .collect()
}

proptest! {
    /// S11 and S12: pages and records come twice and in any order.
    #[test]
    fn any_order_repetition_or_split_gives_the_same_cube(
        said in prop::collection::vec(said(), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..120),
        cuts in prop::collection::vec(1_usize..20, 1..60),
    ) {
        let plan = plan();
        let (_, straight) = folded(&plan, std::slice::from_ref(&said));
        // Everything at least once, in any order, some of it several times, cut anywhere.
        let mut again: Vec<Said> = order.iter().map(|index| index.get(&said).clone()).collect();
        let mut rest = said.clone();
        rest.reverse();
        again.extend(rest);
        let mut pages = Vec::new();
        let mut cuts = cuts.iter().cycle();
        while !again.is_empty() {
            let at = (*cuts.next().unwrap()).min(again.len());
            pages.push(again.drain(..at).collect::<Vec<_>>());
        }
        let (entities, shuffled) = folded(&plan, &pages);
        for (a, b) in straight.iter().zip(&shuffled) {
            prop_assert_eq!(cells(a), cells(b));
        }
        // And what is in the cubes is what a rebuild from the entities gives.
        let all: Vec<usize> = (0..plan.measures.len()).collect();
        for (changes, cube) in rebuild(&entities, &plan, &all).iter().zip(&shuffled) {
            let mut built = Cube::default();
            built.add(changes);
            prop_assert_eq!(cells(&built), cells(cube));
        }
    }

    #[test]
    fn undo_puts_everything_back(first in prop::collection::vec(said(), 0..40), second in prop::collection::vec(said(), 1..40)) {
        let plan = plan();
        let (mut entities, _) = folded(&plan, &[first]);
        let before: Vec<_> = entities.chunks().to_vec();
        let folded = against(&mut entities, &plan, &page(&second), Bringer::default());
        folded.undo(&mut entities);
        prop_assert_eq!(entities.chunks(), &before[..]);
        let again = against(&mut entities, &plan, &page(&second), Bringer::default());
        prop_assert_eq!(folded.learned, again.learned);
    }

    /// The fold against the plainest possible reckoning: latest version by key, then count by hand.
    #[test]
    fn cubes_equal_a_recount_of_the_latest_versions(said in prop::collection::vec(said(), 1..60)) {
        let plan = plan();
        let (_, cubes) = folded(&plan, std::slice::from_ref(&said));
        let mut latest: std::collections::BTreeMap<u128, &Said> = std::collections::BTreeMap::new();
        for one in &said {
            let newer = latest.get(&one.key).is_none_or(|known| order(one) > order(known));
            if newer {
                latest.insert(one.key, one);
            }
        }
        let mut overdue: std::collections::BTreeMap<(i64, u16), i64> = std::collections::BTreeMap::new();
        let mut online_fees = 0;
        for one in latest.values().filter(|one| !one.retracted) {
            let (due, finished) = (one.row[3].div_euclid(DAY), one.row[5]);
            for day in EARLIEST_DAY..EARLIEST_DAY + 12 {
                let ended = finished != NULL && finished.div_euclid(DAY) <= day;
                if due <= day && !ended {
                    *overdue.entry((day, one.row[0] as u16)).or_default() += 1;
                }
            }
            if one.row[1] == 1 && one.row[4] != NULL {
                online_fees += one.row[4];
            }
        }
        let names: Vec<_> = plan.measures.iter().map(|measure| measure.name.as_str()).collect();
        let by_name = |name: &str| &cubes[names.iter().position(|n| *n == name).unwrap()];
        prop_assert_eq!(cells(by_name("dossiers.fees")).iter().map(|cell| cell.2).sum::<i64>(), online_fees);
        let changes = cells(by_name("dossiers.overdue"));
        for day in EARLIEST_DAY..EARLIEST_DAY + 12 {
            for area in 1..4 {
                let stock: i64 = changes.iter().filter(|c| i64::from(c.0) <= day && area_of(c.1) == area).map(|c| c.2).sum();
                prop_assert_eq!(stock, overdue.get(&(day, area)).copied().unwrap_or(0));
            }
        }
    }
}

/// Versions in order; two different records of one version by their values.
fn order(said: &Said) -> (i64, u8, Vec<i64>) {
    let state = if said.retracted { entities::RETRACTED } else { entities::LIVE };
    (said.row[7], state, said.row.to_vec())
}

/// S17: a code beyond the 255th, too, wins over the `other` that it was before it was listed.
#[test]
fn of_two_codes_of_one_version_the_later_listed_one_counts_whichever_came_first() {
    let plan = plan();
    let version = |channel: i64| {
        let mut row = [NULL; 8];
        (row[0], row[1], row[7]) = (1, channel, moment(1, 0));
        Said { key: 7, row, retracted: false }
    };
    let (other, listed) = (version(300), version(512));
    for said in [[other.clone(), listed.clone()], [listed.clone(), other]] {
        let (entities, _) = folded(&plan, &[said.to_vec()]);
        let mut row = Vec::new();
        plan.schema.layout.unpack(&entities.body(0)[1..], &mut row);
        assert_eq!(row[1], 512);
    }
}

#[test]
fn a_late_correction_moves_its_bucket_and_a_stale_replay_changes_nothing() {
    let plan = plan();
    let row = |area: i64, received: i64, version: i64| {
        [area, 1, NULL, moment(5, 0), NULL, NULL, moment(received, 0), moment(20 + version, 0)]
    };
    let said = |row| Said { key: 7, row, retracted: false };
    let (_, cubes) = folded(
        &plan,
        &[vec![said(row(1, 3, 1))], vec![said(row(2, 4, 2))], vec![said(row(1, 3, 1))]],
    );
    let received =
        plan.measures.iter().position(|measure| measure.name == "dossiers.received").unwrap();
    let found = cells(&cubes[received]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, area_of(found[0].1), found[0].2), ((EARLIEST_DAY + 4) as i32, 2, 1));
}

#[test]
fn an_older_version_cannot_bring_back_what_was_withdrawn() {
    let plan = plan();
    let row = |version: i64| {
        [1, 1, NULL, moment(5, 0), NULL, NULL, moment(3, 0), moment(20 + version, 0)]
    };
    let said = |version, retracted| Said { key: 7, row: row(version), retracted };
    let (_, cubes) =
        folded(&plan, &[vec![said(1, false)], vec![said(3, true)], vec![said(2, false)]]);
    assert!(cubes.iter().all(|cube| cells(cube).is_empty()));
    let (_, cubes) = folded(&plan, &[vec![said(3, true)], vec![said(4, false)]]);
    assert!(cubes.iter().any(|cube| !cells(cube).is_empty()));
}

#[test]
fn a_dossier_finished_in_time_is_never_overdue() {
    let plan = plan();
    let row = [1, 1, NULL, moment(9, 0), NULL, moment(4, 0), moment(3, 0), moment(20, 0)];
    let (_, cubes) = folded(&plan, &[vec![Said { key: 1, row, retracted: false }]]);
    let position =
        |name: &str| plan.measures.iter().position(|measure| measure.name == name).unwrap();
    assert!(cells(&cubes[position("dossiers.overdue")]).is_empty());
    let time = cells(&cubes[position("dossiers.time")]);
    assert_eq!(time, [((EARLIEST_DAY + 4) as i32, cell(EARLIEST_DAY, 1, u32::from(bin(DAY))), 1)]);
}

#[test]
fn a_measure_that_cannot_mean_anything_is_refused() {
    let mut contract: Contract = serde_saphyr::from_str(CONTRACT).unwrap();
    let plan = plan();
    let measures = &mut contract.measures;
    measures.get_mut("received").unwrap().stock = true;
    measures.get_mut("fees").unwrap().sum = Some("channel".to_owned());
    measures.get_mut("pending").unwrap().until = None;
    measures.get_mut("overdue").unwrap().by = vec!["dossier".to_owned()];
    measures.get_mut("time").unwrap().distribution = Some("finished_at".to_owned());
    let problems = Plan::compile(&contract, &plan.schema, &Dictionaries::default()).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| problem.0.as_str()).collect();
    for place in [
        "measures.received",
        "measures.fees.sum",
        "measures.pending.until",
        "measures.overdue.by.0",
        "measures.time.distribution",
    ] {
        assert!(places.contains(&place), "{place} in {places:?}");
    }
}

const DERIVED: &str = "derived:
  late: {type: boolean, value: 'finished_at > due_at'}
  twice: {type: integer, value: 'fee * 2'}
  done_at: {type: timestamp, value: \"late ? finished_at : due_at\"}
measures:
  late: {count: true, at: done_at, where: late, by: [late, channel]}
  twice: {sum: twice, at: received_at, by: [late]}
";

fn derived_plan(derived: &str) -> Plan {
    let text = CONTRACT.replace("measures:\n", derived);
    let contract: Contract = serde_saphyr::from_str(&text).unwrap();
    let mut words = Dictionaries::default();
    for word in ["false", "true"] {
        words.entry("boolean").intern(word);
    }
    let list =
        CodeList::read("channel", "code,vi,en,digital\nonline,a,a,yes\ncounter,b,b,\n", &mut words)
            .unwrap();
    let lists = Lists::from([("channel".to_owned(), Arc::new(list))]);
    let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
    Plan::compile(&contract, &schema, &words).unwrap()
}

proptest! {
    /// What is derived is subtracted as it was added, and a rebuild from packed rows agrees.
    #[test]
    fn derived_properties_are_exact_under_corrections_and_rebuilds(said in prop::collection::vec(said(), 1..60)) {
        let plan = derived_plan(DERIVED);
        let mut entities = Entities::new(&plan.schema.layout);
        let mut cubes = vec![Cube::default(); plan.measures.len()];
        for one in &said {
            let mut row = one.row.to_vec();
            plan.schema.derive(&mut row);
            let mut page = Observations::new(plan.schema.fields.len());
            page.push(one.key, &row, one.retracted);
            let folded = against(&mut entities, &plan, &page, Bringer::default());
            for (i, cube) in cubes.iter_mut().enumerate() {
                cube.add(&folded.changes(i));
            }
        }
        let all: Vec<_> = (0..plan.measures.len()).collect();
        for (changes, cube) in rebuild(&entities, &plan, &all).into_iter().zip(&cubes) {
            let mut rebuilt = Cube::default();
            rebuilt.add(&changes);
            prop_assert_eq!(cells(&rebuilt), cells(cube));
        }
        let by_name = |name: &str| &cubes[plan.measures.iter().position(|m| m.name == name).unwrap()];
        let (_, plain) = folded(&plan, &[]);
        prop_assert_eq!(plain.len(), cubes.len());
        let mut latest: std::collections::BTreeMap<u128, &Said> = std::collections::BTreeMap::new();
        for one in &said {
            if latest.get(&one.key).is_none_or(|known| order(one) > order(known)) {
                latest.insert(one.key, one);
            }
        }
        let live: Vec<_> = latest.values().filter(|one| !one.retracted).collect();
        let late = live.iter().filter(|one| one.row[5] != NULL && one.row[5] > one.row[3]).count();
        prop_assert_eq!(cells(by_name("dossiers.late")).iter().map(|cell| cell.2).sum::<i64>(), late as i64);
        let fees: i64 = live.iter().map(|one| one.row[4].max(0) * 2).sum();
        prop_assert_eq!(cells(by_name("dossiers.twice")).iter().map(|cell| cell.2).sum::<i64>(), fees);
    }
}

/// An hour of the local day is a dimension of what happened then; whatever order it comes in, the hours of
/// a day make up the day.
#[test]
fn what_happened_is_kept_by_the_hour_of_the_local_day() {
    let by = CONTRACT.replace("by: [channel, channel.digital]", "by: [channel, received_at.hour]");
    let plan = plan_of(&by);
    let received = plan.measures.iter().position(|m| m.name == "dossiers.received").unwrap();
    let [channel, hour] = &plan.measures[received].dimensions[..] else { panic!("two dimensions") };
    assert_eq!((&*hour.name, &*hour.dictionary), ("received_at.hour", HOURS));
    assert!(channel.shift + channel.bits <= hour.shift, "they do not overlap");
    let said = |key: u128, second: i64| {
        let received = moment(3, second);
        Said { key, row: [1, 1, NULL, NULL, NULL, NULL, received, moment(20, 0)], retracted: false }
    };
    // Local midnight is 17:00 of the day before.
    let moments = [(1, -7 * 3600), (2, -7 * 3600 - 1), (3, 0), (4, 3599), (5, 17 * 3600 - 1)];
    let said: Vec<Said> = moments.into_iter().map(|(key, second)| said(key, second)).collect();
    let (_, cubes) = folded(&plan, &[said]);
    let found: Vec<_> = cells(&cubes[received])
        .into_iter()
        .map(|(day, key, count)| (day - moment(3, 0).div_euclid(DAY) as i32, hour.of(key), count))
        .collect();
    assert_eq!(found, [(-1, 24, 1), (0, 1, 1), (0, 8, 2), (0, 24, 1)]);
    for (by, problem) in [
        ("due_at.hour", "is not the hour of the measure's 'at'; which is 'received_at'"),
        ("fee.hour", "nor the hour of a timestamp"),
    ] {
        let text = CONTRACT.replace("by: [channel, channel.digital]", &format!("by: [{by}]"));
        assert!(problems(&text).contains(problem), "{by}: {}", problems(&text));
    }
    let stock = CONTRACT.replace("by: [channel]}", "by: [due_at.hour]}");
    assert!(problems(&stock).contains("a stock has none"), "{}", problems(&stock));
}

fn problems(text: &str) -> String {
    let contract: Contract = serde_saphyr::from_str(text).unwrap();
    let mut words = Dictionaries::default();
    let list = CodeList::read("channel", "code,vi,en\nonline,a,a\n", &mut words).unwrap();
    let lists = Lists::from([("channel".to_owned(), Arc::new(list))]);
    let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
    let found = Plan::compile(&contract, &schema, &words).unwrap_err();
    found.into_iter().map(|(_, message)| message).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_changed_derivation_changes_the_definitions_of_the_measures_that_use_it_and_of_no_other() {
    let definitions = |derived: &str| {
        let plan = derived_plan(derived);
        let named = plan.measures.into_iter().map(|measure| (measure.name, measure.definition));
        named.collect::<std::collections::BTreeMap<_, _>>()
    };
    let (before, after) =
        (definitions(DERIVED), definitions(&DERIVED.replace("> due_at", ">= due_at")));
    let changed: Vec<_> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["dossiers.late", "dossiers.twice"]);
    let after = definitions(&DERIVED.replace("fee * 2", "fee + fee"));
    let changed: Vec<_> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["dossiers.twice"]);
    let plain: Vec<_> = plan().measures.into_iter().map(|m| (m.name, m.definition)).collect();
    assert!(plain.iter().all(|(name, definition)| before[name] == *definition));
}
