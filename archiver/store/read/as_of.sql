-- The archive as it was known at a moment: rows are put back to what they said before every later revision.
-- The public views are made anew on top of these, on a connection of its own; nothing of the file changes.

CREATE TEMP TABLE as_of (moment INTEGER NOT NULL);

-- The usage rows as they were known then.
CREATE TEMP VIEW usage_fact AS
WITH later AS (
  SELECT r.id, r.series_id, r.bucket_start FROM main.revision AS r JOIN as_of AS a ON r.learnt_at > a.moment
),
first_later AS (
  SELECT series_id, bucket_start, min(id) AS id FROM later GROUP BY series_id, bucket_start
),
revised AS (
  SELECT r.series_id, r.bucket_start
  FROM first_later AS f
  JOIN main.revision AS r ON r.id = f.id
  JOIN as_of AS a ON coalesce(r.previously_learnt_at, 0) <= a.moment
),
undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised AS v
  JOIN later AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main.usage_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM main.usage_fact AS f
JOIN main.bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT f.*
FROM revised AS v
JOIN main.usage_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT d.series_id, d.bucket_start, d.key_id, u.was_uncached_input_tokens, u.was_cache_creation_1h_input_tokens, u.was_cache_creation_5m_input_tokens, u.was_cache_read_input_tokens, u.was_output_tokens, u.was_web_search_requests, u.was_extra
FROM undone AS d
JOIN main.usage_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_uncached_input_tokens IS NOT NULL;

-- The sums of days as they were known then.
CREATE TEMP VIEW usage_day AS
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
FROM usage_fact AS f
JOIN main.series AS s ON s.id = f.series_id AND s.bucket_seconds < 86400
GROUP BY f.series_id, day_start, f.key_id;

-- The cost rows as they were known then.
CREATE TEMP VIEW cost_fact AS
WITH later AS (
  SELECT r.id, r.series_id, r.bucket_start FROM main.revision AS r JOIN as_of AS a ON r.learnt_at > a.moment
),
first_later AS (
  SELECT series_id, bucket_start, min(id) AS id FROM later GROUP BY series_id, bucket_start
),
revised AS (
  SELECT r.series_id, r.bucket_start
  FROM first_later AS f
  JOIN main.revision AS r ON r.id = f.id
  JOIN as_of AS a ON coalesce(r.previously_learnt_at, 0) <= a.moment
),
undone AS (
  SELECT l.series_id, l.bucket_start, u.key_id, min(l.id) AS revision_id
  FROM revised AS v
  JOIN later AS l ON l.series_id = v.series_id AND l.bucket_start = v.bucket_start
  JOIN main.cost_revision AS u ON u.revision_id = l.id
  GROUP BY l.series_id, l.bucket_start, u.key_id
)
SELECT f.*
FROM main.cost_fact AS f
JOIN main.bucket AS b ON b.series_id = f.series_id AND b.bucket_start = f.bucket_start
JOIN as_of AS a ON b.learnt_at <= a.moment
UNION ALL
SELECT f.*
FROM revised AS v
JOIN main.cost_fact AS f ON f.series_id = v.series_id AND f.bucket_start = v.bucket_start
LEFT JOIN undone AS d
  ON d.series_id = f.series_id AND d.bucket_start = f.bucket_start AND d.key_id = f.key_id
WHERE d.revision_id IS NULL
UNION ALL
SELECT d.series_id, d.bucket_start, d.key_id, u.was_amount, u.was_amount_microcents, u.was_extra
FROM undone AS d
JOIN main.cost_revision AS u ON u.revision_id = d.revision_id AND u.key_id = d.key_id
WHERE u.was_amount IS NOT NULL;

-- Filled once the moment is known.
CREATE TEMP TABLE canonical_day (
  report TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  series_id INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  PRIMARY KEY (report, series_id, day_start)
) STRICT, WITHOUT ROWID;

-- The days that a series covers now: as of a moment coverage is not kept, but a part of it still tells.
CREATE TEMP VIEW covered_day AS
WITH RECURSIVE stretch (series_id, day_start, span_end) AS (
  SELECT c.series_id, c.span_start / 86400 * 86400, c.span_end
  FROM main.span AS c JOIN main.series AS s ON s.id = c.series_id
  WHERE c.state IN ('settled', 'provisional') AND s.fineness IS NOT NULL
  UNION ALL
  SELECT series_id, day_start + 86400, span_end FROM stretch WHERE day_start + 86400 < span_end
)
SELECT DISTINCT series_id, day_start FROM stretch;

-- The days of which something was known then: rows, or that there were none, where nobody read them again since.
CREATE TEMP VIEW known_day AS
SELECT DISTINCT series_id, bucket_start / 86400 * 86400 AS day_start FROM usage_fact
UNION
SELECT DISTINCT series_id, bucket_start FROM cost_fact
UNION
SELECT d.series_id, d.day_start FROM covered_day AS d JOIN as_of AS a
WHERE NOT EXISTS (
  SELECT 1 FROM main.span AS c
  WHERE c.series_id = d.series_id AND c.span_start < d.day_start + 86400 AND c.span_end > d.day_start
    AND coalesce(c.fetched_at > a.moment, 1)
);

-- Which series spoke for a day then: the finest that covers all of it, and of which nothing was learnt only later.
-- A day without rows that was read again since may have been known then or not: between days that were, it is taken for
-- known, so that a day without use is not called a gap. It has no rows, and so adds nothing to any sum.
CREATE TEMP VIEW day_then AS
SELECT report, day_start, series_id, 0 AS rank
FROM (
  SELECT
    s.report,
    b.day_start,
    b.series_id,
    row_number() OVER (PARTITION BY s.report, b.day_start ORDER BY b.is_sure DESC, s.fineness DESC, s.id) AS place
  FROM (
    SELECT series_id, day_start, max(is_sure) AS is_sure
    FROM (
      SELECT series_id, day_start, 1 AS is_sure FROM known_day
      UNION ALL
      SELECT d.series_id, d.day_start, 0
      FROM (SELECT series_id, min(day_start) AS first, max(day_start) AS last FROM known_day GROUP BY series_id) AS r
      JOIN covered_day AS d ON d.series_id = r.series_id AND d.day_start BETWEEN r.first AND r.last
    )
    GROUP BY series_id, day_start
  ) AS b
  JOIN main.series AS s ON s.id = b.series_id
  WHERE s.fineness IS NOT NULL AND (
    SELECT sum(min(c.span_end, b.day_start + 86400) - max(c.span_start, b.day_start)) FROM main.span AS c
    WHERE c.series_id = b.series_id AND c.span_start < b.day_start + 86400 AND c.span_end > b.day_start
      AND c.state IN ('settled', 'provisional')
  ) = 86400 AND NOT EXISTS (
    SELECT 1 FROM main.bucket AS l JOIN as_of AS a ON l.learnt_at > a.moment
    WHERE l.series_id = b.series_id AND l.bucket_start >= b.day_start AND l.bucket_start < b.day_start + 86400
      AND NOT EXISTS (
        SELECT 1 FROM main.revision AS r
        WHERE r.series_id = l.series_id AND r.bucket_start = l.bucket_start
          AND coalesce(r.previously_learnt_at, 0) <= a.moment
      )
  )
)
WHERE place = 1;
