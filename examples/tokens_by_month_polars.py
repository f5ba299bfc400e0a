"""Print tokens by month and workspace of a series with Polars, as `archiver report tokens`.

Run it with a table of `archiver export parquet --series ID`:
python tokens_by_month_polars.py usage-dataset/usage_series_1
"""

import csv
import sys

import polars as pl

COUNTS = [
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
]
usage = pl.scan_parquet(f"{sys.argv[1]}/*/*.parquet", hive_partitioning=True, hive_schema={"month": pl.String})
tokens = usage.group_by("month", "workspace_id").agg(pl.col(COUNTS).sum()).sort("month", "workspace_id").collect()
out = csv.writer(sys.stdout)
out.writerow(tokens.columns)
out.writerows(tokens.rows())
