"""What children can be asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.web.dashboard import dashboard
from archiver.web.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable

WORKS: dict[str, Callable[..., Any]] = {"read": read, "dashboard": dashboard}
