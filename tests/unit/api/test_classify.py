"""What a status means: worth a retry, or final."""

from __future__ import annotations

import pytest

from archiver.api.classify import is_retried, is_spend_limit
from archiver.api.response import Response


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_what_may_pass_is_retried(status: int) -> None:
    assert is_retried(Response(status, {}, b""))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422])
def test_what_will_not_change_is_not_retried(status: int) -> None:
    assert not is_retried(Response(status, {}, b""))


def test_the_server_says_whether_to_retry() -> None:
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
