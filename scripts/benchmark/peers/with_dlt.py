"""dlt: a resource over the windows. Merged by a surrogate key into SQLite, or as Arrow tables into DuckDB, its fastest.

`python with_dlt.py default|fastest URL FOLDER WIDTH SINCE DAYS DAYS_A_WINDOW`
"""

from __future__ import annotations

import hashlib
import os
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

how, url, folder, width, since, days, step = sys.argv[1:]
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": folder, "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt  # noqa: E402  # it reads the environment when it is imported
import pyarrow as pa  # noqa: E402
from dlt.sources.helpers.rest_client import RESTClient  # noqa: E402
from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator  # noqa: E402

LIMITS = {"1m": 1440, "1h": 168, "1d": 31}
HEADERS = {"anthropic-version": "2023-06-01", "x-api-key": os.environ["ANTHROPIC_ADMIN_API_KEY"]}
DIMENSIONS = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")


def windows() -> Iterator[tuple[str, str]]:
    """Cut the range."""
    at = datetime.fromisoformat(f"{since}T00:00:00+00:00")
    last = at + timedelta(days=int(days))
    while at < last:
        end = min(last, at + timedelta(days=int(step)))
        yield f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}"
        at = end


def flat(bucket: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Flatten one row, with a surrogate key of what identifies it."""
    dimensions = {name: row[name] for name in DIMENSIONS}
    identity = "|".join([bucket["starting_at"], *(str(value) for value in dimensions.values())])
    return {
        "id": hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
        "bucket_start": bucket["starting_at"],
        **dimensions,
        "uncached_input_tokens": row["uncached_input_tokens"],
        "cache_creation_1h_input_tokens": row["cache_creation"]["ephemeral_1h_input_tokens"],
        "cache_creation_5m_input_tokens": row["cache_creation"]["ephemeral_5m_input_tokens"],
        "cache_read_input_tokens": row["cache_read_input_tokens"],
        "output_tokens": row["output_tokens"],
        "web_search_requests": row["server_tool_use"]["web_search_requests"],
    }


def usage() -> Iterator[Any]:
    """Ask for every window."""
    client = RESTClient(base_url=url, headers=HEADERS, paginator=SinglePagePaginator())
    for start, end in windows():
        query = {"starting_at": start, "ending_at": end, "bucket_width": width, "limit": LIMITS[width]}
        for page in client.paginate(
            "/v1/organizations/usage_report/messages",
            params={**query, "group_by[]": list(DIMENSIONS)},
            data_selector="data",
        ):
            rows = [flat(bucket, row) for bucket in page for row in bucket["results"]]
            yield pa.Table.from_pylist(rows) if how == "fastest" else rows


if how == "fastest":
    destination: Any = dlt.destinations.duckdb(f"{folder}/peer.duckdb")
    settings: dict[str, Any] = {"write_disposition": "append"}
else:
    destination = dlt.destinations.sqlalchemy(f"sqlite:///{folder}/peer.db")
    settings = {"write_disposition": "merge", "primary_key": "id"}
pipeline = dlt.pipeline("benchmark", destination=destination, dataset_name="main", pipelines_dir=folder)
pipeline.run(dlt.resource(usage, name="usage", **settings)())
