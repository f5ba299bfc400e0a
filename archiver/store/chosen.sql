-- What a report chose, for as long as its connection lasts: days and the part of the answer that each belongs to, and sets
-- of dimension values and their line of the answer. Nothing of the file changes.

DROP TABLE IF EXISTS temp.chosen_day;
DROP TABLE IF EXISTS temp.chosen_line;

CREATE TEMP TABLE chosen_day (
  series_id INTEGER NOT NULL,
  day_start INTEGER NOT NULL,
  is_bucket INTEGER NOT NULL,
  part INTEGER NOT NULL,
  PRIMARY KEY (series_id, day_start)
) STRICT, WITHOUT ROWID;

CREATE TEMP TABLE chosen_line (key_id INTEGER PRIMARY KEY, line INTEGER NOT NULL) STRICT;
