"""The simulator's interface for tests, the demo and benchmarks."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from archiver.simulator.activity import COUNTS, UsageEvent
from archiver.simulator.analytics import Analytics
from archiver.simulator.analytics_query import AnalyticsQuery
from archiver.simulator.claude_code import ClaudeCode
from archiver.simulator.clock import DAY, Clock, date_of, day_number
from archiver.simulator.faults import Faults
from archiver.simulator.invented_data import InventedData
from archiver.simulator.prices import MODELS
from archiver.simulator.query import WIDTHS, Selection
from archiver.simulator.rate_limiter import RateLimiter
from archiver.simulator.reports import Bucket, Reports
from archiver.simulator.server import RecordedRequest, Server
from archiver.simulator.settings import Settings
from archiver.simulator.usage_patterns import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from archiver.simulator.organization import Organization

HOST = "127.0.0.1"
# The dimensions of `add_usage` that are not given; all others are null.
_DEFAULT_VALUES = {
    "context_window": "0-200k",
    "inference_geo": "global",
    "model": MODELS[0].name,
    "service_tier": "standard",
    "speed": "standard",
}


class Simulator:
    """A local Admin API on the loopback address, as an async context manager.

    All data is invented, and depends only on the settings, the clock and the amendments.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """Invent the organisation; raises ValueError for an unknown fault."""
        self.settings = settings or Settings()
        self.clock = Clock(self.settings.now)
        self.faults = Faults(self.settings.seed, self.settings.faults)
        self.requests: list[RecordedRequest] = []
        self.port = self.settings.port
        self._data = InventedData(self.settings, self.clock)
        self._runner: web.AppRunner | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """The base URL, `http://127.0.0.1:PORT`."""
        return f"http://{HOST}:{self.port}"

    @property
    def key(self) -> str:
        """The Admin API key that is accepted."""
        return self.settings.key

    @property
    def token(self) -> str:
        """The OAuth token that is accepted as a bearer token."""
        return self.settings.token

    @property
    def organization(self) -> Organization:
        """The invented organisation, with the ids that the reports contain."""
        return self._data.organization

    @property
    def first_day(self) -> date:
        """The first UTC day with use."""
        return date_of(self._data.activity.first)

    @property
    def credit_day(self) -> date:
        """The UTC day with a negative amount of cost."""
        return date_of(self._data.credit_day)

    async def __aenter__(self) -> Self:
        """Start to listen; raises OSError if the port is in use."""
        rate_limiter = RateLimiter(self.settings, self.clock)
        # Each start has a new server and rate limiter, so the rate limit begins with a full bucket.
        server = Server(self.settings, self._data, self.faults, rate_limiter, self.requests)
        self._stopping = server.stopping
        self._runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=2)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self.settings.port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and close all connections."""
        assert self._runner is not None
        assert self._stopping is not None
        self._stopping.set()
        await self._runner.cleanup()
        await asyncio.sleep(0)  # aborted connections are closed in the next iteration of the loop

    def truth(  # noqa: PLR0913 - a query of the API has these parts
        self,
        *,
        start: datetime,
        end: datetime | None = None,
        report: str = "usage",
        bucket_width: str = "1d",
        group_by: Sequence[str] = (),
        filters: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Bucket]:
        """Return every bucket of a range as the API would return it now.

        There are no pages, no faults and no cap of dimensions here. `filters` maps a dimension to the values that pass:
        `{"model": ("claude-…",)}`. `start` and `end` are rounded down to whole buckets, and `end` is now by default.
        """
        width = WIDTHS[bucket_width]
        wanted = tuple((name, frozenset(values)) for name, values in (filters or {}).items())
        first = _seconds(start) // width * width
        last = _seconds(end or self.clock.now) // width * width
        selection = Selection(report, first, last, width, tuple(sorted(group_by)), wanted)
        reports = Reports(self._data)
        return reports.buckets(selection, reports.starts(selection))

    def analytics_truth(
        self,
        report: str,
        start: datetime,
        end: datetime,
        *,
        bucket_width: str = "1d",
        group_by: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Return every row of an analytics report as the API would return it now.

        There are no pages and no faults here.
        """
        query = AnalyticsQuery(
            report,
            _seconds(start),
            _seconds(end),
            WIDTHS[bucket_width],
            tuple(sorted(group_by)),
            filters=(),
            order_by="time",
            ascending=True,
            without_deleted=False,
            limit=1,
            first=0,
            digest=f"{start} {end} {bucket_width} {group_by} {report}",
        )
        return [row for rows in Analytics(self._data).groups(query) for row in rows]

    def claude_code_truth(self, day: date) -> list[dict[str, Any]]:
        """Return all records of the Claude Code report of a day, as of now."""
        return ClaudeCode(self._data).records((day - date(1970, 1, 1)).days)

    def amend(self, day: date, factor: float | Fraction, **where: str | None) -> None:
        """Multiply the counts of a day by `factor`.

        With `where`, only the use with these dimension values changes.
        """
        self._data.amendments.scale(day_number(day), Fraction(factor), _checked(where))

    def remove(self, day: date, **where: str | None) -> None:
        """Remove the use and all costs of a day.

        With `where`, only the use with these dimension values and its costs are removed.
        """
        self._data.amendments.remove(day_number(day), _checked(where))

    def restore(self, day: date) -> None:
        """Undo every amendment of a day."""
        self._data.amendments.restore(day_number(day))

    def add_usage(self, when: datetime, counts: Mapping[str, int], **dimensions: str | None) -> None:
        """Add use in the minute of `when`.

        `counts` has names in `COUNTS` as its keys. Dimensions that are not given have usual values. The usage report
        shows it at once, unless `when` is in the future or in the last five minutes.

        Raises:
            ValueError: A name in `counts` or a dimension is unknown.
        """
        day, second = divmod(_seconds(when), DAY)
        values = {**_DEFAULT_VALUES, **_checked(dimensions)}
        if not counts.keys() <= set(COUNTS):
            raise ValueError(f"counts are {', '.join(COUNTS)}")
        a, b, c, d, e, f = (counts.get(name, 0) for name in COUNTS)
        event = UsageEvent(second // 60, tuple(values.get(name) for name in DIMENSIONS), (a, b, c, d, e, f), 0)
        self._data.amendments.add(day, event)


def _seconds(time: datetime) -> int:
    # Times without a zone are UTC, and not the local time of the machine.
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return int(time.timestamp() // 1)


def _checked(dimensions: dict[str, str | None]) -> dict[str, str | None]:
    if unknown := dimensions.keys() - set(DIMENSIONS):
        raise ValueError(f"there is no dimension {', '.join(sorted(unknown))}")
    return dimensions


@contextmanager
def background(settings: Settings | None = None) -> Iterator[Simulator]:
    """Run the simulator in a thread, for callers without an event loop."""
    simulator = Simulator(settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.__aenter__(), loop).result()
        try:
            yield simulator
        finally:
            asyncio.run_coroutine_threadsafe(simulator.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
