"""Asking the Admin API politely and stubbornly: paced, retried, bounded, and with every refusal understood."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from archiver.api import retry
from archiver.api.text import excerpt
from archiver.api.transport import USER_AGENT, Reply, TransportError, Trouble, exchange
from archiver.errors import (
    ApiError,
    ContractError,
    DamagedAnswerError,
    KeyRefusedError,
    RequestRefusedError,
    TemporaryError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import aiohttp

    from archiver.api.key import AdminKey
    from archiver.api.pace import Pace
    from archiver.clock import Clock

API_VERSION = "2023-06-01"
LONGEST_REQUEST_SECONDS = 600.0
MOST_ATTEMPTS = 7
MOST_DAMAGED_ATTEMPTS = 3
_BUDGET_FLOOR = 10.0
_BUDGET_REFILL = 0.5

log = logging.getLogger("archiver.api")

T = TypeVar("T")


class _Problem(msgspec.Struct):
    type: str = ""
    message: str = ""


class _ErrorEnvelope(msgspec.Struct):
    error: _Problem
    request_id: str | None = None


@dataclass(slots=True)
class RetryBudget:
    """Retries that the whole run may still make; every success gives half a one back, up to where it began."""

    most: float = _BUDGET_FLOOR
    left: float = _BUDGET_FLOOR

    def grow(self, windows: int) -> None:
        """Allow a tenth of the planned windows, if that is more."""
        self.most = max(self.most, windows / 10)
        self.left = self.most

    def succeeded(self) -> None:
        """Count a good answer."""
        self.left = min(self.most, self.left + _BUDGET_REFILL)

    def spend(self) -> bool:
        """Take one retry; False when there is none left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class _Course:
    """How one request has gone so far."""

    began_at: float
    failures: int = 0
    refusals: int = 0
    damages: int = 0


@dataclass(slots=True)
class _Setback:
    """One failed try: the error it ends in, whether to try again, and what wait the server told."""

    error: ApiError
    again: bool
    refused: bool = False
    damaged: bool = False
    gate: bool = False
    told: float | None = None


