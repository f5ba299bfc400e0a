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
