"""A plain script: aiohttp, orjson, aiosqlite, text columns, upsert, doubling waits after a 429.

`python plain.py URL DB WIDTH SINCE DAYS DAYS_A_WINDOW`
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime, timedelta

import aiohttp
import aiosqlite
import orjson

DIMENSIONS = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
KEY = ", ".join(("bucket_start", *DIMENSIONS))
LIMITS = {"1m": "1440", "1h": "168", "1d": "31"}
HEADERS = {"anthropic-version": "2023-06-01", "x-api-key": os.environ["ANTHROPIC_ADMIN_API_KEY"]}
WAITS = (1, 2, 4, 8, 16, 32, 64)  # seconds; the last attempt raises
TOO_MANY_REQUESTS = 429
COUNTS = "uncached_input, cache_1h, cache_5m, cache_read, output, web_search"


async def fetch(
    session: aiohttp.ClientSession, url: str, query: list[tuple[str, str]], turns: asyncio.Semaphore
) -> list[tuple[object, ...]]:
    """Fetch one window and flatten its rows."""
    for wait in WAITS:
        async with turns, session.get(f"{url}/v1/organizations/usage_report/messages", params=query) as response:
            if response.status != TOO_MANY_REQUESTS or wait == WAITS[-1]:
                response.raise_for_status()
                body = orjson.loads(await response.read())
                break
        await asyncio.sleep(wait)
    return [
        (
            bucket["starting_at"],
            *(row[name] for name in DIMENSIONS),
            row["uncached_input_tokens"],
            row["cache_creation"]["ephemeral_1h_input_tokens"],
            row["cache_creation"]["ephemeral_5m_input_tokens"],
            row["cache_read_input_tokens"],
            row["output_tokens"],
            row["server_tool_use"]["web_search_requests"],
        )
        for bucket in body["data"]
        for row in bucket["results"]
    ]


async def main() -> None:
    """Fetch all windows and upsert their rows."""
    url, path, width, since, days, step = sys.argv[1:]
    first = datetime.fromisoformat(f"{since}T00:00:00+00:00")
    last = first + timedelta(days=int(days))
    turns = asyncio.Semaphore(4)
    async with aiohttp.ClientSession(headers=HEADERS) as session, aiosqlite.connect(path) as db:
        await db.execute("PRAGMA journal_mode = WAL")
        text = ", ".join(f"{name} TEXT" for name in ("bucket_start", *DIMENSIONS))
        numbers = ", ".join(f"{name} INTEGER" for name in COUNTS.split(", "))
        await db.execute(f"CREATE TABLE IF NOT EXISTS usage ({text}, {numbers}, PRIMARY KEY ({KEY}))")
        changes = ", ".join(f"{name} = excluded.{name}" for name in COUNTS.split(", "))
        marks = ", ".join("?" * 12)
        upsert = f"INSERT INTO usage VALUES ({marks}) ON CONFLICT ({KEY}) DO UPDATE SET {changes}"  # noqa: S608  # names from above
        queries = []
        at = first
        while at < last:
            end = min(last, at + timedelta(days=int(step)))
            times = [("starting_at", f"{at:%Y-%m-%dT%H:%M:%SZ}"), ("ending_at", f"{end:%Y-%m-%dT%H:%M:%SZ}")]
            groups = [("group_by[]", name) for name in DIMENSIONS]
            queries.append([*times, ("bucket_width", width), ("limit", LIMITS[width]), *groups])
            at = end
        for done in asyncio.as_completed([fetch(session, url, query, turns) for query in queries]):
            await db.executemany(upsert, await done)
            await db.commit()


if __name__ == "__main__":
    asyncio.run(main())
