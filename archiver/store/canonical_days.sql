-- The choice of one series for each report and UTC day: the series that the daily views use. The same ranking serves
-- the present and any earlier time (`as_of`). A day has 86,400 seconds, and all times are UTC seconds.

-- name: select_series_days
-- Select the days within a range that a series covers entirely. Days that only partly lie in it are selected too.
SELECT day_start FROM _series_day WHERE series_id = :series_id AND day_start < :end AND day_start + 86400 > :start;

-- name: delete_series_days
-- Delete the days that a series no longer covers entirely: the seconds that its spans cover do not add up to 86,400.
-- Without any span the sum is NULL, and only IS NOT (unlike <>) counts NULL as different.
DELETE FROM _series_day
WHERE series_id = :series_id AND day_start IN (SELECT value FROM json_each(:days)) AND 86400 IS NOT (
  -- min() and max() cut off the parts of a span that lie outside the day.
  SELECT sum(min(span.span_end, _series_day.day_start + 86400) - max(span.span_start, _series_day.day_start))
  FROM _span AS span
  WHERE span.series_id = _series_day.series_id
    AND span.state IN ('settled', 'provisional') AND span.fetched_at IS NOT NULL
    AND span.span_start < _series_day.day_start + 86400 AND span.span_end > _series_day.day_start
);

-- name: upsert_series_days
-- Store four times for each day that a series covers entirely: when it was first read, first read after its end
-- (`whole_at`), first read as settled, and last read. Parts of a day can be read at different times. Then each column
-- has the time at which the last part was read.
--
-- A provisional bucket without `fetched_at` covers nothing: it is cost that the API may still publish, with an unknown
-- amount. If a response was complete only up to an earlier time (`complete_until`), that time decides whether the day
-- counts as read after its end.
INSERT INTO _series_day (series_id, day_start, first_read_at, whole_at, settled_at, last_read_at)
SELECT
  span.series_id,
  day.value,
  max(span.fetched_at),
  iif(min(coalesce(span.complete_until, span.fetched_at)) >= day.value + 86400, max(span.fetched_at), NULL),
  -- A comparison is 0 or 1, so its min() is 1 if all spans of the day are settled.
  iif(min(span.state = 'settled'), max(span.fetched_at), NULL),
  max(span.fetched_at)
FROM json_each(:days) AS day
JOIN _span AS span
  ON span.series_id = :series_id AND span.span_start < day.value + 86400 AND span.span_end > day.value
  AND span.state IN ('settled', 'provisional') AND span.fetched_at IS NOT NULL
GROUP BY day.value
HAVING sum(min(span.span_end, day.value + 86400) - max(span.span_start, day.value)) = 86400
ON CONFLICT DO UPDATE SET
  -- The earliest time is kept. A later reading can have an earlier time than the first only if a clock was wrong.
  first_read_at = min(first_read_at, excluded.first_read_at),
  -- min() is NULL if one of its arguments is NULL: a day that is no longer settled loses `settled_at`.
  whole_at = min(coalesce(whole_at, excluded.whole_at), excluded.whole_at),
  settled_at = min(coalesce(settled_at, excluded.settled_at), excluded.settled_at),
  last_read_at = excluded.last_read_at;

-- name: delete_chosen_days
-- Delete the choice of a series for days of a report.
DELETE FROM _chosen_day WHERE report = :report AND day_start IN (SELECT value FROM json_each(:days));

-- name: insert_chosen_days
-- Insert the series that is chosen for each day as of :moment (NULL: now). NULL for :report or :days means all.
--
-- Without a dimension ('') the order of preference is:
-- 1. `rank`: 2 if the day was read as settled, 1 if it was read after its end, 0 if it was read before.
-- 2. `reading_hour`, for days in progress only: the latest reading, in whole hours.
-- 3. `fineness`: the most dimensions, then the wider bucket. It is NULL for a series that is never chosen.
-- 4. The older series, which has the smaller id.
--
-- For a dimension, an unsettled series that is grouped by it (`has` = 1) is preferred to a settled series that is not,
-- if both were read after the end of the day: billed cost by key that may still change a little is more useful than
-- settled cost without keys. For a day in progress, the latest reading is still preferred to the grouping.
--
-- In ORDER BY, min(rank, 1) is 1 if the day was read after its end, and min(rank, has) is 1 if the series also is
-- grouped by the dimension.
--
-- As of a moment, a series is not chosen for a day if the archive does not know the rows that the series had then: a
-- bucket of the day has rows that were first seen later (`learnt_at`), and no revision holds the rows before them.
INSERT INTO _chosen_day (report, dimension, day_start, series_id, rank)
SELECT report, dimension, day_start, series_id, rank
FROM (
  SELECT
    candidate.*,
    row_number() OVER (
      PARTITION BY report, dimension, day_start
      ORDER BY min(rank, 1) DESC, min(rank, has) DESC, rank DESC, reading_hour DESC, has DESC, fineness DESC, series_id
    ) AS place
  FROM (
    SELECT
      series.report,
      wanted.dimension,
      -- With commas on both sides, instr() finds whole names only.
      wanted.dimension <> '' AND instr(',' || series.group_by || ',', ',' || wanted.dimension || ',') AS has,
      day.day_start,
      day.series_id,
      series.fineness,
      CASE WHEN day.settled_at <= cutoff.moment THEN 2 WHEN day.whole_at <= cutoff.moment THEN 1 ELSE 0 END AS rank,
      iif(day.whole_at <= cutoff.moment, 0, min(day.last_read_at, cutoff.moment) / 3600) AS reading_hour
    -- The largest integer of SQLite stands for a moment after every reading.
    FROM (SELECT coalesce(:moment, 9223372036854775807) AS moment) AS cutoff
    -- SQLite never reorders a CROSS JOIN: the few series come before their days, which are found by primary key.
    CROSS JOIN (
      -- Every report has a choice without a dimension. The analytics cost report also has one for each dimension by
      -- which reports ask for billed cost.
      SELECT NULL AS report, '' AS dimension
      UNION ALL SELECT 'analytics-cost', 'api_key_id'
      UNION ALL SELECT 'analytics-cost', 'actor'
      UNION ALL SELECT 'analytics-cost', 'product'
    ) AS wanted
    CROSS JOIN _series AS series ON wanted.report IS NULL OR wanted.report = series.report
    CROSS JOIN _series_day AS day ON day.series_id = series.id
    WHERE series.fineness IS NOT NULL AND day.first_read_at <= cutoff.moment
      AND (:report IS NULL OR series.report = :report)
      AND (:days IS NULL OR day.day_start IN (SELECT value FROM json_each(:days)))
      AND (:moment IS NULL OR NOT EXISTS (
        SELECT 1 FROM _bucket AS bucket
        WHERE bucket.series_id = day.series_id
          AND bucket.bucket_start >= day.day_start AND bucket.bucket_start < day.day_start + 86400
          AND bucket.learnt_at > cutoff.moment
          AND NOT EXISTS (
            SELECT 1 FROM _revision AS revision
            WHERE revision.series_id = bucket.series_id AND revision.bucket_start = bucket.bucket_start
              AND coalesce(revision.previously_learnt_at, 0) <= cutoff.moment
          )
      ))
  ) AS candidate
)
WHERE place = 1;
