"""Use against billing: what is billed without use, used without billing, and the price that the two imply."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from archiver.offline.reports.breakdowns import COUNT_OF, OF_COST, Question, columns_of, cost_note
from archiver.offline.tables.table import Column, Kind, Table
from archiver.store.read.reads import read_comparable

if TYPE_CHECKING:
    from pathlib import Path

_KIND = ("model", "service_tier", "context_window", "token_type")
_A_MILLION = 1_000_000


def reconcile(path: Path, asked: Question) -> Table:
    """Compare tokens with money by day or month, model, tier, window and token type.

    A state is `billed and used`, `billed without use`, or `used without billing` (as priority tier is). The implied
    price is in the currency for a million tokens; where it changes over time, the rows show it. Days that are not
    archived in both reports, or not by all that is asked for, are left out: nothing could be said of them.
    """
    asked = asked.checked(("day", "month", *_KIND), ("month", *_KIND))
    used_by = tuple(one for one in asked.by if one != "token_type")
    used, billed, left_out = read_comparable(
        path, used_by, (*asked.by, "cost_type"), asked.since, asked.until, asked.as_of
    )
    by_kind = "token_type" in asked.by
    names = columns_of(asked.by)
    at = names.index("token_type") if by_kind else len(names)
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in used:
        group, counts = row[: len(names) - by_kind], row[len(names) - by_kind :]
        for kind, number in COUNT_OF.items():
            tokens[(*group[:at], kind, *group[at:]) if by_kind else group] += counts[number]
    money: dict[tuple[Any, ...], int] = defaultdict(int)
    kinds = columns_of(_as_read({*asked.by, "cost_type"}))
    place = kinds.index("cost_type")
    for row in billed:
        if row[place] == "tokens":
            money[tuple(value for i, value in enumerate(row[: len(kinds)]) if i != place)] += row[-1]
    groups = sorted({*money, *(group for group, count in tokens.items() if count)}, key=lambda g: tuple(map(str, g)))
    rows = [_row(group, tokens.get(group, 0), money.get(group)) for group in groups]
    if asked.top is not None:
        rows = sorted(rows, key=lambda row: -abs(row[-3] or 0))[: asked.top]
    columns = [*(Column(name) for name in names), Column("tokens", Kind.COUNT), Column("amount", Kind.MONEY)]
    note = f"only token costs; the implied price is for a million tokens; {cost_note({row[-2] for row in billed})}"
    if left_out:
        note += f"; days left out, because use and cost are not both archived by all of this: {left_out}"
    return Table([*columns, Column("implied_price", Kind.MONEY), Column("state")], rows, note)


def _as_read(by: set[str]) -> tuple[str, ...]:
    """Put dimensions in the order in which cost rows have them."""
    return tuple(one for one in OF_COST if one in by)


def _row(group: tuple[Any, ...], tokens: int, amount: int | None) -> tuple[Any, ...]:
    price = amount * _A_MILLION // tokens if amount is not None and tokens else None
    state = "used without billing" if amount is None else "billed and used" if tokens else "billed without use"
    return (*group, tokens, amount, price, state)
