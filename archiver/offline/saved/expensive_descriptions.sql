-- What was billed, line by line as the vendor describes it, the most expensive first.
SELECT description, currency, round(sum(amount_microcents) / 1e8, 2) AS amount, min(date) AS first, max(date) AS last
FROM daily_cost GROUP BY description, currency ORDER BY sum(amount_microcents) DESC;
