"""What a simulated organisation and its API can be told to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INVENTED_KEY = "sk-ant-admin01-invented-key-of-the-simulator"
REFUSED_KEY = "sk-ant-admin01-invented-key-that-is-refused"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the answers depend on; two simulators with equal settings and clocks answer alike.

    `first_day` is the first UTC day with use (None: 13 months before now). `size` scales the use of a day and
    the number of API keys. `now` freezes the clock (None: the real one). `latency` is in seconds.
    `rate_limit` is in requests a minute. `faults` maps a fault's name to its chance. `late` is the fraction
    of use that becomes visible only up to `late_by` after it happened. `quiet` is a first and a last day
    between which nothing happens.
    """

    seed: int = 1
    first_day: date | None = None
    size: float = 1.0
    now: datetime | None = None
    latency: float = 0.0
    rate_limit: int | None = None
    rate_burst: int = 5
    rate_headers: bool = False
    faults: Mapping[str, float] = field(default_factory=dict)
    late: float = 0.0
    late_by: timedelta = timedelta(days=3)
    quiet: tuple[date, date] | None = None
    key: str = INVENTED_KEY
    refused_key: str = REFUSED_KEY
    port: int = 0
    group_by_cap: int = 5
