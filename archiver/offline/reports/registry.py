"""The table of built-in reports: names, help, options and functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.model import Report
from archiver.offline.reports.budget import budget
from archiver.offline.reports.changes import changes
from archiver.offline.reports.claude_code import DIMENSIONS as CLAUDE_CODE_DIMENSIONS
from archiver.offline.reports.claude_code import claude_code
from archiver.offline.reports.compare import SORTS as COMPARE_SORTS
from archiver.offline.reports.compare import compare
from archiver.offline.reports.daily_money import DIMENSIONS as MONEY_DIMENSIONS
from archiver.offline.reports.daily_money import TEAM_WORDS
from archiver.offline.reports.forecast import OF_A_MONTH, forecast
from archiver.offline.reports.growth import SORTS as GROWTH_SORTS
from archiver.offline.reports.growth import growth
from archiver.offline.reports.idle import idle
from archiver.offline.reports.keys import BY as KEY_DIMENSIONS
from archiver.offline.reports.keys import keys
from archiver.offline.reports.overview import overview
from archiver.offline.reports.prices import prices
from archiver.offline.reports.reconcile import reconcile
from archiver.offline.reports.restatements import restatements
from archiver.offline.reports.savings import savings
from archiver.offline.reports.spend import people, ranked_by, spend
from archiver.offline.reports.statement import statement
from archiver.offline.reports.today import BY as TODAY_DIMENSIONS
from archiver.offline.reports.today import today
from archiver.offline.reports.usage import DIMENSIONS as USAGE_DIMENSIONS
from archiver.offline.reports.usage import cache, tokens
from archiver.offline.reports.why import PARTS, why
from archiver.reports.dimensions import dimensions_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Table
    from archiver.store.read.reader import ArchiveReader

_RANGE_OPTIONS = ("since", "until", "month", "period")
_COST_DIMENSIONS = dimensions_of(Report.COST)
_USAGE_DIMENSIONS = dimensions_of(Report.USAGE)


@dataclass(frozen=True, slots=True)
class BuiltInReport:
    """One built-in report.

    Attributes:
        name: The name of the command after `archiver report`.
        help: A sentence for `--help` and the reference.
        example: The arguments of the example in the help.
        options: The options of this report. Options that every report has are not in it.
        compute: Computes the table. It raises the errors of reading an archive.
        dimensions: The dimensions that `--by` accepts.
        by_time_seen: Whether `--since` and `--until` select changes by the time at which they were first seen. For
            other reports they select days.
        sorts: The columns that `--sort` accepts, the default first.
    """

    name: str
    help: str
    example: str
    options: tuple[str, ...]
    compute: Callable[[ArchiveReader, ReportRequest], Table]
    dimensions: tuple[str, ...] = ()
    by_time_seen: bool = False
    sorts: tuple[str, ...] = ()


_ALL = (
    BuiltInReport(
        "overview",
        "Show the totals of each month; with --html, everything on one page.",
        "--html overview.html",
        (*_RANGE_OPTIONS, "as_of", "unit"),
        overview,
    ),
    BuiltInReport(
        "spend",
        "Show money by month and workspace.",
        "--by month --by model --since 2026-01-01",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of", "unit"),
        spend,
        (*TEAM_WORDS, *_COST_DIMENSIONS),
    ),
    BuiltInReport(
        "workspaces",
        "Show money by workspace, the most expensive first, with shares.",
        "--month 2026-01",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of", "unit"),
        ranked_by("workspaces", "workspace"),
        (*TEAM_WORDS, *_COST_DIMENSIONS),
    ),
    BuiltInReport(
        "models",
        "Show money by model, the most expensive first, with shares.",
        "--month 2026-01 --top 5",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of", "unit"),
        ranked_by("models", "model"),
        (*TEAM_WORDS, *_COST_DIMENSIONS),
    ),
    BuiltInReport(
        "keys",
        "Show money by API key: billed, or on days without billed money by key, allocated by tokens.",
        "--since 2026-01-01 --top 5",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of", "unit"),
        keys,
        (*TEAM_WORDS, *KEY_DIMENSIONS),
    ),
    BuiltInReport(
        "people",
        "Show billed money by person, the most expensive first, with shares.",
        "--month 2026-02 --by person --by product",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of", "unit"),
        people,
        (*TEAM_WORDS, *dimensions_of(Report.ANALYTICS_COST), "id"),
    ),
    BuiltInReport(
        "claude-code",
        "Show the use of Claude Code by person: sessions, commits, lines, acceptance rate, estimated cost.",
        "--month 2026-01 --top 5",
        (*_RANGE_OPTIONS, "by", "top", "as_of", "unit"),
        claude_code,
        CLAUDE_CODE_DIMENSIONS,
    ),
    BuiltInReport(
        "tokens",
        "Show tokens by month, workspace and model.",
        "--by api_key --month 2026-01",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of"),
        tokens,
        USAGE_DIMENSIONS,
    ),
    BuiltInReport(
        "cache",
        "Show the part of the input that came from the prompt cache, by month and model.",
        "--by model --since 2026-01-08",
        (*_RANGE_OPTIONS, "by", "top", "teams", "as_of"),
        cache,
        USAGE_DIMENSIONS,
    ),
    BuiltInReport(
        "compare",
        "Compare the cost of a period with the period before or any other, over the same days, by workspace.",
        "--period last-week --by model --sort change",
        ("month", "period", "with", "by", "sort", "top", "teams", "as_of", "unit"),
        compare,
        MONEY_DIMENSIONS,
        sorts=COMPARE_SORTS,
    ),
    BuiltInReport(
        "growth",
        "Show the change of cost over the last week and the last four weeks, the largest growth first.",
        "--by api_key --top 10",
        ("since", "until", "by", "sort", "top", "teams", "as_of", "unit"),
        growth,
        MONEY_DIMENSIONS,
        sorts=GROWTH_SORTS,
    ),
    BuiltInReport(
        "why",
        "Explain why a day or period cost more or less than expected, by workspace, key, model, tokens and driver.",
        "--day yesterday",
        ("day", "month", "period", "by", "top", "teams", "as_of", "unit"),
        why,
        PARTS,
    ),
    BuiltInReport(
        "savings",
        "Estimate the savings from the prompt cache, and possible savings from batches, by model.",
        "--month 2026-01",
        (*_RANGE_OPTIONS, "by", "top", "as_of", "unit"),
        savings,
        _USAGE_DIMENSIONS,
    ),
    BuiltInReport(
        "prices",
        "Show the price of a million tokens of each kind, computed from the archived cost.",
        "--period 28d",
        (*_RANGE_OPTIONS, "as_of", "unit"),
        prices,
    ),
    BuiltInReport(
        "idle",
        "Show active API keys that are not used, expire soon, or belong to an archived workspace.",
        "--days 60",
        ("days", "as_of"),
        idle,
    ),
    BuiltInReport(
        "today",
        "Estimate the cost of today so far, by hour, from prices computed from the archive.",
        "--timezone Europe/Berlin",
        ("day", "by", "timezone", "as_of", "unit"),
        today,
        TODAY_DIMENSIONS,
    ),
    BuiltInReport(
        "statement",
        "Show the amounts to book for a month, by team and cost centre, in whole cents that add up to the month.",
        "--month last-month",
        ("month", "teams", "as_of", "unit"),
        statement,
    ),
    BuiltInReport(
        "forecast",
        "Project a month to its end, by workspace.",
        "--month 2026-01",
        ("month", "by", "top", "teams", "as_of", "unit"),
        forecast,
        OF_A_MONTH,
    ),
    BuiltInReport(
        "budget",
        "Compare a month, quarter or year with its budgets; exit code 3 when a budget is exceeded or unknown.",
        "--config budgets.toml --warn",
        ("month", "teams", "as_of", "unit", "warn"),
        budget,
    ),
    BuiltInReport(
        "reconcile",
        "Compare tokens with money, and show the implied price; by source, compare the two reports with money.",
        "--month 2026-01",
        (*_RANGE_OPTIONS, "by", "against", "tolerance", "top", "as_of", "unit"),
        reconcile,
        ("day", "month", "model", "service_tier", "context_window", "token_type", "source"),
    ),
    BuiltInReport(
        "changes",
        "Compare the current numbers with the numbers of an earlier time, including provisional days.",
        "--since 2026-01-14",
        ("since", "until", "by", "top", "unit"),
        changes,
        ("day", "month"),
        by_time_seen=True,
    ),
    BuiltInReport(
        "restatements",
        "Show the changes in settled buckets, by the time at which they were first seen.",
        "--since 2026-01-01",
        (*_RANGE_OPTIONS, "as_of"),
        restatements,
        by_time_seen=True,
    ),
)
REPORTS = {report.name: report for report in _ALL}
