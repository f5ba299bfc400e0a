CREATE TABLE _analytics_cost_fact (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  amount TEXT NOT NULL,
  amount_microcents INTEGER NOT NULL,
  amount_remainder INTEGER NOT NULL,
  list_amount TEXT NOT NULL,
  requests INTEGER,
  extra TEXT,
  PRIMARY KEY (series_id, bucket_start, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _analytics_cost_key (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  workspace_id TEXT,
  api_key_id TEXT,
  actor_type TEXT,
  actor_id TEXT,
  model TEXT,
  product TEXT,
  service_tier TEXT,
  context_window TEXT,
  inference_geo TEXT,
  speed TEXT,
  agent_id TEXT,
  claude_tag_category TEXT,
  claude_tag_user_id TEXT,
  deployment_id TEXT,
  environment_id TEXT,
  organization_id TEXT,
  rbac_group_id TEXT,
  session_id TEXT,
  slack_channel_id TEXT,
  user_profile_id TEXT,
  cost_type TEXT,
  token_type TEXT,
  currency TEXT
) STRICT;
CREATE TABLE _analytics_cost_revision (
  revision_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  was_amount TEXT,
  was_amount_microcents INTEGER,
  was_amount_remainder INTEGER,
  was_list_amount TEXT,
  was_requests INTEGER,
  was_extra TEXT,
  now_amount TEXT,
  now_amount_microcents INTEGER,
  now_amount_remainder INTEGER,
  now_list_amount TEXT,
  now_requests INTEGER,
  now_extra TEXT,
  PRIMARY KEY (revision_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _analytics_usage_fact (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  uncached_input_tokens INTEGER NOT NULL,
  cache_creation_1h_input_tokens INTEGER NOT NULL,
  cache_creation_5m_input_tokens INTEGER NOT NULL,
  cache_read_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  web_search_requests INTEGER NOT NULL,
  requests INTEGER,
  extra TEXT,
  PRIMARY KEY (series_id, bucket_start, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _analytics_usage_key (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  workspace_id TEXT,
  api_key_id TEXT,
  actor_type TEXT,
  actor_id TEXT,
  model TEXT,
  product TEXT,
  service_tier TEXT,
  context_window TEXT,
  inference_geo TEXT,
  speed TEXT,
  agent_id TEXT,
  claude_tag_category TEXT,
  claude_tag_user_id TEXT,
  deployment_id TEXT,
  environment_id TEXT,
  organization_id TEXT,
  rbac_group_id TEXT,
  session_id TEXT,
  slack_channel_id TEXT,
  user_profile_id TEXT
) STRICT;
CREATE TABLE _analytics_usage_revision (
  revision_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  was_uncached_input_tokens INTEGER,
  was_cache_creation_1h_input_tokens INTEGER,
  was_cache_creation_5m_input_tokens INTEGER,
  was_cache_read_input_tokens INTEGER,
  was_output_tokens INTEGER,
  was_web_search_requests INTEGER,
  was_requests INTEGER,
  was_extra TEXT,
  now_uncached_input_tokens INTEGER,
  now_cache_creation_1h_input_tokens INTEGER,
  now_cache_creation_5m_input_tokens INTEGER,
  now_cache_read_input_tokens INTEGER,
  now_output_tokens INTEGER,
  now_web_search_requests INTEGER,
  now_requests INTEGER,
  now_extra TEXT,
  PRIMARY KEY (revision_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _answer (
  series_id INTEGER NOT NULL,
  window_start INTEGER NOT NULL,
  window_end INTEGER NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (series_id, window_start)
) STRICT, WITHOUT ROWID;
CREATE TABLE _bucket (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  digest BLOB NOT NULL,
  learnt_at INTEGER NOT NULL,
  PRIMARY KEY (series_id, bucket_start)
) STRICT, WITHOUT ROWID;
CREATE VIEW _canonical_day AS
SELECT report, day_start, series_id, rank FROM _chosen_day WHERE dimension = '';
CREATE TABLE _chosen_day (
  report TEXT NOT NULL,
  dimension TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  series_id INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  PRIMARY KEY (report, dimension, day_start)
) STRICT, WITHOUT ROWID;
CREATE TABLE _claude_code_fact (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  sessions INTEGER NOT NULL,
  lines_added INTEGER NOT NULL,
  lines_removed INTEGER NOT NULL,
  commits INTEGER NOT NULL,
  pull_requests INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_creation_tokens INTEGER NOT NULL,
  amount TEXT,
  amount_microcents INTEGER,
  amount_remainder INTEGER,
  extra TEXT,
  PRIMARY KEY (series_id, bucket_start, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _claude_code_key (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  actor_type TEXT,
  actor_id TEXT,
  organization_id TEXT,
  customer_type TEXT,
  subscription_type TEXT,
  terminal_type TEXT,
  is_remote TEXT,
  tool TEXT,
  model TEXT,
  currency TEXT
) STRICT;
CREATE TABLE _claude_code_revision (
  revision_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  was_sessions INTEGER,
  was_lines_added INTEGER,
  was_lines_removed INTEGER,
  was_commits INTEGER,
  was_pull_requests INTEGER,
  was_accepted INTEGER,
  was_rejected INTEGER,
  was_input_tokens INTEGER,
  was_output_tokens INTEGER,
  was_cache_read_tokens INTEGER,
  was_cache_creation_tokens INTEGER,
  was_amount TEXT,
  was_amount_microcents INTEGER,
  was_amount_remainder INTEGER,
  was_extra TEXT,
  now_sessions INTEGER,
  now_lines_added INTEGER,
  now_lines_removed INTEGER,
  now_commits INTEGER,
  now_pull_requests INTEGER,
  now_accepted INTEGER,
  now_rejected INTEGER,
  now_input_tokens INTEGER,
  now_output_tokens INTEGER,
  now_cache_read_tokens INTEGER,
  now_cache_creation_tokens INTEGER,
  now_amount TEXT,
  now_amount_microcents INTEGER,
  now_amount_remainder INTEGER,
  now_extra TEXT,
  PRIMARY KEY (revision_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _cost_fact (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  amount TEXT NOT NULL,
  amount_microcents INTEGER NOT NULL,
  amount_remainder INTEGER NOT NULL,
  extra TEXT,
  PRIMARY KEY (series_id, bucket_start, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _cost_key (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  workspace_id TEXT,
  description TEXT,
  cost_type TEXT,
  model TEXT,
  service_tier TEXT,
  context_window TEXT,
  token_type TEXT,
  inference_geo TEXT,
  currency TEXT
) STRICT;
CREATE TABLE _cost_revision (
  revision_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  was_amount TEXT,
  was_amount_microcents INTEGER,
  was_amount_remainder INTEGER,
  was_extra TEXT,
  now_amount TEXT,
  now_amount_microcents INTEGER,
  now_amount_remainder INTEGER,
  now_extra TEXT,
  PRIMARY KEY (revision_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE VIEW _default_workspace AS
SELECT id
FROM workspace
WHERE name = 'Default' AND julianday(created_at) = (SELECT min(julianday(created_at)) FROM workspace);
CREATE TABLE _history (
  report TEXT PRIMARY KEY,
  empty_until INTEGER NOT NULL,
  first_bucket INTEGER
) STRICT;
CREATE TABLE _memory (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
CREATE TABLE _migration (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  program TEXT NOT NULL
) STRICT;
CREATE VIEW _month_gap AS
SELECT
  report,
  strftime('%Y-%m', day_start, 'unixepoch') AS month,
  CAST(strftime('%d', min(day_start), 'unixepoch', 'start of month', '+1 month', '-1 day') AS INTEGER) - count(*)
    AS gap_days
FROM _canonical_day
GROUP BY report, month;
CREATE TABLE _name (
  kind TEXT NOT NULL CHECK (kind IN ('workspace', 'api_key', 'user', 'service_account', 'person')),
  id TEXT NOT NULL,
  learnt_at INTEGER NOT NULL,
  name TEXT,
  details TEXT NOT NULL,
  PRIMARY KEY (kind, id, learnt_at)
) STRICT, WITHOUT ROWID;
CREATE VIEW _name_period AS
SELECT
  kind,
  id,
  name,
  details ->> 'email' AS email,
  iif(row_number() OVER by_time = 1, 0, learnt_at) AS since,
  lead(learnt_at, 1, 9223372036854775807) OVER by_time AS until
FROM _name
WINDOW by_time AS (PARTITION BY kind, id ORDER BY learnt_at);
CREATE TABLE _organization (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  id TEXT NOT NULL,
  name TEXT
) STRICT;
CREATE TABLE _revision (
  id INTEGER PRIMARY KEY,
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  learnt_at INTEGER NOT NULL,
  previously_learnt_at INTEGER,
  was_settled INTEGER NOT NULL CHECK (was_settled IN (0, 1))
) STRICT;
CREATE TABLE _run (
  id INTEGER PRIMARY KEY,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  outcome TEXT,
  exit_code INTEGER,
  requests INTEGER NOT NULL DEFAULT 0,
  retries INTEGER NOT NULL DEFAULT 0,
  rows_inserted INTEGER NOT NULL DEFAULT 0,
  rows_updated INTEGER NOT NULL DEFAULT 0,
  rows_removed INTEGER NOT NULL DEFAULT 0,
  rows_unchanged INTEGER NOT NULL DEFAULT 0,
  version TEXT NOT NULL
) STRICT;
CREATE TABLE _series (
  id INTEGER PRIMARY KEY,
  report TEXT NOT NULL CHECK (report IN ('usage', 'cost', 'analytics-usage', 'analytics-cost', 'claude-code')),
  bucket_width TEXT NOT NULL CHECK (bucket_width IN ('1m', '1h', '1d')),
  bucket_seconds INTEGER NOT NULL,
  group_by TEXT NOT NULL,
  filters TEXT NOT NULL,
  fineness INTEGER,
  UNIQUE (report, bucket_width, group_by, filters)
) STRICT;
CREATE TABLE _series_day (
  series_id INTEGER NOT NULL,
  day_start INTEGER NOT NULL,
  first_read_at INTEGER NOT NULL,
  whole_at INTEGER,
  settled_at INTEGER,
  last_read_at INTEGER NOT NULL,
  PRIMARY KEY (series_id, day_start)
) STRICT, WITHOUT ROWID;
CREATE TABLE _span (
  series_id INTEGER NOT NULL,
  span_start INTEGER NOT NULL,
  span_end INTEGER NOT NULL CHECK (span_end > span_start),
  state TEXT NOT NULL CHECK (state IN ('settled', 'provisional', 'missing', 'failed')),
  fetched_at INTEGER,
  complete_until INTEGER,
  PRIMARY KEY (series_id, span_start)
) STRICT, WITHOUT ROWID;
CREATE TABLE _spend_limits (
  learnt_at INTEGER PRIMARY KEY,
  limits TEXT NOT NULL
) STRICT;
CREATE TABLE _suspect (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  digest BLOB NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (series_id, bucket_start)
) STRICT, WITHOUT ROWID;
CREATE TABLE _usage_day (
  series_id INTEGER NOT NULL,
  day_start INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  uncached_input_tokens INTEGER NOT NULL,
  cache_creation_1h_input_tokens INTEGER NOT NULL,
  cache_creation_5m_input_tokens INTEGER NOT NULL,
  cache_read_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  web_search_requests INTEGER NOT NULL,
  PRIMARY KEY (series_id, day_start, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _usage_fact (
  series_id INTEGER NOT NULL,
  bucket_start INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  uncached_input_tokens INTEGER NOT NULL,
  cache_creation_1h_input_tokens INTEGER NOT NULL,
  cache_creation_5m_input_tokens INTEGER NOT NULL,
  cache_read_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  web_search_requests INTEGER NOT NULL,
  extra TEXT,
  PRIMARY KEY (series_id, bucket_start, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE _usage_key (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  workspace_id TEXT,
  api_key_id TEXT,
  model TEXT,
  service_tier TEXT,
  context_window TEXT,
  inference_geo TEXT,
  speed TEXT,
  account_id TEXT,
  service_account_id TEXT
) STRICT;
CREATE TABLE _usage_revision (
  revision_id INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  was_uncached_input_tokens INTEGER,
  was_cache_creation_1h_input_tokens INTEGER,
  was_cache_creation_5m_input_tokens INTEGER,
  was_cache_read_input_tokens INTEGER,
  was_output_tokens INTEGER,
  was_web_search_requests INTEGER,
  was_extra TEXT,
  now_uncached_input_tokens INTEGER,
  now_cache_creation_1h_input_tokens INTEGER,
  now_cache_creation_5m_input_tokens INTEGER,
  now_cache_read_input_tokens INTEGER,
  now_output_tokens INTEGER,
  now_web_search_requests INTEGER,
  now_extra TEXT,
  PRIMARY KEY (revision_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE VIEW analytics_cost AS
SELECT
  f.series_id,
  s.bucket_width,
  s.group_by,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start, 'unixepoch') AS bucket_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start + s.bucket_seconds, 'unixepoch') AS bucket_end,
  k.workspace_id,
  k.api_key_id,
  k.actor_type,
  k.actor_id,
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
  f.amount_microcents,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.amount_remainder = 0 THEN f.amount_microcents / 1e8
    WHEN f.amount GLOB '*[eE]*' THEN CAST(f.amount AS REAL) / 100
    ELSE CAST(f.amount || 'e-2' AS REAL)
  END AS amount_usd,
  f.list_amount,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.list_amount GLOB '*[eE]*' THEN CAST(f.list_amount AS REAL) / 100
    ELSE CAST(f.list_amount || 'e-2' AS REAL)
  END AS list_amount_usd,
  f.requests,
  f.extra
FROM _analytics_cost_fact AS f
JOIN _series AS s ON s.id = f.series_id
JOIN _analytics_cost_key AS k ON k.id = f.key_id;
CREATE VIEW analytics_usage AS
SELECT
  f.series_id,
  s.bucket_width,
  s.group_by,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start, 'unixepoch') AS bucket_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start + s.bucket_seconds, 'unixepoch') AS bucket_end,
  k.workspace_id,
  k.api_key_id,
  k.actor_type,
  k.actor_id,
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
FROM _analytics_usage_fact AS f
JOIN _series AS s ON s.id = f.series_id
JOIN _analytics_usage_key AS k ON k.id = f.key_id;
CREATE VIEW api_key AS
SELECT
  id,
  name,
  details ->> 'workspace_id' AS workspace_id,
  details ->> 'status' AS status,
  details ->> 'created_at' AS created_at,
  details ->> 'expires_at' AS expires_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(learnt_at), 'unixepoch') AS learnt_at,
  details
FROM _name
WHERE kind = 'api_key'
GROUP BY id;
CREATE VIEW cache_efficiency AS
WITH day AS MATERIALIZED (
  SELECT date, group_by FROM day_series WHERE report = 'usage'
)
SELECT
  t.date,
  workspace_id,
  max(workspace_name) AS workspace_name,
  max(workspace) AS workspace,
  model,
  sum(uncached_input_tokens) AS uncached_input_tokens,
  sum(cache_creation_1h_input_tokens + cache_creation_5m_input_tokens) AS cache_creation_input_tokens,
  sum(cache_read_input_tokens) AS cache_read_input_tokens,
  1.0 * sum(cache_read_input_tokens) / nullif(
    sum(uncached_input_tokens + cache_creation_1h_input_tokens + cache_creation_5m_input_tokens
      + cache_read_input_tokens), 0
  ) AS cache_hit_rate,
  s.group_by
FROM daily_tokens AS t
JOIN day AS s ON s.date = t.date
GROUP BY t.date, workspace_id, model;
CREATE VIEW claude_code AS
SELECT
  date(f.bucket_start, 'unixepoch') AS date,
  k.actor_type,
  k.actor_id,
  p.email,
  coalesce((SELECT u.name FROM user AS u WHERE lower(u.email) = lower(p.email)), p.email, k.actor_id) AS person,
  k.organization_id,
  k.customer_type,
  k.subscription_type,
  k.terminal_type,
  k.is_remote,
  k.tool,
  k.model,
  f.sessions,
  f.lines_added,
  f.lines_removed,
  f.commits,
  f.pull_requests,
  f.accepted,
  f.rejected,
  f.input_tokens,
  f.output_tokens,
  f.cache_read_tokens,
  f.cache_creation_tokens,
  k.currency,
  f.amount,
  f.amount_microcents,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.amount_remainder = 0 THEN f.amount_microcents / 1e8
    WHEN f.amount GLOB '*[eE]*' THEN CAST(f.amount AS REAL) / 100
    ELSE CAST(f.amount || 'e-2' AS REAL)
  END AS amount_usd,
  f.extra
FROM _claude_code_fact AS f
JOIN _claude_code_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS p
  ON p.kind = 'person' AND p.id = k.actor_id
  AND p.since < f.bucket_start + 86400 AND p.until >= f.bucket_start + 86400;
CREATE VIEW cost AS
SELECT
  f.series_id,
  s.bucket_width,
  s.group_by,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start, 'unixepoch') AS bucket_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start + s.bucket_seconds, 'unixepoch') AS bucket_end,
  k.workspace_id,
  k.description,
  k.cost_type,
  k.model,
  k.service_tier,
  k.context_window,
  k.token_type,
  k.inference_geo,
  k.currency,
  f.amount,
  f.amount_microcents,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.amount_remainder = 0 THEN f.amount_microcents / 1e8
    WHEN f.amount GLOB '*[eE]*' THEN CAST(f.amount AS REAL) / 100
    ELSE CAST(f.amount || 'e-2' AS REAL)
  END AS amount_usd,
  f.extra
FROM _cost_fact AS f
JOIN _series AS s ON s.id = f.series_id
JOIN _cost_key AS k ON k.id = f.key_id;
CREATE VIEW coverage AS
WITH ordered AS (
  SELECT
    series_id,
    span_start,
    span_end,
    state,
    fetched_at,
    lag(span_end) OVER by_time IS NOT span_start OR lag(state) OVER by_time IS NOT state AS begins
  FROM _span
  WINDOW by_time AS (PARTITION BY series_id ORDER BY span_start)
),
islands AS (
  SELECT *, sum(begins) OVER (PARTITION BY series_id ORDER BY span_start) AS island
  FROM ordered
)
SELECT
  s.report,
  s.bucket_width,
  s.group_by,
  s.filters,
  strftime('%Y-%m-%dT%H:%M:%SZ', min(i.span_start), 'unixepoch') AS range_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(i.span_end), 'unixepoch') AS range_end,
  i.state,
  strftime('%Y-%m-%dT%H:%M:%SZ', min(i.fetched_at), 'unixepoch') AS fetched_at
FROM islands AS i
JOIN _series AS s ON s.id = i.series_id
GROUP BY i.series_id, i.island;
CREATE VIEW daily_cost AS
SELECT
  date(d.day_start, 'unixepoch') AS date,
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
  f.amount_microcents,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.amount_remainder = 0 THEN f.amount_microcents / 1e8
    WHEN f.amount GLOB '*[eE]*' THEN CAST(f.amount AS REAL) / 100
    ELSE CAST(f.amount || 'e-2' AS REAL)
  END AS amount_usd
FROM _canonical_day AS d
JOIN _series AS s ON s.id = d.series_id
JOIN _cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN _cost_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < d.day_start + 86400 AND w.until >= d.day_start + 86400
WHERE d.report = 'cost';
CREATE VIEW daily_cost_by_key AS
SELECT
  date(d.day_start, 'unixepoch') AS date,
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
  k.model,
  k.product,
  k.cost_type,
  k.token_type,
  k.currency,
  f.amount,
  f.amount_microcents,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.amount_remainder = 0 THEN f.amount_microcents / 1e8
    WHEN f.amount GLOB '*[eE]*' THEN CAST(f.amount AS REAL) / 100
    ELSE CAST(f.amount || 'e-2' AS REAL)
  END AS amount_usd,
  f.list_amount,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.list_amount GLOB '*[eE]*' THEN CAST(f.list_amount AS REAL) / 100
    ELSE CAST(f.list_amount || 'e-2' AS REAL)
  END AS list_amount_usd
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
WHERE d.report = 'analytics-cost' AND d.dimension = 'api_key_id';
CREATE VIEW daily_cost_by_person AS
SELECT
  date(d.day_start, 'unixepoch') AS date,
  k.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN k.workspace_id IS NULL OR k.workspace_id IN (SELECT id FROM _default_workspace) THEN '(default workspace)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.actor_type,
  k.actor_id,
  p.name AS person_name,
  p.email,
  CASE
    WHEN ',' || s.group_by || ',' NOT LIKE '%,actor,%' THEN '(not grouped)'
    WHEN k.actor_id IS NULL THEN '(not attributed)'
    WHEN k.actor_type = 'federated_actor' THEN coalesce(p.email, nullif(k.actor_id ->> 'subject', ''), k.actor_id)
    ELSE coalesce(p.name, p.email, k.actor_id)
  END AS person,
  k.model,
  k.product,
  k.cost_type,
  k.token_type,
  k.currency,
  f.amount,
  f.amount_microcents,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.amount_remainder = 0 THEN f.amount_microcents / 1e8
    WHEN f.amount GLOB '*[eE]*' THEN CAST(f.amount AS REAL) / 100
    ELSE CAST(f.amount || 'e-2' AS REAL)
  END AS amount_usd,
  f.list_amount,
  CASE
    WHEN k.currency IS NOT 'USD' THEN NULL
    WHEN f.list_amount GLOB '*[eE]*' THEN CAST(f.list_amount AS REAL) / 100
    ELSE CAST(f.list_amount || 'e-2' AS REAL)
  END AS list_amount_usd
FROM _chosen_day AS d
JOIN _series AS s ON s.id = d.series_id
JOIN _analytics_cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
JOIN _analytics_cost_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < d.day_start + 86400 AND w.until >= d.day_start + 86400
LEFT JOIN _name_period AS p
  ON p.kind = CASE k.actor_type
    WHEN 'user_actor' THEN 'person'
    WHEN 'federated_actor' THEN 'person'
    WHEN 'service_account_actor' THEN 'service_account'
    WHEN 'api_actor' THEN 'api_key'
  END
  AND p.id = k.actor_id AND p.since < d.day_start + 86400 AND p.until >= d.day_start + 86400
WHERE d.report = 'analytics-cost' AND d.dimension = 'actor';
CREATE VIEW daily_tokens AS
WITH fact AS (
  SELECT
    d.day_start,
    s.group_by,
    f.key_id,
    f.uncached_input_tokens,
    f.cache_creation_1h_input_tokens,
    f.cache_creation_5m_input_tokens,
    f.cache_read_input_tokens,
    f.output_tokens,
    f.web_search_requests
  FROM _canonical_day AS d
  JOIN _series AS s ON s.id = d.series_id AND s.bucket_seconds = 86400
  JOIN _usage_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
  WHERE d.report = 'usage'
  UNION ALL
  SELECT
    d.day_start,
    s.group_by,
    r.key_id,
    r.uncached_input_tokens,
    r.cache_creation_1h_input_tokens,
    r.cache_creation_5m_input_tokens,
    r.cache_read_input_tokens,
    r.output_tokens,
    r.web_search_requests
  FROM _canonical_day AS d
  JOIN _series AS s ON s.id = d.series_id
  JOIN _usage_day AS r ON r.series_id = d.series_id AND r.day_start = d.day_start
  WHERE d.report = 'usage'
)
SELECT
  date(f.day_start, 'unixepoch') AS date,
  k.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || f.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN k.workspace_id IS NULL THEN '(default workspace)'
    ELSE coalesce(w.name, k.workspace_id)
  END AS workspace,
  k.api_key_id,
  a.name AS api_key_name,
  CASE
    WHEN ',' || f.group_by || ',' NOT LIKE '%,api_key_id,%' THEN '(not grouped)'
    WHEN k.api_key_id IS NULL THEN '(no API key)'
    ELSE coalesce(a.name, k.api_key_id)
  END AS api_key,
  k.model,
  k.service_tier,
  k.context_window,
  sum(f.uncached_input_tokens) AS uncached_input_tokens,
  sum(f.cache_creation_1h_input_tokens) AS cache_creation_1h_input_tokens,
  sum(f.cache_creation_5m_input_tokens) AS cache_creation_5m_input_tokens,
  sum(f.cache_read_input_tokens) AS cache_read_input_tokens,
  sum(f.output_tokens) AS output_tokens,
  sum(f.web_search_requests) AS web_search_requests
FROM fact AS f
JOIN _usage_key AS k ON k.id = f.key_id
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = k.workspace_id
  AND w.since < f.day_start + 86400 AND w.until >= f.day_start + 86400
LEFT JOIN _name_period AS a
  ON a.kind = 'api_key' AND a.id = k.api_key_id
  AND a.since < f.day_start + 86400 AND a.until >= f.day_start + 86400
GROUP BY f.day_start, k.workspace_id, k.api_key_id, k.model, k.service_tier, k.context_window;
CREATE VIEW day_series AS
SELECT
  d.report,
  date(d.day_start, 'unixepoch') AS date,
  s.bucket_width,
  s.group_by,
  CASE d.rank WHEN 2 THEN 'settled' ELSE 'provisional' END AS state,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.last_read_at, 'unixepoch') AS fetched_at
FROM _canonical_day AS d
JOIN _series AS s ON s.id = d.series_id
LEFT JOIN _series_day AS r ON r.series_id = d.series_id AND r.day_start = d.day_start;
CREATE VIEW monthly_cost AS
WITH summed AS (
  SELECT
    strftime('%Y-%m', d.day_start, 'unixepoch') AS month,
    k.workspace_id,
    k.description,
    k.cost_type,
    k.model,
    k.service_tier,
    k.context_window,
    k.token_type,
    k.inference_geo,
    k.currency,
    sum(f.amount_microcents) AS microcents,
    sum(f.amount_remainder) AS remainder,
    s.group_by
  FROM _canonical_day AS d
  JOIN _series AS s ON s.id = d.series_id
  JOIN _cost_fact AS f ON f.series_id = d.series_id AND f.bucket_start = d.day_start
  JOIN _cost_key AS k ON k.id = f.key_id
  WHERE d.report = 'cost'
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, s.group_by
),
carried AS (
  SELECT *, microcents + remainder / 1000000000000 AS whole, remainder % 1000000000000 AS rest FROM summed
),
signed AS (
  SELECT
    *,
    whole + (rest > 0 AND whole < 0) - (rest < 0 AND whole > 0) AS digits,
    rest - 1000000000000 * ((rest > 0 AND whole < 0) - (rest < 0 AND whole > 0)) AS more_digits
  FROM carried
),
written AS (
  SELECT
    *,
    iif(digits < 0 OR more_digits < 0, '-', '') || (abs(digits) / 1000000) || rtrim(
      rtrim(printf('.%06d%012d', abs(digits) % 1000000, abs(more_digits)), '0'), '.'
    ) AS amount
  FROM signed
)
SELECT
  m.month,
  m.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || m.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN m.workspace_id IS NULL THEN '(default workspace)'
    ELSE coalesce(w.name, m.workspace_id)
  END AS workspace,
  m.description,
  m.cost_type,
  m.model,
  m.service_tier,
  m.context_window,
  m.token_type,
  m.inference_geo,
  m.currency,
  m.amount,
  m.whole + (m.rest >= 500000000000) - (m.rest <= -500000000000) AS amount_microcents,
  iif(m.currency = 'USD', iif(m.rest = 0, m.whole / 1e8, CAST(m.amount || 'e-2' AS REAL)), NULL) AS amount_usd,
  g.gap_days,
  m.group_by
FROM written AS m
JOIN _month_gap AS g ON g.report = 'cost' AND g.month = m.month
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = m.workspace_id
  AND w.since < CAST(strftime('%s', m.month || '-01', '+1 month') AS INTEGER)
  AND w.until >= CAST(strftime('%s', m.month || '-01', '+1 month') AS INTEGER);
CREATE VIEW monthly_tokens AS
WITH day AS MATERIALIZED (
  SELECT date, group_by FROM day_series WHERE report = 'usage'
),
summed AS (
  SELECT
    substr(t.date, 1, 7) AS month,
    t.workspace_id,
    t.api_key_id,
    t.model,
    t.service_tier,
    t.context_window,
    sum(t.uncached_input_tokens) AS uncached_input_tokens,
    sum(t.cache_creation_1h_input_tokens) AS cache_creation_1h_input_tokens,
    sum(t.cache_creation_5m_input_tokens) AS cache_creation_5m_input_tokens,
    sum(t.cache_read_input_tokens) AS cache_read_input_tokens,
    sum(t.output_tokens) AS output_tokens,
    sum(t.web_search_requests) AS web_search_requests,
    s.group_by
  FROM daily_tokens AS t
  JOIN day AS s ON s.date = t.date
  GROUP BY 1, 2, 3, 4, 5, 6, s.group_by
)
SELECT
  m.month,
  m.workspace_id,
  w.name AS workspace_name,
  CASE
    WHEN ',' || m.group_by || ',' NOT LIKE '%,workspace_id,%' THEN '(not grouped)'
    WHEN m.workspace_id IS NULL THEN '(default workspace)'
    ELSE coalesce(w.name, m.workspace_id)
  END AS workspace,
  m.api_key_id,
  a.name AS api_key_name,
  CASE
    WHEN ',' || m.group_by || ',' NOT LIKE '%,api_key_id,%' THEN '(not grouped)'
    WHEN m.api_key_id IS NULL THEN '(no API key)'
    ELSE coalesce(a.name, m.api_key_id)
  END AS api_key,
  m.model,
  m.service_tier,
  m.context_window,
  m.uncached_input_tokens,
  m.cache_creation_1h_input_tokens,
  m.cache_creation_5m_input_tokens,
  m.cache_read_input_tokens,
  m.output_tokens,
  m.web_search_requests,
  g.gap_days,
  m.group_by
FROM summed AS m
JOIN _month_gap AS g ON g.report = 'usage' AND g.month = m.month
LEFT JOIN _name_period AS w
  ON w.kind = 'workspace' AND w.id = m.workspace_id
  AND w.since < CAST(strftime('%s', m.month || '-01', '+1 month') AS INTEGER)
  AND w.until >= CAST(strftime('%s', m.month || '-01', '+1 month') AS INTEGER)
LEFT JOIN _name_period AS a
  ON a.kind = 'api_key' AND a.id = m.api_key_id
  AND a.since < CAST(strftime('%s', m.month || '-01', '+1 month') AS INTEGER)
  AND a.until >= CAST(strftime('%s', m.month || '-01', '+1 month') AS INTEGER);
CREATE VIEW person AS
SELECT
  id,
  name,
  details ->> 'email' AS email,
  details ->> 'deleted' AS deleted,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(learnt_at), 'unixepoch') AS learnt_at,
  details
FROM _name
WHERE kind = 'person'
GROUP BY id;
CREATE VIEW readme AS
WITH line (number, text) AS (
  VALUES
    (1, 'An archive of an organisation''s Claude API usage and cost reports, made by archiver. Read it; do not write to it.'),
    (2, 'daily_cost, daily_tokens, monthly_cost and monthly_tokens are safe to sum: one series a day, with names.'),
    (3, 'cost, usage and the analytics_ views hold every series that was archived: never sum over several series.'),
    (4, 'amount is the text of the API, in cents. amount_microcents is an integer (1e-6 cents); amount_usd is in dollars.'),
    (5, 'Times are UTC: YYYY-MM-DDTHH:MM:SSZ. A NULL dimension was null in the API, or not asked for: see group_by.'),
    (6, 'coverage lists what is settled, provisional, missing or failed: a day that is not covered is unknown, not zero.'),
    (7, 'Costs are from the cost report, not the invoice. Tables with names that begin with _ are internal and may change.')
)
SELECT text FROM line ORDER BY number;
CREATE VIEW restatement AS
WITH field (name) AS (
  VALUES
    ('uncached_input_tokens'),
    ('cache_creation_1h_input_tokens'),
    ('cache_creation_5m_input_tokens'),
    ('cache_read_input_tokens'),
    ('output_tokens'),
    ('web_search_requests')
),
usage_field AS (
  SELECT
    u.revision_id,
    u.key_id,
    field.name AS field,
    CASE field.name
      WHEN 'uncached_input_tokens' THEN u.was_uncached_input_tokens
      WHEN 'cache_creation_1h_input_tokens' THEN u.was_cache_creation_1h_input_tokens
      WHEN 'cache_creation_5m_input_tokens' THEN u.was_cache_creation_5m_input_tokens
      WHEN 'cache_read_input_tokens' THEN u.was_cache_read_input_tokens
      WHEN 'output_tokens' THEN u.was_output_tokens
      ELSE u.was_web_search_requests
    END AS was,
    CASE field.name
      WHEN 'uncached_input_tokens' THEN u.now_uncached_input_tokens
      WHEN 'cache_creation_1h_input_tokens' THEN u.now_cache_creation_1h_input_tokens
      WHEN 'cache_creation_5m_input_tokens' THEN u.now_cache_creation_5m_input_tokens
      WHEN 'cache_read_input_tokens' THEN u.now_cache_read_input_tokens
      WHEN 'output_tokens' THEN u.now_output_tokens
      ELSE u.now_web_search_requests
    END AS now
  FROM _usage_revision AS u
  CROSS JOIN field
),
analytics_usage_field AS (
  SELECT
    u.revision_id,
    u.key_id,
    field.name AS field,
    CASE field.name
      WHEN 'uncached_input_tokens' THEN u.was_uncached_input_tokens
      WHEN 'cache_creation_1h_input_tokens' THEN u.was_cache_creation_1h_input_tokens
      WHEN 'cache_creation_5m_input_tokens' THEN u.was_cache_creation_5m_input_tokens
      WHEN 'cache_read_input_tokens' THEN u.was_cache_read_input_tokens
      WHEN 'output_tokens' THEN u.was_output_tokens
      ELSE u.was_web_search_requests
    END AS was,
    CASE field.name
      WHEN 'uncached_input_tokens' THEN u.now_uncached_input_tokens
      WHEN 'cache_creation_1h_input_tokens' THEN u.now_cache_creation_1h_input_tokens
      WHEN 'cache_creation_5m_input_tokens' THEN u.now_cache_creation_5m_input_tokens
      WHEN 'cache_read_input_tokens' THEN u.now_cache_read_input_tokens
      WHEN 'output_tokens' THEN u.now_output_tokens
      ELSE u.now_web_search_requests
    END AS now
  FROM _analytics_usage_revision AS u
  CROSS JOIN field
),
claude_code_field AS (
  SELECT
    c.revision_id,
    c.key_id,
    f.name AS field,
    CASE f.name
      WHEN 'sessions' THEN c.was_sessions
      WHEN 'lines_added' THEN c.was_lines_added
      WHEN 'lines_removed' THEN c.was_lines_removed
      WHEN 'commits' THEN c.was_commits
      WHEN 'pull_requests' THEN c.was_pull_requests
      WHEN 'accepted' THEN c.was_accepted
      WHEN 'rejected' THEN c.was_rejected
      WHEN 'input_tokens' THEN c.was_input_tokens
      WHEN 'output_tokens' THEN c.was_output_tokens
      WHEN 'cache_read_tokens' THEN c.was_cache_read_tokens
      WHEN 'cache_creation_tokens' THEN c.was_cache_creation_tokens
      ELSE c.was_amount
    END AS was,
    CASE f.name
      WHEN 'sessions' THEN c.now_sessions
      WHEN 'lines_added' THEN c.now_lines_added
      WHEN 'lines_removed' THEN c.now_lines_removed
      WHEN 'commits' THEN c.now_commits
      WHEN 'pull_requests' THEN c.now_pull_requests
      WHEN 'accepted' THEN c.now_accepted
      WHEN 'rejected' THEN c.now_rejected
      WHEN 'input_tokens' THEN c.now_input_tokens
      WHEN 'output_tokens' THEN c.now_output_tokens
      WHEN 'cache_read_tokens' THEN c.now_cache_read_tokens
      WHEN 'cache_creation_tokens' THEN c.now_cache_creation_tokens
      ELSE c.now_amount
    END AS now
  FROM _claude_code_revision AS c
  CROSS JOIN (
    SELECT 'amount' AS name
    UNION ALL
    SELECT 'sessions'
    UNION ALL
    SELECT 'lines_added'
    UNION ALL
    SELECT 'lines_removed'
    UNION ALL
    SELECT 'commits'
    UNION ALL
    SELECT 'pull_requests'
    UNION ALL
    SELECT 'accepted'
    UNION ALL
    SELECT 'rejected'
    UNION ALL
    SELECT 'input_tokens'
    UNION ALL
    SELECT 'output_tokens'
    UNION ALL
    SELECT 'cache_read_tokens'
    UNION ALL
    SELECT 'cache_creation_tokens'
  ) AS f
),
changed AS (
  SELECT
    f.revision_id,
    k.workspace_id,
    k.api_key_id,
    k.model,
    k.service_tier,
    k.context_window,
    k.inference_geo,
    k.speed,
    k.account_id,
    k.service_account_id,
    NULL AS description,
    NULL AS cost_type,
    NULL AS token_type,
    NULL AS currency,
    f.field,
    f.was,
    f.now
  FROM usage_field AS f
  JOIN _usage_key AS k ON k.id = f.key_id
  UNION ALL
  SELECT
    c.revision_id,
    k.workspace_id,
    NULL,
    k.model,
    k.service_tier,
    k.context_window,
    k.inference_geo,
    NULL,
    NULL,
    NULL,
    k.description,
    k.cost_type,
    k.token_type,
    k.currency,
    'amount',
    c.was_amount,
    c.now_amount
  FROM _cost_revision AS c
  JOIN _cost_key AS k ON k.id = c.key_id
  UNION ALL
  SELECT
    f.revision_id,
    k.workspace_id,
    k.api_key_id,
    k.model,
    k.service_tier,
    k.context_window,
    k.inference_geo,
    k.speed,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    f.field,
    f.was,
    f.now
  FROM analytics_usage_field AS f
  JOIN _analytics_usage_key AS k ON k.id = f.key_id
  UNION ALL
  SELECT
    c.revision_id,
    k.workspace_id,
    k.api_key_id,
    k.model,
    k.service_tier,
    k.context_window,
    k.inference_geo,
    k.speed,
    NULL,
    NULL,
    NULL,
    k.cost_type,
    k.token_type,
    k.currency,
    'amount',
    c.was_amount,
    c.now_amount
  FROM _analytics_cost_revision AS c
  JOIN _analytics_cost_key AS k ON k.id = c.key_id
  UNION ALL
  SELECT
    f.revision_id,
    NULL,
    NULL,
    k.model,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    k.currency,
    f.field,
    f.was,
    f.now
  FROM claude_code_field AS f
  JOIN _claude_code_key AS k ON k.id = f.key_id
)
SELECT
  s.report,
  s.bucket_width,
  s.group_by,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.bucket_start, 'unixepoch') AS bucket_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.learnt_at, 'unixepoch') AS learnt_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', r.previously_learnt_at, 'unixepoch') AS previously_learnt_at,
  c.workspace_id,
  c.api_key_id,
  c.model,
  c.service_tier,
  c.context_window,
  c.inference_geo,
  c.speed,
  c.account_id,
  c.service_account_id,
  c.description,
  c.cost_type,
  c.token_type,
  c.currency,
  c.field,
  c.was,
  c.now
FROM changed AS c
JOIN _revision AS r ON r.id = c.revision_id
JOIN _series AS s ON s.id = r.series_id
WHERE r.was_settled = 1 AND c.was IS NOT c.now;
CREATE INDEX revision_by_bucket ON _revision (series_id, bucket_start, learnt_at);
CREATE VIEW service_account AS
SELECT
  id,
  name,
  details ->> 'created_at' AS created_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(learnt_at), 'unixepoch') AS learnt_at,
  details
FROM _name
WHERE kind = 'service_account'
GROUP BY id;
CREATE VIEW spend_limit AS
SELECT
  l.value ->> 'id' AS id,
  l.value ->> 'scope' AS scope,
  l.value ->> 'scope_id' AS scope_id,
  l.value ->> 'amount' AS amount,
  l.value ->> 'currency' AS currency,
  l.value ->> 'period' AS period,
  l.value ->> 'is_enabled' AS is_enabled,
  strftime('%Y-%m-%dT%H:%M:%SZ', n.learnt_at, 'unixepoch') AS learnt_at
FROM (SELECT learnt_at, limits FROM _spend_limits ORDER BY learnt_at DESC LIMIT 1) AS n
JOIN json_each(n.limits) AS l;
CREATE VIEW sync_run AS
SELECT
  id,
  strftime('%Y-%m-%dT%H:%M:%SZ', started_at, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', finished_at, 'unixepoch') AS finished_at,
  outcome,
  exit_code,
  requests,
  retries,
  rows_inserted,
  rows_updated,
  rows_removed,
  rows_unchanged,
  version
FROM _run;
CREATE VIEW usage AS
SELECT
  f.series_id,
  s.bucket_width,
  s.group_by,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start, 'unixepoch') AS bucket_start,
  strftime('%Y-%m-%dT%H:%M:%SZ', f.bucket_start + s.bucket_seconds, 'unixepoch') AS bucket_end,
  k.workspace_id,
  k.api_key_id,
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
FROM _usage_fact AS f
JOIN _series AS s ON s.id = f.series_id
JOIN _usage_key AS k ON k.id = f.key_id;
CREATE VIEW user AS
SELECT
  id,
  name,
  details ->> 'email' AS email,
  details ->> 'role' AS role,
  details ->> 'added_at' AS added_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(learnt_at), 'unixepoch') AS learnt_at,
  details
FROM _name
WHERE kind = 'user'
GROUP BY id;
CREATE VIEW workspace AS
SELECT
  id,
  name,
  details ->> 'created_at' AS created_at,
  details ->> 'archived_at' AS archived_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(learnt_at), 'unixepoch') AS learnt_at,
  details
FROM _name
WHERE kind = 'workspace'
GROUP BY id;
