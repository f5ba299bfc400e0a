-- API keys without use on the days that are archived by key, and which days those are.
WITH known AS (
  SELECT min(date) AS known_from, max(date) AS known_to, count(*) AS known_days
  FROM day_series
  WHERE report = 'usage' AND instr(',' || group_by || ',', ',api_key_id,')
)
SELECT id, name, workspace_id, status, created_at, expires_at, known_from, known_to, known_days
FROM api_key JOIN known
-- A key that was created after the last of these days could not be in use on any of them. Without such a day
-- known_to is NULL, and there are no rows.
WHERE coalesce(substr(created_at, 1, 10), '') <= known_to
  AND id NOT IN (SELECT api_key_id FROM daily_tokens WHERE api_key_id IS NOT NULL)
ORDER BY created_at;
