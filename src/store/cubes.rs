//! A contract's cubes: in memory whole, on disk as days and a log of changes.
//!
//! A page of corrections touches a few cells of almost every day, and to write each of those days
//! again with each page was most of what a commit cost. So a commit only appends its changes to a
//! log; when the log has grown long, every day touched since is written once and the log emptied.
//! After a restart the days are read and the log is added to them: cubes are sums, so that is all.
//!
//! A measure carries its definition: if it differs from the file's, the cube is rebuilt from the
//! entities.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};

use super::load::{self, Loaded, damaged};
use crate::fold::{Plan, rebuild};
use crate::model::cube::{Cube, DayCells, pack, settle, unpack};
use crate::model::row::EARLIEST_DAY;
use crate::model::snapshot::Measure;
use crate::model::time::Day;

/// Bytes of log at which the touched days are written: enough pages to touch each day many times,
/// few enough that adding them after a restart takes no time that anyone would notice. Little in unit
/// tests, so that they get there.
const LONG_LOG: usize = if cfg!(test) { 1 << 10 } else { 1 << 20 };

/// Changes by measure that are not yet in the days on disk.
pub(super) type Log = BTreeMap<i64, Vec<(u64, i64)>>;

/// The cubes of one contract.
pub(super) struct Cubes {
    measures: Vec<Kept>,
    log_bytes: usize,
}

/// One measure as it is kept.
struct Kept {
    id: i64,
    measure: Arc<Measure>,
    /// Days whose cells differ from those on disk.
    touched: BTreeSet<Day>,
}

/// Reads the log of all measures.
pub(super) fn log(transaction: &Transaction<'_>) -> Loaded<Log> {
    let mut log = Log::new();
    let mut statement = transaction.prepare("SELECT measure, changes FROM cube_log")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !unpack(row.get_ref(1)?.as_blob()?, log.entry(row.get(0)?).or_default()) {
            return Err(damaged("a cut entry of the cubes' log".to_owned()));
        }
    }
    log.values_mut().for_each(settle);
    Ok(log)
}

