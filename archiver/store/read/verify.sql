-- Statements of `archiver verify`.

-- name: verify_series
-- Select every series.
SELECT id, report, bucket_width, group_by, filters FROM _series ORDER BY id;

-- name: verify_overlaps
-- Select coverage that overlaps itself.
SELECT series_id, span_start, previous_end
FROM (
  SELECT series_id, span_start, lag(span_end) OVER (PARTITION BY series_id ORDER BY span_start) AS previous_end
  FROM _span
)
WHERE previous_end > span_start;

-- name: verify_buckets
-- Select the digests of the buckets of a series, in order.
SELECT bucket_start, digest FROM _bucket WHERE series_id = ? ORDER BY bucket_start;

-- name: verify_days
-- Select the days of a series of hours or minutes with stored sums that differ from those of its rows. EXCEPT in both
-- directions finds sums that are wrong, missing, and left over.
WITH summed AS (
  SELECT
    bucket_start / 86400 * 86400 AS day_start, key_id, sum(uncached_input_tokens), sum(cache_creation_1h_input_tokens),
    sum(cache_creation_5m_input_tokens), sum(cache_read_input_tokens), sum(output_tokens), sum(web_search_requests)
  FROM _usage_fact
  WHERE series_id = (SELECT id FROM _series WHERE id = :series_id AND bucket_seconds < 86400 AND filters = '')
  GROUP BY day_start, key_id
),
kept AS (
  SELECT
    day_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
    cache_read_input_tokens, output_tokens, web_search_requests
  FROM _usage_day WHERE series_id = :series_id
)
SELECT day_start FROM (SELECT * FROM summed EXCEPT SELECT * FROM kept)
UNION
SELECT day_start FROM (SELECT * FROM kept EXCEPT SELECT * FROM summed);

-- name: verify_series_days
-- Select the days that the daily views may use and that are not wholly covered. The sum is NULL without coverage, hence
-- IS NOT.
SELECT d.day_start FROM _series_day AS d
WHERE d.series_id = :series_id AND 86400 IS NOT (
  SELECT sum(min(c.span_end, d.day_start + 86400) - max(c.span_start, d.day_start)) FROM _span AS c
  WHERE c.series_id = d.series_id AND c.state IN ('settled', 'provisional') AND c.fetched_at IS NOT NULL
    AND c.span_start < d.day_start + 86400 AND c.span_end > d.day_start
);

-- name: verify_uncovered
-- Select the buckets that have a digest, but no coverage.
SELECT b.bucket_start FROM _bucket AS b
WHERE b.series_id = :series_id AND NOT EXISTS (
  SELECT 1 FROM _span AS s
  WHERE s.series_id = b.series_id AND s.span_start <= b.bucket_start AND s.span_end > b.bucket_start
);

-- name: usage.verify_keys
-- Select the dictionary of dimension values.
SELECT
  id, key, workspace_id, api_key_id, model, service_tier, context_window, inference_geo, speed, account_id,
  service_account_id
FROM _usage_key;

-- name: usage.verify_facts
-- Select the rows of a series, in order.
SELECT
  bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests, extra
FROM _usage_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: usage.buckets_of_key
-- Select the buckets that use a set of dimension values.
SELECT DISTINCT series_id, bucket_start FROM _usage_fact WHERE key_id = :id;

-- name: usage.verify_sums
-- Select the sums of settled days that several unfiltered series cover; a day without rows sums to zero.
SELECT
  d.day_start, d.series_id,
  coalesce(sum(f.uncached_input_tokens), 0) AS uncached_input_tokens,
  coalesce(sum(f.cache_creation_1h_input_tokens), 0) AS cache_creation_1h_input_tokens,
  coalesce(sum(f.cache_creation_5m_input_tokens), 0) AS cache_creation_5m_input_tokens,
  coalesce(sum(f.cache_read_input_tokens), 0) AS cache_read_input_tokens,
  coalesce(sum(f.output_tokens), 0) AS output_tokens,
  coalesce(sum(f.web_search_requests), 0) AS web_search_requests
