-- Rows of selected days and selected sets of dimension values, by temporary tables of one connection. `part` numbers
-- the parts of time in a result (months, or slots of a sparkline), `line` its sets of values.

DROP VIEW IF EXISTS temp.selected_cost;
DROP VIEW IF EXISTS temp.selected_analytics_cost;
DROP VIEW IF EXISTS temp.selected_claude_code;
DROP VIEW IF EXISTS temp.selected_usage;
DROP TABLE IF EXISTS temp.selected_day;
DROP TABLE IF EXISTS temp.selected_key;

CREATE TEMP TABLE selected_day (
  series_id INTEGER NOT NULL,
  day_start INTEGER NOT NULL,
  is_daily INTEGER NOT NULL,
  part INTEGER NOT NULL,
  PRIMARY KEY (series_id, day_start)
) STRICT, WITHOUT ROWID;

CREATE TEMP TABLE selected_key (key_id INTEGER PRIMARY KEY, line INTEGER NOT NULL) STRICT;

-- CROSS JOIN keeps the selected days in the outer loop: SQLite has no statistics that show how few they are.
CREATE TEMP VIEW selected_cost AS
SELECT d.part, l.line, d.day_start, f.amount_microcents, f.amount_remainder
FROM selected_day AS d
CROSS JOIN _cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN selected_key AS l ON l.key_id = f.key_id;

-- Of the analytics reports only series of days are canonical.
CREATE TEMP VIEW selected_analytics_cost AS
SELECT d.part, l.line, d.day_start, f.amount_microcents, f.amount_remainder
FROM selected_day AS d
CROSS JOIN _analytics_cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN selected_key AS l ON l.key_id = f.key_id;

CREATE TEMP VIEW selected_claude_code AS
SELECT
  d.part, l.line, d.day_start, f.sessions, f.lines_added, f.lines_removed, f.commits, f.pull_requests, f.accepted,
  f.rejected, f.input_tokens, f.output_tokens, f.cache_read_tokens, f.cache_creation_tokens, f.amount_microcents,
  f.amount_remainder, k.currency, k.model IS NOT NULL AND f.amount IS NULL AS lacks_cost
FROM selected_day AS d
CROSS JOIN _claude_code_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN _claude_code_key AS k ON k.id = f.key_id
JOIN selected_key AS l ON l.key_id = f.key_id;

-- The rows of series of days, and the stored daily sums of series of hours and minutes.
CREATE TEMP VIEW selected_usage AS
SELECT
  d.part, l.line, d.day_start, f.uncached_input_tokens, f.cache_creation_1h_input_tokens,
  f.cache_creation_5m_input_tokens, f.cache_read_input_tokens, f.output_tokens, f.web_search_requests
FROM selected_day AS d
CROSS JOIN _usage_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN selected_key AS l ON l.key_id = f.key_id
WHERE d.is_daily
UNION ALL
SELECT
  d.part, l.line, d.day_start, r.uncached_input_tokens, r.cache_creation_1h_input_tokens,
  r.cache_creation_5m_input_tokens, r.cache_read_input_tokens, r.output_tokens, r.web_search_requests
FROM selected_day AS d
CROSS JOIN _usage_day AS r ON r.series_id = d.series_id AND r.day_start = d.day_start
JOIN selected_key AS l ON l.key_id = r.key_id
WHERE NOT d.is_daily;
