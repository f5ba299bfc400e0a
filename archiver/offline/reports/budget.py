"""`report budget`: compare the cost of a month with its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.reports.forecast import projection_note
from archiver.offline.reports.projection import project
from archiver.offline.reports.request import COST_NOTE, month_period, of_month, select_days
from archiver.offline.tables.money import Estimate, from_dollars, to_rounded
from archiver.offline.tables.table import Column, Kind, Table, money, plain
from archiver.reports.dimensions import BY_NAME, Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from archiver.offline.reports.projection import DailyAmounts, Projection
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

PASSED, WILL_BE_PASSED, KEPT, UNKNOWN = "passed", "will be passed", "kept", "unknown"
_DEFAULT_WORKSPACE = BY_NAME["workspace"].null_label


def budget(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Compare a month with its limits, in US dollars.

    The state of a limit is the first of these that applies:
    `passed`: the archived days alone exceed it.
    `unknown`: part of its cost is not known, or nothing can be projected.
    `will be passed`: the projected month exceeds it.
    `kept`: neither.

    Raises:
        ConfigurationError: No limit is configured, or one is of a workspace that is not in the archive.
    """
    budgets = request.budgets
    if budgets.total is None and not budgets.workspaces:
        raise ConfigurationError("no budget is configured", hint="write [budgets] total = 5000 in the configuration")
    ids = {name: _workspace_ids(name, reader.workspaces()) for name in budgets.workspaces}
    period = month_period(reader, request)
    selected = select_days(reader, Report.COST, of_month(request, period))
    projected = project(reader, ("workspace",), period)
    # Limits are in dollars; a note names the other currencies.
    groups = [group for group in projected.groups if group.values["currency"] == "USD"]
    limits: list[tuple[str, Decimal, list[DailyAmounts], bool]] = []
    ungrouped = [group for group in groups if group.values["workspace_id"] is Label.NOT_GROUPED]
    if budgets.total is not None:
        limits.append(("total", budgets.total, groups, False))
    for name, limit in budgets.workspaces.items():
        # Cost of days that are not grouped by workspace may belong to any of them, so their limits are not known.
        mine = [group for group in groups if group.values["workspace_id"] in ids[name]]
        limits.append((name, limit, mine, any(projected.to_date(group) for group in ungrouped)))
    rows = [_against(name, limit, of, projected, is_partial=partial) for name, limit, of, partial in limits]
    alarming = {PASSED, UNKNOWN} | ({WILL_BE_PASSED} if request.warn else set())
    columns = [*plain("budget"), *money("limit", "spent"), Column("used", Kind.SHARE)]
    table = Table(
        [*columns, *money("left", "projected"), *plain("state")],
        rows,
        needs_attention=any(row["state"] in alarming for row in rows),
    )
    known = projected.known.sentence() if selected.known else selected.sentence
    return table.noting(
        known, projection_note(projected) if selected.known else "", *_notes(projected, ungrouped, request)
    )


def _notes(projected: Projection, ungrouped: Sequence[DailyAmounts], request: ReportRequest) -> list[str]:
    notes = []
    amount = sum(projected.to_date(group) for group in ungrouped)
    if amount and request.budgets.workspaces:
        shown = to_rounded(amount, "usd")
        notes.append(f"{shown} USD of days that are not grouped by workspace count for the total alone")
    others = sorted({group.values["currency"] for group in projected.groups} - {"USD"})
    if others:
        notes.append(f"costs in {', '.join(others)} are not in these numbers: budgets are in USD")
    return [*notes, COST_NOTE]


def _workspace_ids(wanted: str, names: Mapping[str, Sequence[str | None]]) -> set[str | None]:
    """Return the ids of the workspaces that a budget names.

    An id wins over a current name, and a current name over an earlier one. `names` has the names of each id, the
    current one last.
    """
    if wanted == _DEFAULT_WORKSPACE:
        return {None}
    found = (
        {wanted} & names.keys()
        or {one for one, had in names.items() if had[-1] == wanted}
        or {one for one, had in names.items() if wanted in had}
    )
    if not found:
        raise ConfigurationError(
            f"there is a budget of {wanted!r}, and no workspace has or had that name",
            hint=f"in [budgets.workspaces], write a name, an id, or '{_DEFAULT_WORKSPACE}'",
        )
    return {*found}


def _against(
    name: str, limit: Decimal, groups: Sequence[DailyAmounts], projected: Projection, *, is_partial: bool
) -> Row:
    most = from_dollars(limit)
    row: Row = {"budget": name, "limit": most, "spent": None, "used": None, "left": None, "projected": None}
    if not projected.known.archived:
        return row | {"state": UNKNOWN}
    spent = sum(projected.to_date(group) for group in groups)
    # Without recent days no group has a projection; with them, every group has one.
    ends = [projected.to_end(group) for group in groups]
    end = None if not projected.recent else Estimate(sum(one for one in ends if one is not None))
    state = _state(spent, end, most, has_holes=is_partial or projected.known.holes() > 0)
    used = round(spent / most, 4) if most else None
    return row | {"spent": spent, "used": used, "left": most - spent, "projected": end, "state": state}


def _state(spent: int, end: int | None, most: int, *, has_holes: bool) -> str:
    # Before `unknown`, as the days that are missing cost something too.
    if spent > most:
        return PASSED
    if has_holes or end is None:
        return UNKNOWN
    return WILL_BE_PASSED if end > most else KEPT
