-- Statements of reports, pages and `status`.

-- name: select_status_series
-- Select every series that has coverage.
SELECT id, report, bucket_width, group_by, filters FROM _series
WHERE EXISTS (SELECT 1 FROM _span WHERE series_id = _series.id)
ORDER BY report DESC, bucket_width, group_by, filters;

-- name: select_status_coverage
-- Select all coverage, merged.
SELECT report, bucket_width, group_by, filters, range_start, range_end, state, fetched_at FROM coverage
ORDER BY report DESC, bucket_width, group_by, filters, range_start;

-- name: select_last_run
-- Select the newest run.
SELECT * FROM sync_run ORDER BY id DESC LIMIT 1;

-- name: select_unavailable_reports
-- Select the reports that the last sync was refused. 13 is the position behind `unavailable `.
SELECT substr(key, 13) FROM _memory WHERE key GLOB 'unavailable *';

-- name: select_suspects
-- Select the buckets with a last response that was held back.
SELECT s.report, s.bucket_width, s.group_by, strftime('%Y-%m-%dT%H:%M:%SZ', u.bucket_start, 'unixepoch')
FROM _suspect AS u JOIN _series AS s ON s.id = u.series_id ORDER BY u.bucket_start, s.id;

-- name: select_newest_complete
-- Select, for each report, the end of the newest bucket that was read after its end. A span can end with a bucket that
-- was in progress at `fetched_at`: only the buckets before it count.
SELECT report, max(min(span_end, known - known % bucket_seconds))
FROM (
  SELECT c.*, s.report, s.bucket_seconds, coalesce(c.complete_until, c.fetched_at) AS known
  FROM _span AS c JOIN _series AS s ON s.id = c.series_id
)
WHERE state IN ('settled', 'provisional') AND span_start + bucket_seconds <= known
GROUP BY report;

-- name: select_days
-- Select the days of a report with the series that is used for each if the days are asked for by a dimension ('': by
-- none), and its rank.
SELECT d.day_start, d.series_id, s.bucket_seconds = 86400, s.group_by, d.rank
FROM _chosen_day AS d JOIN _series AS s ON s.id = d.series_id
WHERE d.report = :report AND d.dimension = :dimension AND (:since IS NULL OR d.day_start >= :since) AND (:until IS NULL OR d.day_start < :until)
ORDER BY d.day_start;

-- name: select_grouped_days
-- Select the days of all unfiltered series of a report that are grouped by a dimension. The rank is that of the
-- canonical choice. Commas around `group_by` compare whole names.
SELECT
  d.day_start,
  d.series_id,
  s.bucket_seconds = 86400,
  s.group_by,
  iif(d.settled_at <= t.moment, 2, iif(d.whole_at <= t.moment, 1, 0))
FROM _series_day AS d JOIN _series AS s ON s.id = d.series_id
JOIN (SELECT coalesce(:moment, 9223372036854775807) AS moment) AS t ON d.first_read_at <= t.moment
WHERE s.report = :report AND s.fineness IS NOT NULL AND instr(',' || s.group_by || ',', ',' || :dimension || ',')
  AND (:since IS NULL OR d.day_start >= :since) AND (:until IS NULL OR d.day_start < :until)
ORDER BY d.day_start, s.fineness DESC, s.id;

-- name: insert_selected_day
-- Select a day of a series for a part of the result.
INSERT INTO selected_day (series_id, day_start, is_daily, part) VALUES (?, ?, ?, ?);

-- name: insert_selected_key
-- Select a set of dimension values for a line of the result.
INSERT INTO selected_key (key_id, line) VALUES (?, ?);

-- name: select_name_periods
-- Select names, and from when to when each was in use. A person without a name is named by the list of users, which has
-- the same address, or else by the address.
SELECT
  p.kind, p.id, coalesce(p.name, (SELECT u.name FROM user AS u WHERE lower(u.email) = lower(p.email)), p.email),
  p.since, p.until
FROM _name_period AS p;

-- name: cost.select_dimensions
-- Select the sets of dimension values.
SELECT
  id, workspace_id, model, description, cost_type, service_tier, context_window, token_type, inference_geo, currency
FROM _cost_key;

-- name: analytics-cost.select_dimensions
-- Select the sets of dimension values. The default workspace has its id here; NULL stands for it, as in the cost
-- report.
SELECT
  id, nullif(workspace_id, (SELECT id FROM _default_workspace)) AS workspace_id, api_key_id, actor_id, model, product,
  cost_type, service_tier, context_window, token_type, inference_geo, speed, currency
