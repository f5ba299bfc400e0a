"""The HTTP server: routes, credentials, faults and responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import web

from archiver.simulator.analytics import Analytics
from archiver.simulator.analytics_query import BETA, parse_analytics
from archiver.simulator.body_faults import BODY_FAULTS
from archiver.simulator.claude_code import ClaudeCode
from archiver.simulator.errors import ApiError, error_body, invalid_request
from archiver.simulator.lists import LISTS, OAUTH_ONLY, SPEND_LIMITS, find_record, list_page, spend_limits_page
from archiver.simulator.page_cache import PageCache, compress, encode
from archiver.simulator.payload_faults import LIST_FAULTS, PAYLOAD_FAULTS
from archiver.simulator.query import FAST_BETA, Pairs, parse_query
from archiver.simulator.reports import Reports
from archiver.simulator.response_faults import RESPONSE_FAULTS, FaultContext

if TYPE_CHECKING:
    from archiver.simulator.faults import Faults
    from archiver.simulator.invented_data import InventedData
    from archiver.simulator.rate_limiter import RateLimiter
    from archiver.simulator.settings import Settings

_ROOT = "/v1/organizations/"
_REPORTS = {
    "usage_report/messages": "usage",
    "cost_report": "cost",
    "analytics/usage": "analytics-usage",
    "analytics/cost": "analytics-cost",
    "usage_report/claude_code": "claude-code",
}
_WITHOUT_RESPONSE = ("timeout", "disconnect")
_JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class RecordedRequest:
    """A request that arrived.

    `at` is in monotonic seconds. `status` is 0 until the response, and stays 0 if a fault sends none.
    """

    method: str
    path: str
    query: Pairs
    headers: dict[str, str]
    at: float
    status: int = 0
    fault: str | None = None
    request_id: str = ""

    @property
    def credential(self) -> str:
        """The key of `x-api-key`, or else the token of `Authorization: Bearer`."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


_RECORD = web.RequestKey("record", RecordedRequest)


