"""pandas: json_normalize and to_sql. `python with_pandas.py URL DB WIDTH SINCE DAYS DAYS_A_WINDOW`."""

from __future__ import annotations

import os
import sqlite3
import sys
from datetime import datetime, timedelta

import pandas as pd
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

LIMITS = {"1m": "1440", "1h": "168", "1d": "31"}
HEADERS = {"anthropic-version": "2023-06-01", "x-api-key": os.environ["ANTHROPIC_ADMIN_API_KEY"]}
DIMENSIONS = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")


def main() -> None:
    """Append every window to one table."""
    url, path, width, since, days, step = sys.argv[1:]
    at = datetime.fromisoformat(f"{since}T00:00:00+00:00")
    last = at + timedelta(days=int(days))
    session = requests.Session()
    session.headers.update(HEADERS)
    session.mount("http://", HTTPAdapter(max_retries=Retry(total=8, backoff_factor=1, status_forcelist=[429])))
    with sqlite3.connect(path) as db:
        while at < last:
            end = min(last, at + timedelta(days=int(step)))
            times = {"starting_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "ending_at": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
            answer = session.get(
                f"{url}/v1/organizations/usage_report/messages",
                params={**times, "bucket_width": width, "limit": LIMITS[width], "group_by[]": list(DIMENSIONS)},
                timeout=300,
            )
            frame = pd.json_normalize(answer.json()["data"], "results", ["starting_at", "ending_at"])
            frame.to_sql("usage", db, if_exists="append", index=False)
            at = end


if __name__ == "__main__":
    main()
