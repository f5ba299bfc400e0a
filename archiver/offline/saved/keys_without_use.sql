-- API keys without any use in the archive, and what state they are in.
SELECT id, name, workspace_id, status, created_at, expires_at
FROM api_key
WHERE id NOT IN (SELECT api_key_id FROM daily_tokens WHERE api_key_id IS NOT NULL)
ORDER BY created_at;