FROM _analytics_cost_key;

-- name: claude-code.select_dimensions
-- Select the sets of dimension values.
SELECT id, actor_id, terminal_type, customer_type FROM _claude_code_key;

-- name: usage.select_dimensions
-- Select the sets of dimension values.
SELECT id, workspace_id, api_key_id, model, service_tier, context_window, inference_geo, speed FROM _usage_key;

-- name: cost.select_sums
-- Sum the cost of the selected days by part and line. Credits, which are rows with negative amounts, have sums of their
-- own.
SELECT
  part, line, max(day_start), sum(amount_microcents), sum(amount_remainder), sum(min(amount_microcents, 0)),
  sum(iif(amount_microcents < 0, amount_remainder, 0))
FROM selected_cost GROUP BY part, line ORDER BY part;

-- name: analytics-cost.select_sums
-- The same of the analytics report.
SELECT
  part, line, max(day_start), sum(amount_microcents), sum(amount_remainder), sum(min(amount_microcents, 0)),
  sum(iif(amount_microcents < 0, amount_remainder, 0))
FROM selected_analytics_cost GROUP BY part, line ORDER BY part;

-- name: claude-code.select_sums
-- Sum Claude Code of the selected days by part and line: counts, the estimated cost in dollars, and the numbers of rows
-- with a cost in dollars, with one in another currency, and of models without a cost.
SELECT
  part, line, max(day_start), sum(sessions), sum(lines_added), sum(lines_removed), sum(commits), sum(pull_requests),
  sum(accepted), sum(rejected), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),
  sum(cache_creation_tokens), coalesce(sum(iif(currency = 'USD', amount_microcents, 0)), 0),
  coalesce(sum(iif(currency = 'USD', amount_remainder, 0)), 0), coalesce(sum(currency = 'USD'), 0),
  coalesce(sum(currency <> 'USD'), 0), sum(lacks_cost)
FROM selected_claude_code GROUP BY part, line ORDER BY part;

-- name: usage.select_sums
-- Sum the usage of the selected days by part and line.
SELECT
  part, line, max(day_start), sum(uncached_input_tokens), sum(cache_creation_1h_input_tokens),
  sum(cache_creation_5m_input_tokens), sum(cache_read_input_tokens), sum(output_tokens), sum(web_search_requests)
FROM selected_usage GROUP BY part, line ORDER BY part;

-- name: select_spend_limits
-- Select the spend limits of the API as they were known at a moment (NULL: now). The default workspace has its id here;
-- NULL stands for it, as in the cost report.
SELECT
  l.value ->> 'id', l.value ->> 'scope', nullif(l.value ->> 'scope_id', (SELECT id FROM _default_workspace)),
  l.value ->> 'amount', l.value ->> 'currency', l.value ->> 'period', l.value ->> 'is_enabled'  -- 1 or 0
FROM (
  SELECT limits FROM _spend_limits WHERE :moment IS NULL OR learnt_at <= :moment ORDER BY learnt_at DESC LIMIT 1
) AS n
JOIN json_each(n.limits) AS l;

-- name: select_hourly_series
-- Select the unfiltered series of hours and minutes that have a part of a day, the last read first, with the seconds of
-- the day that each has, and the rank of the day: that of the canonical choice, and 0 for a part of a day.
SELECT
  s.id, s.group_by, sum(min(c.span_end, :start + 86400) - max(c.span_start, :start)),
  max(min(c.span_end, :start + 86400)),
  coalesce(
    (
      SELECT iif(d.settled_at IS NULL, d.whole_at IS NOT NULL, 2)
      FROM _series_day AS d WHERE d.series_id = s.id AND d.day_start = :start
    ),
    0
  )
FROM _series AS s JOIN _span AS c ON c.series_id = s.id
WHERE s.report = 'usage' AND s.bucket_seconds < 86400 AND s.fineness IS NOT NULL
  AND c.state IN ('settled', 'provisional') AND c.fetched_at IS NOT NULL
  AND c.span_start < :start + 86400 AND c.span_end > :start
GROUP BY s.id ORDER BY max(c.fetched_at) DESC, s.fineness DESC, s.id;

