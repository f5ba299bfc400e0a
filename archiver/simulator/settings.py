"""Settings of a simulated organisation and its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INVENTED_KEY = "sk-ant-admin01-invented-key-of-the-simulator"
INVENTED_TOKEN = "sk-ant-oat01-invented-token-of-the-simulator"  # noqa: S105 - invented, accepted by the simulator alone
REFUSED_KEY = "sk-ant-admin01-invented-key-that-is-refused"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that answers depend on, besides the clock and amendments.

    Simulators with equal settings and clocks answer alike.

    Use: `first_day` is the first UTC day with use (None: 13 months before now); `size` scales the use of a day
    and the number of API keys; `late` is the fraction of use that becomes visible only up to `late_by` after it
    happened; `quiet` is the first and last day of a stretch without use.

    API: `now` freezes the clock (None: the real time); `latency` is in seconds; `rate_limit` is in requests a
    minute; `faults` maps the name of a fault to its chance; `key`, `token` and `refused_key` are the Admin API
    key, the OAuth token and a key that always gets a 403.

    Money: `currencies` are used by the workspaces in turn (the default workspace has the first one); `cost_lag` is
    how long after its end a day is still missing in the cost report.

    Older and newer forms: without `include_default` the list of workspaces refuses that parameter; with `key_scope`
    API keys have `scope` instead of `workspace_id` (anthropic-version 2026-10-21); with `omit_ungrouped` usage rows
    lack the dimensions that were not grouped by; with `omit_server_tool_use` they lack that field.
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
    token: str = INVENTED_TOKEN
    refused_key: str = REFUSED_KEY
    port: int = 0
    group_by_cap: int = 5
    currencies: tuple[str, ...] = ("USD",)
    cost_lag: timedelta = timedelta(0)
    include_default: bool = True
    key_scope: bool = False
    omit_ungrouped: bool = False
    omit_server_tool_use: bool = False
