"""Classification of responses: which are retried and which are final."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archiver.api.classify import classify, is_retried, is_spend_limit
from archiver.api.response import Response
from archiver.errors import KeyRefusedError, RequestRefusedError, TemporaryError
from tests.unit.api.virtual import NOW

if TYPE_CHECKING:
    from archiver.api.retry import FailedAttempt


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_what_may_pass_is_retried(status: int) -> None:
    assert is_retried(Response(status, {}, b""))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
def test_what_will_not_change_is_not_retried(status: int) -> None:
    assert not is_retried(Response(status, {}, b""))


def test_the_servers_header_decides_whether_to_retry() -> None:
    assert not is_retried(Response(503, {"x-should-retry": "false"}, b""))
    assert is_retried(Response(400, {"x-should-retry": "true"}, b""))


@pytest.mark.parametrize(
    ("message", "spent"),
    [
        ("You have reached your specified API usage limits. You will regain access on 2026-02-01.", True),
        ("Your credit balance is too low", True),
        ("This request would exceed the rate limit for your organization", False),
    ],
)
def test_a_spent_limit_is_not_a_rate_limit(message: str, spent: bool) -> None:  # noqa: FBT001  # the expected answer
    assert is_spend_limit(message) is spent


def failure(status: int, code: Any, message: str = "an invented message", **headers: str) -> FailedAttempt:
    problem = {"type": "x", "message": message, "details": {"error_code": code}}
    body = json.dumps({"type": "error", "error": problem, "request_id": "req_1"}).encode()
    failed = classify(Response(status, {n.replace("_", "-"): v for n, v in headers.items()}, body), NOW)
    assert failed is not None
    return failed


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "enforced_spend_limit_reached", TemporaryError),
        (429, "contract_spend_limit_reached", TemporaryError),
        (402, "linked_organization_spend_limit_reached", TemporaryError),
        (400, "organization_on_hold", RequestRefusedError),
        (400, "organization_type_not_supported", RequestRefusedError),
    ],
)
def test_a_final_error_code_ends_the_run_whatever_the_words(status: int, code: str, kind: type[Exception]) -> None:
    failed = failure(status, code, x_should_retry="true")
    assert isinstance(failed.error, kind)
    assert not failed.again
    assert failed.error.ends_run
    assert code in failed.error.message


def test_a_key_without_a_scope_ends_one_report_alone() -> None:
    failed = failure(403, "api_key_scope_missing")
    assert isinstance(failed.error, KeyRefusedError)
    assert not failed.error.ends_run


@pytest.mark.parametrize(("status", "code"), [(429, "ramp_limit_exceeded"), (503, "authorization_check_unavailable")])
def test_a_passing_error_code_is_retried_whatever_the_words(status: int, code: str) -> None:
    failed = failure(status, code, "You have reached your usage limit; your spend limit will be raised")
    assert failed.again
    assert not failed.error.ends_run


@pytest.mark.parametrize("code", [None, 5, ["x"], "unknown_code"])
def test_an_unknown_error_code_leaves_the_decision_to_status_and_words(code: Any) -> None:
    assert failure(429, code).again
    assert failure(429, code, "You have reached your usage limit").error.ends_run
    assert failure(429, code).error.message.startswith("the API answered 429: an invented message")


@pytest.mark.parametrize("status", [429, 529])
def test_a_rate_limit_closes_the_gate_also_when_it_is_not_to_be_retried(status: int) -> None:
    failed = failure(status, None, x_should_retry="false")
    assert failed.gate
    assert not failed.again
