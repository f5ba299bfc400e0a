"""`report changes`: compare the archive with itself at an earlier time."""

from __future__ import annotations

from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from archiver.model import DEFAULT_REPORTS, Report, to_text
from archiver.offline.reports.grouped import all_tokens
from archiver.offline.reports.known_days import not_archived
from archiver.offline.reports.request import COST_NOTE
from archiver.offline.tables.table import Table, counts, keep_top, money, plain
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.daily_sums import Day, Line
    from archiver.store.read.reader import ArchiveReader

_NUMBERS = ("was", "now", "change", "was_tokens", "now_tokens", "change_tokens")
CHANGED, NEW, GONE = "changed", "new", "gone"


def changes(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return earlier and current money and tokens, and their differences.

    Rows are by month (or day), workspace and model, and include provisional days. `days` is `changed` for days that
    were archived at both times, `new` for days archived since, and `gone` for days that are no longer archived. Rows of
    `changed` without a difference are left out.
    """
    assert request.first_seen[0] is not None
    # `--since` is the earlier time. `--until`, if given, is the moment that `reader` is opened at.
    moment = int(datetime.fromisoformat(request.first_seen[0]).timestamp())
    by = ("day" if "day" in request.by else "month", "workspace", "model")
    with open_archive_reader(reader.path, moment) as then:
        sides = {"now": reader, "was": then}
        days = {
            (side, report): side_reader.days(report)
            for side, side_reader in sides.items()
            for report in DEFAULT_REPORTS
        }
        if not any(days["was", report] for report in DEFAULT_REPORTS):
            archived = days["now", Report.COST] or days["now", Report.USAGE]
            sentence = not_archived("cost or usage", None, [], to_text(moment) if archived else None, "--since")
            return Table([], [], notes=(sentence,), is_known=False)
        found: dict[tuple[Any, ...], Row] = {}
        for side, state, report in product(sides, (CHANGED, NEW, GONE), DEFAULT_REPORTS):
            side_days = _days_in_state(state, side, days["now", report], days["was", report])
            for line in sides[side].lines(report, by, side_days) if side_days else ():
                _add_line(found, line, state, side, report)
    return _table(found, by, request.top).noting(f"against what was archived as of {to_text(moment)}", COST_NOTE)


def _days_in_state(state: str, side: str, now: Sequence[Day], was: Sequence[Day]) -> list[Day]:
    """Return the days of one side, `now` or `was`, that have a state.

    The state is CHANGED, NEW or GONE. Days of different states are summed apart: otherwise a month of which only half
    was archived earlier would seem to have doubled its cost.
    """
    side_days, other_days = (now, was) if side == "now" else (was, now)
    other_starts = {day.start for day in other_days}
    if state == CHANGED:
        return [day for day in side_days if day.start in other_starts]
    # Only `now` can have new days, and only `was` can have days that are gone.
    if (state == NEW) != (side == "now"):
        return []
    return [day for day in side_days if day.start not in other_starts]


def _table(found: dict[tuple[Any, ...], Row], by: Sequence[str], top: int | None) -> Table:
    """Return the rows with a difference, or with days archived only once.

    Days archived only once are `new` or `gone`.
    """
    rows = [_with_change(row) for row in found.values()]
    rows = [row for row in rows if row["change"] or row["change_tokens"] or row["days"] != CHANGED]
    time = "date" if "day" in by else "month"
    order = ("days", time, "workspace", "model", "currency")
    rows.sort(key=lambda row: tuple(str(row[name]) for name in order))
    names = [time, "workspace_id", "workspace", "model", "currency", "days"]
    if top is not None:
        rows = keep_top(rows, top, lambda row: abs(row["change"] or 0), _NUMBERS).rows
    rows = [{name: row[name] for name in (*names, *_NUMBERS)} for row in rows]
    # The first three numbers are money, the others tokens.
    table = Table([*plain(*names), *money(*_NUMBERS[:3]), *counts(*_NUMBERS[3:])], rows)
    return table if rows else table.noting("nothing changed")


def _add_line(found: dict[tuple[Any, ...], Row], line: Line, state: str, side: str, report: Report) -> None:
    """Add the sums of a line to its row."""
    # Tokens have no currency; they are shown in the row of USD.
    values = {"currency": "USD"} | line.values
    # The name is not part of the key, as it may differ between the two times. The name of `now`, added first, is shown.
    key = (state, *(value for name, value in sorted(values.items()) if name != "workspace"))
    row = found.setdefault(key, values | {"days": state} | dict.fromkeys(_NUMBERS))
    name = side if report is Report.COST else f"{side}_tokens"
    row[name] = (row[name] or 0) + (line.sums[0] if report is Report.COST else all_tokens(line.sums))


def _with_change(row: Row) -> Row:
    """Fill in the differences of money and of tokens.

    On days archived at both times, a side without a line is zero. On other days that side is unknown: it counts as zero
    in the difference, but stays empty.
    """
    for was, now, change in (("was", "now", "change"), ("was_tokens", "now_tokens", "change_tokens")):
        if row[was] is None and row[now] is None:
            continue
        if row["days"] == CHANGED:
            row[was], row[now] = row[was] or 0, row[now] or 0
        row[change] = (row[now] or 0) - (row[was] or 0)
    return row
