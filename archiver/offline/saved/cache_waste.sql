-- Workspaces and models that write more to the prompt cache than they read from it, in the last 30 archived days.
SELECT
  workspace_id,
  coalesce(
    max(workspace_name),
    workspace_id,
    iif(instr(',' || group_by || ',', ',workspace_id,'), '(default workspace)', '(not grouped)')
  ) AS workspace_name,
  model,
  sum(cache_creation_input_tokens) AS cache_creation_input_tokens,
  sum(cache_read_input_tokens) AS cache_read_input_tokens
FROM cache_efficiency
WHERE date > date((SELECT max(date) FROM cache_efficiency), '-30 days')
GROUP BY workspace_id, model, group_by
HAVING sum(cache_read_input_tokens) < sum(cache_creation_input_tokens)
ORDER BY sum(cache_creation_input_tokens) DESC;
