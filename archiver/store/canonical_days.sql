-- The choice of the series that the daily views use for a day. One ranking serves now and any earlier time (`as_of`).

-- name: select_series_days
-- Select the days of a series that are wholly covered, within a range.
SELECT day_start FROM _series_day WHERE series_id = :series_id AND day_start < :end AND day_start + 86400 > :start;

-- name: delete_series_days
-- Delete the days that a series does not wholly cover any more: the covered seconds are fewer than 86,400. The sum is
-- NULL without any coverage, hence IS NOT.
DELETE FROM _series_day
WHERE series_id = :series_id AND day_start IN (SELECT value FROM json_each(:days)) AND 86400 IS NOT (
  SELECT sum(min(c.span_end, _series_day.day_start + 86400) - max(c.span_start, _series_day.day_start))
  FROM _span AS c
  WHERE c.series_id = _series_day.series_id AND c.state IN ('settled', 'provisional') AND c.fetched_at IS NOT NULL
    AND c.span_start < _series_day.day_start + 86400 AND c.span_end > _series_day.day_start
);

-- name: upsert_series_days
-- Store when the days that a series wholly covers were read: first, first after their end, first as settled, and last.
-- Parts of a day can be read at different times, so each is the time of the last part. A provisional bucket that was
-- never read (cost that the API may still publish) covers nothing, as its amount is not known. A response that was
-- complete up to an earlier time (`complete_until`) counts as read after the end of the day only from there on.
INSERT INTO _series_day (series_id, day_start, first_read_at, whole_at, settled_at, last_read_at)
SELECT
  c.series_id,
  d.value,
  max(c.fetched_at),
  iif(min(coalesce(c.complete_until, c.fetched_at)) >= d.value + 86400, max(c.fetched_at), NULL),
  iif(min(c.state = 'settled'), max(c.fetched_at), NULL),
  max(c.fetched_at)
FROM json_each(:days) AS d
JOIN _span AS c
  ON c.series_id = :series_id AND c.span_start < d.value + 86400 AND c.span_end > d.value
  AND c.state IN ('settled', 'provisional') AND c.fetched_at IS NOT NULL
GROUP BY d.value
HAVING sum(min(c.span_end, d.value + 86400) - max(c.span_start, d.value)) = 86400
ON CONFLICT DO UPDATE SET
  -- The first time stays. A later reading can only have an earlier time after a clock was wrong: then that time counts.
  -- min() is NULL if one of its arguments is: a day that is not settled any more loses `settled_at`.
  first_read_at = min(first_read_at, excluded.first_read_at),
  whole_at = min(coalesce(whole_at, excluded.whole_at), excluded.whole_at),
  settled_at = min(coalesce(settled_at, excluded.settled_at), excluded.settled_at),
  last_read_at = excluded.last_read_at;

-- name: delete_chosen_days
-- Delete the choice of a series for some days.
DELETE FROM _chosen_day WHERE report = :report AND day_start IN (SELECT value FROM json_each(:days));

-- name: insert_chosen_days
-- Insert the series of each day as of :moment (NULL: now). A series that had the day settled ranks first, then one that
-- was read after the day had ended, then the one with the latest reading, in whole hours. Among equals the finest
-- grouping ranks first, then the wider bucket (`fineness`), then the older series. As of a moment, a series is left out
-- if rows of the day were first seen later and no revision holds the rows before them: its content then is not known.
--
-- For a dimension, series that are grouped by it (`has`) rank first among those that were read after the day had ended:
-- money by key that may still change a little is worth more than settled money without keys. Of a day in progress the
-- latest reading ranks first. Commas around `group_by` compare whole names.
INSERT INTO _chosen_day (report, dimension, day_start, series_id, rank)
SELECT report, dimension, day_start, series_id, rank
FROM (
  SELECT
    c.*,
    row_number() OVER (
      PARTITION BY report, dimension, day_start
      ORDER BY min(rank, 1) DESC, min(rank, has) DESC, rank DESC, reading_hour DESC, has DESC, fineness DESC, series_id
    ) AS number
  FROM (
    SELECT
      s.report,
      q.dimension,
      q.dimension <> '' AND instr(',' || s.group_by || ',', ',' || q.dimension || ',') AS has,
      d.day_start,
      d.series_id,
      s.fineness,
      CASE WHEN d.settled_at <= t.moment THEN 2 WHEN d.whole_at <= t.moment THEN 1 ELSE 0 END AS rank,
      iif(d.whole_at <= t.moment, 0, min(d.last_read_at, t.moment) / 3600) AS reading_hour
    FROM (SELECT coalesce(:moment, 9223372036854775807) AS moment) AS t
    CROSS JOIN (
      SELECT NULL AS report, '' AS dimension
      UNION ALL SELECT 'analytics-cost', 'api_key_id'
      UNION ALL SELECT 'analytics-cost', 'actor'
      UNION ALL SELECT 'analytics-cost', 'product'
    ) AS q
    CROSS JOIN _series AS s ON q.report IS NULL OR q.report = s.report
    CROSS JOIN _series_day AS d ON d.series_id = s.id
    WHERE s.fineness IS NOT NULL AND d.first_read_at <= t.moment
      AND (:report IS NULL OR s.report = :report)
      AND (:days IS NULL OR d.day_start IN (SELECT value FROM json_each(:days)))
      AND (:moment IS NULL OR NOT EXISTS (
        SELECT 1 FROM _bucket AS l
        WHERE l.series_id = d.series_id AND l.bucket_start >= d.day_start AND l.bucket_start < d.day_start + 86400
          AND l.learnt_at > t.moment
          AND NOT EXISTS (
            SELECT 1 FROM _revision AS r
            WHERE r.series_id = l.series_id AND r.bucket_start = l.bucket_start
              AND coalesce(r.previously_learnt_at, 0) <= t.moment
          )
      ))
  ) AS c
)
WHERE number = 1;
