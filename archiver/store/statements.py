"""The named statements of `queries.sql`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

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
