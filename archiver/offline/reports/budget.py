"""`report budget`: the cost of a month, quarter or year and its limits."""

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


def budget(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Compare a month, and its quarter and year, with limits in US dollars.

    The limits are those of the configuration, and the monthly ones of the API for the organisation and its workspaces.
    `passes_on` is the day on which a limit was passed, or is projected to be.

    The state of a limit is the first of these that applies:
    `passed`: the archived days alone exceed it.
    `unknown`: part of its cost is not known, or nothing can be projected.
    `will be passed`: the projected period exceeds it.
    `kept`: neither.

    Raises:
        ConfigurationError: No limit is configured, or one is of a name that is not in the archive.
    """
    month = period_of(reader, request)
    limits, others = limits_of(reader, request, month)
    if not limits:
        raise ConfigurationError("no budget is configured", hint="write [budgets] total = 5000 in the configuration")
    projections: _Projections = {}
    rows = []
    for limit in limits:
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
        f"{count(others, 'other limit')} of the API, such as daily ones and those of users: see the view spend_limit"
        if others
        else "",
    )


def _notes_on_days(projections: _Projections, month: Period, sentence: str) -> list[str]:
    """Return the notes on unknown and projected days, once for each period."""
    notes = []
    for period, projected in {period: one for (_, period), one in projections.items()}.items():
        if not projected.known.archived:
            notes.append(sentence or f"nothing of {period} is archived")
            continue
        prefix = "" if period == month else f"{period}: "
        notes += [f"{prefix}{one}" for one in (projected.known.sentence(), projection_note(projected)) if one]
    return notes


def _notes_on_money(projections: _Projections, month: Period, limits: Sequence[Limit]) -> list[str]:
    notes = []
    of_month = projections.get(("workspace", month))
    groups = of_month.groups if of_month else []
    ungrouped = sum(of_month.to_date(one) for one in groups if _is_ungrouped(one, "workspace")) if of_month else 0
    if ungrouped and any(limit.dimension and limit.is_configured for limit in limits):
        shown = to_rounded(ungrouped, "usd")
        notes.append(f"{shown} USD of days that are not grouped by workspace count for the total alone")
    others = {group.values["currency"] for one in projections.values() for group in one.groups} - {"USD"}
    if others:
        notes.append(f"costs in {', '.join(sorted(others))} are not in these numbers: budgets are in USD")
    return notes


def _is_ungrouped(group: DailyAmounts, dimension: str) -> bool:
    """Return whether cost may belong to any value of a dimension, as its days are not grouped by it."""
    column = {"workspace": "workspace_id", "api_key": "api_key_id"}.get(dimension, dimension)
    value = group.values[column]
    return value is Label.NOT_GROUPED or value == str(Label.NOT_GROUPED)


def _against(limit: Limit, projected: Projection) -> Row:
    # Limits are in dollars; a note names the other currencies.
    in_dollars = [one for one in projected.groups if one.values["currency"] == "USD"]
    groups = [one for one in in_dollars if limit.is_of(one.values)]
    row: Row = dict.fromkeys(column.name for column in _COLUMNS)
    row |= {"budget": limit.name, "period": str(projected.known.period), "limit": limit.amount, "state": UNKNOWN}
    if not projected.known.archived:
        return row
    spent = sum(projected.to_date(group) for group in groups)
    # Without recent days no group has a projection; with them, every group has one.
    ends = [projected.to_end(group) for group in groups]
    end = None if not projected.recent else Estimate(sum(one for one in ends if one is not None))
    unsure = limit.dimension and any(
        projected.to_date(one) for one in in_dollars if _is_ungrouped(one, limit.dimension or "workspace")
    )
    state = _state(spent, end, limit.amount, has_holes=bool(unsure) or projected.known.holes() > 0)
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


def _state(spent: int, end: int | None, most: int, *, has_holes: bool) -> str:
    # Before `unknown`, as the days that are missing cost something too.
    if spent > most:
        return PASSED
    if has_holes or end is None:
        return UNKNOWN
    return WILL_BE_PASSED if end > most else KEPT
