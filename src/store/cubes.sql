-- Cubes: one row per version of a measure's definition, in force from the revision `since` until the
-- revision `until`; one blob of cells per measure and day (id = measure << 20 | day) as of the
-- revision `checkpoint`.
CREATE TABLE measure (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, definition TEXT NOT NULL, facts TEXT NOT NULL,
  since INTEGER NOT NULL, until INTEGER, checkpoint INTEGER NOT NULL);
CREATE INDEX measure_by_name ON measure (name, since);
CREATE TABLE cube (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);

-- The journal: what each commit taught about each measure, by cause (id = measure << 40 | revision << 2
-- | cause). Never emptied: it answers what could be read at an earlier time.
CREATE TABLE journal (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, changes BLOB NOT NULL);

-- When each revision was made, and what was known of the streams then.
CREATE TABLE vintage (at INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (at, revision)) WITHOUT ROWID;
CREATE TABLE known (
  source TEXT NOT NULL, stream TEXT NOT NULL, revision INTEGER NOT NULL, contract TEXT NOT NULL, last_success INTEGER, data_through INTEGER,
  quarantined INTEGER NOT NULL, PRIMARY KEY (source, stream, revision)) WITHOUT ROWID;

-- The configurations that were in force, each from its revision on, as a JSON object of file texts.
CREATE TABLE epoch (revision INTEGER PRIMARY KEY, hash TEXT NOT NULL, files TEXT NOT NULL);
