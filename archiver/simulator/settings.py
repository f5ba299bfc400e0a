"""Settings of a simulated organisation and its API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

INVENTED_KEY = "sk-ant-admin01-invented-key-of-the-simulator"
INVENTED_TOKEN = "sk-ant-oat01-invented-token-of-the-simulator"  # noqa: S105 - invented, accepted by the simulator alone
REFUSED_KEY = "sk-ant-admin01-invented-key-that-is-refused"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; with equal ones and an equal clock, responses are equal.

    Attributes:
        seed: All data is drawn from it.
        first_day: The first UTC day with use; None for the first of the month 13 months before now.
        size: A factor of the use of a day and of the number of API keys.
        now: The time at which the clock stands still; None for the real time.
        latency: Seconds before every response.
        rate_limit: Requests a minute; None without a limit.
        rate_burst: Requests that the rate limit lets through at once.
        rate_headers: Whether a 429 of the rate limit has `retry-after` and the headers of the limit.
        faults: The chance of each fault, by its name.
        late: The fraction of use that becomes visible late.
        late_by: The longest delay of late use.
        quiet: The first and the last day of a range without use.
        key: The Admin API key that is accepted.
        token: The OAuth token that is accepted.
        refused_key: A key that always gets a 403.
        port: The port to listen on; 0 for a free one.
        group_by_cap: The most dimensions in `group_by[]`.
        currencies: Assigned to the workspaces in turn; the default workspace has the first one.
        cost_lag: How long after its end a day is still missing in the cost report.
        include_default: Whether the list of workspaces has the parameter `include_default`, as newer APIs do.
        key_scope: Whether API keys have `scope` instead of `workspace_id` (anthropic-version 2026-10-21).
        analytics: `on`, or why the analytics reports are refused: `hipaa`, `no_scope`, `absent`.
        analytics_lag: How late use is in the analytics reports.
        spend_limits: The limits of the organisation, as the API lists them; None: the key has no access to them.
        omit_ungrouped: Whether usage rows lack the dimensions that are not grouped by.
        omit_server_tool_use: Whether usage rows lack `server_tool_use`.
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
    analytics: str = "on"
    analytics_lag: timedelta = timedelta(hours=4)
    spend_limits: tuple[Mapping[str, Any], ...] | None = None
    omit_ungrouped: bool = False
    omit_server_tool_use: bool = False
