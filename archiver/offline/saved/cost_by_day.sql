-- Cost of each day, by currency.
SELECT date, currency, sum(amount_microcents) AS amount_microcents, round(sum(amount_microcents) / 1e8, 2) AS amount_usd
FROM daily_cost GROUP BY date, currency ORDER BY date, currency;
