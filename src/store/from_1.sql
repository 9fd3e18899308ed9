-- From version 1: cubes are derived, so they are built anew from the entities, and the journal begins.
DROP TABLE cube_log;
DROP TABLE cube;
DROP TABLE measure;
INSERT INTO meta VALUES ('compacted_until', 0);
ALTER TABLE stream ADD COLUMN contract TEXT;
ALTER TABLE stream ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN version INTEGER;
ALTER TABLE quarantine ADD COLUMN closed_at INTEGER;
ALTER TABLE quarantine ADD COLUMN closed_by TEXT;
ALTER TABLE quarantine ADD COLUMN closed_why TEXT;
CREATE INDEX quarantine_by_state ON quarantine (source, stream, state, first_seen);
CREATE TABLE reconcile (
  source TEXT NOT NULL, stream TEXT NOT NULL, done INTEGER, refused INTEGER, "of" INTEGER, refused_at INTEGER, confirmed_by TEXT, confirmed_at INTEGER,
  PRIMARY KEY (source, stream)) WITHOUT ROWID;
CREATE TABLE expired (seq INTEGER PRIMARY KEY, contract INTEGER NOT NULL, keys BLOB NOT NULL);
CREATE TABLE residue (seq INTEGER PRIMARY KEY, measure TEXT NOT NULL, definition TEXT NOT NULL, changes BLOB NOT NULL);
CREATE INDEX residue_of_measure ON residue (measure, definition);
