"""The simulator as tests, the demo and benchmarks hold it: a server, its clock, its faults, and the truth."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from aiohttp import web

from archiver.simulator.activity import COUNTS, Atom
from archiver.simulator.clock import DAY, Clock, day_number
from archiver.simulator.faults import Faults
from archiver.simulator.habits import DIMENSIONS
from archiver.simulator.limiter import Limiter
from archiver.simulator.prices import MODELS
from archiver.simulator.query import WIDTHS, Ask
from archiver.simulator.reports import Bucket, Reports
from archiver.simulator.server import Recorded, Server
from archiver.simulator.settings import Settings
from archiver.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from archiver.simulator.organization import Organization

HOST = "127.0.0.1"
_PLAIN = {
    "context_window": "0-200k",
    "inference_geo": "global",
    "model": MODELS[0].name,
    "service_tier": "standard",
    "speed": "standard",
}


class Simulator:
    """A local Admin API on the loopback address, as an async context manager.

    Everything is invented, and decided by the settings, the clock and the amendments alone.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """Raises ValueError when the settings name a fault that does not exist."""
        self.settings = settings or Settings()
        self.clock = Clock(self.settings.now)
        self.faults = Faults(self.settings.seed, self.settings.faults)
        self.requests: list[Recorded] = []
        self.port = self.settings.port
        self._world = World(self.settings, self.clock)
        self._runner: web.AppRunner | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{HOST}:{self.port}"

    @property
    def key(self) -> str:
        """The key that is let in."""
        return self.settings.key

    @property
    def organization(self) -> Organization:
        """The names behind the ids."""
        return self._world.organization

    @property
    def first_day(self) -> date:
        """The first UTC day with use."""
        return date.fromordinal(self._world.activity.first + date(1970, 1, 1).toordinal())

    @property
    def credit_day(self) -> date:
        """The UTC day whose cost has a negative amount."""
        return date.fromordinal(self._world.credit_day + date(1970, 1, 1).toordinal())

    async def __aenter__(self) -> Self:
        """Listen; raises OSError when the port is taken."""
        limiter = Limiter(self.settings, self.clock)
        server = Server(self.settings, self._world, self.faults, limiter, self.requests)
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
        """Stop; requests that were never to be answered are cut off."""
        assert self._runner is not None
        assert self._stopping is not None
        self._stopping.set()
        await self._runner.cleanup()
        await asyncio.sleep(0)  # a connection that was just cut off closes in the loop's next turn

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
        """Every bucket the API would answer for the range now, without pages, faults or a grouping cap.

        `filters` are by dimension: `{"model": ("claude-…",)}`. Without an `end`, up to the present.
        """
        width = WIDTHS[bucket_width]
        chosen = tuple((name, frozenset(values)) for name, values in (filters or {}).items())
        first = _seconds(start) // width * width
        last = _seconds(end or self.clock.now) // width * width
        ask = Ask(report, first, last, width, tuple(sorted(group_by)), chosen)
        reports = Reports(self._world)
        return reports.buckets(ask, reports.starts(ask))

    def amend(self, day: date, factor: float | Fraction, **where: str | None) -> None:
        """Restate a day: the counts of its use, or of that with these dimensions, times `factor`."""
        self._world.ledger.scale(day_number(day), Fraction(factor), _checked(where))

    def remove(self, day: date, **where: str | None) -> None:
        """Make a day's use vanish (with its other costs), or only that with these dimensions."""
        self._world.ledger.remove(day_number(day), _checked(where))

    def restore(self, day: date) -> None:
        """Take back every amendment of a day."""
        self._world.ledger.restore(day_number(day))

    def add_atom(self, when: datetime, counts: Mapping[str, int], **dims: str | None) -> None:
        """One more use in the minute of `when`; `counts` by the names in `COUNTS`.

        Dimensions are plain unless given. It is visible at once, unless it lies in the future or in the last
        five minutes.
        """
        day, second = divmod(_seconds(when), DAY)
        values = {**_PLAIN, **_checked(dims)}
        if not counts.keys() <= set(COUNTS):
            raise ValueError(f"counts are {', '.join(COUNTS)}")
        a, b, c, d, e, f = (counts.get(name, 0) for name in COUNTS)
        atom = Atom(second // 60, tuple(values.get(name) for name in DIMENSIONS), (a, b, c, d, e, f), 0)
        self._world.ledger.add(day, atom)


def _seconds(moment: datetime) -> int:
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp() // 1)


def _checked(dims: dict[str, str | None]) -> dict[str, str | None]:
    if unknown := dims.keys() - set(DIMENSIONS):
        raise ValueError(f"there is no dimension {', '.join(sorted(unknown))}")
    return dims


@contextmanager
def background(settings: Settings | None = None) -> Iterator[Simulator]:
    """The simulator in a thread of its own, for callers without an event loop (or that block theirs)."""
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
