"""Print money by month and workspace with Polars, as `archiver report spend`.

Run it with the folder of `archiver export parquet`: python spend_by_month_polars.py usage-dataset
"""

import csv
import sys

import polars as pl

# Of Delta tables: pl.scan_delta(f"{sys.argv[1]}/daily_cost")
costs = pl.scan_parquet(
    f"{sys.argv[1]}/daily_cost/*/*.parquet", hive_partitioning=True, hive_schema={"month": pl.String}
)
spend = (
    costs.group_by("month", "workspace_id", "currency")
    .agg(pl.col("workspace").sort_by("date").last(), pl.col("amount_usd").sum())
    .sort("month", "workspace_id", nulls_last=False)
    .collect()
)
out = csv.writer(sys.stdout)
out.writerow(["month", "workspace_id", "workspace", "amount_usd"])
out.writerows(spend.select("month", "workspace_id", "workspace", "amount_usd").rows())
