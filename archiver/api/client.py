"""Asking the Admin API: paced, retried, bounded, and with every refusal understood."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from archiver.api import retry
from archiver.api.classify import FailedAttempt, classify, classify_failure, damaged
from archiver.api.response import TransportError
from archiver.api.retry_policy import Attempts
from archiver.api.transport import USER_AGENT, exchange
from archiver.errors import ApiError, ContractError, DamagedAnswerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from archiver.api.key import AdminKey
    from archiver.api.rate_limit import RateLimiter
    from archiver.api.response import Response
    from archiver.api.retry_policy import RetryPolicy
    from archiver.clock import Clock

    Exchange = Callable[[Any, str, Sequence[tuple[str, str]], Mapping[str, str]], Awaitable[Response]]

API_VERSION = "2023-06-01"

log = logging.getLogger("archiver.api")

T = TypeVar("T")


class Think(Protocol):
    """Lets a reply be understood some time, somewhere, and gives back what `read` made of it."""

    async def __call__(self, read: Callable[[Response], T], reply: Response, /) -> T:
        """Run `read` on the reply."""


async def decode_here(read: Callable[[Response], T], reply: Response) -> T:
    """Understand a reply at once."""
    return read(reply)


def _nobody(_seconds: float, _reason: str) -> None:
    """Tell nobody about a wait."""


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

    session: Any
    api_url: str
    key: AdminKey
    pace: RateLimiter
    clock: Clock
    retry_policy: RetryPolicy
    exchange: Exchange = exchange
    on_wait: Callable[[float, str], None] = field(default=_nobody)
    requests: int = 0
    retries: int = 0
    server_time: int | None = None
    organization_id: str | None = None

    async def get(  # noqa: PLR0913  # one request, and what to do with its answer
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        read: Callable[[Response], T],
        *,
        beta: str | None = None,
        splittable: bool = False,
        think: Think = decode_here,
    ) -> T:
        """Ask until there is a good answer, or none is to be had; `read` understands it or raises ContractError.

        `think` chooses when and where `read` runs; the request's place is free for another by then.

        Raises:
            KeyRefusedError: 401 or 403.
            TemporaryError: Rate limits, server or network errors outlasted the retries.
            RequestRefusedError: The API says the request is wrong.
            ContractError: The answer is not what the API promises.
            TooWideError: The answer is too large or too slow, and `splittable` says that a part can be asked for.
        """
        course = Attempts(self.clock.monotonic(), splittable)
        while True:
            async with self.pace.places:
                await self.pace.turn()
                course.sent_at = self.clock.monotonic()
                reply = await self._exchange(path, query, beta)
            outcome = reply if isinstance(reply, FailedAttempt) else await self._understand(reply, read, think)
            if not isinstance(outcome, FailedAttempt):
                self.retry_policy.succeeded()
                return outcome
            wait, everybody = self.retry_policy.pause_after(outcome, course)
            self.retries += 1
            if everybody:
                self.on_wait(wait, outcome.reason)
            else:
                await self.clock.sleep(wait)

    async def _exchange(
        self, path: str, query: Sequence[tuple[str, str]], beta: str | None
    ) -> Response | FailedAttempt:
        """Send one request; whatever error comes of it does not tell the key, however the server spelled it."""
        self.requests += 1
        began = self.clock.monotonic()
        try:
            reply = self.key.scrub(await self.exchange(self.session, self.api_url + path, query, self._headers(beta)))
        except TransportError as error:
            request_id = error.request_id and self.key.redact(error.request_id)
            self._log(path, query, began, error=self.key.redact(str(error)), request_id=request_id)
            return self._redacted(classify_failure(error))
        self._log(path, query, began, status=reply.status, bytes=len(reply.wire), request_id=reply.request_id)
        self._look_at(reply)
        return reply

    async def _understand(self, reply: Response, read: Callable[[Response], T], think: Think) -> T | FailedAttempt:
        try:
            failure = classify(reply, self._server_now())
            return self._redacted(failure) if failure else await think(read, reply)
        except TransportError as error:
            return self._redacted(classify_failure(error))
        except DamagedAnswerError as error:
            return self._redacted(damaged(error.message, reply.request_id))
        except ContractError as error:
            error.request_id = reply.request_id
            self._redact(error)
            raise

    def _redacted(self, failure: FailedAttempt) -> FailedAttempt:
        self._redact(failure.error)
        return failure

    def _redact(self, error: ApiError) -> None:
        error.message = self.key.redact(error.message)
        error.args = (error.message,)
        error.request_id = error.request_id and self.key.redact(error.request_id)

    def _headers(self, beta: str | None) -> dict[str, str]:
        headers = self.key.header() | {
            "anthropic-version": API_VERSION,
            "user-agent": USER_AGENT,
            "accept": "application/json",
            "accept-encoding": "gzip",
        }
        return headers | ({"anthropic-beta": beta} if beta else {})

    def _look_at(self, reply: Response) -> None:
        shown = retry.server_time(reply.headers)
        if shown is not None:
            self.server_time = max(shown, self.server_time or shown)
        if self.organization_id is None:
            self.organization_id = reply.headers.get("anthropic-organization-id")

    def _server_now(self) -> float:
        return float(self.server_time) if self.server_time is not None else self.clock.now()

    def _log(self, path: str, query: Sequence[tuple[str, str]], began: float, **more: object) -> None:
        seconds = round(self.clock.monotonic() - began, 3)
        asked = " ".join(f"{name}={value}" for name, value in query)
        told = {"request": f"GET {path}", "query": asked, "seconds": seconds, **more}
        log.debug("request", extra={"fields": {name: value for name, value in told.items() if value is not None}})
