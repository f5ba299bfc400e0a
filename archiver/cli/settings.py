"""What one `sync` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.api.key import AdminKey
    from archiver.api.rate import Rate
    from archiver.plan.scope import Scope


@dataclass(frozen=True, slots=True)
class Settings:
    """What one `sync` was asked to do."""

    db: Path
    api_url: str
    key: AdminKey
    scope: Scope
    rate: Rate
    concurrency: int
    max_runtime: float | None
    wait: float
    accept_restatements: bool = False
