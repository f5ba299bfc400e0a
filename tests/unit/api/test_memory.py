"""Answers that inflate to hundreds of megabytes cost neither memory nor more than one attempt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import environment

MOST_MEBIBYTES = 150

SCRIPT = """
import anyio, gzip, io, json, pathlib, re, sys
from archiver.api.client import AdminClient
from archiver.api.endpoints import fetch_window
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.clock import Clock
from archiver.errors import ApiError
from archiver.model import DAY, BucketWidth, Report, Series, Window

def compress(start, megabytes, end):
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(megabytes):
            file.write(b" " * 1024 * 1024)
        file.write(end)
    return made.getvalue()

bomb = compress(b"", 400, b"")
large = compress(b"[", 40, b"]")  # not an object: its error must not keep the body
kept = []

async def exchange(*_):
    return Response(200, {"content-encoding": "gzip"}, bomb if len(kept) % 2 else large)

async def main():
    clock = Clock()
    limiter = RateLimiter(Rate(None), 4, clock)
    key = AdminKey("sk-ant-admin01-invented-for-tests", "a test")
    client = AdminClient(None, "http://x", key, limiter, clock, RetryPolicy(limiter, clock), exchange)
    for number in range(8):
        start = (20000 + number) * DAY
        try:
            await fetch_window(client, Window(Series(Report.USAGE, BucketWidth.DAY), start, start + DAY))
        except ApiError as error:
            kept.append(error)
    # Not getrusage: its peak includes what the parent process had at the fork.
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
    print(json.dumps([client.requests, len(kept), peak // 1024]))

anyio.run(main)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_answers_of_hundreds_of_megabytes_are_refused_within_bounded_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, env=environment(), timeout=120
    )
    assert done.returncode == 0, done.stderr
    requests, refused, mebibytes = json.loads(done.stdout)
    assert (requests, refused) == (8, 8)
    assert mebibytes <= MOST_MEBIBYTES
