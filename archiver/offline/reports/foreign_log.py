"""Read the usage log of another program, as sums by day and dimension."""

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
"""Field of the log → the names of its column in the file."""
DIMENSIONS = ("workspace", "api_key", "model")
_TOO_LARGE = 10**15  # no plausible number of tokens or dollars has so many digits


@dataclass(slots=True)
class ForeignLog:
    """The sums of a log.

    Attributes:
        dimensions: The elements of DIMENSIONS that the log has a column for.
        tokens: (day, *values of the dimensions) → tokens; None if the log has no column for tokens.
        amounts: (day, *values of the dimensions) → amount in 1e-18 cents of a US dollar; None if the log has no column
            for amounts.
        days: The days that the log has a line for.
    """

    dimensions: tuple[str, ...]
    tokens: dict[tuple[Any, ...], int] | None = None
    amounts: dict[tuple[Any, ...], int] | None = None
    days: set[date] = field(default_factory=set)


def read_log(path: Path) -> ForeignLog:
    """Read a CSV file of usage; lines with the same day and values are summed.

    The file needs a column for the date or time; at least one column for a workspace, key or model, as a name or an id;
    and a column for tokens, for an amount in dollars, or for both. A time without an offset is in UTC. Other columns
    are ignored. An empty value means the default workspace, no key or no model.

    Raises:
        ConfigurationError: The file cannot be read or is not valid CSV, a column is missing or repeated, or a date or
            number is invalid.
    """
    lines = lines_of(read_text(path, "the log", "--against"), path)
    _, header = next(lines, (0, []))  # an empty file has no header
    columns = _columns(header, path)
    log = ForeignLog(
        tuple(name for name in DIMENSIONS if name in columns),
        defaultdict(int) if "tokens" in columns else None,
        defaultdict(int) if "amount" in columns else None,
    )
    for number, line in lines:
        _add(log, dict(zip(header, line, strict=True)), columns, f"line {number} of {path}")
    return log


def _columns(names: Sequence[str], path: Path) -> dict[str, str]:
    """Return the column of each field of the log that the file has."""
    found: dict[str, str] = {}
    for field_name, accepted in NAMES.items():
        matching = [name for name in names if name.strip().lower() in accepted]
        if len(matching) > 1:
            raise ConfigurationError(
                f"{path} has the columns {matching[0]!r} and {matching[1]!r}", hint="leave one of them out"
            )
        if matching:
            found[field_name] = matching[0]
    if "date" not in found or not found.keys() & {"tokens", "amount"} or not found.keys() & {*DIMENSIONS}:
        raise ConfigurationError(
            f"{path} lacks a column",
            hint="it needs date, one of workspace, api_key and model, and one of tokens and amount (in dollars)",
        )
    return found


def _add(log: ForeignLog, line: Mapping[str, str], columns: Mapping[str, str], where: str) -> None:
    """Add a line of the file to the sums; `where` names the line in errors."""
    day = _day(line[columns["date"]], where)
    log.days.add(day)
    key = (day, *(line[columns[name]].strip() for name in log.dimensions))
    if log.tokens is not None:
        log.tokens[key] += int(_number(line[columns["tokens"]], where, whole=True))
    if log.amounts is not None:
        log.amounts[key] += from_dollars(_number(line[columns["amount"]], where, whole=False))


def _day(text: str, where: str) -> date:
    """Return the UTC day of a date or time."""
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo is None else time.astimezone(UTC)).date()
    except (ValueError, OverflowError):  # an offset can move a time out of the years that Python has
        raise ConfigurationError(f"{text!r} in {where} is not a date", hint="write it as 2026-10-05") from None


def _number(text: str, where: str, *, whole: bool) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("nan")  # not finite, so it is rejected below
    if not number.is_finite() or abs(number) >= _TOO_LARGE or (whole and number != number.to_integral_value()):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(
            f"{text!r} in {where} is not {kind}", hint="write it without separators, for example 1234.50"
        )
    return number
