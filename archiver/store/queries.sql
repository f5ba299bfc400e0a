-- Every statement the program runs on the archive, each under its name and a line that says what it does.
-- `usage.` and `cost.` are the same statement over the two pairs of tables.

-- name: save_organization
-- Remember whose archive this is, or its newer name.
INSERT INTO organization (only, id, name) VALUES (1, :id, :name)
ON CONFLICT (only) DO UPDATE SET name = coalesce(excluded.name, name);

-- name: organization
-- Whose archive this is.
SELECT id, name FROM organization;

-- name: add_series
-- Make a series known.
INSERT INTO series (report, bucket_width, bucket_seconds, group_by, filters, fineness)
VALUES (:report, :bucket_width, :bucket_seconds, :group_by, :filters, :fineness)
ON CONFLICT DO NOTHING;

-- name: series_id
-- Find a series.
SELECT id FROM series
WHERE report = :report AND bucket_width = :bucket_width AND group_by = :group_by AND filters = :filters;

-- name: spans
-- The coverage of a series that touches a range, in order.
SELECT span_start, span_end, state, fetched_at FROM span
WHERE series_id = :series_id AND span_start < :end AND span_end > :start
ORDER BY span_start;

-- name: remove_spans
-- Forget the coverage that touches a range, before it is said anew.
DELETE FROM span WHERE series_id = :series_id AND span_start < :end AND span_end > :start;

-- name: add_span
-- Say what a stretch of buckets is.
INSERT INTO span (series_id, span_start, span_end, state, fetched_at)
VALUES (:series_id, :start, :end, :state, :fetched_at);

-- name: spans_ahead
-- Coverage that nobody can have read: of buckets that had not begun then, settled ones in progress, or read in future.
SELECT series_id, bucket_seconds, span_start, span_end, state, fetched_at
FROM (
  SELECT p.*, s.bucket_seconds, min(coalesce(p.fetched_at + 300, :now), :now) AS read_at
  FROM span AS p JOIN series AS s ON s.id = p.series_id
)
WHERE span_end > read_at - read_at % bucket_seconds + bucket_seconds * (state = 'provisional') OR fetched_at > :now
ORDER BY series_id, span_start;

-- name: remove_span
-- Forget one stretch.
DELETE FROM span WHERE series_id = :series_id AND span_start = :start;

-- name: remove_planned
-- Take back what was only planned.
DELETE FROM span WHERE series_id = :series_id AND state = 'missing' AND fetched_at IS NULL;

-- name: remember
-- Keep something that was learnt.
INSERT INTO memory (key, value) VALUES (:key, :value) ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: recall
-- Read something that was learnt.
SELECT value FROM memory WHERE key = :key;

-- name: answers
-- The digests of the answers that still hold.
SELECT window_start, window_end, digest FROM answer WHERE series_id = :series_id;

-- name: remove_answers
-- Forget the digests of answers that share a bucket with a window.
DELETE FROM answer WHERE series_id = :series_id AND window_start < :end AND window_end > :start;

-- name: add_answer
-- Remember the digest of an answer.
INSERT INTO answer (series_id, window_start, window_end, digest) VALUES (:series_id, :start, :end, :digest);