FROM _series_day AS d
JOIN _series AS s ON s.id = d.series_id AND s.report = 'usage' AND s.filters = ''
LEFT JOIN _usage_fact AS f
  ON f.series_id = d.series_id AND f.bucket_start >= d.day_start AND f.bucket_start < d.day_start + 86400
WHERE d.settled_at IS NOT NULL AND EXISTS (
  SELECT 1 FROM _series AS t JOIN _series_day AS o ON o.series_id = t.id AND o.day_start = d.day_start
  WHERE t.report = 'usage' AND t.filters = '' AND t.id <> d.series_id AND o.settled_at IS NOT NULL
)
GROUP BY d.day_start, d.series_id;

-- name: cost.verify_keys
-- Select the dictionary of dimension values.
SELECT
  id, key, workspace_id, description, cost_type, model, service_tier, context_window, token_type, inference_geo,
  currency
FROM _cost_key;

-- name: cost.verify_facts
-- Select the rows of a series, in order.
SELECT bucket_start, key_id, amount, amount_microcents, amount_remainder, extra
FROM _cost_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: cost.buckets_of_key
-- Select the buckets that use a set of dimension values.
SELECT DISTINCT series_id, bucket_start FROM _cost_fact WHERE key_id = :id;

-- name: cost.verify_sums
-- Select the sums of settled days that several unfiltered series cover; a day without rows sums to zero.
SELECT
  d.day_start, d.series_id,
  coalesce(sum(f.amount_microcents), 0) AS amount_microcents, coalesce(sum(f.amount_remainder), 0) AS amount_remainder
FROM _series_day AS d
JOIN _series AS s ON s.id = d.series_id AND s.report = 'cost' AND s.filters = ''
LEFT JOIN _cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
WHERE d.settled_at IS NOT NULL AND EXISTS (
  SELECT 1 FROM _series AS t JOIN _series_day AS o ON o.series_id = t.id AND o.day_start = d.day_start
  WHERE t.report = 'cost' AND t.filters = '' AND t.id <> d.series_id AND o.settled_at IS NOT NULL
)
GROUP BY d.day_start, d.series_id;

-- name: analytics-usage.verify_keys
-- Select the dictionary of dimension values.
SELECT
  id, key, workspace_id, api_key_id, actor_type, actor_id, model, product, service_tier, context_window,
  inference_geo, speed, agent_id, claude_tag_category, claude_tag_user_id, deployment_id, environment_id,
  organization_id, rbac_group_id, session_id, slack_channel_id, user_profile_id
FROM _analytics_usage_key;

-- name: analytics-usage.verify_facts
-- Select the rows of a series, in order.
SELECT
  bucket_start, key_id, uncached_input_tokens, cache_creation_1h_input_tokens, cache_creation_5m_input_tokens,
  cache_read_input_tokens, output_tokens, web_search_requests, requests, extra
FROM _analytics_usage_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: analytics-usage.buckets_of_key
-- Select the buckets that use a set of dimension values.
SELECT DISTINCT series_id, bucket_start FROM _analytics_usage_fact WHERE key_id = :id;

-- name: analytics-usage.verify_sums
-- Select the sums of settled days that several series cover which add up to the whole; a day without rows sums to zero.
-- `fineness` is NULL for filtered series, and for groupings with rows that overlap or leave something out.
SELECT
  d.day_start, d.series_id,
  coalesce(sum(f.uncached_input_tokens), 0) AS uncached_input_tokens,
  coalesce(sum(f.cache_creation_1h_input_tokens), 0) AS cache_creation_1h_input_tokens,
  coalesce(sum(f.cache_creation_5m_input_tokens), 0) AS cache_creation_5m_input_tokens,
  coalesce(sum(f.cache_read_input_tokens), 0) AS cache_read_input_tokens,
  coalesce(sum(f.output_tokens), 0) AS output_tokens,
  coalesce(sum(f.web_search_requests), 0) AS web_search_requests
