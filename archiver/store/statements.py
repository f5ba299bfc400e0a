"""The named statements of `queries.sql`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archiver.model import Series

FOREVER = 2**62
_NAME = re.compile(r"^-- name: (\S+)\n", re.MULTILINE)


@cache
def _statements() -> dict[str, str]:
    parts = _NAME.split(files("archiver.store").joinpath("queries.sql").read_text("utf-8"))
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def sql(name: str) -> str:
    """Give the statement of that name.

    Raises:
        KeyError: There is none.
    """
    return _statements()[name]


def series_values(series: Series) -> dict[str, object]:
    """Give what identifies a series, by the names that statements use."""
    return {
        "report": series.report,
        "bucket_width": series.bucket_width,
        "group_by": series.group_by_text,
        "filters": series.filters_text,
    }
