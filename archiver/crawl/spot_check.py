"""Fetch settled windows again, and compare them with the archive.

The archive is only read.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from archiver.api.endpoints import fetch_window
from archiver.api.lists import fetch_organization
from archiver.errors import OrganizationMismatchError, TooWideError
from archiver.model import to_text
from archiver.plan.windows import halve
from archiver.reports import SPECS

if TYPE_CHECKING:
    from archiver.api.client import AdminClient
    from archiver.model import Window
    from archiver.store.read.sample import Sample
    from archiver.store.read.verify import Finding


async def spot_check(
    client: AdminClient, sample: Sample, count: int, chance: random.Random | None = None
) -> tuple[int, list[Finding]]:
    """Fetch up to `count` settled windows again, chosen at random.

    Return the number of chosen windows, and a finding for each bucket that differs from the archive. `chance` chooses
    the windows; None for the operating system's generator.

    Raises:
        OrganizationMismatchError: The key belongs to another organisation than the archive.
        ApiError: The API does not return an answer, or the answer breaks the contract.
    """
    owner, organization = sample.organization(), await fetch_organization(client)
    if owner is not None and owner != organization.id:
        raise OrganizationMismatchError(
            f"the archive is of organisation {owner}, the key belongs to {organization.id}",
            hint="use the admin key of that organisation, or another archive: --db PATH",
        )
    # Buckets that the API does not keep any more cannot be compared. Without the server's time, all are tried.
    now = client.server_time or 0
    windows = [window for window in sample.settled_windows() if window.start >= _oldest(window, now)]
    if len(windows) > count:
        # Each check has to choose other windows, so the generator is seeded only in tests.
        windows = (chance or random.SystemRandom()).sample(windows, count)
    findings = [finding for window in windows for finding in await _compare(client, sample, window)]
    return len(windows), findings


def _oldest(window: Window, now: int) -> int:
    """Return the start of the report's oldest bucket that the API keeps."""
    return SPECS[window.series.report].oldest(now, window.series.bucket_width.seconds)


async def _compare(client: AdminClient, sample: Sample, window: Window) -> list[Finding]:
    """Fetch a window, and return a finding for each bucket that differs."""
    try:
        answer = await fetch_window(client, window)
    except TooWideError:
        return [finding for half in halve(window) for finding in await _compare(client, sample, half)]
    stored = sample.rows(window)
    width = window.series.bucket_width.seconds
    findings = []
    for bucket in answer.buckets or ():
        if bucket.rows != stored.get(bucket.start, {}):
            message = f"{window.series}, {to_text(bucket.start)}: the API returns other rows now"
            findings.append(sample.finding(window.series, bucket.start, bucket.start + width, message))
    # A settled bucket that the API does not list any more is a difference: it is not the same as an empty bucket.
    listed = set(answer.buckets.starts if answer.buckets else ())
    for start in sorted(set(range(window.start, window.end, width)) - listed):
        message = f"{window.series}, {to_text(start)}: the API leaves the bucket out now"
        findings.append(sample.finding(window.series, start, start + width, message))
    return findings