-- name: select_usage_by_hour
-- Select the usage of one day of a series of hours or minutes, by hour and by what it is grouped by.
SELECT
  f.bucket_start / 3600 * 3600, k.workspace_id, k.api_key_id, k.model, k.service_tier, k.context_window,
  sum(f.uncached_input_tokens), sum(f.cache_creation_1h_input_tokens), sum(f.cache_creation_5m_input_tokens),
  sum(f.cache_read_input_tokens), sum(f.output_tokens), sum(f.web_search_requests)
FROM _usage_fact AS f JOIN _usage_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :start + 86400
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1;

-- name: select_api_keys
-- Select the API keys as they were last listed, at a moment (NULL: now).
WITH listed AS (
  SELECT kind, id, details, max(learnt_at) FROM _name
  WHERE kind IN ('api_key', 'workspace') AND (:moment IS NULL OR learnt_at <= :moment)
  GROUP BY kind, id
)
SELECT
  k.id, nullif(k.details ->> 'workspace_id', (SELECT id FROM _default_workspace)), k.details ->> 'status',
  k.details ->> 'created_at', k.details ->> 'expires_at', w.details ->> 'archived_at'
FROM listed AS k LEFT JOIN listed AS w ON w.kind = 'workspace' AND w.id = k.details ->> 'workspace_id'
WHERE k.kind = 'api_key' ORDER BY k.id;

-- name: select_workspaces
-- Select every workspace with each of its names, the newest last. Workspaces that only occur in reports have NULL.
SELECT id, name FROM (
  SELECT id, name, since FROM _name_period WHERE kind = 'workspace'
  UNION ALL
  SELECT workspace_id, NULL, -1 FROM _cost_key WHERE workspace_id IS NOT NULL
  UNION ALL
  SELECT workspace_id, NULL, -1 FROM _usage_key WHERE workspace_id IS NOT NULL
)
ORDER BY since;

-- name: select_restatements
-- Select what changed in settled buckets, field by field, by the time it was first seen.
SELECT learnt_at, report, bucket_width, group_by, bucket_start, currency, field, was, now FROM restatement
WHERE (:since IS NULL OR learnt_at >= :since) AND (:until IS NULL OR learnt_at < :until)
ORDER BY learnt_at, report DESC, bucket_width, group_by, bucket_start, field;

-- name: insert_as_of
-- Set the moment as of which the archive is read.
INSERT INTO as_of (moment) VALUES (?);

-- name: insert_revisions_after_as_of
-- Note the revisions after a moment.
INSERT INTO later_revision (series_id, bucket_start, id)
SELECT series_id, bucket_start, id FROM main._revision WHERE learnt_at > :moment;

-- name: insert_buckets_revised_after_as_of
-- Note the buckets of these revisions that had content by the moment: the first of them says when that was learnt.
INSERT INTO revised_bucket (series_id, bucket_start)
SELECT f.series_id, f.bucket_start
FROM (SELECT series_id, bucket_start, min(id) AS id FROM later_revision GROUP BY series_id, bucket_start) AS f
JOIN main._revision AS r ON r.id = f.id
WHERE coalesce(r.previously_learnt_at, 0) <= :moment;

-- name: insert_days_after_as_of
-- Note the days of series of hours and minutes with a bucket that changed after a moment. A bucket that was deleted as
-- damaged may be in its revisions alone.
INSERT INTO later_day (series_id, day_start)
SELECT b.series_id, b.bucket_start / 86400 * 86400
FROM main._series AS s
JOIN main._bucket AS b ON b.series_id = s.id AND b.learnt_at > :moment
WHERE s.bucket_seconds < 86400
UNION
SELECT r.series_id, r.bucket_start / 86400 * 86400
FROM main._series AS s
JOIN main._revision AS r ON r.series_id = s.id AND r.learnt_at > :moment
WHERE s.bucket_seconds < 86400;

-- name: select_dated_views
-- Select the definitions of the views that can be read as of a moment: those over rows and canonical days. Coverage and
-- runs of earlier times are not stored.
SELECT sql FROM sqlite_master
WHERE type = 'view' AND name IN (
  '_canonical_day', 'usage', 'cost', 'analytics_usage', 'analytics_cost', 'daily_tokens', 'daily_cost',
  'daily_cost_by_key', 'daily_cost_by_person', 'claude_code', 'day_series', '_month_gap', 'monthly_tokens',
  'monthly_cost', 'cache_efficiency'
);
