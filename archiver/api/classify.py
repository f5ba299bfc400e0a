"""Classify responses: decodable, to be retried, or finally failed.

Error codes and statuses are from the API's reference (November 2026). No function here has side effects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from archiver.api import headers
from archiver.api.response import TransportError, TransportErrorKind
from archiver.api.retry import FailedAttempt
from archiver.errors import (
    ContractError,
    GroupByCapError,
    KeyEchoError,
    KeyRefusedError,
    RequestRefusedError,
    TemporaryError,
    excerpt,
)

if TYPE_CHECKING:
    from archiver.api.response import Response

# The message about too many dimensions in one request; the number is the cap.
_CAP = re.compile(r"more than (\d+) group_by")
_SPENT = re.compile(r"usage limit|spend(?:ing)? limit|credit balance|regain access", re.IGNORECASE)
# The number of bytes that are decoded from a body that is not JSON: more than an error message shows.
_MOST_ERROR_TEXT = 2000
_CODE = "error_code"
_NO_SCOPE = "api_key_scope_missing"
_SPENT_CODES = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached"}
)
_CLOSED_CODES = frozenset({"organization_on_hold", "organization_type_not_supported"})
# Conditions that pass, although their messages can resemble the message about a spend limit.
_PASSING_CODES = frozenset({"ramp_limit_exceeded", "authorization_check_unavailable"})
_RETRIED_STATUSES = frozenset({408, 409, 429})
# 429 is "too many requests", 529 the vendor's own status for an overloaded API. Both concern all workers.
_GATE_STATUSES = frozenset({429, 529})
KEY_HINT = (
    "an Admin API key, or an OAuth token with the scope org:admin, is needed; an administrator creates keys in the "
    "Console under Settings, Admin keys"
)
# The name of a scope, for example `org:admin`.
_SCOPE = re.compile(r"\b[a-z_]+:[a-z_]+\b")


@dataclass(frozen=True, slots=True)
class _Problem:
    """The content of an error response.

    `code` is its `error.details.error_code`.
    """

    message: str
    code: str | None
    request_id: str | None


def is_retried(response: Response) -> bool:
    """Return whether a response calls for a retry.

    The header `x-should-retry` takes precedence over the status.
    """
    advice = headers.should_retry(response.headers)
    return is_temporary(response.status) if advice is None else advice


def is_temporary(status: int) -> bool:
    """Return whether a status means a passing condition.

    `is_retried` can return another value, because it follows the header `x-should-retry` first.
    """
    return status in _RETRIED_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_spend_limit(message: str) -> bool:
    """Return whether a message is about a spend limit.

    A spend limit lasts until its period ends; a rate limit passes within minutes.
    """
    return _SPENT.search(message) is not None


def classify(response: Response, now: float) -> FailedAttempt | None:
    """Classify a response by status, error code and content type.

    None is returned for a response that is to be decoded: its status is 200, and its content type is JSON or missing.
    `now` is the time, in UTC seconds, from which dates in `retry-after` are counted.
    """
    if response.status == HTTPStatus.OK:
        return _classify_ok(response)
    problem = _read_error(response)
    if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return FailedAttempt(_key_refused_error(response.status, problem), again=False)
    # Messages change and documented codes do not. So the message counts only without the code of a passing condition.
    is_spent_by_message = problem.code not in _PASSING_CODES and _is_spent(response, problem.message)
    if problem.code in _SPENT_CODES or is_spent_by_message:
        return FailedAttempt(_spend_limit_error(response.status, problem), again=False)
    if problem.code in _CLOSED_CODES:
        closed = _refusal_error(response.status, problem)
        closed.ends_run = True
        return FailedAttempt(closed, again=False)
    # A temporary status without a retry still comes here: the next run may succeed, and a 429 also pauses all workers.
    if is_retried(response) or is_temporary(response.status):
        return _temporary_failure(response, problem, now)
    return FailedAttempt(_refusal_error(response.status, problem), again=False)


def classify_failure(error: TransportError) -> FailedAttempt:
    """Classify an exchange that ended without a usable body."""
    if error.kind is TransportErrorKind.DAMAGED:
        return damaged(str(error), error.request_id)
    if error.kind is TransportErrorKind.TOO_LARGE:
        return FailedAttempt(ContractError(str(error), request_id=error.request_id), again=False, slow=True)
    failure = TemporaryError(str(error), request_id=error.request_id)
    return FailedAttempt(failure, again=True, slow=error.kind is TransportErrorKind.TIMEOUT, reason=str(error))


def damaged(message: str, request_id: str | None) -> FailedAttempt:
    """Classify a response that looks damaged.

    The request is retried a few times, then the response is refused.
    """
    return FailedAttempt(ContractError(message, request_id=request_id), again=True, damaged=True, reason=message)


def _classify_ok(response: Response) -> FailedAttempt | None:
    if response.echoes_key:
        return FailedAttempt(KeyEchoError(), again=False)
    # Proxies and captive portals return a page of their own with status 200.
    kind = response.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "application/json":
        return None
    return damaged(f"the answer is {excerpt(kind, 60)!r}, not JSON", response.request_id)


def _describe(status: int, problem: _Problem) -> str:
    code = f" ({problem.code})" if problem.code else ""
    return f"the API answered {status}: {problem.message}{code}"


def _key_refused_error(status: int, problem: _Problem) -> KeyRefusedError:
    text = f"the API refused the key ({status}): {problem.message}"
    error = KeyRefusedError(text, request_id=problem.request_id, hint=_key_hint(problem))
    # A 403 may concern one report or one list; a 401 concerns every request.
    error.ends_run = status == HTTPStatus.UNAUTHORIZED
    return error


def _key_hint(problem: _Problem) -> str:
    # The message lists the scopes of the key and the scopes that the endpoint needs (documented).
    scopes = list(dict.fromkeys(_SCOPE.findall(problem.message))) if problem.code == _NO_SCOPE else []
    if not scopes:
        return KEY_HINT
    return f"the key lacks a scope; the message names {', '.join(scopes)}: create a key with the missing one"


def _is_spent(response: Response, message: str) -> bool:
    """Return whether a spend limit is reached, by the status and the message."""
    if response.status == HTTPStatus.PAYMENT_REQUIRED:
        return True
    return response.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_REQUEST} and is_spend_limit(message)


def _spend_limit_error(status: int, problem: _Problem) -> TemporaryError:
    hint = "raise the spend limit in the Console, or run again when its period has ended"
    error = TemporaryError(_describe(status, problem), request_id=problem.request_id, hint=hint)
    error.ends_run = True
    return error


def _temporary_failure(response: Response, problem: _Problem, now: float) -> FailedAttempt:
    wait = headers.retry_after(response.headers, now)
    advice = "without retry-after" if wait is None else f"with retry-after {wait:.0f} s"
    return FailedAttempt(
        TemporaryError(_describe(response.status, problem), request_id=problem.request_id),
        again=is_retried(response),
        rate_limited=response.status == HTTPStatus.TOO_MANY_REQUESTS,
        slow=response.status == HTTPStatus.GATEWAY_TIMEOUT,
        gate=response.status in _GATE_STATUSES or wait is not None,
        retry_after=wait,
        reason=f"the API answered {response.status} {advice}",
    )


def _read_error(response: Response) -> _Problem:
    """Read an error response; its body need not be JSON."""
    try:
        envelope = msgspec.json.decode(response.body)
    except KeyEchoError:  # the status alone is enough to classify it
        return _Problem("its message contains the admin key and is not shown", None, response.request_id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # a proxy's page, or nothing
        text = response.body[:_MOST_ERROR_TEXT].decode("utf-8", "replace")
        return _Problem(excerpt(text) or "no message", None, response.request_id)
    # Any part may be missing or of another type, which must not hide the error that the status means.
    error = _field(envelope, "error")
    message, code = _text_field(error, "message"), _text_field(_field(error, "details"), _CODE)
    request_id = response.request_id or headers.printable_id(_text_field(envelope, "request_id"))
    return _Problem(excerpt(message or "") or "no message", code and excerpt(code, 60), request_id)


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text_field(value: Any, name: str) -> str | None:
    found = _field(value, name)
    return found if isinstance(found, str) else None


def _refusal_error(status: int, problem: _Problem) -> RequestRefusedError:
    text, request_id = _describe(status, problem), problem.request_id
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        text, hint = f"{text} (redirects are not followed)", "check --api-url"
        return RequestRefusedError(text, status=status, request_id=request_id, hint=hint)
    cap = _CAP.search(problem.message) if status == HTTPStatus.BAD_REQUEST else None
    if cap is not None and int(cap[1]) > 0:
        return GroupByCapError(text, status=status, cap=int(cap[1]), request_id=request_id)
    return RequestRefusedError(text, status=status, request_id=request_id)