@dataclass(slots=True)
class AdminClient:
    """A client of one run; all workers share it.

    Attributes:
        requests: How many requests went out, retries included.
        retries: How many of them were retries.
        server_time: The newest `Date` the server showed, in UTC seconds.
        organization_id: Whose key it is, as the server says in its headers.
        on_wait: Called with the seconds and the reason whenever the run has to wait for the API.
    """

    session: aiohttp.ClientSession
    api_url: str
    key: AdminKey
    pace: Pace
    clock: Clock
    chance: Callable[[], float] = random.random
    on_wait: Callable[[float, str], None] = field(default=lambda _seconds, _reason: None)
    budget: RetryBudget = field(default_factory=RetryBudget)
    requests: int = 0
    retries: int = 0
    server_time: int | None = None
    organization_id: str | None = None

    async def get(
        self, path: str, query: Sequence[tuple[str, str]], read: Callable[[Reply], T], beta: str | None = None
    ) -> T:
        """Ask until there is a good answer, or none is to be had; `read` understands it or raises ContractError.

        Raises:
            KeyRefusedError: 401 or 403.
            TemporaryError: Rate limits, server or network errors outlasted the retries.
            RequestRefusedError: The API says the request is wrong.
            ContractError: The answer is not what the API promises.
        """
        course = _Course(self.clock.monotonic())
        while True:
            async with self.pace.places:
                await self.pace.turn()
                outcome = await self._try(path, query, beta)
            if isinstance(outcome, Reply):
                try:
                    understood = read(outcome)
                except DamagedAnswerError as error:
                    outcome = _damaged(error.message, outcome.request_id)
                except ContractError as error:
                    error.request_id = outcome.request_id
                    raise
                else:
                    self.budget.succeeded()
                    return understood
            await self._prepare_retry(outcome, course)

    async def _try(self, path: str, query: Sequence[tuple[str, str]], beta: str | None) -> Reply | _Setback:
        headers = self.key.header() | {
            "anthropic-version": API_VERSION,
            "user-agent": USER_AGENT,
            "accept": "application/json",
            "accept-encoding": "gzip",
        }
        if beta:
            headers["anthropic-beta"] = beta
        self.requests += 1
        began = self.clock.monotonic()
        try:
            reply = await exchange(self.session, self.api_url + path, query, headers)
        except TransportError as error:
            log.debug("GET %s: %s", path, error, extra={"query": query, "request_id": error.request_id})
            return _transport_setback(error)
        seconds = self.clock.monotonic() - began
        log.debug("GET %s %s: %s in %.2f s", path, _spell(query), reply.status, seconds)
        self._look_at(reply)
        return self._judge(reply)

    def _look_at(self, reply: Reply) -> None:
        shown = retry.server_time(reply.headers)
        if shown is not None:
            self.server_time = max(shown, self.server_time or shown)
        if self.organization_id is None:
            self.organization_id = reply.headers.get("anthropic-organization-id")

    def _judge(self, reply: Reply) -> Reply | _Setback:
        if reply.status == 200:  # noqa: PLR2004  # HTTP's OK
            kind = reply.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
            if kind == "application/json":
                return reply
            return _damaged(f"the answer is {kind!r:.60}, not JSON", reply.request_id)
        message, request_id = self._read_error(reply)
        if reply.status in {401, 403}:
            raise KeyRefusedError(
                f"the API refused the key ({reply.status}): {message}",
                request_id=request_id,
                hint="an Admin API key is needed; an administrator makes one in the Console under Settings, Admin keys",
            )
        spent = reply.status == 402 or (reply.status == 429 and retry.is_spent(message))  # noqa: PLR2004
        again = not spent and retry.is_retried(reply.status, reply.headers)
        text = f"the API answered {reply.status}: {message}"
        error = TemporaryError(text, request_id=request_id) if again or spent else None
        if spent:
            assert error is not None
            error.ends_run = True
        refused = reply.status == 429  # noqa: PLR2004  # HTTP's Too Many Requests
        told = retry.told_wait(reply.headers, self._server_now()) if again else None
        return _Setback(
            error or _refusal(reply.status, text, request_id),
            again=again,
            refused=refused,
            gate=reply.status in retry.GATE_STATUSES or told is not None,
            told=told,
        )

    def _server_now(self) -> float:
        return float(self.server_time) if self.server_time is not None else self.clock.now()

    def _read_error(self, reply: Reply) -> tuple[str, str | None]:
        try:
            envelope = msgspec.json.decode(reply.body, type=_ErrorEnvelope)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            text = reply.body[:2000].decode("utf-8", "replace")
            return self.key.redact(excerpt(text)) or "no message", reply.request_id
        return self.key.redact(excerpt(envelope.error.message)), reply.request_id or envelope.request_id

    async def _prepare_retry(self, setback: _Setback, course: _Course) -> None:
        course.failures += 1
        course.damages += setback.damaged
        wait = self._wait_for(setback, course)
        course.refusals += setback.refused
        if setback.refused:
            self.pace.refused()
        self._check_end(setback, course, wait)
        self.retries += 1
        if setback.gate:
            self.pace.close(wait)
            self.on_wait(wait, setback.error.message)
        else:
            await self.clock.sleep(wait)

    def _wait_for(self, setback: _Setback, course: _Course) -> float:
        if setback.told is not None:
            return setback.told + 0.25 * self.chance()
        if setback.refused:
            return retry.silent_wait(course.refusals, self.chance)
        return retry.backoff(course.failures - 1, self.chance)

    def _check_end(self, setback: _Setback, course: _Course, wait: float) -> None:
        spent_time = self.clock.monotonic() - course.began_at + wait > LONGEST_REQUEST_SECONDS
        too_often = course.failures - course.refusals >= MOST_ATTEMPTS or course.damages >= MOST_DAMAGED_ATTEMPTS
        if not setback.again or spent_time or too_often:
            raise setback.error
        if not self.budget.spend():
            setback.error.ends_run = True
            raise setback.error


def _refusal(status: int, text: str, request_id: str | None) -> ApiError:
    if 300 <= status < 400:  # noqa: PLR2004  # the class of redirects
        return RequestRefusedError(
            f"{text} (a redirect, which is not followed)", request_id=request_id, hint="check --api-url"
        )
    error = RequestRefusedError(text, request_id=request_id)
    error.status = status
    return error


def _transport_setback(error: TransportError) -> _Setback:
    if error.trouble is Trouble.NETWORK:
        return _Setback(TemporaryError(str(error), request_id=error.request_id), again=True)
    if error.trouble is Trouble.DAMAGED:
        return _damaged(str(error), error.request_id)
    return _Setback(ContractError(str(error), request_id=error.request_id), again=False)


def _damaged(message: str, request_id: str | None) -> _Setback:
    return _Setback(ContractError(message, request_id=request_id), again=True, damaged=True)


def _spell(query: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in query)
