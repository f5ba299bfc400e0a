-- The archive as of a moment: temporary views hide the tables of the same names, with every later revision undone. The
-- public views are created again on top of them. The file does not change.

CREATE TEMP TABLE as_of (moment INTEGER NOT NULL);

-- A revision has the values before it, so the first revision of a row after the moment has those as of the moment. These
-- are all revisions after the moment.
CREATE TEMP TABLE later_revision (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (series_id, bucket_start, id)
) STRICT, WITHOUT ROWID;

-- The buckets of these revisions that had content by the moment.
CREATE TEMP TABLE revised_bucket (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  PRIMARY KEY (series_id, bucket_start)
) STRICT, WITHOUT ROWID;

-- `undone` is the first later revision of each row. The rows of revised buckets are those of two SELECTs: rows that did
-- not change, and changed rows with their values before (NULL: there was no row).
CREATE TEMP VIEW restored_usage AS
WITH undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised_bucket AS v
  JOIN later_revision AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main._usage_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM revised_bucket AS v
JOIN main._usage_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT
  d.series_id, d.bucket_start, d.key_id, u.was_uncached_input_tokens, u.was_cache_creation_1h_input_tokens,
  u.was_cache_creation_5m_input_tokens, u.was_cache_read_input_tokens, u.was_output_tokens, u.was_web_search_requests,
  u.was_extra
FROM undone AS d
JOIN main._usage_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_uncached_input_tokens IS NOT NULL;

-- Unchanged buckets are read as they are.
CREATE TEMP VIEW _usage_fact AS
SELECT f.*
FROM main._usage_fact AS f
JOIN main._bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT * FROM restored_usage;

-- The days of series of hours and minutes with a bucket that changed after the moment. All others have the stored sums:
-- summing a year of minutes again would take as long as archiving it.
CREATE TEMP TABLE later_day (
  series_id INTEGER NOT NULL,
  day_start INTEGER NOT NULL,
  PRIMARY KEY (series_id, day_start)
) STRICT, WITHOUT ROWID;

CREATE TEMP VIEW _usage_day AS
SELECT r.*
FROM main._usage_day AS r
WHERE NOT EXISTS (SELECT 1 FROM later_day AS l WHERE l.series_id = r.series_id AND l.day_start = r.day_start)
UNION ALL
SELECT
  f.series_id,
  f.bucket_start / 86400 * 86400 AS day_start,
  f.key_id,
  sum(f.uncached_input_tokens) AS uncached_input_tokens,
  sum(f.cache_creation_1h_input_tokens) AS cache_creation_1h_input_tokens,
  sum(f.cache_creation_5m_input_tokens) AS cache_creation_5m_input_tokens,
  sum(f.cache_read_input_tokens) AS cache_read_input_tokens,
  sum(f.output_tokens) AS output_tokens,
  sum(f.web_search_requests) AS web_search_requests
FROM (
  -- CROSS JOIN keeps the few later days in the outer loop.
  SELECT f.*
  FROM later_day AS l
  CROSS JOIN main._usage_fact AS f
    ON f.series_id = l.series_id AND f.bucket_start >= l.day_start AND f.bucket_start < l.day_start + 86400
  JOIN main._bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
  JOIN as_of AS a ON b.learnt_at <= a.moment
  UNION ALL
  SELECT r.* FROM restored_usage AS r JOIN main._series AS s ON s.id = r.series_id AND s.bucket_seconds < 86400
) AS f
GROUP BY f.series_id, day_start, f.key_id;

-- The same over the tables of cost.
CREATE TEMP VIEW _cost_fact AS
WITH undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised_bucket AS v
  JOIN later_revision AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main._cost_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM main._cost_fact AS f
JOIN main._bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT f.*
FROM revised_bucket AS v
JOIN main._cost_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT d.series_id, d.bucket_start, d.key_id, u.was_amount, u.was_amount_microcents, u.was_amount_remainder, u.was_extra
FROM undone AS d
JOIN main._cost_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_amount IS NOT NULL;

-- The same over the tables of the analytics reports.
CREATE TEMP VIEW _analytics_usage_fact AS
WITH undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised_bucket AS v
  JOIN later_revision AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main._analytics_usage_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM main._analytics_usage_fact AS f
JOIN main._bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT f.*
FROM revised_bucket AS v
JOIN main._analytics_usage_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT
  d.series_id, d.bucket_start, d.key_id, u.was_uncached_input_tokens, u.was_cache_creation_1h_input_tokens,
  u.was_cache_creation_5m_input_tokens, u.was_cache_read_input_tokens, u.was_output_tokens, u.was_web_search_requests,
  u.was_requests, u.was_extra
FROM undone AS d
JOIN main._analytics_usage_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_uncached_input_tokens IS NOT NULL;

CREATE TEMP VIEW _analytics_cost_fact AS
WITH undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised_bucket AS v
  JOIN later_revision AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main._analytics_cost_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM main._analytics_cost_fact AS f
JOIN main._bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT f.*
FROM revised_bucket AS v
JOIN main._analytics_cost_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT
  d.series_id, d.bucket_start, d.key_id, u.was_amount, u.was_amount_microcents, u.was_amount_remainder,
  u.was_list_amount, u.was_requests, u.was_extra
FROM undone AS d
JOIN main._analytics_cost_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_amount IS NOT NULL;

-- The same over the tables of the Claude Code report.
CREATE TEMP VIEW _claude_code_fact AS
WITH undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised_bucket AS v
  JOIN later_revision AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main._claude_code_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM main._claude_code_fact AS f
JOIN main._bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT f.*
FROM revised_bucket AS v
JOIN main._claude_code_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT
  d.series_id, d.bucket_start, d.key_id, u.was_sessions, u.was_lines_added, u.was_lines_removed, u.was_commits,
  u.was_pull_requests, u.was_accepted, u.was_rejected, u.was_input_tokens, u.was_output_tokens,
  u.was_cache_read_tokens, u.was_cache_creation_tokens, u.was_amount, u.was_amount_microcents,
  u.was_amount_remainder, u.was_extra
FROM undone AS d
JOIN main._claude_code_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_sessions IS NOT NULL;

-- The series of each day, by the readings up to the moment: `insert_chosen_days` fills it.
CREATE TEMP TABLE _chosen_day (
  report TEXT NOT NULL,
  dimension TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  series_id INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  PRIMARY KEY (report, dimension, day_start)
) STRICT, WITHOUT ROWID;
