-- What the courtesy towards sources must not forget at a restart. Made where it is missing, because a
-- store without it only asks a little more than it would have to.
CREATE TABLE IF NOT EXISTS circuit (source TEXT PRIMARY KEY, failures INTEGER NOT NULL, open_until INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS validator (
  source TEXT NOT NULL, stream TEXT NOT NULL, "of" TEXT NOT NULL, etag TEXT, last_modified TEXT, PRIMARY KEY (source, stream)) WITHOUT ROWID;
