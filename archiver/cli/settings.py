"""The options of a command that connects to the API, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.api.key import AdminKey
    from archiver.api.rate_limit import Rate
    from archiver.plan.scope import Scope


@dataclass(frozen=True, slots=True)
class Connect:
    """How to connect to the API: address, key, rate limit, concurrency."""

    api_url: str
    key: AdminKey
    rate: Rate
    concurrency: int


@dataclass(frozen=True, slots=True)
class Settings(Connect):
    """The options of a sync.

    `max_runtime` and `wait` are in seconds, and `max_runtime` of None is no limit. `people` is whether names and e-mail
    addresses of people are archived.
    """

    db: Path
    scope: Scope
    max_runtime: float | None
    wait: float
    accept_restatements: bool = False
    people: bool = True
