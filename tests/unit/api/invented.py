"""The invented API of these tests: its addresses, a window and a response."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archiver.model import DAY, BucketWidth, Report, Series, Window
from archiver.plan.calendar import parse_time

if TYPE_CHECKING:
    from aioresponses import aioresponses

HOST = "https://api.example.com"
ME = f"{HOST}/v1/organizations/me"
USAGE = re.compile(rf"^{HOST}/v1/organizations/usage_report/messages\?.*$")
COST = re.compile(rf"^{HOST}/v1/organizations/cost_report\?.*$")
USERS = re.compile(rf"^{HOST}/v1/organizations/users\?.*$")
START = int(parse_time("2026-01-01").timestamp())
WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY, ("model",)), START, START + 2 * DAY)
COST_WINDOW = Window(Series(Report.COST, BucketWidth.DAY), START, START + 3 * DAY)
DATE = {"Date": "Thu, 15 Jan 2026 12:30:00 GMT", "request-id": "req_1"}


def sent(web: aioresponses) -> list[Any]:
    """Return the requests that were sent."""
    return [call for calls in web.requests.values() for call in calls]
