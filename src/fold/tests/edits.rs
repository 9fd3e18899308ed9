//! A measure that is added or changed is built from the entities while pages go on coming: in the end
//! it is what it would have been from the start.

use prop::sample::{Index, select};

use super::*;

/// What a steward changes of the measures.
const EDITS: [(&str, &str); 6] = [
    ("by: [channel, channel.digital]", "by: [channel]"),
    (", where: \"channel == 'online'\"", ""),
    ("fees: {sum: fee, at: received_at", "fees: {sum: fee, at: due_at"),
    ("until: finished_at, by: [channel]", "until: finished_at"),
    (
        "time: {distribution: finished_at",
        "more: {count: true, at: due_at}\n  time: {distribution: due_at",
    ),
    ("  pending: {stock: true, from: received_at, until: finished_at}\n", ""),
];

prop_compose! {
    /// More records than one step of a rebuild takes.
    fn many()(all in prop::collection::vec((said(), 0_u128..150), 1..200)) -> Vec<Said> {
        all.into_iter().map(|(said, key)| Said { key: key << 64 | key, ..said }).collect()
    }
}

/// Cubes that are built from the entities, one step after each page.
struct Rebuild {
    cubes: Vec<Cube>,
    changes: Vec<Vec<(u64, i64)>>,
    from: u32,
}

impl Rebuild {
    fn new(plan: &Plan) -> Self {
        let count = plan.measures.len();
        Self { cubes: vec![Cube::default(); count], changes: vec![Vec::new(); count], from: 0 }
    }

    /// The fold counts what the rebuild has been past already; the rest it comes to by itself.
    fn page(&mut self, plan: &Plan, entities: &mut Entities, said: &[Said]) {
        let built = vec![self.from; plan.measures.len()];
        let bringer = Bringer { built: &built, ..Bringer::default() };
        let folded = against(entities, plan, &page(said), bringer);
        assert_eq!(folded.accepted() + folded.superseded + folded.duplicate, said.len() as u64);
        for (i, cube) in self.cubes.iter_mut().enumerate() {
            cube.add(&folded.changes(i));
        }
    }

    fn step(&mut self, plan: &Plan, entities: &Entities) {
        let all: Vec<usize> = (0..plan.measures.len()).collect();
        self.from = rebuild_some(entities, plan, &all, self.from, &mut self.changes);
    }

    fn finished(mut self, plan: &Plan, entities: &Entities) -> Vec<Cube> {
        while self.from < entities.len() as u32 {
            self.step(plan, entities);
        }
        for (cube, changes) in self.cubes.iter_mut().zip(&self.changes) {
            cube.add(changes);
        }
        self.cubes
    }
}

proptest! {
    #[test]
    fn what_is_rebuilt_while_pages_come_is_what_a_fresh_build_gives(
        said in many(), edit in select(&EDITS[..]), cut in any::<Index>(), size in 1_usize..60,
    ) {
        let (from, to) = edit;
        prop_assert!(CONTRACT.contains(from), "{}", from);
        let (before, after) = (plan(), plan_of(&CONTRACT.replace(from, to)));
        let (earlier, later) = said.split_at(cut.index(said.len() + 1));
        let (mut entities, _) = folded(&before, &[earlier.to_vec()]);
        let mut built = Rebuild::new(&after);
        for said in later.chunks(size) {
            built.page(&after, &mut entities, said);
            built.step(&after, &entities);
        }
        let rebuilt = built.finished(&after, &entities);
        let (_, fresh) = folded(&after, std::slice::from_ref(&said));
        prop_assert_eq!(rebuilt.len(), fresh.len());
        for (rebuilt, fresh) in rebuilt.iter().zip(&fresh) {
            prop_assert_eq!(cells(rebuilt), cells(fresh));
        }
    }
}
