"""Read a log of use that another program kept, as sums by day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.offline.csv_file import lines_of, read_text
from archiver.offline.tables.money import from_dollars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = {
    "date": ("date", "day", "time", "timestamp"),
    "workspace": ("workspace", "workspace_id"),
    "api_key": ("api_key", "api_key_id", "key"),
    "model": ("model",),
    "tokens": ("tokens",),
    "amount": ("amount", "amount_usd", "cost_usd"),
}
"""What a column is, by the names that it can have."""
DIMENSIONS = ("workspace", "api_key", "model")
_LARGEST = 10**15


@dataclass(slots=True)
class ForeignLog:
    """The sums of a log.

    Attributes:
        dimensions: Those of DIMENSIONS that it has a column for.
        tokens: (day, *dimensions) → tokens; None: it has no such column.
        amounts: The same for money, in 1e-18 cents of a US dollar.
    """

    dimensions: tuple[str, ...]
    tokens: dict[tuple[Any, ...], int] | None = None
    amounts: dict[tuple[Any, ...], int] | None = None
    days: set[date] = field(default_factory=set)


def read_log(path: Path) -> ForeignLog:
    """Read a CSV file with a line for each use or sum of uses.

    It has a date or a time (of UTC, unless it has an offset), a workspace, key or model by name or id, and tokens or an
    amount in dollars. Other columns are ignored; an empty value is the default workspace, no key or no model.

    Raises:
        ConfigurationError: The file cannot be read, lacks a column, or has a value that is none.
    """
    lines = lines_of(read_text(path, "the log", "--against"), path)
    _, header = next(lines, (0, []))
    columns = _columns(header, path)
    log = ForeignLog(
        tuple(one for one in DIMENSIONS if one in columns),
        defaultdict(int) if "tokens" in columns else None,
        defaultdict(int) if "amount" in columns else None,
    )
    for number, line in lines:
        _add(log, dict(zip(header, line, strict=True)), columns, f"line {number} of {path}")
    return log


def _columns(names: Sequence[str], path: Path) -> dict[str, str]:
    """Return the name of each known column in the file."""
    found: dict[str, str] = {}
    for what, known in NAMES.items():
        mine = [name for name in names if name.strip().lower() in known]
        if len(mine) > 1:
            raise ConfigurationError(
                f"{path} has the columns {mine[0]!r} and {mine[1]!r}", hint="leave one of them out"
            )
        if mine:
            found[what] = mine[0]
    if "date" not in found or not found.keys() & {"tokens", "amount"} or not found.keys() & {*DIMENSIONS}:
        raise ConfigurationError(
            f"{path} lacks a column",
            hint="it needs date, one of workspace, api_key and model, and one of tokens and amount (in dollars)",
        )
    return found


def _add(log: ForeignLog, line: Mapping[str, str], columns: Mapping[str, str], where: str) -> None:
    day = _day(line[columns["date"]], where)
    log.days.add(day)
    key = (day, *(line[columns[one]].strip() for one in log.dimensions))
    if log.tokens is not None:
        log.tokens[key] += int(_number(line[columns["tokens"]], where, whole=True))
    if log.amounts is not None:
        log.amounts[key] += from_dollars(_number(line[columns["amount"]], where, whole=False))


def _day(text: str, where: str) -> date:
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo is None else time.astimezone(UTC)).date()
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{text!r} in {where} is no date", hint="write it as 2026-10-05") from None


def _number(text: str, where: str, *, whole: bool) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or abs(number) >= _LARGEST or (whole and number != number.to_integral_value()):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{text!r} in {where} is not {kind}", hint="write it without separators, as 1234.50")
    return number
