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
SELECT series_id, bucket_seconds, span_start, span_end, state, fetched_at, report
FROM (
  SELECT p.*, s.report, s.bucket_seconds, min(coalesce(p.fetched_at + 300, :now), :now) AS read_at
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
SELECT bucket_start, digest FROM suspect
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

-- name: add_revision
-- Note that a bucket that had ended was answered differently.
INSERT INTO revision (series_id, bucket_start, learnt_at, previously_learnt_at, was_settled)
VALUES (:series_id, :bucket_start, :learnt_at, :previously_learnt_at, :was_settled);

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
SELECT bucket_start, key_id, amount, amount_microcents, amount_remainder, extra FROM cost_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: cost.count_facts
-- How many rows a window has.
SELECT count(*) FROM cost_fact WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: cost.remove_facts
-- Take the rows of one bucket out.
DELETE FROM cost_fact WHERE series_id = ? AND bucket_start = ?;

-- name: cost.add_fact
-- Put a row in.
INSERT INTO cost_fact (
  series_id, bucket_start, key_id, amount, amount_microcents, amount_remainder, extra
) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: cost.add_change
-- Keep what a row said before and after a revision.
INSERT INTO cost_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: remove_bucket
-- Forget a bucket that never was.
DELETE FROM bucket WHERE series_id = ? AND bucket_start = ?;

-- name: mark_bucket_damaged
-- Take the digest of a bucket away, so that whatever the API says next is written.
INSERT INTO bucket (series_id, bucket_start, digest, learnt_at) VALUES (:series_id, :start, x'', :now)
ON CONFLICT DO UPDATE SET digest = x'';

-- name: usage.mark_key_damaged
-- Let nobody find a damaged set of dimension values any more.
UPDATE usage_key SET key = 'damaged ' || id WHERE id = :id;

-- name: cost.mark_key_damaged
-- Let nobody find a damaged set of dimension values any more.
UPDATE cost_key SET key = 'damaged ' || id WHERE id = :id;
