"""Costs and tokens of the simulator, which tests compare pages with.

They are computed without code of the program."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from archiver.simulator import Simulator
from tests.support import FIRST_DAY, NOW, SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Bill:
    """One row of the cost report of a day; `microcents` are millionths of a cent."""

    day: str
    workspace: str
    model: str
    microcents: int


@cache
def bills() -> tuple[Bill, ...]:
    """Return all rows of the cost report of the small organisation."""
    api = Simulator(SMALL)
    names = {one["id"]: one["name"] for one in api.organization.workspaces} | {None: "(default workspace)"}
    return tuple(
        Bill(
            bucket["starting_at"][:10],
            names[row["workspace_id"]],
            row["model"] or "(none)",
            int(Decimal(row["amount"]) * 1_000_000),
        )
        for bucket in _buckets(api, "cost", "workspace_id", "description")
        for row in bucket["results"]
    )


@cache
def tokens() -> dict[str, int]:
    """Return the tokens of each day of the small organisation."""
    found: dict[str, int] = defaultdict(int)
    for bucket in _buckets(Simulator(SMALL), "usage"):
        for row in bucket["results"]:
            written = (
                row["cache_creation"]["ephemeral_1h_input_tokens"] + row["cache_creation"]["ephemeral_5m_input_tokens"]
            )
            read = row["cache_read_input_tokens"]
            found[bucket["starting_at"][:10]] += row["uncached_input_tokens"] + written + read + row["output_tokens"]
    return dict(found)


def billed(of: Callable[[Bill], bool] = lambda _: True) -> int:
    """Return the microcents of some bills."""
    return sum(one.microcents for one in bills() if of(one))


def billed_by(key: Callable[[Bill], str], of: Iterable[Bill] | None = None) -> dict[str, int]:
    """Return the microcents of bills by day, workspace or model."""
    sums: dict[str, int] = defaultdict(int)
    for one in bills() if of is None else of:
        sums[key(one)] += one.microcents
    return dict(sums)


def exactly(microcents: int) -> str:
    """Return dollars with thousands and every digit, at least two decimals."""
    whole, _, digits = f"{Decimal(microcents) / 10**8:,.8f}".partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"


def _buckets(api: Simulator, report: str, *group_by: str) -> Sequence[Mapping[str, Any]]:
    start = datetime.combine(FIRST_DAY, time(), UTC)
    return api.truth(report=report, bucket_width="1d", group_by=group_by, start=start, end=NOW + timedelta(days=1))
