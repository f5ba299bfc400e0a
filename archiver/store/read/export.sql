-- Statements of exports: whole months of the daily views, which have one series of each day.

-- name: daily_cost.select_months
-- Select the months with rows of days within bounds (NULL: none).
SELECT DISTINCT substr(date, 1, 7) FROM daily_cost
WHERE (:since IS NULL OR substr(date, 1, 7) >= substr(:since, 1, 7)) AND (:until IS NULL OR date < :until) ORDER BY 1;

-- name: daily_cost.select_month
-- Select all rows of a month.
SELECT * FROM daily_cost WHERE date >= :month || '-01' AND date < date(:month || '-01', '+1 month');

-- name: daily_tokens.select_months
-- Select the months with rows of days within bounds (NULL: none).
SELECT DISTINCT substr(date, 1, 7) FROM daily_tokens
WHERE (:since IS NULL OR substr(date, 1, 7) >= substr(:since, 1, 7)) AND (:until IS NULL OR date < :until) ORDER BY 1;

-- name: daily_tokens.select_month
-- Select all rows of a month.
SELECT * FROM daily_tokens WHERE date >= :month || '-01' AND date < date(:month || '-01', '+1 month');

-- name: daily_cost_by_key.select_months
-- Select the months with rows of days within bounds (NULL: none).
SELECT DISTINCT substr(date, 1, 7) FROM daily_cost_by_key
WHERE (:since IS NULL OR substr(date, 1, 7) >= substr(:since, 1, 7)) AND (:until IS NULL OR date < :until) ORDER BY 1;

-- name: daily_cost_by_key.select_month
-- Select all rows of a month.
SELECT * FROM daily_cost_by_key WHERE date >= :month || '-01' AND date < date(:month || '-01', '+1 month');

-- name: daily_cost_by_person.select_months
-- Select the months with rows of days within bounds (NULL: none).
SELECT DISTINCT substr(date, 1, 7) FROM daily_cost_by_person
WHERE (:since IS NULL OR substr(date, 1, 7) >= substr(:since, 1, 7)) AND (:until IS NULL OR date < :until) ORDER BY 1;

-- name: daily_cost_by_person.select_month
-- Select all rows of a month.
SELECT * FROM daily_cost_by_person WHERE date >= :month || '-01' AND date < date(:month || '-01', '+1 month');

-- name: claude_code.select_months
-- Select the months with rows of days within bounds (NULL: none).
SELECT DISTINCT substr(date, 1, 7) FROM claude_code
WHERE (:since IS NULL OR substr(date, 1, 7) >= substr(:since, 1, 7)) AND (:until IS NULL OR date < :until) ORDER BY 1;

-- name: claude_code.select_month
-- Select all rows of a month.
SELECT * FROM claude_code WHERE date >= :month || '-01' AND date < date(:month || '-01', '+1 month');

-- name: series.select_all
-- Select all series.
SELECT id, report, bucket_width, group_by, filters FROM _series ORDER BY id;

-- name: series.select_months
-- Select the months with buckets of a series, within bounds in UTC seconds.
SELECT DISTINCT strftime('%Y-%m', bucket_start, 'unixepoch') FROM _bucket
WHERE series_id = :series_id AND bucket_start >= :start AND bucket_start < :end ORDER BY 1;

-- The rows of one series in a month, as the API returned them. The CROSS JOIN keeps the series in the outer loop, so
-- that only the month is read. A name is the last that was known by the end of the bucket, as in the daily views. The
-- program computes `amount_usd` exactly.

-- name: usage.select_series_month
-- Select all rows of a month.
SELECT
  f.bucket_start,
  f.bucket_start + s.bucket_seconds AS bucket_end,
  k.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN k.workspace_id IS NULL THEN '(default workspace)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.api_key_id,
  a.name AS api_key_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,api_key_id,%' THEN '(not grouped)'
    WHEN k.api_key_id IS NULL THEN '(no API key)'
    ELSE coalesce(a.name, k.api_key_id)
  END AS api_key,
  k.model,
  k.service_tier,
  k.context_window,
  k.inference_geo,
  k.speed,
  k.account_id,
  k.service_account_id,
  f.uncached_input_tokens,
  f.cache_creation_1h_input_tokens,
  f.cache_creation_5m_input_tokens,
  f.cache_read_input_tokens,
  f.output_tokens,
  f.web_search_requests,
  f.extra
