-- How streams stray from their contracts: breaches (property is empty for a record as a whole and for
-- fields that nobody maps, which are counted and never named), and counts: failed checks that only
-- warn and unknown codes by rule, unmapped fields by the map they were counted under.
CREATE TABLE breach (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, stream TEXT NOT NULL, contract TEXT NOT NULL, contract_version INTEGER NOT NULL,
  accountable_unit TEXT NOT NULL, grade TEXT NOT NULL, kind TEXT NOT NULL, property TEXT NOT NULL, first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL, count INTEGER NOT NULL, state TEXT NOT NULL, repaired_at INTEGER);
CREATE INDEX breach_of_stream ON breach (source, stream, id);
CREATE TABLE drift (
  source TEXT NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL, rule TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (source, stream, kind, rule)) WITHOUT ROWID;

-- Under which identifier key the records of each contract stand (its id), and how many still stand
-- under the one before it.
CREATE TABLE identifier_key (contract TEXT PRIMARY KEY, key INTEGER NOT NULL, remaining INTEGER NOT NULL) WITHOUT ROWID;

-- Whose version of a record counted when the contract was last opened: the streams by rank.
CREATE TABLE precedence (contract TEXT PRIMARY KEY, streams TEXT NOT NULL) WITHOUT ROWID;
