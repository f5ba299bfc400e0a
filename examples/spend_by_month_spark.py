"""Print money by month and workspace with Spark, as `archiver report spend`.

Run it with the folder of `archiver export parquet`: python spend_by_month_spark.py usage-dataset
"""

import csv
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

spark = (
    SparkSession.builder.appName("spend")
    .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")  # 2026-10 is a text
    .getOrCreate()
)
# Of Delta tables, with the package of Delta: spark.read.format("delta").load(f"{sys.argv[1]}/daily_cost")
costs = spark.read.parquet(f"{sys.argv[1]}/daily_cost")
spend = costs.groupBy("month", "workspace_id", "currency").agg(
    f.max_by("workspace", "date").alias("workspace"), f.sum("amount_usd").alias("amount_usd")
)
out = csv.writer(sys.stdout)
out.writerow(["month", "workspace_id", "workspace", "amount_usd"])
for row in spend.orderBy("month", "workspace_id").collect():
    out.writerow([row["month"], row["workspace_id"], row["workspace"], row["amount_usd"]])
spark.stop()