FROM _series AS s
CROSS JOIN _usage_fact AS f
  ON f.series_id = s.id AND f.bucket_start >= :start AND f.bucket_start < :end
JOIN _usage_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < f.bucket_start + s.bucket_seconds AND w.until >= f.bucket_start + s.bucket_seconds
LEFT JOIN _name_period AS a
  ON a.kind = 'api_key' AND a.id = k.api_key_id
  AND a.since < f.bucket_start + s.bucket_seconds AND a.until >= f.bucket_start + s.bucket_seconds
WHERE s.id = :series_id;

-- name: cost.select_series_month
-- Select all rows of a month.
SELECT
  f.bucket_start,
  f.bucket_start + s.bucket_seconds AS bucket_end,
  k.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN k.workspace_id IS NULL THEN '(default workspace)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.description,
  k.cost_type,
  k.model,
  k.service_tier,
  k.context_window,
  k.token_type,
  k.inference_geo,
  k.currency,
  f.amount,
  NULL AS amount_usd,
  f.extra
FROM _series AS s
CROSS JOIN _cost_fact AS f
  ON f.series_id = s.id AND f.bucket_start >= :start AND f.bucket_start < :end
JOIN _cost_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < f.bucket_start + s.bucket_seconds AND w.until >= f.bucket_start + s.bucket_seconds
WHERE s.id = :series_id;

-- name: analytics-usage.select_series_month
-- Select all rows of a month.
SELECT
  f.bucket_start,
  f.bucket_start + s.bucket_seconds AS bucket_end,
  k.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN k.workspace_id IS NULL OR k.workspace_id IN (SELECT id FROM _default_workspace) THEN '(default workspace)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.api_key_id,
  a.name AS api_key_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,api_key_id,%' THEN '(not grouped)'
    WHEN k.api_key_id IS NULL THEN '(no API key)'
    ELSE coalesce(a.name, k.api_key_id)
  END AS api_key,
  k.actor_type,
  k.actor_id,
  p.name AS person_name,
  p.email,
  k.model,
  k.product,
  k.service_tier,
  k.context_window,
  k.inference_geo,
  k.speed,
  k.agent_id,
  k.claude_tag_category,
  k.claude_tag_user_id,
  k.deployment_id,
  k.environment_id,
  k.organization_id,
  k.rbac_group_id,
  k.session_id,
  k.slack_channel_id,
  k.user_profile_id,
  f.uncached_input_tokens,
  f.cache_creation_1h_input_tokens,
  f.cache_creation_5m_input_tokens,
  f.cache_read_input_tokens,
  f.output_tokens,
  f.web_search_requests,
  f.requests,
  f.extra
FROM _series AS s
CROSS JOIN _analytics_usage_fact AS f
  ON f.series_id = s.id AND f.bucket_start >= :start AND f.bucket_start < :end
JOIN _analytics_usage_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < f.bucket_start + s.bucket_seconds AND w.until >= f.bucket_start + s.bucket_seconds
LEFT JOIN _name_period AS a
  ON a.kind = 'api_key' AND a.id = k.api_key_id
  AND a.since < f.bucket_start + s.bucket_seconds AND a.until >= f.bucket_start + s.bucket_seconds
LEFT JOIN _name_period AS p
  ON p.kind = CASE k.actor_type
    WHEN 'user_actor' THEN 'person'
    WHEN 'federated_actor' THEN 'person'
    WHEN 'service_account_actor' THEN 'service_account'
    WHEN 'api_actor' THEN 'api_key'
  END
  AND p.id = k.actor_id AND p.since < f.bucket_start + s.bucket_seconds
  AND p.until >= f.bucket_start + s.bucket_seconds
WHERE s.id = :series_id;

-- name: analytics-cost.select_series_month
-- Select all rows of a month.
SELECT
  f.bucket_start,
  f.bucket_start + s.bucket_seconds AS bucket_end,
  k.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN k.workspace_id IS NULL OR k.workspace_id IN (SELECT id FROM _default_workspace) THEN '(default workspace)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.api_key_id,
  a.name AS api_key_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,api_key_id,%' THEN '(not grouped)'
    WHEN k.api_key_id IS NULL THEN '(no API key)'
    ELSE coalesce(a.name, k.api_key_id)
  END AS api_key,
  k.actor_type,
  k.actor_id,
  p.name AS person_name,
  p.email,
  k.model,
  k.product,
  k.service_tier,
  k.context_window,
  k.inference_geo,
  k.speed,
  k.agent_id,
  k.claude_tag_category,
  k.claude_tag_user_id,
  k.deployment_id,
  k.environment_id,
  k.organization_id,
  k.rbac_group_id,
  k.session_id,
  k.slack_channel_id,
  k.user_profile_id,
  k.cost_type,
  k.token_type,
  k.currency,
  f.amount,
  NULL AS amount_usd,
  f.list_amount,
  NULL AS list_amount_usd,
  f.requests,
  f.extra
