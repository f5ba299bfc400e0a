"""Print tokens by month and workspace of a series with DuckDB, as `archiver report tokens`.

Run it with a table of `archiver export parquet --series ID`:
python tokens_by_month_duckdb.py usage-dataset/usage_series_1
"""

import csv
import sys

import duckdb

tokens = duckdb.sql(
    """
    SELECT
        month,
        workspace_id,
        sum(uncached_input_tokens) AS uncached_input_tokens,
        sum(cache_creation_1h_input_tokens) AS cache_creation_1h_input_tokens,
        sum(cache_creation_5m_input_tokens) AS cache_creation_5m_input_tokens,
        sum(cache_read_input_tokens) AS cache_read_input_tokens,
        sum(output_tokens) AS output_tokens,
        sum(web_search_requests) AS web_search_requests
    FROM read_parquet(? || '/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)
    GROUP BY month, workspace_id
    ORDER BY month, workspace_id
    """,
    params=[sys.argv[1]],
)
out = csv.writer(sys.stdout)
out.writerow(tokens.columns)
out.writerows(tokens.fetchall())