/// Forgets the measures that no contract has any more: they would miss what is committed while
/// they are away, and be believed when they come back.
pub(super) fn forget(transaction: &Transaction<'_>, plans: &[Plan]) -> Loaded<()> {
    let kept: BTreeSet<&str> = plans
        .iter()
        .flat_map(|plan| plan.measures.iter().map(|measure| measure.name.as_str()))
        .collect();
    let mut statement = transaction.prepare("SELECT id, name FROM measure")?;
    let known: Vec<(i64, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (id, _) in known.iter().filter(|(_, name)| !kept.contains(name.as_str())) {
        transaction.execute("DELETE FROM cube WHERE id >> 20 = ?1", [id])?;
        transaction.execute("DELETE FROM cube_log WHERE measure = ?1", [id])?;
        transaction.execute("DELETE FROM measure WHERE id = ?1", [id])?;
    }
    Ok(())
}

impl Cubes {
    /// All measures of a contract with their cubes; those whose definition changed are rebuilt and
    /// saved.
    pub(super) fn load(
        transaction: &Transaction<'_>,
        plan: &Plan,
        contract: &load::Contract,
        log: &Log,
    ) -> Loaded<Self> {
        let mut cubes = Self { measures: Vec::new(), log_bytes: 0 };
        let mut changed = Vec::new();
        for (position, planned) in plan.measures.iter().enumerate() {
            let (id, is_same) = define(transaction, &planned.name, &planned.definition)?;
            let (mut cube, mut touched) = (Cube::default(), BTreeSet::new());
            if is_same && !contract.repacked {
                cube = days(transaction, id)?;
                if let Some(changes) = log.get(&id) {
                    touched.extend(cube.add(changes));
                    // An estimate is enough: it only decides when the log is emptied.
                    cubes.log_bytes += changes.len() * 4;
                }
            } else {
                changed.push(position);
            }
            let measure = Arc::new(Measure {
                name: planned.name.clone(),
                contract: plan.schema.name.clone(),
                kind: planned.kind,
                decimals: planned.decimals,
                dimensions: planned.dimensions.clone(),
                cube,
            });
            cubes.measures.push(Kept { id, measure, touched });
        }
        for (position, changes) in changed.iter().zip(rebuild(&contract.entities, plan, &changed)) {
            let kept = &mut cubes.measures[*position];
            transaction.execute("DELETE FROM cube WHERE id >> 20 = ?1", [kept.id])?;
            kept.touched.extend(Arc::make_mut(&mut kept.measure).cube.add(&changes));
            kept.write_back(transaction, &mut Vec::new())?;
            kept.touched.clear();
        }
        Ok(cubes)
    }

    /// The measures as readers may see them.
    pub(super) fn measures(&self) -> impl Iterator<Item = &Arc<Measure>> {
        self.measures.iter().map(|kept| &kept.measure)
    }

    /// Puts the measures back as [`Cubes::measures`] showed them. Days stay noted as touched: to
    /// write one that is the same costs little, and to miss one would lose it.
    pub(super) fn put_back(&mut self, before: Vec<Arc<Measure>>) {
        for (kept, measure) in self.measures.iter_mut().zip(before) {
            kept.measure = measure;
        }
    }

    /// Adds a page's changes, in the order of the plan, and appends them to the log.
    pub(super) fn append(
        &mut self,
        transaction: &Transaction<'_>,
        changes: &[Vec<(u64, i64)>],
        buffer: &mut Vec<u8>,
    ) -> Loaded<()> {
        let mut insert = transaction
            .prepare_cached("INSERT INTO cube_log (measure, changes) VALUES (?1, ?2)")?;
        for (kept, changes) in self.measures.iter_mut().zip(changes) {
            if changes.is_empty() {
                continue;
            }
            kept.touched.extend(Arc::make_mut(&mut kept.measure).cube.add(changes));
            buffer.clear();
            pack(changes, buffer);
            self.log_bytes += buffer.len();
            insert.execute(params![kept.id, &*buffer])?;
        }
        Ok(())
    }

    /// Whether it is time for [`Cubes::write_back`].
    pub(super) fn is_log_long(&self) -> bool {
        self.log_bytes > LONG_LOG
    }

    /// Writes each touched day and empties the log.
    pub(super) fn write_back(
        &self,
        transaction: &Transaction<'_>,
        buffer: &mut Vec<u8>,
    ) -> Loaded<()> {
        self.measures.iter().try_for_each(|kept| kept.write_back(transaction, buffer))
    }

    /// Notes that what [`Cubes::write_back`] wrote has been committed.
    pub(super) fn written_back(&mut self) {
        self.measures.iter_mut().for_each(|kept| kept.touched.clear());
        self.log_bytes = 0;
    }
}

impl Kept {
    /// Writes the touched days and takes this measure's changes out of the log; a day without cells
    /// is taken away.
    fn write_back(&self, transaction: &Transaction<'_>, buffer: &mut Vec<u8>) -> Loaded<()> {
        let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO cube VALUES (?1, ?2)")?;
        let mut take = transaction.prepare_cached("DELETE FROM cube WHERE id = ?1")?;
        for day in &self.touched {
            buffer.clear();
            self.measure.cube.pack(*day, buffer);
            let id = self.id << 20 | (i64::from(day.0) - EARLIEST_DAY);
            if buffer.is_empty() {
                take.execute([id])?;
            } else {
                put.execute(params![id, &*buffer])?;
            }
        }
        transaction
            .prepare_cached("DELETE FROM cube_log WHERE measure = ?1")?
            .execute([self.id])?;
        Ok(())
    }
}

/// The number of a measure, and whether the file knows it by this very definition; from now on it
/// does.
fn define(transaction: &Transaction<'_>, name: &str, definition: &str) -> Loaded<(i64, bool)> {
    let known: Option<(i64, String)> = transaction
        .query_row("SELECT id, definition FROM measure WHERE name = ?1", [name], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((id, written)) = known {
        transaction
            .execute("UPDATE measure SET definition = ?2 WHERE id = ?1", params![id, definition])?;
        return Ok((id, written == definition));
    }
    transaction.execute(
        "INSERT INTO measure (name, definition) VALUES (?1, ?2)",
        params![name, definition],
    )?;
    Ok((transaction.last_insert_rowid(), false))
}

/// A measure's cells as of the last time they were written.
fn days(transaction: &Transaction<'_>, id: i64) -> Loaded<Cube> {
    let mut cube = Cube::default();
    let mut statement =
        transaction.prepare_cached("SELECT id, cells FROM cube WHERE id BETWEEN ?1 AND ?2")?;
    let mut rows = statement.query([id << 20, (id << 20) + 0xF_FFFF])?;
    while let Some(row) = rows.next()? {
        let day = Day((row.get::<_, i64>(0)? & 0xF_FFFF) as i32 + EARLIEST_DAY as i32);
        let cells = DayCells::unpack(row.get_ref(1)?.as_blob()?)
            .ok_or_else(|| damaged(format!("the cells of {day}")))?;
        cube.put(day, cells);
    }
    Ok(cube)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::model::contract::Contract;
    use crate::model::cube::cell;
    use crate::model::dictionary::Dictionaries;
    use crate::model::schema::{Lists, Schema};

    const CONTRACT: &str = "
contract: loans
version: 1
title: {vi: Vay, en: Loans}
accountable_unit: u
purpose: p
legal_basis: l
retention: 5y
key: [loan]
version_by: at
area: area
sla: {fresh_within: 30m}
properties: {area: {type: area}, at: {type: timestamp}, loan: {type: identifier}}
measures: {made: {count: true, at: at}, seen: {count: true, at: at}}
";

    fn plan(definition: &str) -> Plan {
        let contract: Contract = serde_saphyr::from_str(CONTRACT).unwrap();
        let words = Dictionaries::default();
        let schema = Arc::new(Schema::compile(&contract, &Lists::default(), &words).unwrap());
        let mut plan = Plan::compile(&contract, &schema, &words).unwrap();
        definition.clone_into(&mut plan.measures[0].definition);
        plan
    }

    fn loaded(connection: &mut Connection, plan: &Plan) -> Cubes {
        let transaction = connection.transaction().unwrap();
        let contract = load::contract(&transaction, plan).unwrap();
        let log = log(&transaction).unwrap();
        let cubes = Cubes::load(&transaction, plan, &contract, &log).unwrap();
        transaction.commit().unwrap();
        cubes
    }

    type Days = Vec<(Day, Vec<(u64, i64)>)>;

    fn cells(cubes: &Cubes) -> Vec<Days> {
        let of = |measure: &Arc<Measure>| {
            measure.cube.days().map(|(day, cells)| (day, cells.to_vec())).collect()
        };
        cubes.measures().map(of).collect()
    }

    fn rows(connection: &Connection, table: &str) -> i64 {
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    }

    /// Page `i` adds to one day, takes from the day before, and leaves the second measure alone.
    fn page(i: i64) -> [Vec<(u64, i64)>; 2] {
        let at = |day| cell(EARLIEST_DAY + day, 3, 0);
        [vec![(at(i), 2), (at(i + 1), -1)], Vec::new()]
    }

    #[test]
    fn what_is_read_again_is_what_was_there_with_any_part_of_it_in_the_log() {
        for write_back_after in 0..6 {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(include_str!("schema.sql")).unwrap();
            let plan = plan("as it is");
            let mut cubes = loaded(&mut connection, &plan);
            for i in 0..5 {
                let transaction = connection.transaction().unwrap();
                cubes.append(&transaction, &page(i), &mut Vec::new()).unwrap();
                if i == write_back_after {
                    cubes.write_back(&transaction, &mut Vec::new()).unwrap();
                }
                transaction.commit().unwrap();
                if i == write_back_after {
                    cubes.written_back();
                }
            }
            assert_eq!(rows(&connection, "cube_log"), (4 - write_back_after).rem_euclid(6));
            let again = loaded(&mut connection, &plan);
            assert_eq!(cells(&again), cells(&cubes), "written back after page {write_back_after}");
            assert_eq!(cells(&again)[0].len(), 6);
        }
    }

    #[test]
    fn a_write_back_that_was_not_committed_is_made_up_for_by_the_next_one() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        let plan = plan("as it is");
        let mut cubes = loaded(&mut connection, &plan);
        let transaction = connection.transaction().unwrap();
        cubes.append(&transaction, &page(0), &mut Vec::new()).unwrap();
        transaction.commit().unwrap();

        let before: Vec<_> = cubes.measures().map(Arc::clone).collect();
        let transaction = connection.transaction().unwrap();
        cubes.append(&transaction, &page(7), &mut Vec::new()).unwrap();
        cubes.write_back(&transaction, &mut Vec::new()).unwrap();
        transaction.rollback().unwrap();
        cubes.put_back(before);

        let transaction = connection.transaction().unwrap();
        cubes.write_back(&transaction, &mut Vec::new()).unwrap();
        transaction.commit().unwrap();
        cubes.written_back();
        let again = loaded(&mut connection, &plan);
        assert_eq!(cells(&again), cells(&cubes));
        assert_eq!(cells(&again)[0].len(), 2, "the page that was not committed left nothing");
    }

    #[test]
    fn a_measure_defined_anew_forgets_its_days_and_its_log() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        let mut cubes = loaded(&mut connection, &plan("as it was"));
        let transaction = connection.transaction().unwrap();
        let [changes, _] = page(0);
        cubes.append(&transaction, &[changes.clone(), changes], &mut Vec::new()).unwrap();
        transaction.commit().unwrap();
        let again = loaded(&mut connection, &plan("as it is"));
        // There are no entities to count, so the first measure is empty; the second kept its log.
        assert_eq!(cells(&again).iter().map(Vec::len).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(rows(&connection, "cube_log"), 1);
    }
}