@dataclass(slots=True)
class Server:
    """The server of the invented data, with a record of every request."""

    settings: Settings
    data: InventedData
    faults: Faults
    rate_limiter: RateLimiter
    requests: list[RecordedRequest] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: Random = field(init=False)
    _reports: Reports = field(init=False)
    _pages: PageCache = field(init=False)
    _analytics: Analytics = field(init=False)
    _claude_code: ClaudeCode = field(init=False)

    def __post_init__(self) -> None:
        self._ids = Random(f"{self.settings.seed}:requests")
        self._reports = Reports(self.data)
        self._pages = PageCache(self.data, self._reports)
        self._analytics = Analytics(self.data)
        self._claude_code = ClaudeCode(self.data)

    def app(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application()
        # One route for all paths, so that aiohttp sends no 404 or 405 of its own in another shape.
        app.router.add_route("*", "/{tail:.*}", self.handle)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Record a request, return its response, and record the status."""
        record = self._record(request)
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        try:
            response = await self._respond(request, record)
        except ApiError as error:
            body = encode(error_body(error, record.request_id))
            response = web.Response(status=error.status, body=body, headers={**_JSON, **error.headers})
        if record.fault not in _WITHOUT_RESPONSE:
            record.status = response.status
        return response

    def _record(self, request: web.Request) -> RecordedRequest:
        headers = {name.lower(): value for name, value in request.headers.items()}
        pairs = tuple(request.query.items())
        record = RecordedRequest(request.method, request.path, pairs, headers, self.data.clock.monotonic())
        record.request_id = f"req_011C{self._ids.getrandbits(80):020x}"
        request[_RECORD] = record
        self.requests.append(record)
        return record

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers of every response (documented)."""
        # A fault may have set its own request id.
        response.headers.setdefault("request-id", request[_RECORD].request_id)
        response.headers["anthropic-organization-id"] = self.data.organization.id
        response.headers["date"] = format_datetime(self.data.clock.now, usegmt=True)
        response.headers["server"] = "simulated"

    async def _respond(self, request: web.Request, record: RecordedRequest) -> web.StreamResponse:
        self._check_route(record)
        self._check_credential(record)
        if "anthropic-version" not in record.headers:
            raise invalid_request("anthropic-version: header is required")
        self.rate_limiter.acquire()
        # Faults come after these checks: a wrong path, credential or header gets its own error whatever fault is set.
        # Wrong parameters are refused only below, where the body is made.
        record.fault = self.faults.choose(_target(record))
        if record.fault in RESPONSE_FAULTS:
            context = FaultContext(request, record.credential, self.data.clock, self.stopping)
            return await RESPONSE_FAULTS[record.fault](context)
        return _good_response(self._body(record), record)

    def _check_route(self, record: RecordedRequest) -> None:
        rest = record.path.removeprefix(_ROOT)
        name, _, record_id = rest.partition("/")
        known = rest in {"me", SPEND_LIMITS} or rest in _REPORTS or (name in LISTS and "/" not in record_id)
        if not record.path.startswith(_ROOT) or not known:
            raise ApiError(404, "Not found")
        if record.method != "GET":
            raise ApiError(405, "Method Not Allowed", {"allow": "GET"})

    def _check_credential(self, record: RecordedRequest) -> None:
        credential = record.credential
        if not credential:
            raise ApiError(401, "x-api-key header is required")
        if credential == self.settings.refused_key:
            raise ApiError(403, "This API key does not have permission to use the Admin API")
        # An OAuth token is valid only as a bearer token, and not in x-api-key.
        if "x-api-key" in record.headers and credential != self.settings.key:
            raise ApiError(401, "invalid x-api-key")
        if credential not in (self.settings.key, self.settings.token):
            raise ApiError(401, "invalid bearer token")

    def _body(self, record: RecordedRequest) -> bytes:
        rest = record.path.removeprefix(_ROOT)
        if rest in _REPORTS:
            return self._report(_REPORTS[rest], record)
        return encode(self._list(rest, record))

    def _report(self, report: str, record: RecordedRequest) -> bytes:
        if report.startswith("analytics-"):
            return self._analytics_report(report, record)
        if report == "claude-code":
            return encode(self._claude_code.page(record.query))
        fast = FAST_BETA in record.headers.get("anthropic-beta", "")
        now = self.data.clock.seconds
        query = parse_query(report, record.query, now, fast=fast, cap=self.settings.group_by_cap)
        fault = PAYLOAD_FAULTS.get(record.fault or "")
        if fault is None:
            return self._pages.body(query)
        payload = self._reports.page(query)
        fault(payload, query)
        return encode(payload)

    def _analytics_report(self, report: str, record: RecordedRequest) -> bytes:
        """Return a page of an analytics report (documented in the SDK; the messages are invented)."""
        if self.settings.analytics == "hipaa":
            raise invalid_request("Analytics are not available to organizations with HIPAA readiness enabled.")
        if self.settings.analytics == "no_scope":
            message = "This API key lacks a scope: it has org:read, and the endpoint needs read:analytics"
            raise ApiError(403, message, code="api_key_scope_missing")
        if self.settings.analytics == "absent":
            raise ApiError(404, "Not found")
        if BETA not in record.headers.get("anthropic-beta", ""):
            raise invalid_request(f"anthropic-beta: {BETA} is required")
        query = parse_analytics(report, record.query, self.data.clock.seconds, cap=self.settings.group_by_cap)
        payload = self._analytics.page(query)
        if fault := PAYLOAD_FAULTS.get(record.fault or ""):
            fault(payload, query)
        return encode(payload)

    def _list(self, rest: str, record: RecordedRequest) -> dict[str, Any]:
        organization = self.data.organization
        name, _, record_id = rest.partition("/")
        if name == "me":
            return organization.me
        if name == SPEND_LIMITS:
            return spend_limits_page(self.settings.spend_limits, record.query, record.headers.get("anthropic-beta", ""))
        if name == OAUTH_ONLY and record.credential != self.settings.token:
            raise ApiError(403, "Admin API keys cannot read service accounts: an OAuth token with org:admin can")
        if record_id:
            return find_record(organization, name, record_id)
        payload = list_page(organization, name, record.query, include_default=self.settings.include_default)
        if fault := LIST_FAULTS.get(record.fault or ""):
            # Copies, because the fault changes the records in place and the organisation keeps its own.
            payload["data"] = [dict(record) for record in payload["data"]]
            fault(payload)
        return payload


def _target(record: RecordedRequest) -> str:
    return f"{record.path}?" + "&".join(f"{name}={value}" for name, value in record.query)


def _good_response(body: bytes, record: RecordedRequest) -> web.Response:
    headers = dict(_JSON)
    if record.fault in BODY_FAULTS:
        body, different = BODY_FAULTS[record.fault](body, record.credential)
        headers |= different
    elif "gzip" in record.headers.get("accept-encoding", ""):
        body = compress(body)
        headers["content-encoding"] = "gzip"
    return web.Response(body=body, headers=headers)
