"""`report budget`: compare the cost of a month with its limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import DAY, Report
from archiver.offline.reports.forecast import projection_note
from archiver.offline.reports.known_days import count
from archiver.offline.reports.projection import project
from archiver.offline.reports.request import COST_NOTE, period_of, select_days, within
from archiver.offline.tables.money import Estimate, from_dollars, to_rounded
from archiver.offline.tables.table import Column, Kind, Table, money, plain
from archiver.reports.dimensions import BY_NAME, Label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from archiver.model import SpendLimit
    from archiver.offline.periods import Period
    from archiver.offline.reports.daily_money import DailyAmounts
    from archiver.offline.reports.projection import Projection
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

PASSED, WILL_BE_PASSED, KEPT, UNKNOWN = "passed", "will be passed", "kept", "unknown"
_DEFAULT_WORKSPACE = BY_NAME["workspace"].null_label


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit in dollars of the month of some workspaces; None: of all cost."""

    name: str
    amount: Decimal
    workspaces: Collection[str | None] | None = None


def budget(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Compare a month with its limits, in US dollars.

    The limits are those of the configuration, and the monthly ones of the API for the organisation and its workspaces.

    The state of a limit is the first of these that applies:
    `passed`: the archived days alone exceed it.
    `unknown`: part of its cost is not known, or nothing can be projected.
    `will be passed`: the projected month exceeds it.
    `kept`: neither.

    Raises:
        ConfigurationError: No limit is configured, or one is of a workspace that is not in the archive.
    """
    budgets = request.budgets
    of_api = reader.spend_limits()
    monthly = [one for one in of_api if _is_comparable(one)]
    if budgets.total is None and not budgets.workspaces and not monthly:
        raise ConfigurationError("no budget is configured", hint="write [budgets] total = 5000 in the configuration")
    ids = {name: _workspace_ids(name, reader.workspaces()) for name in budgets.workspaces}
    period = period_of(reader, request)
    selected = select_days(reader, Report.COST, within(request, period))
    projected = project(reader, ("workspace",), period)
    # Limits are in dollars; a note names the other currencies.
    groups = [group for group in projected.groups if group.values["currency"] == "USD"]
    ungrouped = [group for group in groups if group.values["workspace_id"] is Label.NOT_GROUPED]
    limits = [_Limit("total", budgets.total)] if budgets.total is not None else []
    limits += [_Limit(name, limit, ids[name]) for name, limit in budgets.workspaces.items()]
    limits += [_of_api(reader, one, period) for one in monthly]
    # Cost of days that are not grouped by workspace may belong to any of them, so their limits are not known.
    has_ungrouped = any(projected.to_date(group) for group in ungrouped)
    rows = [_against(one, groups, projected, has_ungrouped=has_ungrouped) for one in limits]
    table = _table(rows, warn=request.warn)
    known = projected.known.sentence() if selected.known else selected.sentence
    return table.over(projected.known.title()).noting(
        known,
        projection_note(projected) if selected.known else "",
        *_notes(projected, ungrouped, request),
        _others_note(len(of_api) - len(monthly)),
    )


def _table(rows: Sequence[Row], *, warn: bool) -> Table:
    alarming = {PASSED, UNKNOWN} | ({WILL_BE_PASSED} if warn else set())
    columns = [*plain("budget"), *money("limit", "spent"), Column("used", Kind.SHARE)]
    return Table(
        [*columns, *money("left", "projected"), *plain("state")],
        rows,
        needs_attention=any(row["state"] in alarming for row in rows),
    )


def _is_comparable(limit: SpendLimit) -> bool:
    """Return whether a limit of the API is one of the cost of a month of the organisation or a workspace."""
    return (
        limit.is_enabled
        and limit.amount is not None
        and (limit.period, limit.currency) == ("monthly", "USD")
        and limit.scope in {"organization", "usage_tier", "workspace"}
    )


def _of_api(reader: ArchiveReader, limit: SpendLimit, period: Period) -> _Limit:
    amount = Decimal(str(limit.amount)) / 100
    if limit.scope != "workspace":
        return _Limit(f"API limit: {limit.scope.replace('_', ' ')}", amount)
    # The name is that of the end of the month, as in other reports.
    label = reader.with_labels(
        {"workspace_id": limit.scope_id}, int(datetime.combine(period.until, time.min, UTC).timestamp()) - DAY
    )["workspace"]
    return _Limit(f"API limit: {label}", amount, {limit.scope_id})


def _others_note(number: int) -> str:
    if not number:
        return ""
    return f"{count(number, 'other limit')} of the API, such as daily ones and those of users: see the view spend_limit"


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


def _against(limit: _Limit, all_groups: Sequence[DailyAmounts], projected: Projection, *, has_ungrouped: bool) -> Row:
    most = from_dollars(limit.amount)
    groups = [one for one in all_groups if limit.workspaces is None or one.values["workspace_id"] in limit.workspaces]
    is_partial = has_ungrouped and limit.workspaces is not None
    row: Row = {"budget": limit.name, "limit": most, "spent": None, "used": None, "left": None, "projected": None}
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