FROM _series AS s
CROSS JOIN _analytics_cost_fact AS f
  ON f.series_id = s.id AND f.bucket_start >= :start AND f.bucket_start < :end
JOIN _analytics_cost_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < f.bucket_start + s.bucket_seconds AND w.until >= f.bucket_start + s.bucket_seconds
LEFT JOIN _name_period AS a
  ON a.kind = 'api_key' AND a.id = k.api_key_id
  AND a.since < f.bucket_start + s.bucket_seconds AND a.until >= f.bucket_start + s.bucket_seconds
LEFT JOIN _name_period AS p
  ON p.kind = CASE k.actor_type
    WHEN 'user_actor' THEN 'person'
    WHEN 'federated_actor' THEN 'person'
    WHEN 'service_account_actor' THEN 'service_account'
    WHEN 'api_actor' THEN 'api_key'
  END
  AND p.id = k.actor_id AND p.since < f.bucket_start + s.bucket_seconds
  AND p.until >= f.bucket_start + s.bucket_seconds
WHERE s.id = :series_id;

-- name: focus.select_month_by_key
-- Select billed cost of a month by API key and all else that the analytics report has, from the series of each day that
-- is grouped by key. Names, labels and `_default_workspace` are as in the daily views.
SELECT
  date(d.day_start, 'unixepoch') AS date,
  k.workspace_id,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.workspace_id IN (SELECT id FROM _default_workspace) AS is_default_workspace,
  k.api_key_id,
  coalesce(a.name, k.api_key_id) AS api_key,
  k.actor_type,
  k.actor_id,
  coalesce(p.name, p.email) AS person_name,
  k.model,
  k.product,
  k.service_tier,
  k.context_window,
  k.inference_geo,
  k.cost_type,
  k.token_type,
  k.currency,
  f.amount,
  f.list_amount,
  f.key_id
FROM _chosen_day AS d
JOIN _series AS s ON s.id = d.series_id
JOIN _analytics_cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN _analytics_cost_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < d.day_start + 86400 AND w.until >= d.day_start + 86400
LEFT JOIN _name_period AS a
  ON a.kind = 'api_key' AND a.id = k.api_key_id
  AND a.since < d.day_start + 86400 AND a.until >= d.day_start + 86400
LEFT JOIN _name_period AS p
  ON p.kind = CASE k.actor_type
    WHEN 'user_actor' THEN 'person'
    WHEN 'federated_actor' THEN 'person'
    WHEN 'service_account_actor' THEN 'service_account'
    WHEN 'api_actor' THEN 'api_key'
  END
  AND p.id = k.actor_id AND p.since < d.day_start + 86400 AND p.until >= d.day_start + 86400
WHERE d.report = 'analytics-cost' AND d.dimension = 'api_key_id'
  AND ',' || s.group_by || ',' LIKE '%,api_key_id,%'
  AND d.day_start >= unixepoch(:month || '-01') AND d.day_start < unixepoch(:month || '-01', '+1 month');

-- name: focus.select_tokens_by_key
-- Select the tokens of a day of a series by the dimensions that costs have too.
SELECT
  k.workspace_id,
  k.api_key_id,
  k.actor_type,
  k.actor_id,
  k.model,
  k.product,
  k.service_tier,
  k.context_window,
  k.inference_geo,
  sum(f.uncached_input_tokens) AS uncached_input_tokens,
  sum(f.cache_creation_1h_input_tokens) AS cache_creation_1h_input_tokens,
  sum(f.cache_creation_5m_input_tokens) AS cache_creation_5m_input_tokens,
  sum(f.cache_read_input_tokens) AS cache_read_input_tokens,
  sum(f.output_tokens) AS output_tokens,
  sum(f.web_search_requests) AS web_search_requests
FROM _analytics_usage_fact AS f
JOIN _analytics_usage_key AS k ON k.id = f.key_id
WHERE f.series_id = :series_id AND f.bucket_start = :day
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
