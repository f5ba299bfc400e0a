-- What a report chose, for as long as its connection lasts: days and the part of the answer that each belongs to, and sets
-- of dimension values and their line of the answer. Nothing of the file changes.

DROP VIEW IF EXISTS temp.chosen_money;
DROP VIEW IF EXISTS temp.chosen_use;
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

-- CROSS keeps the days first, which SQLite cannot know to be few.
CREATE TEMP VIEW chosen_money AS
SELECT d.part, l.line, d.day_start, f.amount_microcents
FROM chosen_day AS d
CROSS JOIN cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN chosen_line AS l ON l.key_id = f.key_id;

-- The rows of series of days, and the sums of days of others. A null of those stands for a sum that does not fit: abs of
-- the smallest integer is the error that sum would be.
CREATE TEMP VIEW chosen_use AS
SELECT
  d.part, l.line, d.day_start, f.uncached_input_tokens, f.cache_creation_1h_input_tokens,
  f.cache_creation_5m_input_tokens, f.cache_read_input_tokens, f.output_tokens, f.web_search_requests
FROM chosen_day AS d
CROSS JOIN usage_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN chosen_line AS l ON l.key_id = f.key_id
WHERE d.is_bucket
UNION ALL
SELECT
  d.part, l.line, d.day_start, coalesce(r.uncached_input_tokens, abs(-9223372036854775807 - 1)),
  coalesce(r.cache_creation_1h_input_tokens, abs(-9223372036854775807 - 1)),
  coalesce(r.cache_creation_5m_input_tokens, abs(-9223372036854775807 - 1)),
  coalesce(r.cache_read_input_tokens, abs(-9223372036854775807 - 1)),
  coalesce(r.output_tokens, abs(-9223372036854775807 - 1)),
  coalesce(r.web_search_requests, abs(-9223372036854775807 - 1))
FROM chosen_day AS d
CROSS JOIN usage_day AS r ON r.series_id = d.series_id AND r.day_start = d.day_start
JOIN chosen_line AS l ON l.key_id = r.key_id
WHERE NOT d.is_bucket;
