"""Against a server with a rate limit and no advice in its 429, all is archived with few refused requests.

`ARCHIVER_TEST_RATE=60` runs it as a person would meet it, in some three minutes, and then holds it to nine tenths of
the allowed rate. The default is faster, and is not timed: other work of the machine would decide.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from archiver.simulator import Settings, background
from tests.support import NOW, archiver, day, select

if TYPE_CHECKING:
    from pathlib import Path

RATE = int(os.environ.get("ARCHIVER_TEST_RATE", "1200"))


def test_three_years_of_hours_complete_at_the_allowed_rate(db: Path) -> None:
    settings = Settings(first_day=day("2023-01-01").date(), now=NOW, size=0.02, rate_limit=RATE, rate_headers=False)
    with background(settings) as api:
        began = time.monotonic()
        done = archiver(
            *("sync", "--api-url", api.url, "--db", str(db), "--rate", f"{RATE}/min", "--json"),
            *("--since", "2023-01-15", "--bucket-width", "1h", "--concurrency", "8"),
            timeout=900,
            ANTHROPIC_ADMIN_API_KEY=api.key,
        )
        seconds = time.monotonic() - began
    result = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert result["windows"]["fetched"] == result["windows"]["planned"] == 157 + 36
    assert result["requests"] <= 1.1 * result["windows"]["planned"]
    assert select(db, "SELECT count(*) FROM coverage WHERE state IN ('missing', 'failed')") == [(0,)]
    print(f"{result['requests']} requests, {result['retries']} retries, {seconds:.1f} s, allowed {RATE}/min")  # noqa: T201
    if RATE <= 60:
        assert result["requests"] / seconds * 60 >= 0.9 * RATE
