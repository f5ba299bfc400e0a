"""A client of the invented API; its clock is a fake that sleeping moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aioresponses import aioresponses

from archiver.api.client import AdminClient
from archiver.api.key import AdminKey
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.retry import RetryPolicy
from archiver.api.transport import open_session
from tests.support import INVENTED_KEY
from tests.unit.api.invented import HOST
from tests.unit.api.virtual import Virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def virtual() -> Virtual:
    return Virtual()


@pytest.fixture
def web() -> Iterator[aioresponses]:
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture
async def client(virtual: Virtual, web: aioresponses) -> AsyncIterator[AdminClient]:
    assert web is not None
    clock = virtual.clock()
    async with open_session(HOST) as session:
        limiter = RateLimiter(Rate(None), 2, clock)
        retry_policy = RetryPolicy(limiter, clock, chance=lambda: 0.5)
        yield AdminClient(session, HOST, AdminKey(INVENTED_KEY, "a test"), limiter, clock, retry_policy)
