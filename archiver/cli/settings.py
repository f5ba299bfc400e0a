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
    """The API, the key, and the pace."""

    api_url: str
    key: AdminKey
    rate: Rate
    concurrency: int


@dataclass(frozen=True, slots=True)
class Settings(Connect):
    """The options of one `sync`."""

    db: Path
    scope: Scope
    max_runtime: float | None
    wait: float
    accept_restatements: bool = False
