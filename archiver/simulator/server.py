"""The HTTP side: who may ask, what is asked, which fault strikes, and how the answer is sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import web

from archiver.simulator.breakdowns import BREAKDOWNS, Scene
from archiver.simulator.names import LISTS, listing, single
from archiver.simulator.pages import Pages, encode, pack
from archiver.simulator.query import FAST_BETA, Pairs, parse
from archiver.simulator.refusals import RefusalError, envelope, invalid
from archiver.simulator.reports import Reports
from archiver.simulator.spoilers import BODY_SPOILERS, PAYLOAD_SPOILERS

if TYPE_CHECKING:
    from archiver.simulator.faults import Faults
    from archiver.simulator.limiter import Limiter
    from archiver.simulator.settings import Settings
    from archiver.simulator.world import World

_ROOT = "/v1/organizations/"
_REPORTS = {"usage_report/messages": "usage", "cost_report": "cost"}
_NEVER_ANSWERED = ("timeout", "disconnect")
_JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class Recorded:
    """A request that arrived: `status` is 0 when it was not answered (yet), `at` is monotonic seconds."""

    method: str
    path: str
    query: Pairs
    headers: dict[str, str]
    at: float
    status: int = 0
    fault: str | None = None
    request_id: str = ""


_RECORD = web.RequestKey("record", Recorded)


@dataclass(slots=True)
class Server:
    """Answers one request at a time from the world; everything it saw is in `requests`."""

    settings: Settings
    world: World
    faults: Faults
    limiter: Limiter
    requests: list[Recorded] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: Random = field(init=False)
    _reports: Reports = field(init=False)
    _pages: Pages = field(init=False)

    def __post_init__(self) -> None:
        self._ids = Random(f"{self.settings.seed}:requests")
        self._reports = Reports(self.world)
        self._pages = Pages(self.world, self._reports)

    def app(self) -> web.Application:
        """The aiohttp application: one route for everything, so that aiohttp never answers itself."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        app.on_response_prepare.append(self._sign)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Record, answer, record the status."""
        record = self._record(request)
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        try:
            response = await self._answer(request, record)
        except RefusalError as error:
            body = encode(envelope(error.status, error.message, record.request_id))
            response = web.Response(status=error.status, body=body, headers={**_JSON, **error.headers})
        if record.fault not in _NEVER_ANSWERED:
            record.status = response.status
        return response

    def _record(self, request: web.Request) -> Recorded:
        headers = {name.lower(): value for name, value in request.headers.items()}
        pairs = tuple(request.query.items())
        record = Recorded(request.method, request.path, pairs, headers, self.world.clock.monotonic())
        record.request_id = f"req_011C{self._ids.getrandbits(80):020x}"
        request[_RECORD] = record
        self.requests.append(record)
        return record

    async def _sign(self, request: web.Request, response: web.StreamResponse) -> None:
        """The headers that every answer has (documented)."""
        record = request[_RECORD]
        response.headers["request-id"] = record.request_id
        response.headers["anthropic-organization-id"] = self.world.organization.id
        response.headers["date"] = format_datetime(self.world.clock.now, usegmt=True)
        response.headers["server"] = "simulated"

    async def _answer(self, request: web.Request, record: Recorded) -> web.StreamResponse:
        self._check_route(record)
        self._check_key(record.headers)
        if "anthropic-version" not in record.headers:
            raise invalid("anthropic-version: header is required")
        self.limiter.take()
        record.fault = self.faults.strike(_target(record))
        if record.fault in BREAKDOWNS:
            return await BREAKDOWNS[record.fault](Scene(request, self.world.clock, self.stopping))
        return _sent(self._body(record), record)

    def _check_route(self, record: Recorded) -> None:
        rest = record.path.removeprefix(_ROOT)
        name, _, wanted = rest.partition("/")
        known = rest == "me" or rest in _REPORTS or (name in LISTS and "/" not in wanted)
        if not record.path.startswith(_ROOT) or not known:
            raise RefusalError(404, "Not found")
        if record.method != "GET":
            raise RefusalError(405, "Method Not Allowed", {"allow": "GET"})

    def _check_key(self, headers: dict[str, str]) -> None:
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not key:
            raise RefusalError(401, "x-api-key header is required")
        if key == self.settings.refused_key:
            raise RefusalError(403, "This API key does not have permission to use the Admin API")
        if key != self.settings.key:
            raise RefusalError(401, "invalid x-api-key")

    def _body(self, record: Recorded) -> bytes:
        rest = record.path.removeprefix(_ROOT)
        if rest in _REPORTS:
            return self._report(_REPORTS[rest], record)
        return encode(self._names(rest, record.query))

    def _report(self, report: str, record: Recorded) -> bytes:
        fast = FAST_BETA in record.headers.get("anthropic-beta", "")
        now = self.world.clock.seconds
        query = parse(report, record.query, now, fast=fast, cap=self.settings.group_by_cap)
        spoil = PAYLOAD_SPOILERS.get(record.fault or "")
        if spoil is None:
            return self._pages.body(query)
        payload = self._reports.page(query)
        spoil(payload, query)
        return encode(payload)

    def _names(self, rest: str, pairs: Pairs) -> dict[str, Any]:
        if rest == "me":
            return self.world.organization.me
        name, _, wanted = rest.partition("/")
        organization = self.world.organization
        return single(organization, name, wanted) if wanted else listing(organization, name, pairs)


def _target(record: Recorded) -> str:
    return f"{record.path}?" + "&".join(f"{name}={value}" for name, value in record.query)


def _sent(body: bytes, record: Recorded) -> web.Response:
    headers = dict(_JSON)
    if record.fault in BODY_SPOILERS:
        body, different = BODY_SPOILERS[record.fault](body)
        headers |= different
    elif "gzip" in record.headers.get("accept-encoding", ""):
        body = pack(body)
        headers["content-encoding"] = "gzip"
    return web.Response(body=body, headers=headers)