FROM _series_day AS d
JOIN _series AS s ON s.id = d.series_id AND s.report = 'analytics-usage' AND s.fineness IS NOT NULL
LEFT JOIN _analytics_usage_fact AS f
  ON f.series_id = d.series_id AND f.bucket_start >= d.day_start AND f.bucket_start < d.day_start + 86400
WHERE d.settled_at IS NOT NULL AND EXISTS (
  SELECT 1 FROM _series AS t JOIN _series_day AS o ON o.series_id = t.id AND o.day_start = d.day_start
  WHERE t.report = 'analytics-usage' AND t.fineness IS NOT NULL AND t.id <> d.series_id AND o.settled_at IS NOT NULL
)
GROUP BY d.day_start, d.series_id;

-- name: analytics-cost.verify_keys
-- Select the dictionary of dimension values.
SELECT
  id, key, workspace_id, api_key_id, actor_type, actor_id, model, product, service_tier, context_window,
  inference_geo, speed, agent_id, claude_tag_category, claude_tag_user_id, deployment_id, environment_id,
  organization_id, rbac_group_id, session_id, slack_channel_id, user_profile_id, cost_type, token_type, currency
FROM _analytics_cost_key;

-- name: analytics-cost.verify_facts
-- Select the rows of a series, in order.
SELECT
  bucket_start, key_id, amount, amount_microcents, amount_remainder, list_amount, requests, extra
FROM _analytics_cost_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: analytics-cost.buckets_of_key
-- Select the buckets that use a set of dimension values.
SELECT DISTINCT series_id, bucket_start FROM _analytics_cost_fact WHERE key_id = :id;

-- name: analytics-cost.verify_sums
-- Select the sums of settled days that several series cover which add up to the whole; a day without rows sums to zero.
-- `fineness` is NULL for filtered series, and for groupings with rows that overlap or leave something out.
SELECT
  d.day_start, d.series_id,
  coalesce(sum(f.amount_microcents), 0) AS amount_microcents,
  coalesce(sum(f.amount_remainder), 0) AS amount_remainder
FROM _series_day AS d
JOIN _series AS s ON s.id = d.series_id AND s.report = 'analytics-cost' AND s.fineness IS NOT NULL
LEFT JOIN _analytics_cost_fact AS f
  ON f.series_id = d.series_id AND f.bucket_start >= d.day_start AND f.bucket_start < d.day_start + 86400
WHERE d.settled_at IS NOT NULL AND EXISTS (
  SELECT 1 FROM _series AS t JOIN _series_day AS o ON o.series_id = t.id AND o.day_start = d.day_start
  WHERE t.report = 'analytics-cost' AND t.fineness IS NOT NULL AND t.id <> d.series_id AND o.settled_at IS NOT NULL
)
GROUP BY d.day_start, d.series_id;

-- name: claude-code.verify_keys
-- Select the dictionary of dimension values.
SELECT
  id, key, actor_type, actor_id, organization_id, customer_type, subscription_type, terminal_type, is_remote, tool,
  model, currency
FROM _claude_code_key;

-- name: claude-code.verify_facts
-- Select the rows of a series, in order.
SELECT
  bucket_start, key_id, sessions, lines_added, lines_removed, commits, pull_requests, accepted, rejected,
  input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, amount, amount_microcents, amount_remainder,
  extra
FROM _claude_code_fact WHERE series_id = ? ORDER BY bucket_start, key_id;

-- name: claude-code.buckets_of_key
-- Select the buckets that use a set of dimension values.
SELECT DISTINCT series_id, bucket_start FROM _claude_code_fact WHERE key_id = :id;

-- name: claude-code.verify_sums
-- The report has one series, so no day has sums of two that could differ.
SELECT day_start, series_id FROM _series_day WHERE false;
