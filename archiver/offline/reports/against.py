"""`report reconcile --against FILE`: compare the archive with a log.

The log is that of another program, read from a file. In names of states and columns, `here` is the archive and `there`
is the log.
"""

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
# The order of rows. A row with two numbers has the state that comes first here.
_ORDER = (DIFFERS, ONLY_THERE, ONLY_HERE, NOT_SETTLED, NOT_ARCHIVED, MATCHED)
_ID = {name: BY_NAME[name].column for name in ("workspace", "api_key", "model")}
_LABEL = {name: BY_NAME[name].label_column or _ID[name] for name in _ID}
_Key = tuple[Any, ...]
"""A date, and a value for each dimension: an id, None for an API null, or a text of the log.

A text stays in the key if the archive does not have it, or if several ids share it as their name.
"""


@dataclass(slots=True)
class _Side:
    """The tokens or amounts of the archive by key, and its days by date."""

    numbers: dict[_Key, int] = field(default_factory=dict)
    days: dict[date, Day] = field(default_factory=dict)


@dataclass(slots=True)
class _Names:
    """The ids that names and ids in the log mean.

    A name means the ids that have it on the day of the line, or if there are none, on any day. If several ids share the
    name, the sum of their numbers is compared.

    Attributes:
        ids_of_day: (dimension, day, name or id) → ids.
        ids_of_any_day: (dimension, name or id) → ids.
        shared: (dimension, day, id) → the name in the log that the id shares with others.
        labels: (dimension, id) → the name to show.
    """

    dimensions: tuple[str, ...]
    ids_of_day: dict[tuple[str, date, str], set[Any]] = field(default_factory=lambda: defaultdict(set))
    ids_of_any_day: dict[tuple[str, str], set[Any]] = field(default_factory=lambda: defaultdict(set))
    shared: dict[tuple[str, date, Any], str] = field(default_factory=dict)
    labels: dict[tuple[str, Any], str] = field(default_factory=dict)

    def key(self, day: date, values: Mapping[str, Any]) -> _Key:
        """Return the key of a line of the archive, and record its names."""
        for name in self.dimensions:
            identity, label = values[_ID[name]], values[_LABEL[name]]
            label_text = BY_NAME[name].null_label if label is None else str(label)
            self.labels[name, identity] = label_text
            for text in (label_text, *([identity] if isinstance(identity, str) else [])):
                self.ids_of_day[name, day, text].add(identity)
                self.ids_of_any_day[name, text].add(identity)
        return (day, *(values[_ID[name]] for name in self.dimensions))

    def resolved(self, key: _Key) -> _Key:
        """Return the key of a line of the log, with ids for its names.

        A name that several ids share stays as it is, and is recorded in `shared`.
        """
        day, *texts = key
        return (day, *(self._id(name, day, text) for name, text in zip(self.dimensions, texts, strict=True)))

    def _id(self, name: str, day: date, text: str) -> Any:
        if not text:
            return None  # an empty value in the log stands for an API null
        ids = self.ids_of_day.get((name, day, text)) or self.ids_of_any_day.get((name, text)) or {text}
        if len(ids) == 1:
            return next(iter(ids))
        self.shared |= {(name, day, identity): text for identity in ids}
        return text

    def merged(self, numbers: Mapping[_Key, int]) -> dict[_Key, int]:
        """Return the numbers of the archive with the keys of the log.

        Ids that share a name in the log are summed under that name. All of the log has to be resolved before.
        """
        found: dict[_Key, int] = defaultdict(int)
        for key, number in numbers.items():
            day, *ids = key
            values = (
                self.shared.get((name, day, identity), identity)
                for name, identity in zip(self.dimensions, ids, strict=True)
            )
            found[day, *values] += number
        return dict(found)

    def columns(self, key: _Key) -> Row:
        """Return the columns of a key: the date, and each dimension's id and name.

        The id is None for a text that is not an id of the archive.
        """
        row: Row = {"date": f"{key[0]}"}
        for name, value in zip(self.dimensions, key[1:], strict=True):
            label = self.labels.get((name, value), BY_NAME[name].null_label if value is None else value)
            is_id = (name, value) in self.labels or value is None
            row |= {_ID[name]: value if is_id else None, _LABEL[name]: label}
        return row


