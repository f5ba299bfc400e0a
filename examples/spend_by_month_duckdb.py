"""Print money by month and workspace with DuckDB, as `archiver report spend`.

Run it with the folder of `archiver export parquet`: python spend_by_month_duckdb.py usage-dataset
"""

import csv
import sys

import duckdb

spend = duckdb.sql(
    """
    SELECT month, workspace_id, arg_max(workspace, date) AS workspace, sum(amount_usd) AS amount_usd
    FROM read_parquet(? || '/daily_cost/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)
    GROUP BY month, workspace_id, currency
    ORDER BY month, workspace_id
    """,
    params=[sys.argv[1]],
)
out = csv.writer(sys.stdout)
out.writerow(spend.columns)
out.writerows(spend.fetchall())
