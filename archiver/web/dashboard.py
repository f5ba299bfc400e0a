"""The first page: what was spent, what is archived, and where to ask on. This is the one place its HTML comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader

from archiver.offline.periods import month, month_before
from archiver.offline.reports.breakdowns import COST_NOTE
from archiver.offline.schema import VIEWS
from archiver.offline.spend import read_spend
from archiver.offline.tables.write import dollars, show
from archiver.store.read.reads import read_billed_days, read_overview

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.spend import Spend
    from archiver.store.read.reads import Overview

POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser lets the page do: it has no script."""

_MOST_MONTHS = 13
_STATES = ("settled", "provisional", "missing", "failed")


@dataclass(frozen=True, slots=True)
class Bar:
    """A line of a table with a bar: its share of the largest line, in percent, and what is to be said of it."""

    name: str
    amount: str
    width: float
    remark: str


def dashboard(path: str, saved: Sequence[tuple[str, str, str]]) -> str:
    """Make the page; `saved` are the addresses, names and descriptions of the saved queries.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: As the file is.
    """
    db = Path(path)
    overview, spend = read_overview(db), read_spend(db)
    one_currency = len(spend.currencies) == 1  # amounts of several are no sum
    months = _months(db, spend) if one_currency else []
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    return environment.get_template("dashboard.html").render(
        organization=show(_owner(overview), None),
        currency=show(spend.currencies[0]) if one_currency else "",
        total=dollars(spend.total()),
        first=spend.months[0] if spend.months else "",
        months=list(reversed(months)),
        workspaces=_workspaces(spend) if one_currency else [],
        coverage=_coverage(overview),
        gaps=sum(one.is_gap for one in overview.coverage),
        suspects=len(overview.suspects),
        last_run=overview.last_run,
        note=COST_NOTE,
        saved=saved,
        views=VIEWS,
    )


def _owner(overview: Overview) -> str:
    owner = overview.organization
    return (owner.name or owner.id) if owner else "An organisation that is not known yet"


def _months(db: Path, spend: Spend) -> list[Bar]:
    """Give the months up to the last one with spend, those without among them, and how much of each is archived."""
    names = [spend.months[-1]]
    while names[0] > spend.months[0] and len(names) < _MOST_MONTHS:
        names.insert(0, f"{month_before(month(names[0])).since:%Y-%m}")
    remarks = []
    for name in names:
        days, last = read_billed_days(db, month(name))
        whole = month(name).days
        remarks.append("" if days == whole else f"{days} of {whole} days, up to {last}" if last else "not archived")
    return _bars([(name, spend.total(month=name)) for name in names], remarks)


def _workspaces(spend: Spend) -> list[Bar]:
    last = spend.months[-1]
    amounts = [(name, spend.total(month=last, workspace=name)) for name in spend.workspaces]
    ranked = sorted((one for one in amounts if one[1]), key=lambda one: (-one[1], one[0]))
    total = spend.total(month=last)
    return _bars(ranked, [f"{100 * amount / total:.1f}%" if total else "" for _, amount in ranked])


def _bars(amounts: Sequence[tuple[str, int]], remarks: Sequence[str]) -> list[Bar]:
    largest = max((amount for _, amount in amounts), default=0)
    return [
        Bar(show(name), dollars(amount), round(100 * max(amount, 0) / largest, 2) if largest > 0 else 0.0, remark)
        for (name, amount), remark in zip(amounts, remarks, strict=True)
    ]


def _coverage(overview: Overview) -> list[dict[str, Any]]:
    """Give a line a series: from when to when, in which states, and its oldest reading."""
    lines = []
    for report, width, group_by, filters in overview.series:
        identity = (report, width, group_by, filters)
        mine = [o for o in overview.coverage if (o.report, o.bucket_width, o.group_by, o.filters) == identity]
        if not mine:
            continue
        states = [(state, [o for o in mine if o.state == state]) for state in _STATES]
        lines.append(
            {
                "series": f"{report} {width}",
                "by": show(group_by.replace(",", ", "), None) or "nothing",
                "filters": show(filters, None),
                "start": min(o.start for o in mine)[:10],
                "end": max(o.end for o in mine)[:10],
                "states": [(state, len(some)) for state, some in states if some],
                "read": min((o.fetched_at for o in mine if o.fetched_at), default=""),
            }
        )
    return lines
