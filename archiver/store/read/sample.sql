-- Statements that read settled windows and their rows, for comparing them with the API.

-- name: settled_spans
-- Select the settled ranges of every series, merged whatever their time of reading. `begins` is 1 for a range that does
-- not continue the one before, and its running sum numbers the merged ranges.
WITH settled AS (
  SELECT *, lag(span_end) OVER by_time IS NOT span_start AS begins
  FROM _span WHERE state = 'settled'
  WINDOW by_time AS (PARTITION BY series_id ORDER BY span_start)
),
island AS (
  SELECT *, sum(begins) OVER (PARTITION BY series_id ORDER BY span_start) AS number FROM settled
)
SELECT s.report, s.bucket_width, s.group_by, s.filters, min(i.span_start), max(i.span_end)
FROM island AS i JOIN _series AS s ON s.id = i.series_id
GROUP BY i.series_id, i.number
ORDER BY s.id, min(i.span_start);

-- name: usage.sample_rows
-- Select the rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.workspace_id, k.api_key_id, k.model, k.service_tier, k.context_window, k.inference_geo, k.speed,
  k.account_id, k.service_account_id, f.uncached_input_tokens, f.cache_creation_1h_input_tokens,
  f.cache_creation_5m_input_tokens, f.cache_read_input_tokens, f.output_tokens, f.web_search_requests, f.extra
FROM _usage_fact AS f JOIN _usage_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;

-- name: cost.sample_rows
-- Select the rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.workspace_id, k.description, k.cost_type, k.model, k.service_tier, k.context_window,
  k.token_type, k.inference_geo, k.currency, f.amount, f.amount_microcents, f.amount_remainder, f.extra
FROM _cost_fact AS f JOIN _cost_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;

-- name: analytics-usage.sample_rows
-- Select the rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.workspace_id, k.api_key_id, k.actor_type, k.actor_id, k.model, k.product, k.service_tier,
  k.context_window, k.inference_geo, k.speed, k.agent_id, k.claude_tag_category, k.claude_tag_user_id,
  k.deployment_id, k.environment_id, k.organization_id, k.rbac_group_id, k.session_id, k.slack_channel_id,
  k.user_profile_id, f.uncached_input_tokens, f.cache_creation_1h_input_tokens, f.cache_creation_5m_input_tokens,
  f.cache_read_input_tokens, f.output_tokens, f.web_search_requests, f.requests, f.extra
FROM _analytics_usage_fact AS f JOIN _analytics_usage_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;

-- name: analytics-cost.sample_rows
-- Select the rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.workspace_id, k.api_key_id, k.actor_type, k.actor_id, k.model, k.product, k.service_tier,
  k.context_window, k.inference_geo, k.speed, k.agent_id, k.claude_tag_category, k.claude_tag_user_id,
  k.deployment_id, k.environment_id, k.organization_id, k.rbac_group_id, k.session_id, k.slack_channel_id,
  k.user_profile_id, k.cost_type, k.token_type, k.currency, f.amount, f.amount_microcents, f.amount_remainder,
  f.list_amount, f.requests, f.extra
FROM _analytics_cost_fact AS f JOIN _analytics_cost_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;

-- name: claude-code.sample_rows
-- Select the rows of a window with the values of their dimensions.
SELECT
  f.bucket_start, k.actor_type, k.actor_id, k.organization_id, k.customer_type, k.subscription_type, k.terminal_type,
  k.is_remote, k.tool, k.model, k.currency, f.sessions, f.lines_added, f.lines_removed, f.commits, f.pull_requests,
  f.accepted, f.rejected, f.input_tokens, f.output_tokens, f.cache_read_tokens, f.cache_creation_tokens, f.amount,
  f.amount_microcents, f.amount_remainder, f.extra
FROM _claude_code_fact AS f JOIN _claude_code_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start >= :start AND f.bucket_start < :end;
