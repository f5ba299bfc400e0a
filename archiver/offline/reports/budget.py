"""`report budget`: compare a month, quarter or year with its limits.

A day is whole if it was read after it had ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import Report
from archiver.offline.periods import containing
from archiver.offline.reports.budget_limits import Limit, limits_of
from archiver.offline.reports.forecast import projection_note
from archiver.offline.reports.known_days import count
from archiver.offline.reports.projection import project
from archiver.offline.reports.request import COST_NOTE, period_of, select_days, within
from archiver.offline.tables.money import Estimate, to_rounded
from archiver.offline.tables.states import KEPT, PASSED, UNKNOWN, WILL_BE_PASSED
from archiver.offline.tables.table import Column, Kind, Table, money, plain
from archiver.reports.dimensions import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.periods import Period
    from archiver.offline.reports.daily_money import DailyAmounts
    from archiver.offline.reports.projection import Projection
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

_COLUMNS = (
    *plain("budget", "period"),
    *money("limit", "spent"),
    Column("used", Kind.SHARE, is_optional=True),
    Column("left", Kind.MONEY, is_optional=True),
    *money("projected"),
    *plain("passes_on", "state"),
    Column("bar", Kind.BAR),
)
_Projections = dict[tuple[str, "Period"], "Projection"]
"""(Dimension, period) → the projection of the period, grouped by the dimension."""


def budget(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Compare a month, and its quarter and year, with limits in US dollars.

    The limits are the configured budgets, and the API's monthly limits for the organisation and its workspaces.
    `passes_on` is the day on which a limit was passed, or is projected to be passed.

    The state of a limit is the first of these that applies:
    `passed`: the cost of the archived days exceeds the limit.
    `unknown`: a day before the last archived one is missing, some cost is not grouped by the dimension of the limit, or
    nothing can be projected.
    `will be passed`: the projected cost of the period exceeds the limit.
    `kept`: the projected cost of the period is within the limit.

    The table needs attention if a limit is `passed` or `unknown`, and with `warn` also if it `will be passed`.

    Raises:
        ConfigurationError: There is no limit at all, a budget names something that is not in the archive, or it is for
            a team while there are no teams.
    """
    month = period_of(reader, request)
    limits, others = limits_of(reader, request, month)
    if not limits:
        raise ConfigurationError("no budget is configured", hint="write [budgets] total = 5000 in the configuration")
    projections: _Projections = {}
    rows = []
    for limit in limits:
        # For a limit on all cost any dimension serves, because all groups are summed.
        key = (limit.dimension or "workspace", containing(month.since, limit.unit))
        if key not in projections:
            projections[key] = project(reader, request, (key[0],), key[1])
        rows.append(_against(limit, projections[key]))
    selected = select_days(reader, Report.COST, within(request, month))
    of_month = projections.get(("workspace", month))
    alarming = {PASSED, UNKNOWN} | ({WILL_BE_PASSED} if request.warn else set())
    title = of_month.known.title() if of_month else str(month)
    return Table(_COLUMNS, rows, period=title, needs_attention=any(row["state"] in alarming for row in rows)).noting(
        *_notes_on_days(projections, month, selected.sentence),
        *_notes_on_money(projections, month, limits),
        COST_NOTE,
        f"{count(others, 'other limit')} of the API, such as daily limits and limits on users: see the view spend_limit"
        if others
        else "",
    )


def _notes_on_days(projections: _Projections, month: Period, sentence: str) -> list[str]:
    """Return the notes on missing and projected days, once for each period."""
    notes = []
    # The projections of a period by different dimensions have the same days: one of them is enough for the notes.
    by_period = {period: projection for (_, period), projection in projections.items()}
    for period, projected in by_period.items():
        if not projected.known.archived:
            notes.append(sentence or f"nothing of {period} is archived")
            continue
        prefix = "" if period == month else f"{period}: "
        notes += [f"{prefix}{note}" for note in (projected.known.sentence(), projection_note(projected)) if note]
    return notes


def _notes_on_money(projections: _Projections, month: Period, limits: Sequence[Limit]) -> list[str]:
    """Return the notes on cost that some limits leave out."""
    notes = []
    of_month = projections.get(("workspace", month))
    groups = of_month.groups if of_month else []
    ungrouped = sum(of_month.to_date(group) for group in groups if _is_ungrouped(group, "workspace")) if of_month else 0
    if ungrouped and any(limit.dimension and limit.is_configured for limit in limits):
        shown = to_rounded(ungrouped, "usd")
        notes.append(f"{shown} USD of days that are not grouped by workspace count toward limits on all cost only")
    others = {group.values["currency"] for projected in projections.values() for group in projected.groups} - {"USD"}
    if others:
        notes.append(f"costs in {', '.join(sorted(others))} are not in these numbers: budgets are in USD")
    return notes


def _is_ungrouped(group: DailyAmounts, dimension: str) -> bool:
    """Return whether cost is not grouped by a dimension.

    Such cost can belong to any value of the dimension.
    """
    column = {"workspace": "workspace_id", "api_key": "api_key_id"}.get(dimension, dimension)
    value = group.values[column]
    return value is Label.NOT_GROUPED or value == str(Label.NOT_GROUPED)


def _against(limit: Limit, projected: Projection) -> Row:
    """Return the row of a limit: the cost of its period, and the state."""
    # Limits are in dollars; a note names the other currencies.
    in_dollars = [group for group in projected.groups if group.values["currency"] == "USD"]
    groups = [group for group in in_dollars if limit.is_of(group.values)]
    row: Row = dict.fromkeys(column.name for column in _COLUMNS)
    row |= {"budget": limit.name, "period": str(projected.known.period), "limit": limit.amount, "state": UNKNOWN}
    if not projected.known.archived:
        return row
    spent = sum(projected.to_date(group) for group in groups)
    # Without recent days no group has a projection; with them, every group has one.
    ends = [projected.to_end(group) for group in groups]
    end = None if not projected.recent else Estimate(sum(amount for amount in ends if amount is not None))
    has_ungrouped = limit.dimension and any(
        projected.to_date(group) for group in in_dollars if _is_ungrouped(group, limit.dimension or "workspace")
    )
    is_partial = bool(has_ungrouped) or projected.known.holes() > 0
    state = _state(spent, end, limit.amount, is_partial=is_partial)
    day = projected.day_over(groups, limit.amount) if state in {PASSED, WILL_BE_PASSED} else None
    spent = Estimate(spent) if any(group.is_estimate for group in groups) else spent
    used = round(spent / limit.amount, 4) if limit.amount else None
    return row | {
        "spent": spent,
        "used": used,
        "left": type(spent)(limit.amount - spent),
        "projected": end,
        "passes_on": None if day is None else f"{day}",
        "state": state,
        "bar": None if used is None else (used, None if end is None else end / limit.amount),
    }


def _state(spent: int, end: int | None, limit: int, *, is_partial: bool) -> str:
    # Before `unknown`, because the cost of missing days could only add to what exceeds the limit already.
    if spent > limit:
        return PASSED
    if is_partial or end is None:
        return UNKNOWN
    return WILL_BE_PASSED if end > limit else KEPT
