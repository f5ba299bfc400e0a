-- Cost by description of what was billed, the most expensive first.
SELECT
  description, currency, round(sum(amount_microcents) / 1e8, 2) AS amount_usd, min(date) AS first, max(date) AS last
FROM daily_cost GROUP BY description, currency ORDER BY sum(amount_microcents) DESC;
