-- Statements by name, each with a line that describes it. `usage.X` and `cost.X` are the same statement over two
-- tables. Several statements rely on being the only writer: they read, compare and write inside one BEGIN IMMEDIATE.

-- name: upsert_organization
-- Insert the organization of the archive, or update its name.
INSERT INTO _organization (only, id, name) VALUES (1, :id, :name)
ON CONFLICT (only) DO UPDATE SET name = coalesce(excluded.name, name);

-- name: select_organization
-- Select the organization of the archive.
SELECT id, name FROM _organization;

-- name: insert_series
-- Insert a series.
INSERT INTO _series (report, bucket_width, bucket_seconds, group_by, filters, fineness)
VALUES (:report, :bucket_width, :bucket_seconds, :group_by, :filters, :fineness);

-- name: select_series_id
-- Select the id of a series.
SELECT id FROM _series
WHERE report = :report AND bucket_width = :bucket_width AND group_by = :group_by AND filters = :filters;

-- name: select_spans
-- Select the coverage of a series that touches a range, in order.
SELECT span_start, span_end, state, fetched_at, complete_until FROM _span
WHERE series_id = :series_id AND span_start < :end AND span_end > :start
ORDER BY span_start;

-- name: delete_spans
-- Delete the coverage of a series that touches a range.
DELETE FROM _span WHERE series_id = :series_id AND span_start < :end AND span_end > :start;

-- name: insert_span
-- Insert coverage: one state for a range of buckets.
INSERT INTO _span (series_id, span_start, span_end, state, fetched_at, complete_until) VALUES (?, ?, ?, ?, ?, ?);

-- name: select_future_spans
-- Select coverage of buckets that had not ended when it was read, and coverage with a time of reading after now.
-- The clocks of the API's servers may differ by `skew` seconds. A provisional span may end with the bucket that was in
-- progress when it was read; every other span ends before that bucket.
SELECT series_id, bucket_seconds, span_start, span_end, state, fetched_at, complete_until, report
FROM (
  SELECT p.*, s.report, s.bucket_seconds, min(coalesce(p.fetched_at + :skew, :now), :now) AS read_at
  FROM _span AS p JOIN _series AS s ON s.id = p.series_id
)
WHERE span_end > read_at - read_at % bucket_seconds + bucket_seconds * (state = 'provisional') OR fetched_at > :now
ORDER BY series_id, span_start;

-- name: delete_span
-- Delete one span of coverage.
DELETE FROM _span WHERE series_id = :series_id AND span_start = :start;

-- name: delete_planned_spans
-- Delete the coverage of buckets that were planned and not requested.
DELETE FROM _span WHERE series_id = :series_id AND state = 'missing' AND fetched_at IS NULL;

-- name: upsert_memory
-- Insert or update a fact for later runs.
INSERT INTO _memory (key, value) VALUES (:key, :value) ON CONFLICT DO UPDATE SET value = excluded.value;

-- name: select_memory
-- Select a fact that an earlier run stored.
SELECT value FROM _memory WHERE key = :key;

-- name: select_answers
-- Select the digests of responses by their windows.
SELECT window_start, window_end, digest FROM _answer WHERE series_id = :series_id;

-- name: delete_answers
-- Delete the digests of responses that share a bucket with a window.
DELETE FROM _answer WHERE series_id = :series_id AND window_start < :end AND window_end > :start;

-- name: insert_answer
-- Insert the digest of a response.
INSERT INTO _answer (series_id, window_start, window_end, digest) VALUES (:series_id, :start, :end, :digest);

