"""Classify responses by status and headers: good, worth a retry, or final. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from archiver.api import headers
from archiver.api.response import TransportError, TransportErrorKind
from archiver.api.retry import FailedAttempt
from archiver.errors import (
    ContractError,
    GroupByCapError,
    KeyRefusedError,
    RequestRefusedError,
    TemporaryError,
    excerpt,
)

if TYPE_CHECKING:
    from archiver.api.response import Response

_CAP = re.compile(r"more than (\d+) group_by")
_SPENT = re.compile(r"usage limit|spend(?:ing)? limit|credit balance|regain access", re.IGNORECASE)
_MOST_ERROR_TEXT = 2000
_RETRIED_STATUSES = frozenset({408, 409, 429})
_GATE_STATUSES = frozenset({429, 529})
KEY_HINT = "an Admin API key is needed; an administrator makes one in the Console under Settings, Admin keys"


class _Problem(msgspec.Struct):
    type: str = ""
    message: str = ""


class _ErrorEnvelope(msgspec.Struct):
    error: _Problem
    request_id: str | None = None


def is_retried(response: Response) -> bool:
    """Return whether a status may be better next time; `x-should-retry` comes first."""
    advice = headers.should_retry(response.headers)
    return is_temporary(response.status) if advice is None else advice


def is_temporary(status: int) -> bool:
    """Return whether a status means a passing condition, retried or not."""
    return status in _RETRIED_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_spend_limit(message: str) -> bool:
    """Return whether a 429 is a spent limit, which lasts, and not a rate limit."""
    return _SPENT.search(message) is not None


def classify(response: Response, now: float) -> FailedAttempt | None:
    """Classify a response by its status and content type; None is good so far.

    `now` is the time, in UTC seconds, from which dates in `retry-after` are counted.
    """
    if response.status == HTTPStatus.OK:
        # Proxies and captive portals answer 200 with a page of their own.
        kind = response.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind == "application/json":
            return None
        return damaged(f"the answer is {excerpt(kind, 60)!r}, not JSON", response.request_id)
    message, request_id = _read_error(response)
    text = f"the API answered {response.status}: {message}"
    if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        refusal = f"the API refused the key ({response.status}): {message}"
        key_refused = KeyRefusedError(refusal, request_id=request_id, hint=KEY_HINT)
        # A 403 may concern one report or one list; a 401 concerns every request.
        key_refused.ends_run = response.status == HTTPStatus.UNAUTHORIZED
        return FailedAttempt(key_refused, again=False)
    if _is_spent(response, message):
        spent = TemporaryError(text, request_id=request_id, hint="raise the limit in the Console, or wait for its end")
        spent.ends_run = True
        return FailedAttempt(spent, again=False)
    if is_retried(response) or is_temporary(response.status):
        return _temporary(response, TemporaryError(text, request_id=request_id), now)
    return FailedAttempt(_refusal(response.status, text, message, request_id), again=False)


def classify_failure(error: TransportError) -> FailedAttempt:
    """Classify an exchange that brought no whole response."""
    if error.kind is TransportErrorKind.DAMAGED:
        return damaged(str(error), error.request_id)
    if error.kind is TransportErrorKind.TOO_LARGE:
        return FailedAttempt(ContractError(str(error), request_id=error.request_id), again=False, slow=True)
    failure = TemporaryError(str(error), request_id=error.request_id)
    return FailedAttempt(failure, again=True, slow=error.kind is TransportErrorKind.TIMEOUT, reason=str(error))


def damaged(message: str, request_id: str | None) -> FailedAttempt:
    """Classify a response that looks damaged: retried a few times, then refused."""
    return FailedAttempt(ContractError(message, request_id=request_id), again=True, damaged=True, reason=message)


def _is_spent(response: Response, message: str) -> bool:
    if response.status == HTTPStatus.PAYMENT_REQUIRED:
        return True
    return response.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_REQUEST} and is_spend_limit(message)


def _temporary(response: Response, error: TemporaryError, now: float) -> FailedAttempt:
    wait = headers.retry_after(response.headers, now)
    advice = "without retry-after" if wait is None else f"with retry-after {wait:.0f} s"
    return FailedAttempt(
        error,
        again=is_retried(response),
        refused=response.status == HTTPStatus.TOO_MANY_REQUESTS,
        slow=response.status == HTTPStatus.GATEWAY_TIMEOUT,
        gate=response.status in _GATE_STATUSES or wait is not None,
        retry_after=wait,
        reason=f"the API answered {response.status} {advice}",
    )


def _read_error(response: Response) -> tuple[str, str | None]:
    """Read the message and the request id of an error response, whatever its body is."""
    try:
        envelope = msgspec.json.decode(response.body, type=_ErrorEnvelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # a proxy's page, or nothing
        text = response.body[:_MOST_ERROR_TEXT].decode("utf-8", "replace")
        return excerpt(text) or "no message", response.request_id
    return excerpt(envelope.error.message) or "no message", response.request_id or (
        envelope.request_id and excerpt(envelope.request_id, 80)
    )


def _refusal(status: int, text: str, message: str, request_id: str | None) -> RequestRefusedError:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        text, hint = f"{text} (redirects are not followed)", "check --api-url"
        return RequestRefusedError(text, status=status, request_id=request_id, hint=hint)
    cap = _CAP.search(message) if status == HTTPStatus.BAD_REQUEST else None
    if cap is not None and int(cap[1]) > 0:
        return GroupByCapError(text, status=status, cap=int(cap[1]), request_id=request_id)
    return RequestRefusedError(text, status=status, request_id=request_id)
