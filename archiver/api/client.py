"""Send requests to the Admin API, rate limited and retried within bounds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from archiver.api import headers
from archiver.api.classify import classify, classify_failure, damaged
from archiver.api.headers import printable_id
from archiver.api.response import TransportError
from archiver.api.retry import Attempts, FailedAttempt
from archiver.api.transport import USER_AGENT, exchange
from archiver.errors import ContractError, DamagedAnswerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from archiver.api.key import AdminKey
    from archiver.api.rate_limit import RateLimiter
    from archiver.api.response import Response
    from archiver.api.retry import RetryPolicy
    from archiver.clock import Clock

    Exchange = Callable[[Any, str, Sequence[tuple[str, str]], Mapping[str, str]], Awaitable[Response]]

API_VERSION = "2023-06-01"

log = logging.getLogger("archiver.api")

T = TypeVar("T")


class Decode(Protocol):
    """A function that runs a decoder, possibly later or in another thread."""

    async def __call__(self, read: Callable[[Response], T], response: Response, /) -> T:
        """Return `read(response)`, and raise what it raises."""


async def decode_here(read: Callable[[Response], T], response: Response) -> T:
    """Decode a response at once, in the event loop's thread."""
    return read(response)


def _ignore_wait(_seconds: float, _reason: str) -> None:
    pass


@dataclass(slots=True)
class AdminClient:
    """The client of one run, shared by all workers.

    Attributes:
        exchange: Sends one request and returns the whole response; tests replace it.
        requests: The number of requests sent, retries included.
        retries: The number of requests that were retries.
        server_time: The newest `Date` of any response, in UTC seconds.
        organization_id: The key's organisation, from the response headers.
        on_wait: Called with the seconds and the reason whenever all workers wait for the API.
    """

    session: Any
    api_url: str
    key: AdminKey
    limiter: RateLimiter
    clock: Clock
    retry_policy: RetryPolicy
    exchange: Exchange = exchange
    on_wait: Callable[[float, str], None] = field(default=_ignore_wait)
    requests: int = 0
    retries: int = 0
    server_time: int | None = None
    organization_id: str | None = None

    async def get(  # noqa: PLR0913  # the parts of one request, and how to decode its response
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        read: Callable[[Response], T],
        *,
        beta: str | None = None,
        splittable: bool = False,
        decode: Decode = decode_here,
    ) -> T:
        """Send a request, with retries, and return its decoded response.

        `read` decodes the response, or raises ContractError. `decode` chooses when and where `read` runs, and is called
        after the limiter's slot is released for another request.

        Raises:
            ConfigurationError: The server's certificate cannot be verified.
            KeyRefusedError: The status is 401 or 403.
            TemporaryError: A spend limit, or a rate limit or server or network errors that outlast the retries.
            RequestRefusedError: The API refuses the request as wrong.
            ContractError: The answer breaks the API's contract.
            TooWideError: The answer is too large or too slow, and the window is `splittable`.
        """
        attempts = Attempts(self.clock.monotonic(), splittable)
        while True:
            # The wait for the rate limit does not count toward the longest time of a request: at a rate of 5/h the wait
            # alone is longer.
            queued_from = self.limiter.open_seconds()
            async with self.limiter.slots:
                await self.limiter.acquire()
                attempts.queued += self.limiter.open_seconds() - queued_from
                attempts.sent_at = self.clock.monotonic()
                exchanged = await self._exchange(path, query, beta)
            outcome = exchanged if isinstance(exchanged, FailedAttempt) else await self._decode(exchanged, read, decode)
            # The traceback of an error that is raised below keeps this frame, and would keep the response in memory.
            del exchanged
            if not isinstance(outcome, FailedAttempt):
                self.retry_policy.succeeded()
                return outcome
            wait, for_all = self.retry_policy.next_wait(outcome, attempts)
            self.retries += 1
            if for_all:  # the gate is closed, so this request waits in `acquire` like all others
                self.on_wait(wait, outcome.reason)
            else:
                await self.clock.sleep(wait)

    async def _exchange(
        self, path: str, query: Sequence[tuple[str, str]], beta: str | None
    ) -> Response | FailedAttempt:
        """Send one request; its log line and its errors never contain the key."""
        self.requests += 1
        began = self.clock.monotonic()
        try:
            response = self.key.guard(
                await self.exchange(self.session, self.api_url + path, query, self._headers(beta))
            )
        except TransportError as error:
            failure = self._failure(error, None)
            self._log(path, query, began, error=failure.error.message, request_id=failure.error.request_id)
            return failure
        self._log(path, query, began, status=response.status, bytes=len(response.wire), request_id=response.request_id)
        self._note_headers(response)
        return response

    async def _decode(self, response: Response, read: Callable[[Response], T], decode: Decode) -> T | FailedAttempt:
        """Classify a response, and decode it unless it is a failure."""
        try:
            failure = classify(response, self._server_now())
            return self._redacted(failure) if failure else await decode(read, response)
        except (TransportError, ContractError) as error:
            return self._failure(error, response.request_id)

    def _failure(self, error: TransportError | ContractError, request_id: str | None) -> FailedAttempt:
        """Turn an error into a failed attempt that keeps nothing of the response."""
        if isinstance(error, TransportError):
            # The id is redacted before it is shortened: shortening could leave a part of the key, which is not found.
            error.request_id = printable_id(error.request_id and self.key.redact(error.request_id))
            return self._redacted(classify_failure(error))
        error.request_id = request_id
        if isinstance(error, DamagedAnswerError):
            return self._redacted(damaged(error.message, request_id))
        # The frames of the traceback hold the body of up to 64 MiB, and the run keeps its failures until it ends.
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return self._redacted(FailedAttempt(error, again=False))

    def _redacted(self, failure: FailedAttempt) -> FailedAttempt:
        # A second guard, for messages that are not from a response. A response that contains the key is never decoded.
        error = failure.error
        error.message = self.key.redact(error.message)
        error.args = (error.message,)
        error.request_id = error.request_id and self.key.redact(error.request_id)
        return failure

    def _headers(self, beta: str | None) -> dict[str, str]:
        sent = self.key.header() | {
            "anthropic-version": API_VERSION,
            "user-agent": USER_AGENT,
            "accept": "application/json",
            "accept-encoding": "gzip",
        }
        return sent | ({"anthropic-beta": beta} if beta else {})

    def _note_headers(self, response: Response) -> None:
        date = headers.server_time(response.headers)
        if date is not None:
            # The newest time is kept, because a proxy may return a cached response with an old Date.
            self.server_time = max(date, self.server_time or date)
        if self.organization_id is None:
            self.organization_id = headers.organization_id(response.headers)

    def _server_now(self) -> float:
        # The local clock stands in until the first response with a Date.
        return float(self.server_time) if self.server_time is not None else self.clock.now()

    def _log(self, path: str, query: Sequence[tuple[str, str]], began: float, **more: object) -> None:
        seconds = round(self.clock.monotonic() - began, 3)
        parameters = " ".join(f"{name}={value}" for name, value in query)
        fields = {"request": f"GET {path}", "query": parameters, "seconds": seconds, **more}
        log.debug("request", extra={"fields": {name: value for name, value in fields.items() if value is not None}})
