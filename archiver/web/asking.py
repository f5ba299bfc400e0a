"""What children can be asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archiver.offline.page import overview
from archiver.offline.reports.breakdowns import Question
from archiver.offline.reports.registry import Asked
from archiver.web.dashboard import dashboard
from archiver.web.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable


def charts(path: str) -> str:
    """Make the page of charts, that of `report overview --html`; raises what reading an archive does."""
    return overview(Path(path), Asked(Question()))


WORKS: dict[str, Callable[..., Any]] = {"read": read, "dashboard": dashboard, "charts": charts}