-- name: select_buckets
-- Select the digests of the buckets of a window, and when their rows were first seen.
SELECT bucket_start, digest, learnt_at FROM _bucket
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: upsert_bucket
-- Insert or update the digest of a bucket.
INSERT INTO _bucket (series_id, bucket_start, digest, learnt_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, learnt_at = excluded.learnt_at;

-- name: select_window_suspects
-- Select the suspects of a window, with the digest that would confirm each and when it was first seen.
SELECT bucket_start, digest, seen_at FROM _suspect
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: select_series_suspects
-- Select the suspects of a series.
SELECT bucket_start FROM _suspect WHERE series_id = :series_id ORDER BY bucket_start;

-- name: upsert_suspect
-- Insert or update a suspect.
INSERT INTO _suspect (series_id, bucket_start, digest, seen_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at;

-- name: delete_suspect
-- Delete a suspect.
DELETE FROM _suspect WHERE series_id = ? AND bucket_start = ?;

-- name: insert_revision
-- Insert a revision: a response changed rows of a bucket that had been read after its end.
INSERT INTO _revision (id, series_id, bucket_start, learnt_at, previously_learnt_at, was_settled)
VALUES (?, ?, ?, ?, ?, ?);

-- name: select_next_revision
-- Select the id of the next revision.
SELECT coalesce(max(id), 0) + 1 FROM _revision;

-- name: select_history
-- Select where the history of a report begins.
SELECT empty_until, first_bucket FROM _history WHERE report = :report;

-- name: upsert_history
-- Insert or update where the history of a report begins.
INSERT INTO _history (report, empty_until, first_bucket) VALUES (:report, :empty_until, :first_bucket)
ON CONFLICT DO UPDATE SET empty_until = excluded.empty_until, first_bucket = excluded.first_bucket;

-- name: insert_run
-- Insert a run that has not finished.
INSERT INTO _run (started_at, version) VALUES (:started_at, :version);

-- name: update_run
-- Update a run with its outcome.
UPDATE _run SET
  finished_at = :finished_at, outcome = :outcome, exit_code = :exit_code, requests = :requests, retries = :retries,
  rows_inserted = :inserted, rows_updated = :updated, rows_removed = :removed, rows_unchanged = :unchanged
WHERE id = :id;

-- name: insert_name
-- Insert the name of an object, if its name or details differ from the latest. Two in one second are one row: the later
-- replaces the earlier.
INSERT INTO _name (kind, id, learnt_at, name, details)
SELECT :kind, :id, :learnt_at, :name, :details
WHERE NOT EXISTS (
  SELECT 1 FROM (SELECT name, details FROM _name WHERE kind = :kind AND id = :id ORDER BY learnt_at DESC LIMIT 1)
  WHERE name IS :name AND details = :details
)
ON CONFLICT DO UPDATE SET name = excluded.name, details = excluded.details;

-- name: insert_spend_limits
-- Insert the spend limits of the API, if they differ from the latest.
INSERT INTO _spend_limits (learnt_at, limits)
SELECT :learnt_at, :limits
WHERE :limits IS NOT (SELECT limits FROM _spend_limits ORDER BY learnt_at DESC LIMIT 1)
ON CONFLICT DO UPDATE SET limits = excluded.limits;

-- name: select_people
-- Select the stored names of one person: the id and the address of each, or NULL. They are those of the id or address,
-- and those of other ids with an address that the id has had. Addresses that differ in upper and lower case alone are
-- equal.
WITH people AS (
  SELECT id, details ->> 'email' AS address FROM _name WHERE kind IN ('user', 'person')
)
SELECT id, address FROM people
WHERE id = :id OR lower(address) = lower(:id) OR lower(address) IN (
  SELECT lower(address) FROM people WHERE id = :id OR id IN (SELECT id FROM people WHERE lower(address) = lower(:id))
);

-- name: delete_names
-- Delete the names of some users, by a JSON array of their ids.
DELETE FROM _name WHERE id IN (SELECT value FROM json_each(:ids)) AND kind IN ('user', 'person');

-- name: delete_names_of_addresses
-- Delete the names of the users that have had some addresses, by a JSON array of them.
DELETE FROM _name
WHERE kind IN ('user', 'person') AND id IN (
  SELECT n.id FROM _name AS n
  WHERE n.kind IN ('user', 'person')
    AND lower(n.details ->> 'email') IN (SELECT lower(value) FROM json_each(:addresses))
);

-- name: delete_forgotten_gaps
-- Delete the gaps of a report that the API does not answer for any more: buckets before :kept_from, rounded up to the
-- width of a series.
DELETE FROM _span
WHERE state IN ('missing', 'failed') AND series_id IN (SELECT id FROM _series WHERE report = :report) AND span_end <= (
  SELECT (:kept_from + s.bucket_seconds - 1) / s.bucket_seconds * s.bucket_seconds
  FROM _series AS s WHERE s.id = _span.series_id
);

-- name: update_forgotten_gaps
-- Cut off what the API does not answer for any more from gaps of a report that lie partly before :kept_from.
UPDATE _span SET span_start = (
  SELECT (:kept_from + s.bucket_seconds - 1) / s.bucket_seconds * s.bucket_seconds
  FROM _series AS s WHERE s.id = _span.series_id
)
WHERE state IN ('missing', 'failed') AND series_id IN (SELECT id FROM _series WHERE report = :report)
  AND span_start < :kept_from;

-- name: usage.select_keys
-- Select the ids of sets of dimension values, by a JSON array of their keys.
SELECT key, id FROM _usage_key WHERE key IN (SELECT value FROM json_each(?));

-- name: usage.insert_key
-- Insert a set of dimension values.
INSERT INTO _usage_key (
  key, workspace_id, api_key_id, model, service_tier, context_window, inference_geo, speed, account_id,
  service_account_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: usage.select_facts
-- Select the rows of a window.
SELECT
  bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests, extra
FROM _usage_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: usage.count_facts
-- Select the number of rows of a window.
SELECT count(*) FROM _usage_fact WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: usage.delete_facts
-- Delete the rows of one bucket.
DELETE FROM _usage_fact WHERE series_id = ? AND bucket_start = ?;

-- name: usage.insert_fact
-- Insert a row.
INSERT INTO _usage_fact (
  series_id, bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens,
  cache_creation_5m_input_tokens, cache_read_input_tokens, output_tokens, web_search_requests, extra
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: delete_usage_days
-- Delete the sums of days of a series.
DELETE FROM _usage_day WHERE series_id = :series_id AND day_start IN (SELECT value FROM json_each(:days));

-- name: insert_summed_usage_day
-- Insert the sums of one day from its rows, for series that have such sums; for others the subquery finds no id.
INSERT INTO _usage_day (
  series_id, day_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests
)
SELECT
  series_id, :day, key_id, sum(uncached_input_tokens), sum(cache_creation_1h_input_tokens),
  sum(cache_creation_5m_input_tokens), sum(cache_read_input_tokens), sum(output_tokens), sum(web_search_requests)
FROM _usage_fact
WHERE series_id = (SELECT id FROM _series WHERE id = :series_id AND bucket_seconds < 86400 AND filters = '')
  AND bucket_start >= :day AND bucket_start < :day + 86400
GROUP BY key_id;

-- name: insert_usage_day
-- Insert the sums of one day.
INSERT INTO _usage_day (
  series_id, day_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: usage.insert_change
-- Insert a row of a revision, before and after it.
INSERT INTO _usage_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: cost.select_keys
-- Select the ids of sets of dimension values, by a JSON array of their keys.
SELECT key, id FROM _cost_key WHERE key IN (SELECT value FROM json_each(?));

-- name: cost.insert_key
-- Insert a set of dimension values.
INSERT INTO _cost_key (
  key, workspace_id, description, cost_type, model, service_tier, context_window, token_type, inference_geo, currency
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: cost.select_facts
-- Select the rows of a window.
SELECT bucket_start, key_id, amount, amount_microcents, amount_remainder, extra FROM _cost_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: cost.count_facts
-- Select the number of rows of a window.
SELECT count(*) FROM _cost_fact WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: cost.delete_facts
-- Delete the rows of one bucket.
DELETE FROM _cost_fact WHERE series_id = ? AND bucket_start = ?;

-- name: cost.insert_fact
-- Insert a row.
INSERT INTO _cost_fact (
  series_id, bucket_start, key_id, amount, amount_microcents, amount_remainder, extra
) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: cost.insert_change
-- Insert a row of a revision, before and after it.
INSERT INTO _cost_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: delete_bucket
-- Delete the digest of a bucket.
DELETE FROM _bucket WHERE series_id = ? AND bucket_start = ?;

-- name: upsert_damaged_bucket
-- Replace the digest of a bucket by an empty one, which no response matches. `learnt_at` stays, if there is a row.
INSERT INTO _bucket (series_id, bucket_start, digest, learnt_at) VALUES (:series_id, :start, x'', :now)
ON CONFLICT DO UPDATE SET digest = x'';

-- name: usage.update_damaged_key
-- Update the key of a damaged set of dimension values to one that no set has.
UPDATE _usage_key SET key = 'damaged ' || id WHERE id = :id;

-- name: cost.update_damaged_key
-- Update the key of a damaged set of dimension values to one that no set has.
UPDATE _cost_key SET key = 'damaged ' || id WHERE id = :id;

-- name: analytics-usage.select_keys
-- Select the ids of sets of dimension values, by a JSON array of their keys.
SELECT key, id FROM _analytics_usage_key WHERE key IN (SELECT value FROM json_each(?));

-- name: analytics-usage.insert_key
-- Insert a set of dimension values.
INSERT INTO _analytics_usage_key (
  key, workspace_id, api_key_id, actor_type, actor_id, model, product, service_tier, context_window, inference_geo,
  speed, agent_id, claude_tag_category, claude_tag_user_id, deployment_id, environment_id, organization_id,
  rbac_group_id, session_id, slack_channel_id, user_profile_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: analytics-usage.select_facts
-- Select the rows of a window.
SELECT
  bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests, requests, extra
FROM _analytics_usage_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: analytics-usage.count_facts
-- Select the number of rows of a window.
SELECT count(*) FROM _analytics_usage_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: analytics-usage.delete_facts
-- Delete the rows of one bucket.
DELETE FROM _analytics_usage_fact WHERE series_id = ? AND bucket_start = ?;

-- name: analytics-usage.insert_fact
-- Insert a row.
INSERT INTO _analytics_usage_fact (
  series_id, bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens,
  cache_creation_5m_input_tokens, cache_read_input_tokens, output_tokens, web_search_requests, requests, extra
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: analytics-usage.insert_change
-- Insert a row of a revision, before and after it.
INSERT INTO _analytics_usage_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: analytics-usage.update_damaged_key
-- Update the key of a damaged set of dimension values to one that no set has.
UPDATE _analytics_usage_key SET key = 'damaged ' || id WHERE id = :id;

-- name: analytics-cost.select_keys
-- Select the ids of sets of dimension values, by a JSON array of their keys.
SELECT key, id FROM _analytics_cost_key WHERE key IN (SELECT value FROM json_each(?));

-- name: analytics-cost.insert_key
-- Insert a set of dimension values.
INSERT INTO _analytics_cost_key (
  key, workspace_id, api_key_id, actor_type, actor_id, model, product, service_tier, context_window, inference_geo,
  speed, agent_id, claude_tag_category, claude_tag_user_id, deployment_id, environment_id, organization_id,
  rbac_group_id, session_id, slack_channel_id, user_profile_id, cost_type, token_type, currency
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: analytics-cost.select_facts
-- Select the rows of a window.
SELECT
  bucket_start, key_id, amount, amount_microcents, amount_remainder, list_amount, requests, extra
FROM _analytics_cost_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: analytics-cost.count_facts
-- Select the number of rows of a window.
SELECT count(*) FROM _analytics_cost_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: analytics-cost.delete_facts
-- Delete the rows of one bucket.
DELETE FROM _analytics_cost_fact WHERE series_id = ? AND bucket_start = ?;

-- name: analytics-cost.insert_fact
-- Insert a row.
INSERT INTO _analytics_cost_fact (
  series_id, bucket_start, key_id, amount, amount_microcents, amount_remainder, list_amount, requests, extra
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: analytics-cost.insert_change
-- Insert a row of a revision, before and after it.
INSERT INTO _analytics_cost_revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: analytics-cost.update_damaged_key
-- Update the key of a damaged set of dimension values to one that no set has.
UPDATE _analytics_cost_key SET key = 'damaged ' || id WHERE id = :id;

-- name: claude-code.select_keys
-- Select the ids of sets of dimension values, by a JSON array of their keys.
SELECT key, id FROM _claude_code_key WHERE key IN (SELECT value FROM json_each(?));

-- name: claude-code.insert_key
-- Insert a set of dimension values.
INSERT INTO _claude_code_key (
  key, actor_type, actor_id, organization_id, customer_type, subscription_type, terminal_type, is_remote, tool,
  model, currency
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: claude-code.select_facts
-- Select the rows of a window.
SELECT
  bucket_start, key_id, sessions, lines_added, lines_removed, commits, pull_requests, accepted, rejected,
  input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, amount, amount_microcents, amount_remainder,
  extra
FROM _claude_code_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: claude-code.count_facts
-- Select the number of rows of a window.
SELECT count(*) FROM _claude_code_fact
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end;

-- name: claude-code.delete_facts
-- Delete the rows of one bucket.
DELETE FROM _claude_code_fact WHERE series_id = ? AND bucket_start = ?;

-- name: claude-code.insert_fact
-- Insert a row.
INSERT INTO _claude_code_fact (
  series_id, bucket_start, key_id, sessions, lines_added, lines_removed, commits, pull_requests, accepted, rejected,
  input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, amount, amount_microcents, amount_remainder,
  extra
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: claude-code.insert_change
-- Insert a row of a revision, before and after it.
INSERT INTO _claude_code_revision VALUES (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
);

-- name: claude-code.update_damaged_key
-- Update the key of a damaged set of dimension values to one that no set has.
UPDATE _claude_code_key SET key = 'damaged ' || id WHERE id = :id;
