"""Saved queries: SQL by name, shipped or in the configuration folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.offline.tables.write import show

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

# At most 18 digits, which always fit SQLite's 64-bit integers. Zeros in front are kept: such a number is an id.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved query.

    Attributes:
        name: The name of its file without `.sql`.
        what: Its description, the comment in its first line.
        sql: Its text, empty if it cannot be read.
        own: Whether it is from the configuration folder, not shipped.
        fault: Why it cannot be read; empty if it can.
    """

    name: str
    what: str
    sql: str
    own: bool
    fault: str = ""


def saved_queries(folder: Path) -> dict[str, Saved]:
    """Read all saved queries, by name.

    A query in `folder` replaces the shipped one of the same name. A query that cannot be read has a fault in place of
    SQL, so that the others can be used.

    Raises:
        ConfigurationError: The folder cannot be read.
    """
    shipped: Traversable = files("archiver.offline").joinpath("saved")
    try:
        own = sorted(folder.glob("*.sql")) if folder.is_dir() else []
        found = [_read(entry, own=False) for entry in shipped.iterdir() if entry.name.endswith(".sql")]
        found += [_read(entry, own=True) for entry in own]
    except OSError as error:
        raise ConfigurationError(f"cannot read the saved queries in {folder}: {type(error).__name__}") from None
    # Own queries come last, and the last one of a name stays.
    return {one.name: one for one in sorted(found, key=lambda one: (one.own, one.name))}


def value_of(text: str) -> int | float | str:
    """Return a parameter's text as a number if it is one, else as it is."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _read(entry: Traversable, *, own: bool) -> Saved:
    name = entry.name.removesuffix(".sql")
    try:
        sql = entry.read_text("utf-8")
    except UnicodeDecodeError:
        return Saved(name, "", "", own, f"cannot read the saved query {show(str(entry), None)}: it is not UTF-8")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Saved(name, "", "", own, f"cannot read the saved query {show(str(entry), None)}: {why}")
    first = sql.lstrip().partition("\n")[0]
    what = first.removeprefix("--").strip() if first.startswith("--") else ""
    return Saved(name, what, sql, own)
