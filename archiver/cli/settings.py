"""What a command that asks the API was asked to do."""

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
    """Whom to ask, with which key, and how fast."""

    api_url: str
    key: AdminKey
    rate: Rate
    concurrency: int


@dataclass(frozen=True, slots=True)
class Settings(Connect):
    """What one `sync` was asked to do."""

    db: Path
    scope: Scope
    max_runtime: float | None
    wait: float
    accept_restatements: bool = False
