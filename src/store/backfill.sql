-- Histories that come in time slices: slices done and all of them, and the ranges below the cursor that
-- are still to be pulled, as "from until,from until" in seconds since 1970.
CREATE TABLE backfill (
  source TEXT NOT NULL, stream TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, pending TEXT NOT NULL,
  PRIMARY KEY (source, stream)) WITHOUT ROWID;
