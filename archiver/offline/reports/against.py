"""`report reconcile --against FILE`: the archive and a log, compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.daily_money import read_daily_money
from archiver.offline.reports.foreign_log import read_log
from archiver.offline.reports.grouped import all_tokens
from archiver.offline.reports.known_days import count
from archiver.offline.tables.table import Table, counts, money, plain
from archiver.reports.dimensions import BY_NAME, Label, missing_columns
from archiver.store.read.daily_sums import group_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from decimal import Decimal
    from pathlib import Path

    from archiver.offline.reports.foreign_log import ForeignLog
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

MATCHED, DIFFERS, ONLY_HERE, ONLY_THERE = "matched", "differs", "only here", "only there"
NOT_SETTLED, NOT_ARCHIVED = "not settled", "not archived"
_ORDER = (DIFFERS, ONLY_THERE, ONLY_HERE, NOT_SETTLED, NOT_ARCHIVED, MATCHED)
_ID = {name: BY_NAME[name].column for name in ("workspace", "api_key", "model")}
_LABEL = {name: BY_NAME[name].label_column or _ID[name] for name in _ID}
_Key = tuple[Any, ...]
"""A date, and a value for each dimension: an id, None for an API null, or text of the log that is no known name."""


@dataclass(slots=True)
class _Side:
    """The numbers of the archive by key, and the days that it has."""

    numbers: dict[_Key, int] = field(default_factory=dict)
    days: dict[date, Day] = field(default_factory=dict)


@dataclass(slots=True)
class _Names:
    """The ids that texts stand for, by names of a day or else of any day.

    A name that several ids have on a day stands for all of them: their numbers are compared as one sum.
    """

    dimensions: tuple[str, ...]
    of_day: dict[tuple[str, date, str], set[Any]] = field(default_factory=lambda: defaultdict(set))
    of_any: dict[tuple[str, str], set[Any]] = field(default_factory=lambda: defaultdict(set))
    shared: dict[tuple[str, date, Any], str] = field(default_factory=dict)
    labels: dict[tuple[str, Any], str] = field(default_factory=dict)

    def key(self, day: date, values: Mapping[str, Any]) -> _Key:
        """Return the key of a line of the archive, and note its names."""
        for name in self.dimensions:
            identity, label = values[_ID[name]], values[_LABEL[name]]
            shown = BY_NAME[name].null_label if label is None else str(label)
            self.labels[name, identity] = shown
            for text in (shown, *([identity] if isinstance(identity, str) else [])):
                self.of_day[name, day, text].add(identity)
                self.of_any[name, text].add(identity)
        return (day, *(values[_ID[name]] for name in self.dimensions))

    def resolved(self, key: _Key) -> _Key:
        """Return the key of a line of the log.

        Names in it that several ids share are noted.
        """
        day, *texts = key
        return (day, *(self._id(name, day, text) for name, text in zip(self.dimensions, texts, strict=True)))

    def _id(self, name: str, day: date, text: str) -> Any:
        if not text:
            return None
        ids = self.of_day.get((name, day, text)) or self.of_any.get((name, text)) or {text}
        if len(ids) == 1:
            return next(iter(ids))
        self.shared |= {(name, day, identity): text for identity in ids}
        return text

    def merged(self, numbers: Mapping[_Key, int]) -> dict[_Key, int]:
        """Return numbers of the archive, once all of the log is resolved.

        Ids that share a name of the log are under that name.
        """
        found: dict[_Key, int] = defaultdict(int)
        for key, number in numbers.items():
            day, *ids = key
            parts = (self.shared.get((name, day, one), one) for name, one in zip(self.dimensions, ids, strict=True))
            found[day, *parts] += number
        return dict(found)

    def columns(self, key: _Key) -> Row:
        """Return the columns of a key: a date, and ids with their names."""
        row: Row = {"date": f"{key[0]}"}
        for name, value in zip(self.dimensions, key[1:], strict=True):
            label = self.labels.get((name, value), BY_NAME[name].null_label if value is None else value)
            is_known = (name, value) in self.labels or value is None
            row |= {_ID[name]: value if is_known else None, _LABEL[name]: label}
        return row


def against(reader: ArchiveReader, request: ReportRequest, path: Path) -> Table:
    """Return each day and group of a log with the numbers of both sides.

    A state is `matched` within the tolerance, `differs`, `only here` (in the archive) or `only there`. Days that the
    API may still change are `not settled`, and days that are not archived by these groups `not archived`: neither
    counts.

    Raises:
        ConfigurationError: The file cannot be read, or no report has its groups.
    """
    log = read_log(path)
    days = [day for day in log.days if request.selects(day)]
    if not days:
        return Table([], [], notes=("the file has no line of these days",), is_known=False)
    first, last = min(days), max(days)
    names = _Names(log.dimensions)
    sides: dict[str, _Side] = {}
    if log.tokens is not None:
        sides["tokens"] = _tokens(reader, names, lambda day: first <= day <= last)
    if log.amounts is not None:
        sides["amount"] = _amounts(reader, request, names, lambda day: first <= day <= last)
    rows = sorted(_rows(log, sides, names, first, last, request.tolerance), key=lambda row: _ORDER.index(row["state"]))
    counted = Counter(row["state"] for row in rows)
    shown = rows if request.top is None else rows[: request.top]
    columns = [*plain("date", *dict.fromkeys(one for name in log.dimensions for one in (_ID[name], _LABEL[name])))]
    for name in sides:
        parts = [f"{name}_{part}" for part in ("there", "here", "difference")]
        columns += counts(*parts) if name == "tokens" else money(*parts)
    sentence = ", ".join(f"{counted[state]:,} {state}" for state in _ORDER if counted[state])
    title = f"{first} to {last}, {count(len(rows), 'line')}"
    return Table(
        [*columns, *plain("state")],
        shown,
        period=title,
        sentences=(f"{sentence}.",),
        needs_attention=bool(counted[DIFFERS] + counted[ONLY_HERE] + counted[ONLY_THERE]),
    ).noting(
        f"{len(rows) - len(shown):,} more lines" if len(rows) > len(shown) else "",
        f"there is {path.name}, here the archive; matched is within {float(request.tolerance):g} %",
    )


def _tokens(reader: ArchiveReader, names: _Names, wanted: Callable[[date], bool]) -> _Side:
    columns = tuple(group_columns(Report.USAGE, names.dimensions))
    days = [day for day in reader.days(Report.USAGE) if wanted(day.date)]
    days = [day for day in days if not missing_columns(Report.USAGE, columns, day.group_by)]
    side = _Side(days={day.date: day for day in days})
    for line in reader.lines(Report.USAGE, ("day", *names.dimensions), days):
        key = names.key(date.fromisoformat(line.values["date"]), line.values)
        side.numbers[key] = side.numbers.get(key, 0) + all_tokens(line.sums)
    return side


def _amounts(reader: ArchiveReader, request: ReportRequest, names: _Names, wanted: Callable[[date], bool]) -> _Side:
    read = read_daily_money(reader, request, names.dimensions, wanted)
    side = _Side(days={day.date: day for day in read.days})
    for group in read.groups:
        if any(group.values[_ID[name]] is Label.NOT_GROUPED for name in names.dimensions):
            for day in group.amounts:  # cost of such a day may be of anyone
                side.days.pop(day, None)
    for group in read.groups:
        for day, amount in group.amounts.items():
            if group.values["currency"] == "USD" and day in side.days:
                labelled = reader.with_labels(
                    {_ID[name]: group.values[_ID[name]] for name in names.dimensions}, side.days[day].start
                )
                key = names.key(day, labelled)
                side.numbers[key] = side.numbers.get(key, 0) + amount
    return side


def _rows(  # noqa: PLR0913, PLR0917  # both sides, and how they are compared
    log: ForeignLog, sides: Mapping[str, _Side], names: _Names, first: date, last: date, tolerance: Decimal
) -> Iterator[Row]:
    """Yield a row for each key of either side, in order of time and names."""
    there: dict[str, dict[_Key, int]] = {}
    for name in sides:
        of_log = (log.tokens if name == "tokens" else log.amounts) or {}
        there[name] = {}
        for raw, number in of_log.items():
            if first <= raw[0] <= last:
                key = names.resolved(raw)
                there[name][key] = there[name].get(key, 0) + number
    for side in sides.values():  # once the whole log is known
        side.numbers = names.merged(side.numbers)
    keys = {key for one in there.values() for key in one} | {key for side in sides.values() for key in side.numbers}
    for key in sorted(keys, key=lambda key: tuple(map(str, key))):
        row = names.columns(key)
        days = [side.days.get(key[0]) for side in sides.values()]
        states = []
        for name, side in sides.items():
            mine, other = side.numbers.get(key), there[name].get(key)
            is_known = key[0] in side.days
            row |= {f"{name}_there": other, f"{name}_here": (mine or 0) if is_known else None}
            row[f"{name}_difference"] = (mine or 0) - (other or 0) if is_known else None
            states.append(_state(mine, other, tolerance))
        state = min(states, key=_ORDER.index)
        if any(day is None for day in days):
            state = NOT_ARCHIVED
        elif any(day is not None and day.rank < 2 for day in days):  # noqa: PLR2004  # 2 is settled, see `Day`
            state = NOT_SETTLED
        if state != MATCHED or any(row[f"{name}_there"] or row[f"{name}_here"] for name in sides):
            yield row | {"state": state}


def _state(here: int | None, there: int | None, tolerance: Decimal) -> str:
    if not here and not there:
        return MATCHED
    if there is None:
        return ONLY_HERE
    if not here:
        return ONLY_THERE
    return MATCHED if abs(here - there) * 100 <= tolerance * max(abs(here), abs(there)) else DIFFERS
