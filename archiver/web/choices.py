"""The choices of a report page, and the links that change them.

`/report/spend?period=2026-10&by=model&workspace=wrkspc_1` is a report with its range, grouping and filters. So a page
can be sent to a colleague, and the browser's back button works. An empty filter stands for a value that the API sent as
null.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from archiver.errors import ConfigurationError
from archiver.offline.page.html import Choice
from archiver.offline.periods import period as parse_period
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import ReportRequest
from archiver.reports.dimensions import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archiver.offline.reports.request import Budget
    from archiver.offline.tables.table import Row
    from archiver.offline.teams.rules import Teams

FILTERS = ("workspace", "api_key", "person", "model")
_RANGES = (
    ("all", ""),
    ("this month", "this-month"),
    ("last month", "last-month"),
    ("7 days", "7d"),
    ("30 days", "30d"),
    ("90 days", "90d"),
)
_MOST_TOP = 10_000
_CHANGES_SINCE = timedelta(days=7)
"""The time that reports of changes look back, without a choice."""
_WITH_TEAMS = frozenset({"statement", "budget"})
_OF_PERIOD = frozenset({"compare", "forecast", "budget", "statement", "why"})
"""The reports about one period, which take `--period` or `--month` and no other range."""


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What reports take from the configuration, read for each page.

    Attributes:
        budgets: Returns the budgets.
        teams: Returns the rules of teams, None without any.
    """

    budgets: Callable[[], Sequence[Budget]] = tuple
    teams: Callable[[], Teams | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the address of a report page holds.

    Attributes:
        period: A period in words; empty: all.
        by: The dimensions to group by; empty: the default of the report.
        filters: Word → id; None for an API null.
    """

    name: str
    period: str = ""
    since: str = ""
    until: str = ""
    by: tuple[str, ...] = ()
    top: str = ""
    filters: tuple[tuple[str, str | None], ...] = ()

    def address(self) -> str:
        """Return the address of the page."""
        pairs = [(name, value) for name in ("period", "since", "until", "top") if (value := getattr(self, name))]
        pairs += [("by", one) for one in self.by]
        pairs += [(name, value or "") for name, value in self.filters]
        return f"/report/{self.name}" + (f"?{urlencode(pairs)}" if pairs else "")

    def request(self, settings: ReportSettings) -> ReportRequest:
        """Return the request of the report.

        Raises:
            ConfigurationError: A value is not valid, the report has no such dimension, or the configuration is faulty.
        """
        today = datetime.now(UTC).date()
        whole = parse_period(self.period, today) if self.period else None
        bounds = (_day(self.since), _day(self.until))
        if whole is not None and any(bounds):
            raise ConfigurationError("a period and other bounds are both given", hint="leave one out")
        of = REPORTS[self.name]
        for one in self.by:
            if one not in of.dimensions:
                raise ConfigurationError(f"cannot group {self.name} by {one!r}", hint=", ".join(of.dimensions))
        needs_teams = self.name in _WITH_TEAMS or {"team", "cost-centre"} & set(self.by)
        is_of_period = self.name in _OF_PERIOD
        since, until = bounds if whole is None or is_of_period else (whole.since, whole.until)
        first_seen = (f"{since or today - _CHANGES_SINCE}T00:00:00Z", f"{until}T00:00:00Z" if until else None)
        return ReportRequest(
            since=None if of.by_time_seen else since,
            until=None if of.by_time_seen else until,
            first_seen=first_seen if of.by_time_seen else (None, None),
            period=whole if is_of_period else None,
            by=self.by,
            top=_top(self.top),
            teams=settings.teams() if needs_teams else None,
            budgets=tuple(settings.budgets()) if self.name == "budget" else (),
            today=today,
        )

    @property
    def where(self) -> dict[str, str | None]:
        """The filters by column."""
        return {BY_NAME[name].column: value for name, value in self.filters}

    def link(self, column: str, row: Row) -> str:
        """Return where a cell of a table leads; "" for nowhere.

        It is a narrower report, or the rows of a day.
        """
        if not isinstance(row.get(column), str):
            return ""
        if column == "month":
            by = tuple(dict.fromkeys(("day", *(one for one in self.by if one not in {"month", "day"}))))
            allowed = tuple(one for one in by if one in REPORTS[self.name].dimensions)
            target = self if allowed else Choices("spend", filters=self.filters)
            return replace(target, period=row["month"], since="", until="", by=allowed or ("day",)).address()
        if column == "date":
            return self._rows(row)
        if column in FILTERS:
            identity = row.get(BY_NAME[column].column)
            return "" if identity is not None and not isinstance(identity, str) else self._narrowed(column, identity)
        return ""

    def _narrowed(self, word: str, identity: str | None) -> str:
        """Return the report of one workspace, key, person or model, by month."""
        name, by = {
            "workspace": ("spend", ("month", "model")),
            "model": ("spend", ("month", "workspace")),
            "api_key": ("tokens", ("month", "model")),
            "person": ("people", ("month", "model")),
        }[word]
        kept = tuple((one, value) for one, value in self.filters if one != word and _has(name, one))
        return replace(self, name=name, by=by, top="", filters=(*kept, (word, identity))).address()

    def _rows(self, row: Row) -> str:
        """Return the address of the rows of a day, with the filters of the page and of the line."""
        view = "daily_tokens" if self.name in {"tokens", "cache"} else "daily_cost"
        pairs = [("date", row["date"])]
        known = self.where | _ids(row)
        for column in ("workspace_id", "api_key_id", "model"):
            if column in known and (view == "daily_tokens" or column != "api_key_id"):
                value = known[column]
                pairs.append((f"{column}__isnull", "1") if value is None else (column, value))
        return f"/archive/{view}?{urlencode(pairs)}"

    def menus(self, labels: dict[str, str]) -> list[Choice]:
        """Return the links that change the choices.

        `labels` has the names of the filters.
        """
        of = REPORTS[self.name]
        menus = []
        if "period" in of.options or "month" in of.options:
            current = self.period if not (self.since or self.until) else None
            ranges = _RANGES if self.name not in _OF_PERIOD else _RANGES[1:3]
            menus.append(
                Choice("Days", tuple(
                    (text, replace(self, period=value, since="", until="").address(), value == current)
                    for text, value in ranges
                ))
            )  # fmt: skip
        if of.dimensions:
            menus.append(Choice("By", tuple(self._toggle(one) for one in of.dimensions)))
        if self.filters:
            menus.append(
                Choice("Only", tuple(
                    (f"{name.replace('_', ' ')} {labels[name]} \u00d7",
                     replace(self, filters=tuple(one for one in self.filters if one[0] != name)).address(), True)
                    for name, _ in self.filters
                ))
            )  # fmt: skip
        return menus

    def _toggle(self, word: str) -> tuple[str, str, bool]:
        is_on = word in self.by
        by = tuple(one for one in self.by if one != word) if is_on else (*self.by, word)
        return word.replace("_", " "), replace(self, by=by).address(), is_on


def read_choices(name: str, pairs: Sequence[tuple[str, str]]) -> Choices:
    """Return the choices of an address.

    Raises:
        ConfigurationError: There is no such report or key, or a value is given twice.
    """
    if name not in REPORTS:
        raise ConfigurationError(f"there is no report {name!r}")
    single: dict[str, str] = {}
    by: list[str] = []
    for key, value in pairs:
        if key == "by":
            by.append(value)
        elif key not in {"period", "since", "until", "top", *FILTERS} or key in single:
            raise ConfigurationError(f"{key!r} is no choice of a report, or is given twice")
        else:
            single[key] = value
    filters = tuple((key, single.pop(key) or None) for key in FILTERS if key in single)
    return Choices(name, by=tuple(dict.fromkeys(by)), filters=filters, **single)


def _has(report: str, word: str) -> bool:
    return word in REPORTS[report].dimensions


def _ids(row: Row) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for column in ("workspace_id", "api_key_id", "model"):
        if column in row and (row[column] is None or isinstance(row[column], str)):
            found[column] = row[column]
    return found


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no day", hint="write it as 2026-10-05") from None


def _top(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_TOP:
        raise ConfigurationError(f"{text!r} is no number of lines", hint="write it as 10")
    return int(text)
