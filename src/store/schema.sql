-- The store's tables. Their version is `PRAGMA user_version`; a step to a newer one is a new file.
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('revision', 0), ('committed_at', 0), ('compacted_until', 0);

-- Words and the numbers they have in rows and cells.
CREATE TABLE dictionary (name TEXT NOT NULL, number INTEGER NOT NULL, word TEXT NOT NULL, PRIMARY KEY (name, number)) WITHOUT ROWID;

-- One row per contract: how its entities are packed.
CREATE TABLE contract (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, layout TEXT NOT NULL);

-- Entities by chunks of rows as of the last checkpoint, and every change since in the order of commits.
CREATE TABLE entity_chunk (contract INTEGER NOT NULL, chunk INTEGER NOT NULL, records BLOB NOT NULL, PRIMARY KEY (contract, chunk));
CREATE TABLE entity_log (seq INTEGER PRIMARY KEY, contract INTEGER NOT NULL, records BLOB NOT NULL);

-- Streams: cursor, clocks and totals; moments in seconds since 1970. `number` tells apart the streams
-- that feed one contract, from 1.
CREATE TABLE stream (
  source TEXT NOT NULL, stream TEXT NOT NULL, cursor INTEGER, last_attempt INTEGER, last_success INTEGER, data_through INTEGER,
  trouble_reason TEXT, trouble_message TEXT, trouble_since INTEGER, trouble_count INTEGER, targets_up INTEGER, targets INTEGER,
  received INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, superseded INTEGER NOT NULL DEFAULT 0,
  duplicate INTEGER NOT NULL DEFAULT 0, quarantined INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0,
  contract TEXT, number INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, stream)) WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, stream TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, outcome TEXT NOT NULL,
  pages INTEGER NOT NULL, received INTEGER NOT NULL, accepted INTEGER NOT NULL, superseded INTEGER NOT NULL, duplicate INTEGER NOT NULL,
  quarantined INTEGER NOT NULL, rejected INTEGER NOT NULL, message TEXT);
CREATE INDEX run_of_stream ON run (source, stream, id);

-- Records that broke their contract: shape without values, and what a replay needs. State is held,
-- resolved (a good version came), replayed or discarded; `held` is emptied when no replay can matter.
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, stream TEXT NOT NULL, contract TEXT NOT NULL, contract_version INTEGER NOT NULL,
  fingerprint BLOB NOT NULL, key BLOB, version INTEGER, reason TEXT NOT NULL, rule TEXT NOT NULL, shape TEXT NOT NULL, held TEXT NOT NULL,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL,
  closed_at INTEGER, closed_by TEXT, closed_why TEXT,
  UNIQUE (source, stream, fingerprint));
CREATE INDEX quarantine_by_key ON quarantine (contract, key) WHERE state = 'held';
CREATE INDEX quarantine_by_state ON quarantine (source, stream, state, first_seen);

-- Full passes of streams: the last complete one that was not refused, and the refused one with its confirmation.
CREATE TABLE reconcile (
  source TEXT NOT NULL, stream TEXT NOT NULL, done INTEGER, refused INTEGER, "of" INTEGER, refused_at INTEGER, confirmed_by TEXT, confirmed_at INTEGER,
  PRIMARY KEY (source, stream)) WITHOUT ROWID;

-- What has expired: lower halves of keys, so that nothing of them is counted twice, and what their
-- records had contributed to each measure under its definition of that time.
CREATE TABLE expired (seq INTEGER PRIMARY KEY, contract INTEGER NOT NULL, keys BLOB NOT NULL);
CREATE TABLE residue (seq INTEGER PRIMARY KEY, measure TEXT NOT NULL, definition TEXT NOT NULL, changes BLOB NOT NULL);
CREATE INDEX residue_of_measure ON residue (measure, definition);