-- name: buckets
-- The digests of the buckets of a window, and since when they say what they say.
SELECT bucket_start, digest, learnt_at FROM bucket
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: save_bucket
-- Remember the digest of a bucket.
INSERT INTO bucket (series_id, bucket_start, digest, learnt_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, learnt_at = excluded.learnt_at;

-- name: suspects
-- The suspicious answers about settled buckets of a window.
SELECT bucket_start, digest, seen_at FROM suspect
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: series_suspects
-- The settled buckets of a series whose last answer was not believed.
SELECT bucket_start FROM suspect WHERE series_id = :series_id ORDER BY bucket_start;

-- name: suspect
-- Keep the digest of a suspicious answer.
INSERT INTO suspect (series_id, bucket_start, digest, seen_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at;

-- name: unsuspect
-- Forget a suspicion.
DELETE FROM suspect WHERE series_id = ? AND bucket_start = ?;

-- name: status_suspects
-- The settled buckets whose last answer was not believed.
SELECT s.report, s.bucket_width, s.group_by, strftime('%Y-%m-%dT%H:%M:%SZ', u.bucket_start, 'unixepoch')
FROM suspect AS u JOIN series AS s ON s.id = u.series_id ORDER BY u.bucket_start, s.id;

-- name: add_revision
-- Note that a bucket that had ended was answered differently.
INSERT INTO revision (series_id, bucket_start, learnt_at, previously_learnt_at, was_settled)
VALUES (:series_id, :bucket_start, :learnt_at, :previously_learnt_at, :was_settled);

-- name: offer_canonical_days
-- Let a series speak for the days it covers whole, where no finer or more settled one does.
INSERT INTO canonical_day (report, day_start, series_id, rank)
SELECT s.report, d.value, s.id, s.fineness + 1000 * min(c.state = 'settled')
FROM series AS s
JOIN json_each(:days) AS d
JOIN span AS c
  ON c.series_id = s.id AND c.span_start < d.value + 86400 AND c.span_end > d.value
  AND c.state IN ('settled', 'provisional') AND c.fetched_at IS NOT NULL
WHERE s.id = :series_id AND s.fineness IS NOT NULL
GROUP BY d.value
HAVING sum(min(c.span_end, d.value + 86400) - max(c.span_start, d.value)) = 86400
ON CONFLICT DO UPDATE SET series_id = excluded.series_id, rank = excluded.rank
WHERE excluded.rank > canonical_day.rank
  OR (excluded.series_id = canonical_day.series_id AND excluded.rank <> canonical_day.rank);

-- name: history
-- Where the history of a report begins.
SELECT empty_until, first_bucket FROM history WHERE report = :report;

-- name: save_history
-- Remember how far back a report was looked at, and where its first rows are.
INSERT INTO history (report, empty_until, first_bucket) VALUES (:report, :empty_until, :first_bucket)
ON CONFLICT DO UPDATE SET empty_until = excluded.empty_until, first_bucket = excluded.first_bucket;

-- name: begin_run
-- Note that a run began.
INSERT INTO run (started_at, version) VALUES (:started_at, :version);

-- name: finish_run
-- Note how a run ended.
UPDATE run SET
  finished_at = :finished_at, outcome = :outcome, exit_code = :exit_code, requests = :requests, retries = :retries,
  rows_inserted = :inserted, rows_updated = :updated, rows_removed = :removed, rows_unchanged = :unchanged
WHERE id = :id;

-- name: save_name
-- Remember an object's name, when anything about it changed.
INSERT INTO name (kind, id, learnt_at, name, details)
SELECT :kind, :id, :learnt_at, :name, :details
WHERE NOT EXISTS (
  SELECT 1 FROM (SELECT name, details FROM name WHERE kind = :kind AND id = :id ORDER BY learnt_at DESC LIMIT 1)
  WHERE name IS :name AND details = :details
)
ON CONFLICT DO UPDATE SET name = excluded.name, details = excluded.details;

-- name: usage.keys
-- The ids of sets of dimension values, given as a JSON array of keys.
SELECT key, id FROM usage_key WHERE key IN (SELECT value FROM json_each(?));

-- name: usage.add_key
-- Make a set of dimension values known.
INSERT INTO usage_key (
  key, workspace_id, api_key_id, model, service_tier, context_window, inference_geo, speed, account_id,
  service_account_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: usage.facts
-- The rows of a window.
SELECT
  bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests, extra
FROM usage_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: usage.count_facts
-- How many rows a window has.
SELECT count(*) FROM usage_fact WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: usage.remove_facts
-- Take the rows of one bucket out.
DELETE FROM usage_fact WHERE series_id = ? AND bucket_start = ?;

-- name: usage.add_fact
-- Put a row in.
INSERT INTO usage_fact (
  series_id, bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens,
  cache_creation_5m_input_tokens, cache_read_input_tokens, output_tokens, web_search_requests, extra
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: forget_days
-- Forget the sums of some days of a series.
DELETE FROM usage_day WHERE series_id = :series_id AND day_start IN (SELECT value FROM json_each(:days));

-- name: sum_day
-- Sum a day of a series of hours or minutes; halves of the bits are summed, so that no sum is an error.
INSERT INTO usage_day
SELECT
  series_id, bucket_start / 86400 * 86400, key_id,
  CASE typeof(sum(uncached_input_tokens >> 31) * 2147483648 + sum(uncached_input_tokens & 2147483647)) WHEN 'integer' THEN sum(uncached_input_tokens >> 31) * 2147483648 + sum(uncached_input_tokens & 2147483647) END,
  CASE typeof(sum(cache_creation_1h_input_tokens >> 31) * 2147483648 + sum(cache_creation_1h_input_tokens & 2147483647)) WHEN 'integer' THEN sum(cache_creation_1h_input_tokens >> 31) * 2147483648 + sum(cache_creation_1h_input_tokens & 2147483647) END,
  CASE typeof(sum(cache_creation_5m_input_tokens >> 31) * 2147483648 + sum(cache_creation_5m_input_tokens & 2147483647)) WHEN 'integer' THEN sum(cache_creation_5m_input_tokens >> 31) * 2147483648 + sum(cache_creation_5m_input_tokens & 2147483647) END,
  CASE typeof(sum(cache_read_input_tokens >> 31) * 2147483648 + sum(cache_read_input_tokens & 2147483647)) WHEN 'integer' THEN sum(cache_read_input_tokens >> 31) * 2147483648 + sum(cache_read_input_tokens & 2147483647) END,
  CASE typeof(sum(output_tokens >> 31) * 2147483648 + sum(output_tokens & 2147483647)) WHEN 'integer' THEN sum(output_tokens >> 31) * 2147483648 + sum(output_tokens & 2147483647) END,
  CASE typeof(sum(web_search_requests >> 31) * 2147483648 + sum(web_search_requests & 2147483647)) WHEN 'integer' THEN sum(web_search_requests >> 31) * 2147483648 + sum(web_search_requests & 2147483647) END
FROM usage_fact
WHERE series_id = (SELECT id FROM series WHERE id = :series_id AND bucket_seconds < 86400 AND filters = '')
  AND bucket_start >= :day AND bucket_start < :day + 86400
GROUP BY series_id, key_id;

-- name: add_day
-- Put the sums of a day in.
INSERT INTO usage_day (
  series_id, day_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: usage.add_change
-- Keep what a row said before and after a revision.
INSERT INTO usage_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: cost.keys
-- The ids of sets of dimension values, given as a JSON array of keys.
SELECT key, id FROM cost_key WHERE key IN (SELECT value FROM json_each(?));

-- name: cost.add_key
-- Make a set of dimension values known.
INSERT INTO cost_key (
  key, workspace_id, description, cost_type, model, service_tier, context_window, token_type, inference_geo, currency
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: cost.facts
-- The rows of a window.
SELECT bucket_start, key_id, amount, amount_microcents, extra FROM cost_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: cost.count_facts
-- How many rows a window has.
SELECT count(*) FROM cost_fact WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: cost.remove_facts
-- Take the rows of one bucket out.
DELETE FROM cost_fact WHERE series_id = ? AND bucket_start = ?;

-- name: cost.add_fact
-- Put a row in.
INSERT INTO cost_fact (series_id, bucket_start, key_id, amount, amount_microcents, extra) VALUES (?, ?, ?, ?, ?, ?);

-- name: cost.add_change
-- Keep what a row said before and after a revision.
INSERT INTO cost_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: status_series
-- Every series, for the overview.
SELECT id, report, bucket_width, group_by, filters FROM series
WHERE EXISTS (SELECT 1 FROM span WHERE series_id = series.id)
ORDER BY report DESC, bucket_width, group_by, filters;

-- name: status_coverage
-- All coverage, merged, for the overview.
SELECT report, bucket_width, group_by, filters, range_start, range_end, state, fetched_at FROM coverage
ORDER BY report DESC, bucket_width, group_by, filters, range_start;

-- name: status_last_run
-- The last run.
SELECT * FROM sync_run ORDER BY id DESC LIMIT 1;

-- name: chosen.days
-- The days of a report that a series speaks for, and how it was asked.
SELECT d.day_start, d.series_id, s.bucket_seconds = 86400, s.group_by
FROM canonical_day AS d JOIN series AS s ON s.id = d.series_id
WHERE d.report = :report AND (:since IS NULL OR d.day_start >= :since) AND (:until IS NULL OR d.day_start < :until)
ORDER BY d.day_start;

-- name: chosen.day
-- Choose a day, and say which part of the answer it belongs to.
INSERT INTO chosen_day (series_id, day_start, is_bucket, part) VALUES (?, ?, ?, ?);

-- name: chosen.line
-- Say which line of the answer a set of dimension values belongs to.
INSERT INTO chosen_line (key_id, line) VALUES (?, ?);

-- name: chosen.names
-- Names and their times.
SELECT kind, id, name, since, until FROM name_period WHERE kind IN ('workspace', 'api_key');

-- name: cost.dimensions
-- The sets of dimension values.
SELECT
  id, workspace_id, model, description, cost_type, service_tier, context_window, token_type, inference_geo, currency
FROM cost_key;

-- name: usage.dimensions
-- The sets of dimension values.
SELECT id, workspace_id, api_key_id, model, service_tier, context_window FROM usage_key;

-- name: cost.chosen_sums
-- Money of the chosen days by part and line.
SELECT part, line, max(day_start), sum(amount_microcents) FROM chosen_money GROUP BY part, line ORDER BY part;

-- name: cost.chosen_facts
-- Money of the chosen days row by row.
SELECT part, line, day_start, amount_microcents FROM chosen_money;

-- name: usage.chosen_sums
-- Use of the chosen days by part and line.
SELECT
  part, line, max(day_start), sum(uncached_input_tokens), sum(cache_creation_1h_input_tokens),
  sum(cache_creation_5m_input_tokens), sum(cache_read_input_tokens), sum(output_tokens), sum(web_search_requests)
FROM chosen_use GROUP BY part, line ORDER BY part;

-- name: usage.chosen_facts
-- Use of the chosen days row by row.
SELECT
  part, line, day_start, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests
FROM chosen_use;

-- name: workspaces
-- The workspaces that are known: each with every name it ever had, the newest last, and null where it had none.
SELECT id, name FROM (
  SELECT id, name, since FROM name_period WHERE kind = 'workspace'
  UNION ALL
  SELECT workspace_id, NULL, -1 FROM cost_key WHERE workspace_id IS NOT NULL
  UNION ALL
  SELECT workspace_id, NULL, -1 FROM usage_key WHERE workspace_id IS NOT NULL
)
ORDER BY since;

-- name: billed_days
-- How many days of a range have a cost series, and the last of them.
SELECT count(*), max(date(day_start, 'unixepoch')) FROM canonical_day
WHERE report = 'cost' AND date(day_start, 'unixepoch') >= :since AND date(day_start, 'unixepoch') < :until;

-- name: canonical_days
-- The days of a range that a series speaks for, and whether it is settled there.
SELECT date(day_start, 'unixepoch') AS date, rank >= 1000 FROM canonical_day
WHERE report = :report AND (:since IS NULL OR date >= :since) AND (:until IS NULL OR date < :until)
ORDER BY 1;

-- name: report_restatements
-- What changed in settled buckets, field by field, by the time it was learnt.
SELECT learnt_at, report, bucket_width, group_by, bucket_start, field, was, now FROM restatement
WHERE (:since IS NULL OR learnt_at >= :since) AND (:until IS NULL OR learnt_at < :until)
ORDER BY learnt_at, report DESC, bucket_width, group_by, bucket_start, field;

-- name: as_of
-- Set the moment as of which the archive is looked at.
INSERT INTO as_of (moment) VALUES (?);

-- name: as_of_days
-- Keep which series spoke for each day then: the views ask for it again and again.
INSERT INTO temp.canonical_day SELECT report, day_start, series_id, rank FROM day_then;

-- name: dated_views
-- The definitions of the views that can be looked at as of a moment.
SELECT sql FROM sqlite_master
WHERE type = 'view' AND name IN (
  'usage', 'cost', 'daily_tokens', 'daily_cost', 'day_series', 'month_gap', 'monthly_tokens', 'monthly_cost',
  'cache_efficiency'
);

-- name: verify_series
-- Every series that has anything.
SELECT id, report, bucket_width, group_by, filters FROM series ORDER BY id;

-- name: verify_overlaps
-- Coverage that overlaps itself.
SELECT series_id, span_start, previous_end
FROM (
  SELECT series_id, span_start, lag(span_end) OVER (PARTITION BY series_id ORDER BY span_start) AS previous_end
  FROM span
)
WHERE previous_end > span_start;

-- name: settled_spans
-- The settled stretches of every series, whenever they were read.
WITH settled AS (
  SELECT *, lag(span_end) OVER by_time IS NOT span_start AS begins
  FROM span WHERE state = 'settled'
  WINDOW by_time AS (PARTITION BY series_id ORDER BY span_start)
),
island AS (
  SELECT *, sum(begins) OVER (PARTITION BY series_id ORDER BY span_start) AS number FROM settled
)
SELECT s.report, s.bucket_width, s.group_by, s.filters, min(i.span_start), max(i.span_end)
FROM island AS i JOIN series AS s ON s.id = i.series_id
GROUP BY i.series_id, i.number
ORDER BY s.id, min(i.span_start);

-- name: usage.sample_rows
-- The rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.workspace_id, k.api_key_id, k.model, k.service_tier, k.context_window, k.inference_geo, k.speed,
  k.account_id, k.service_account_id, f.uncached_input_tokens, f.cache_creation_1h_input_tokens,
  f.cache_creation_5m_input_tokens, f.cache_read_input_tokens, f.output_tokens, f.web_search_requests, f.extra
FROM usage_fact AS f JOIN usage_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;

-- name: cost.sample_rows
-- The rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.workspace_id, k.description, k.cost_type, k.model, k.service_tier, k.context_window,
  k.token_type, k.inference_geo, k.currency, f.amount, f.amount_microcents, f.extra
FROM cost_fact AS f JOIN cost_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;

-- name: verify_buckets
-- The digests of a series, in order.
SELECT bucket_start, digest FROM bucket WHERE series_id = ? ORDER BY bucket_start;

-- name: verify_days
-- Days of a series of hours or minutes whose kept sums are not those of its rows.
WITH summed AS (
  SELECT
    bucket_start / 86400 * 86400 AS day_start, key_id,
    CASE typeof(sum(uncached_input_tokens >> 31) * 2147483648 + sum(uncached_input_tokens & 2147483647)) WHEN 'integer' THEN sum(uncached_input_tokens >> 31) * 2147483648 + sum(uncached_input_tokens & 2147483647) END,
    CASE typeof(sum(cache_creation_1h_input_tokens >> 31) * 2147483648 + sum(cache_creation_1h_input_tokens & 2147483647)) WHEN 'integer' THEN sum(cache_creation_1h_input_tokens >> 31) * 2147483648 + sum(cache_creation_1h_input_tokens & 2147483647) END,
    CASE typeof(sum(cache_creation_5m_input_tokens >> 31) * 2147483648 + sum(cache_creation_5m_input_tokens & 2147483647)) WHEN 'integer' THEN sum(cache_creation_5m_input_tokens >> 31) * 2147483648 + sum(cache_creation_5m_input_tokens & 2147483647) END,
    CASE typeof(sum(cache_read_input_tokens >> 31) * 2147483648 + sum(cache_read_input_tokens & 2147483647)) WHEN 'integer' THEN sum(cache_read_input_tokens >> 31) * 2147483648 + sum(cache_read_input_tokens & 2147483647) END,
    CASE typeof(sum(output_tokens >> 31) * 2147483648 + sum(output_tokens & 2147483647)) WHEN 'integer' THEN sum(output_tokens >> 31) * 2147483648 + sum(output_tokens & 2147483647) END,
    CASE typeof(sum(web_search_requests >> 31) * 2147483648 + sum(web_search_requests & 2147483647)) WHEN 'integer' THEN sum(web_search_requests >> 31) * 2147483648 + sum(web_search_requests & 2147483647) END
  FROM usage_fact
  WHERE series_id = (SELECT id FROM series WHERE id = :series_id AND bucket_seconds < 86400 AND filters = '')
  GROUP BY day_start, key_id
),
kept AS (
  SELECT day_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
    cache_read_input_tokens, output_tokens, web_search_requests
  FROM usage_day WHERE series_id = :series_id
)
SELECT day_start FROM (SELECT * FROM summed EXCEPT SELECT * FROM kept)
UNION
SELECT day_start FROM (SELECT * FROM kept EXCEPT SELECT * FROM summed);

-- name: verify_uncovered
-- Rows of buckets that no answer covers.
SELECT b.bucket_start FROM bucket AS b
WHERE b.series_id = :series_id AND NOT EXISTS (
  SELECT 1 FROM span AS s
  WHERE s.series_id = b.series_id AND s.span_start <= b.bucket_start AND s.span_end > b.bucket_start
);

-- name: remove_bucket
-- Forget a bucket that never was.
DELETE FROM bucket WHERE series_id = ? AND bucket_start = ?;

-- name: mark_bucket_damaged
-- Take the digest of a bucket away, so that whatever the API says next is written.
INSERT INTO bucket (series_id, bucket_start, digest, learnt_at) VALUES (:series_id, :start, x'', :now)
ON CONFLICT DO UPDATE SET digest = x'';

-- name: usage.verify_keys
-- The dictionary.
SELECT
  id, key, workspace_id, api_key_id, model, service_tier, context_window, inference_geo, speed, account_id,
  service_account_id
FROM usage_key;

-- name: usage.verify_facts
-- The rows of a series, in order.
SELECT
  bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests, extra
FROM usage_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: usage.mark_key_damaged
-- Let nobody find a damaged set of dimension values any more.
UPDATE usage_key SET key = 'damaged ' || id WHERE id = :id;

-- name: usage.buckets_of_key
-- Where a set of dimension values is used.
SELECT DISTINCT series_id, bucket_start FROM usage_fact WHERE key_id = :id;

-- name: usage.verify_sums
-- Settled days of unfiltered series whose sums, in halves that always fit, are not the same in every series.
WITH whole_day AS (
  SELECT f.series_id, f.bucket_start / 86400 * 86400 AS day_start,
    (sum(f.uncached_input_tokens >> 31) + (sum(f.uncached_input_tokens & 2147483647) >> 31)) || ':' || (sum(f.uncached_input_tokens & 2147483647) & 2147483647)
    || ' ' || (sum(f.cache_creation_1h_input_tokens >> 31) + (sum(f.cache_creation_1h_input_tokens & 2147483647) >> 31)) || ':' || (sum(f.cache_creation_1h_input_tokens & 2147483647) & 2147483647)
    || ' ' || (sum(f.cache_creation_5m_input_tokens >> 31) + (sum(f.cache_creation_5m_input_tokens & 2147483647) >> 31)) || ':' || (sum(f.cache_creation_5m_input_tokens & 2147483647) & 2147483647)
    || ' ' || (sum(f.cache_read_input_tokens >> 31) + (sum(f.cache_read_input_tokens & 2147483647) >> 31)) || ':' || (sum(f.cache_read_input_tokens & 2147483647) & 2147483647)
    || ' ' || (sum(f.output_tokens >> 31) + (sum(f.output_tokens & 2147483647) >> 31)) || ':' || (sum(f.output_tokens & 2147483647) & 2147483647)
    || ' ' || (sum(f.web_search_requests >> 31) + (sum(f.web_search_requests & 2147483647) >> 31)) || ':' || (sum(f.web_search_requests & 2147483647) & 2147483647) AS sums
  FROM usage_fact AS f
  JOIN series AS s ON s.id = f.series_id AND s.filters = ''
  GROUP BY f.series_id, day_start
),
settled_day AS (
  SELECT d.* FROM whole_day AS d
  WHERE (
    SELECT sum(min(c.span_end, d.day_start + 86400) - max(c.span_start, d.day_start)) FROM span AS c
    WHERE c.series_id = d.series_id AND c.state = 'settled'
      AND c.span_start < d.day_start + 86400 AND c.span_end > d.day_start
  ) = 86400
)
SELECT day_start, min(series_id), max(series_id) FROM settled_day
GROUP BY day_start HAVING count(DISTINCT sums) > 1;

-- name: cost.verify_keys
-- The dictionary.
SELECT
  id, key, workspace_id, description, cost_type, model, service_tier, context_window, token_type, inference_geo,
  currency
FROM cost_key;

-- name: cost.verify_facts
-- The rows of a series, in order.
SELECT bucket_start, key_id, amount, amount_microcents, extra
FROM cost_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: cost.mark_key_damaged
-- Let nobody find a damaged set of dimension values any more.
UPDATE cost_key SET key = 'damaged ' || id WHERE id = :id;

-- name: cost.buckets_of_key
-- Where a set of dimension values is used.
SELECT DISTINCT series_id, bucket_start FROM cost_fact WHERE key_id = :id;

-- name: cost.verify_sums
-- Settled days of unfiltered series whose sums are not the same in every series.
WITH settled_day AS (
  SELECT f.series_id, f.bucket_start AS day_start,
    (sum(f.amount_microcents >> 31) + (sum(f.amount_microcents & 2147483647) >> 31)) || ':' || (sum(f.amount_microcents & 2147483647) & 2147483647) AS sums
  FROM cost_fact AS f
  JOIN series AS s ON s.id = f.series_id AND s.filters = ''
  JOIN span AS c
    ON c.series_id = f.series_id AND c.state = 'settled'
    AND c.span_start <= f.bucket_start AND c.span_end > f.bucket_start
  GROUP BY f.series_id, f.bucket_start
)
SELECT day_start, min(series_id), max(series_id) FROM settled_day
GROUP BY day_start HAVING count(DISTINCT sums) > 1;
