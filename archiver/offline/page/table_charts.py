"""Charts of the lines of one table, which no choice of days changes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from archiver.model import DAY
from archiver.offline.page.figures import COLOURS, OTHERS_COLOUR
from archiver.offline.reports.forecast import OF_A_MONTH
from archiver.offline.reports.known_days import count
from archiver.offline.reports.projection import project
from archiver.offline.reports.request import period_of
from archiver.offline.tables.display import shared_names, shown_label
from archiver.offline.tables.money import ATTOCENTS, Estimate, to_exact, to_rounded
from archiver.offline.tables.table import Kind
from archiver.offline.tables.write import show
from archiver.reports.dimensions import BY_COLUMN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row, Table
    from archiver.store.read.reader import ArchiveReader

    Maker = Callable[[ArchiveReader, ReportRequest, Table], "TableChart | None"]

NOW, BEFORE, PROJECTED, LIMIT = COLOURS[0], OTHERS_COLOUR, COLOURS[1], COLOURS[4]
_MOST = 12
_UPPER, _LOWER = 0, 1
_LABELS = {one.label_column for one in BY_COLUMN.values() if one.label_column}
_IDS = {one.column for one in BY_COLUMN.values() if one.label_column}


@dataclass(slots=True)
class TableChart:
    """The data of a chart of bars or of one curve.

    Attributes:
        id: The id of the section that it is drawn in.
        kind: bars or fan.
        rows: The marks, placed by floats. `key` is the number of a row, `title` and `texts` (name, exact text) are of
            its tooltip.
        names: Bars: the name and the amount in words of each place.
        ticks: Bars: vertical marks, such as limits.
        legend: What the colours stand for.
    """

    id: str
    kind: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    names: list[dict[str, Any]] = field(default_factory=list)
    ticks: list[dict[str, Any]] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)

    def add_name(self, name: str, amount: str) -> int:
        """Begin a place, and return its number."""
        self.names.append({"place": len(self.names), "name": name, "amount": amount})
        return len(self.names) - 1

    def add_bar(  # noqa: PLR0913  # what a bar has
        self, place: int, value: float, colour: str, *, side: int = _UPPER, title: str, texts: Sequence[tuple[str, str]]
    ) -> None:
        """Add a bar from zero to a value."""
        self.rows.append(
            {
                "key": str(len(self.rows)),
                "place": place,
                "side": side,
                "value": value,
                "colour": colour,
                "title": title,
                "texts": texts,
            }
        )


def _pairs(name: str, before: str, now: str, change: str, words: tuple[str, str]) -> Maker:
    """Return the function that charts two amounts a line, the largest changes first."""

    def chart(reader: ArchiveReader, request: ReportRequest, table: Table) -> TableChart:  # noqa: ARG001  # as others
        made = TableChart(name, "bars", legend=[(words[0], BEFORE), (words[1], NOW)])
        rows = [row for row in table.rows if row[change] is not None]
        for row in sorted(rows, key=lambda row: -abs(row[change]))[:_MOST]:
            title, unit = _name(row, table), row["currency"]
            texts = [(words[0], _exact(row[before], request, unit)), (words[1], _exact(row[now], request, unit)),
                     ("change", _exact(row[change], request, unit))]  # fmt: skip
            sign = "+" if row[change] > 0 else ""
            place = made.add_name(title, f"{sign}{to_rounded(row[change], request.unit)} {unit}")
            made.add_bar(place, _position(row[before], request), BEFORE, title=title, texts=texts)
            made.add_bar(place, _position(row[now], request), NOW, side=_LOWER, title=title, texts=texts)
        return made

    return chart


def _amounts(name: str, column: str, words: str) -> Maker:
    """Return the function that charts one amount a line, the largest first."""

    def chart(reader: ArchiveReader, request: ReportRequest, table: Table) -> TableChart:  # noqa: ARG001  # as others
        made = TableChart(name, "bars", legend=[(words, NOW)])
        rows = [row for row in table.rows if row[column] is not None]
        for row in sorted(rows, key=lambda row: -abs(row[column]))[:_MOST]:
            title, unit = _name(row, table), row["currency"]
            place = made.add_name(title, f"{to_rounded(row[column], request.unit)} {unit}")
            texts = [(words, _exact(row[column], request, unit))]
            made.add_bar(place, _position(row[column], request), NOW, title=title, texts=texts)
        return made

    return chart


def _states(reader: ArchiveReader, request: ReportRequest, table: Table) -> TableChart:  # noqa: ARG001  # as others
    """Chart the cost of the lines of each state, or their number."""
    has_amounts = any("amount" in row for row in table.rows)
    made = TableChart("reconcile", "bars", legend=[("cost of a state" if has_amounts else "lines of a state", NOW)])
    found: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    for row in table.rows:
        found[row["state"], row.get("currency") or ""].append(row.get("amount"))
    sums = {key: sum(one for one in mine if one is not None) for key, mine in found.items()}
    for key, mine in sorted(found.items(), key=lambda one: (-sums[one[0]], -len(one[1]))):
        state, unit = key
        lines = count(len(mine), "line")
        is_billed = any(one is not None for one in mine)
        words = [f"{to_rounded(sums[key], request.unit)} {unit}" if is_billed else "no cost"] if has_amounts else []
        place = made.add_name(state, ", ".join([*words, lines]))
        texts = [("lines", f"{len(mine):,}"), *([("cost", _exact(sums[key], request, unit))] if is_billed else [])]
        value = _position(sums[key], request) if has_amounts else len(mine)
        made.add_bar(place, value, NOW, title=state, texts=texts)
    return made


def _limits(reader: ArchiveReader, request: ReportRequest, table: Table) -> TableChart:  # noqa: ARG001  # as others
    """Chart what is used of each budget, as a part of its limit."""
    legend = [("spent", NOW), ("projected", PROJECTED), ("limit", LIMIT)]
    made = TableChart("budget", "bars", legend=legend)
    for row in table.rows:
        title, limit = f"{show(row['budget'], 80)}, {row['period']}", row["limit"]
        amounts = {name: row[name] for name in ("limit", "spent", "projected") if row[name] is not None}
        texts = [(name, _exact(amount, request, "USD")) for name, amount in amounts.items()]
        texts += [(name.replace("_", " "), row[name]) for name in ("passes_on", "state") if row[name]]
        spent = to_rounded(row["spent"], request.unit) if row["spent"] is not None else "unknown"
        place = made.add_name(title, f"{spent} of {to_rounded(limit, request.unit)}")
        if limit:
            for name, colour in (("projected", PROJECTED), ("spent", NOW)):  # the first is drawn below
                if name in amounts:
                    made.add_bar(place, amounts[name] / limit, colour, title=title, texts=texts)
            made.ticks.append({"place": place, "value": 1.0, "colour": LIMIT})
    return made


def _fan(reader: ArchiveReader, request: ReportRequest, table: Table) -> TableChart | None:  # noqa: ARG001  # as others
    """Chart the cost of a month as it adds up by day, and between what it is projected to end.

    Amounts of several currencies have no sum, and then there is no chart.
    """
    by = request.grouped(OF_A_MONTH, ("workspace",), "forecast")
    projected = project(reader, request, by, period_of(reader, request))
    currencies = {group.values["currency"] for group in projected.groups}
    if len(currencies) != 1 or not (projected.recent or projected.known.archived):
        return None
    unit = currencies.pop()
    made = TableChart("forecast", "fan", legend=[("archived", NOW), ("projected", PROJECTED)])
    total = low = high = 0
    is_known = True
    for day in projected.known.period.dates():
        is_whole = day in projected.known.whole
        if is_known and not is_whole and made.rows:  # the projected part of the curve begins where the known one ends
            made.rows.append(made.rows[-1] | {"part": "projected", "colour": PROJECTED, "key": str(len(made.rows))})
        is_known = is_known and is_whole
        if not is_whole and not projected.recent:
            break
        total += sum(projected.of_day(group, day) for group in projected.groups)
        least, most = projected.range_of_day(projected.groups, day)
        low, high = low + least, high + most
        texts = [("up to this day", _exact(total, request, unit))]
        if not is_known:
            texts = [(f"projected, {unit}", to_rounded(total, request.unit)),
                     ("if days were the cheapest", to_rounded(low, request.unit)),
                     ("if the most expensive", to_rounded(high, request.unit))]  # fmt: skip
        made.rows.append(
            {
                "key": str(len(made.rows)),
                "begin": _moment(day),
                "end": _moment(day) + DAY * 1000,
                "part": "known" if is_known else "projected",
                "colour": NOW if is_known else PROJECTED,
                "value": _position(total, request),
                "low": _position(low, request),
                "high": _position(high, request),
                "title": f"{day}",
                "texts": texts,
            }
        )
    return made


TABLE_CHARTS: dict[str, Maker] = {
    "compare": _pairs("compare", "same_days_before", "same_days", "change", ("before", "now")),
    "growth": _pairs(
        "growth", "four_weeks_before", "four_weeks_now", "four_weeks_change", ("four weeks before", "last four weeks")
    ),
    "changes": _pairs("changes", "was", "now", "change", ("was", "now")),
    "budget": _limits,
    "forecast": _fan,
    "reconcile": _states,
    "savings": _amounts("savings", "saved", "saved by the cache"),
    "statement": _amounts("statement", "booked", "booked"),
}
"""Report → the function that makes its chart of its table."""


def _name(row: Row, table: Table) -> str:
    """Return the name of a line: its texts as tables show them, without ids that have a name."""
    shared = shared_names(table)
    parts = []
    for name in (column.name for column in table.columns if column.kind is Kind.TEXT and column.name != "currency"):
        if name in _IDS:
            continue
        text = shown_label(name, row, shared) if name in _LABELS else row[name]
        parts.append(show("(none)" if text is None else str(text), 80))
    return ", ".join(parts) or "total"


def _exact(amount: int | None, request: ReportRequest, currency: str) -> str:
    """Return an amount to its last digit, or as far as it is known."""
    if amount is None:
        return "unknown"
    text = to_rounded(amount, request.unit) if isinstance(amount, Estimate) else to_exact(amount, request.unit)
    return f"{text} {currency}"


def _position(amount: int | None, request: ReportRequest) -> float:
    """Return an amount in the page's unit as a float, for marks alone."""
    return (amount or 0) / ATTOCENTS / (100 if request.unit == "usd" else 1)


def _moment(day: date) -> int:
    return int(datetime.combine(day, time.min, UTC).timestamp()) * 1000  # milliseconds, as times in JavaScript
