"""Archives of rows written by hand, and reports that are run on them in this process."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
from click.testing import CliRunner

from archiver.answer import Answer, Bucket
from archiver.cli import cli
from archiver.model import BucketWidth, NamedObject, NameKind, Organization, Report, Series, Window
from archiver.reports import SPECS
from archiver.reports.cost import split_amount
from archiver.store.archive import held_archive, open_archive
from archiver.store.history import AnswerTime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from archiver.model import SpendLimit

FINEST_COST = ("description", "workspace_id")
FINEST_ANALYTICS = ("actor", "api_key_id", "cost_type", "model", "token_type", "workspace_id")
FINEST_ANALYTICS_USAGE = ("actor", "api_key_id", "model", "service_tier", "workspace_id")
FINEST_USAGE = ("api_key_id", "context_window", "model", "service_tier", "workspace_id")
CostRow = tuple[str, dict[str, Any]]
UsageRow = tuple[tuple[int, ...], dict[str, Any]]


def seconds(text: str) -> int:
    """Return the UTC seconds of a date or a time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def days(first: str, last: str) -> list[str]:
    """Return all dates from the first to the last."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + timedelta(days=i)).isoformat() for i in range((end - start).days + 1)]


def cost_row(amount: str, *, currency: str = "USD", **dimensions: Any) -> CostRow:
    """Return a row of the cost report; `amount` is decimal cents."""
    return amount, {"currency": currency} | dimensions


def usage_row(*counts: int, **dimensions: Any) -> UsageRow:
    """Return a row of the usage report; the counts that are left out are zero."""
    return (*counts, *[0] * (6 - len(counts))), dimensions


class Handmade:
    """An archive, written as a sync writes it that receives these rows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cost(
        self, rows: Mapping[str, Sequence[CostRow]], *, read_at: str, group_by: Sequence[str] = FINEST_COST
    ) -> None:
        """Write cost by date; a date with no rows is a day without cost."""
        values = {
            day: {
                tuple(dimensions.get(name) for name in SPECS[Report.COST].columns): (
                    amount,
                    *split_amount(amount),
                    None,
                )
                for amount, dimensions in of_day
            }
            for day, of_day in rows.items()
        }
        self._write(Series(Report.COST, BucketWidth.DAY, tuple(group_by)), values, read_at)

    def analytics_cost(
        self, rows: Mapping[str, Sequence[CostRow]], *, read_at: str, group_by: Sequence[str] = FINEST_ANALYTICS
    ) -> None:
        """Write cost of the analytics report by date."""
        values = {
            day: {
                _dimensions(Report.ANALYTICS_COST, dimensions): (amount, *split_amount(amount), amount, None, None)
                for amount, dimensions in of_day
            }
            for day, of_day in rows.items()
        }
        self._write(Series(Report.ANALYTICS_COST, BucketWidth.DAY, tuple(group_by)), values, read_at)

    def usage(
        self, rows: Mapping[str, Sequence[UsageRow]], *, read_at: str, group_by: Sequence[str] = FINEST_USAGE
    ) -> None:
        """Write usage by date."""
        values = {
            day: {_dimensions(Report.USAGE, dimensions): (*counts, None) for counts, dimensions in of_day}
            for day, of_day in rows.items()
        }
        self._write(Series(Report.USAGE, BucketWidth.DAY, tuple(group_by)), values, read_at)

    def analytics_usage(
        self, rows: Mapping[str, Sequence[UsageRow]], *, read_at: str, group_by: Sequence[str] = FINEST_ANALYTICS_USAGE
    ) -> None:
        """Write usage of the analytics report by date, without numbers of requests."""
        values = {
            day: {
                _dimensions(Report.ANALYTICS_USAGE, dimensions): (*counts, None, None) for counts, dimensions in of_day
            }
            for day, of_day in rows.items()
        }
        self._write(Series(Report.ANALYTICS_USAGE, BucketWidth.DAY, tuple(group_by)), values, read_at)

    def usage_by_hour(self, rows: Mapping[str, Sequence[UsageRow]], *, read_at: str) -> None:
        """Write usage by the start of its hour; other hours since midnight have none."""
        series = Series(Report.USAGE, BucketWidth.HOUR, FINEST_USAGE)
        now = seconds(read_at)
        first, last = seconds(min(rows)[:10]), seconds(max(rows))
        by_start = {seconds(hour): of_hour for hour, of_hour in rows.items()}
        buckets = SPECS[Report.USAGE].empty_buckets()
        for start in range(first, last + 1, 3600):
            of_hour = by_start.get(start, ())
            values = {_dimensions(Report.USAGE, dimensions): (*counts, None) for counts, dimensions in of_hour}
            buckets.append(Bucket(start, values))
        window = Window(series, first, last + 3600)

        async def write() -> None:
            async with open_archive(self.path) as archive:
                await archive.record(Answer(window, buckets, None, now), AnswerTime(now, now - 35 * 86400))

        self._hold(write)

    def names(self, kind: NameKind, names: Mapping[str, str], *, read_at: str, details: str = "{}") -> None:
        """Write names that are first seen at `read_at`."""
        objects = [NamedObject(kind, identity, name, details) for identity, name in names.items()]

        async def write() -> None:
            async with open_archive(self.path) as archive:
                await archive.bind_organization(Organization("org_invented", "Invented Organisation"))
                await archive.save_names(objects, seconds(read_at))

        self._hold(write)

    def spend_limits(self, *limits: SpendLimit, read_at: str) -> None:
        """Write all spend limits of the API as they are read at a time."""

        async def write() -> None:
            async with open_archive(self.path) as archive:
                await archive.bind_organization(Organization("org_invented", "Invented Organisation"))
                await archive.save_spend_limits(limits, seconds(read_at))

        self._hold(write)

    def _write(self, series: Series, values: Mapping[str, Mapping[Any, Any]], read_at: str) -> None:
        now = seconds(read_at)

        async def write() -> None:
            async with open_archive(self.path) as archive:
                for first, last in _stretches(values):
                    window = Window(series, seconds(first), seconds(last) + 86400)
                    buckets = SPECS[series.report].empty_buckets()
                    for day in days(first, last):
                        buckets.append(Bucket(seconds(day), values[day]))
                    answer = Answer(window, buckets, None, now)
                    await archive.record(answer, AnswerTime(now, now - 35 * 86400, accept_restatements=True))

        self._hold(write)

    def _hold(self, write: Any) -> None:
        with held_archive(self.path, now=0):
            anyio.run(write)


def _dimensions(report: Report, given: Mapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(given.get(name) for name in SPECS[report].columns)


def _stretches(dates: Iterable[str]) -> list[tuple[str, str]]:
    """Return the first and last dates of ranges without a missing day."""
    found: list[tuple[str, str]] = []
    for day in sorted(dates):
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        if found and found[-1][1] == before:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


class Done:
    """What a command printed and its exit code."""

    def __init__(self, stdout: str, stderr: str, code: int) -> None:
        self.stdout, self.stderr, self.code = stdout, stderr, code

    def rows(self) -> Any:
        """Return the rows that `--json` printed."""
        return json.loads(self.stdout)


def run(*arguments: str) -> Done:
    """Run the program in this process."""
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    code = result.return_value if isinstance(result.return_value, int) else 0
    return Done(result.stdout, result.stderr, code)
