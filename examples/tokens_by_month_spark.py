"""Print tokens by month and workspace of a series with Spark, as `archiver report tokens`.

Run it with a table of `archiver export parquet --series ID`:
python tokens_by_month_spark.py usage-dataset/usage_series_1
"""

import csv
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

COUNTS = [
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
]
spark = (
    SparkSession.builder.appName("tokens")
    .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")  # 2026-10 is a text
    .getOrCreate()
)
usage = spark.read.parquet(sys.argv[1])
tokens = usage.groupBy("month", "workspace_id").agg(*[f.sum(name).alias(name) for name in COUNTS])
out = csv.writer(sys.stdout)
out.writerow(["month", "workspace_id", *COUNTS])
out.writerows(tokens.orderBy("month", "workspace_id").collect())
spark.stop()