def against(reader: ArchiveReader, request: ReportRequest, path: Path) -> Table:
    """Compare a log with the archive, by day and by the dimensions of the log.

    The state of a row is `matched` within the tolerance, `differs`, `only here` (in the archive), `only there` (in the
    log), `not settled` on days that the API may still change, or `not archived` on days that are not archived by these
    dimensions. The table needs attention for rows that differ or are on one side only.

    Only the days from the first to the last selected day of the log are compared.

    Raises:
        ConfigurationError: The file cannot be read, or no report has its dimensions.
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
    # `dict.fromkeys` removes duplicates: the id and the label of a model are one column.
    columns = [*plain("date", *dict.fromkeys(col for name in log.dimensions for col in (_ID[name], _LABEL[name])))]
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
    """Read the tokens of wanted days with the log's dimensions."""
    columns = tuple(group_columns(Report.USAGE, names.dimensions))
    days = [day for day in reader.days(Report.USAGE) if wanted(day.date)]
    days = [day for day in days if not missing_columns(Report.USAGE, columns, day.group_by)]
    side = _Side(days={day.date: day for day in days})
    for line in reader.lines(Report.USAGE, ("day", *names.dimensions), days):
        key = names.key(date.fromisoformat(line.values["date"]), line.values)
        side.numbers[key] = side.numbers.get(key, 0) + all_tokens(line.sums)
    return side


def _amounts(reader: ArchiveReader, request: ReportRequest, names: _Names, wanted: Callable[[date], bool]) -> _Side:
    """Read the amounts in USD of wanted days with the log's dimensions."""
    read = read_daily_money(reader, request, names.dimensions, wanted)
    side = _Side(days={day.date: day for day in read.days})
    for group in read.groups:
        if any(group.values[_ID[name]] is Label.NOT_GROUPED for name in names.dimensions):
            for day in group.amounts:  # as this cost can belong to any key of the day, the day counts as not archived
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
    """Yield a row for each key of either side, by date and then by values."""
    there: dict[str, dict[_Key, int]] = {}
    for name in sides:
        log_numbers = (log.tokens if name == "tokens" else log.amounts) or {}
        there[name] = {}
        for raw, number in log_numbers.items():
            if first <= raw[0] <= last:
                key = names.resolved(raw)
                there[name][key] = there[name].get(key, 0) + number
    for side in sides.values():  # only now, because `merged` needs all shared names
        side.numbers = names.merged(side.numbers)
    keys = {key for numbers in there.values() for key in numbers}
    keys |= {key for side in sides.values() for key in side.numbers}
    for key in sorted(keys, key=lambda key: tuple(map(str, key))):
        row = names.columns(key)
        days = [side.days.get(key[0]) for side in sides.values()]
        states = []
        for name, side in sides.items():
            in_archive, in_log = side.numbers.get(key), there[name].get(key)
            is_archived = key[0] in side.days
            row |= {f"{name}_there": in_log, f"{name}_here": (in_archive or 0) if is_archived else None}
            row[f"{name}_difference"] = (in_archive or 0) - (in_log or 0) if is_archived else None
            states.append(_state(in_archive, in_log, tolerance))
        state = min(states, key=_ORDER.index)
        if any(day is None for day in days):
            state = NOT_ARCHIVED
        elif any(day is not None and day.rank < 2 for day in days):  # noqa: PLR2004  # 2 is settled, see `Day`
            state = NOT_SETTLED
        # Rows that are zero on both sides are left out.
        if state != MATCHED or any(row[f"{name}_there"] or row[f"{name}_here"] for name in sides):
            yield row | {"state": state}


def _state(here: int | None, there: int | None, tolerance: Decimal) -> str:
    """Return the state of two numbers; `tolerance` is in percent."""
    if not here and not there:
        return MATCHED
    if there is None:
        return ONLY_HERE
    if not here:
        return ONLY_THERE
    return MATCHED if abs(here - there) * 100 <= tolerance * max(abs(here), abs(there)) else DIFFERS
