"""What changed in earlier months since a delivery of them."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import to_text
from archiver.offline.export.focus.numbers import PRECISION
from archiver.offline.export.focus.sources import check_currency
from archiver.offline.periods import month_of

if TYPE_CHECKING:
    from datetime import date

    from archiver.offline.export.focus.sources import Rows, Source
    from archiver.offline.periods import Period
    from archiver.store.read.reader import ArchiveReader

_AMOUNTS = ("amount", "list_amount")
# Names change, and the rounded amounts are those of the exact ones.
_NOT_COMPARED = frozenset(
    {*_AMOUNTS, "amount_microcents", "amount_usd", "list_amount_usd", "workspace", "workspace_name", "api_key_name"}
    | {"person_name", "email", "is_default_workspace"}
)


def read_corrections(
    now: ArchiveReader, then: ArchiveReader, source: Source, month: Period
) -> tuple[Rows, frozenset[date]]:
    """Return the differences of days before `month`, and the lost days.

    A delivery as of `then` and these rows add up to what is archived as of `now`. A day that was not archived then is
    new as a whole. A lost day is no longer archived: its cost is not known, so it has no rows.

    Raises:
        ConfigurationError: No day was archived as of `then`, or the differences are in several currencies.
    """
    days_now = {day.date for day in source.days(now, None, month.since)}
    days_then = {day.date for day in source.days(then, None, month.since)}
    if not days_then:
        assert then.as_of is not None
        raise ConfigurationError(
            f"no {source.what} of a day before {month.since} was archived as of {to_text(then.as_of)}",
            hint="name the time of an earlier delivery",
        )
    found: Rows = {}
    for one in sorted({month_of(day) for day in days_now}, key=lambda period: period.since):
        new, old = source.rows(now, one), source.rows(then, one)
        for day in sorted(days_now):
            if one.since <= day < one.until and (rows := _differences(new.get(day, []), old.get(day, []))):
                found[day] = rows
    check_currency(found, f"what changed since {to_text(then.as_of or 0)}")
    return found, frozenset(days_then - days_now)


def _differences(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a day with other amounts, with the differences as their amounts."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    with localcontext(prec=PRECISION):
        for sign, side in ((1, new), (-1, old)):
            for row in side:
                identity = tuple(value for name, value in row.items() if name not in _NOT_COMPARED)
                # The row of now is the first, so its names are kept.
                amounts = [name for name in _AMOUNTS if name in row]  # the cost report has no list amounts
                kept = rows.setdefault(identity, row | dict.fromkeys(amounts, Decimal(0)))
                for name in amounts:
                    kept[name] += sign * Decimal(row[name] or row["amount"])
        changed = [row for row in rows.values() if any(row.get(name) for name in _AMOUNTS)]
        return [row | {name: f"{row[name]:f}" for name in _AMOUNTS if name in row} for row in changed]
