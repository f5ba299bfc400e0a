"""What a reply means before its content is looked at: good, worth another try, or final. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from archiver.api import retry
from archiver.api.response import TransportError, TransportErrorKind
from archiver.api.text import excerpt
from archiver.errors import (
    ApiError,
    ContractError,
    GroupByCapError,
    KeyRefusedError,
    RequestRefusedError,
    TemporaryError,
)

if TYPE_CHECKING:
    from archiver.api.response import Response

_CAP = re.compile(r"more than (\d+) group_by")
_MOST_ERROR_TEXT = 2000
_TIMEOUTS = frozenset({HTTPStatus.GATEWAY_TIMEOUT})
KEY_HINT = "an Admin API key is needed; an administrator makes one in the Console under Settings, Admin keys"


class _Problem(msgspec.Struct):
    type: str = ""
    message: str = ""


class _ErrorEnvelope(msgspec.Struct):
    error: _Problem
    request_id: str | None = None


@dataclass(slots=True)
class FailedAttempt:
    """One try that failed.

    Attributes:
        error: What the request ends in if it is not tried again.
        again: Whether another try may do better.
        refused: Whether it was a 429.
        damaged: Whether the reply looked damaged on its way.
        slow: Whether the API took too long, which a narrower window may mend.
        gate: Whether the API asked everybody to wait, not just this request.
        told: How many seconds the API asked to wait.
        reason: Why the run waits, for people.
    """

    error: ApiError
    again: bool
    refused: bool = False
    damaged: bool = False
    slow: bool = False
    gate: bool = False
    told: float | None = None
    reason: str = ""


def classify(reply: Response, now: float) -> FailedAttempt | None:
    """Judge a reply by its status and its content type; None is good so far.

    `now` is the time by which told moments are counted.
    """
    if reply.status == HTTPStatus.OK:
        kind = reply.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind == "application/json":
            return None
        return damaged(f"the answer is {excerpt(kind, 60)!r}, not JSON", reply.request_id)
    message, request_id = _read_error(reply)
    text = f"the API answered {reply.status}: {message}"
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        refusal = f"the API refused the key ({reply.status}): {message}"
        key_refused = KeyRefusedError(refusal, request_id=request_id, hint=KEY_HINT)
        key_refused.ends_run = reply.status == HTTPStatus.UNAUTHORIZED
        return FailedAttempt(key_refused, again=False)
    if _is_spent(reply, message):
        spent = TemporaryError(text, request_id=request_id, hint="raise the limit in the Console, or wait for its end")
        spent.ends_run = True
        return FailedAttempt(spent, again=False)
    if retry.is_retried(reply.status, reply.headers) or retry.is_temporary(reply.status):
        return _temporary(reply, TemporaryError(text, request_id=request_id), now)
    return FailedAttempt(_refusal(reply.status, text, message, request_id), again=False)


def _is_spent(reply: Response, message: str) -> bool:
    if reply.status == HTTPStatus.PAYMENT_REQUIRED:
        return True
    return reply.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_REQUEST} and retry.is_spend_limit(message)


def _temporary(reply: Response, error: TemporaryError, now: float) -> FailedAttempt:
    told = retry.retry_after(reply.headers, now)
    said = "without a retry-after" if told is None else f"and to wait {told:.0f} s"
    return FailedAttempt(
        error,
        again=retry.is_retried(reply.status, reply.headers),
        refused=reply.status == HTTPStatus.TOO_MANY_REQUESTS,
        slow=reply.status in _TIMEOUTS,
        gate=reply.status in retry.GATE_STATUSES or told is not None,
        told=told,
        reason=f"the API said {reply.status} {said}",
    )


def _read_error(reply: Response) -> tuple[str, str | None]:
    try:
        envelope = msgspec.json.decode(reply.body, type=_ErrorEnvelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = reply.body[:_MOST_ERROR_TEXT].decode("utf-8", "replace")
        return excerpt(text) or "no message", reply.request_id
    return excerpt(envelope.error.message) or "no message", reply.request_id or (
        envelope.request_id and excerpt(envelope.request_id, 80)
    )


def _refusal(status: int, text: str, message: str, request_id: str | None) -> RequestRefusedError:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        text, hint = f"{text} (a redirect, which is not followed)", "check --api-url"
        return RequestRefusedError(text, status=status, request_id=request_id, hint=hint)
    cap = _CAP.search(message) if status == HTTPStatus.BAD_REQUEST else None
    if cap is not None and int(cap[1]) > 0:
        return GroupByCapError(text, status=status, cap=int(cap[1]), request_id=request_id)
    return RequestRefusedError(text, status=status, request_id=request_id)


def classify_failure(error: TransportError) -> FailedAttempt:
    """Judge an exchange that brought no whole reply."""
    if error.trouble is TransportErrorKind.DAMAGED:
        return damaged(str(error), error.request_id)
    if error.trouble is TransportErrorKind.TOO_LARGE:
        return FailedAttempt(ContractError(str(error), request_id=error.request_id), again=False, slow=True)
    failure = TemporaryError(str(error), request_id=error.request_id)
    return FailedAttempt(failure, again=True, slow=error.trouble is TransportErrorKind.TIMEOUT, reason=str(error))


def damaged(message: str, request_id: str | None) -> FailedAttempt:
    """Judge a reply that looks damaged: asked for again a few times, then refused."""
    return FailedAttempt(ContractError(message, request_id=request_id), again=True, damaged=True, reason=message)
