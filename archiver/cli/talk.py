"""Print the summary of a `sync`, or the request plan of `sync --dry-run`."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from archiver.api.rate_limit import DEFAULT_BURST
from archiver.cli.logs import TEXT, Log
from archiver.crawl.summary import count
from archiver.errors import ArchiverError
from archiver.model import Report, to_text
from archiver.offline.tables.money import to_exact
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archiver.api.rate_limit import Rate
    from archiver.crawl.request_plan import RequestPlan
    from archiver.crawl.summary import Failure, Summary
    from archiver.model import Series
    from archiver.plan.work import Range

_MOST_REASONS = 10
"""The largest number of distinct reasons of failures that are printed."""

_DATE_LENGTH = len("2026-01-31")
"""Cuts the time off the text of `to_text`."""


def duration(seconds: float) -> str:
    """Return a rough duration as text: `40 s`, `3 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 2:  # noqa: PLR2004  # whole minutes are too coarse for a shorter time
        return f"{seconds:.0f} s"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def request_seconds(requests: int, rate: Rate) -> float | None:
    """Return the seconds that requests take at a rate; None without a limit.

    The first `DEFAULT_BURST` requests are sent at once and take no time here.
    """
    return None if rate.per_second is None else max(0, requests - DEFAULT_BURST) / rate.per_second


def print_warnings(warnings: Iterable[str], log: Log = TEXT) -> None:
    """Print warnings, one a line."""
    for warning in warnings:
        log.write("warning", warning, text=f"warning: {warning}")


def print_summary(summary: Summary, log: Log = TEXT, *, quiet: bool = False) -> None:
    """Print the warnings, failures, counts and archived ranges of a run.

    With `quiet`, only the failures are printed.
    """
    if not quiet:
        print_warnings(summary.warnings, log)
    _print_failures(summary, log)
    if quiet:
        return
    if summary.plans:
        _print_counts(summary, log)
    incomplete = summary.fetched < summary.planned
    if summary.archived:
        prefix = "archived so far" if incomplete else "in the archive"
        log.write("info", f"{prefix}: {_ranges(summary.archived)}")
    # A second run does not undo a collapse: a loss of more than a fifth over several days, which the user has to
    # compare with the Console.
    if incomplete or any(failure.error != "collapse" for failure in summary.failures):
        command = shlex.join(["archiver", *sys.argv[1:]])
        hint = f"what was done is kept; to continue, run the same command again: {command}"
        log.write("info", hint, text=f"hint: {hint}")


def _print_counts(summary: Summary, log: Log) -> None:
    rows = summary.rows
    retries = f"{summary.retries:,} of them retries" if summary.retries else "no retries"
    log.write(
        "info",
        f"archived {summary.fetched:,} of {count(summary.planned, 'window')}, {summary.unchanged:,} unchanged, "
        f"with {count(summary.requests, 'request')}, {retries}",
    )
    log.write(
        "info",
        f"rows: {rows.inserted:,} inserted, {rows.updated:,} updated, {rows.removed:,} removed, "
        f"{rows.unchanged:,} unchanged",
    )
    if not summary.exit_code and not rows.changed:
        log.write("info", "nothing new: the archive equals the API")


def print_money(db: Path, summary: Summary, log: Log = TEXT) -> None:
    """Print the exact cost of the archived range, by currency.

    The range is from the first to the last day of the cost series of this run. Nothing is printed without cost.
    """
    ranges = [archived for series, archived in summary.archived.items() if series.report is Report.COST]
    if not ranges:
        return
    since = to_text(min(start for start, _ in ranges))[:_DATE_LENGTH]
    until = to_text(max(end for _, end in ranges))[:_DATE_LENGTH]
    # A run that archived everything must not fail because of this line. `report spend` shows the error.
    with suppress(ArchiverError), open_archive_reader(db) as reader:
        days = reader.days(Report.COST, since, until)
        # All days are one part of time (None), so there is one sum for each currency.
        sums = reader.sums(Report.COST, ["currency"], days, lambda _: None)
        # The sums of money are the amount and its credits; the credits are not needed here.
        amounts = {str(cost.values[0]): to_exact(cost.sums[0], "usd") for cost in sums}
        if amounts:
            text = ", ".join(f"{amount} {currency}" for currency, amount in sorted(amounts.items()))
            log.write("info", f"cost of {count(len(days), 'day')}: {text}", amounts=amounts)


def _ranges(archived: dict[Series, Range]) -> str:
    # `end` is exclusive, and the text names the last day: hence the second before it.
    texts = (
        f"{series.report} {series.bucket_width} {to_text(start)[:_DATE_LENGTH]} to {to_text(end - 1)[:_DATE_LENGTH]}"
        for series, (start, end) in archived.items()
    )
    # Series that differ only in their grouping nearly always have the same range, and so the same text. A dict keeps
    # each text once, in order.
    return ", ".join(dict.fromkeys(texts))


def _print_failures(summary: Summary, log: Log) -> None:
    """Print each reason for failures once, with its first window and a count.

    In an outage hundreds of windows can fail for one reason.
    """
    windows_by_reason = Counter(failure.message for failure in summary.failures)
    printed: set[str] = set()
    for failure in summary.failures:
        if failure.message in printed or len(printed) >= _MOST_REASONS:
            continue
        printed.add(failure.message)
        _print_failure(failure, windows_by_reason[failure.message] - 1, log)
    if len(windows_by_reason) > len(printed):
        log.write("error", f"and {count(len(windows_by_reason) - len(printed), 'more reason')}")


def _print_failure(failure: Failure, more_windows: int, log: Log) -> None:
    """Print one failure.

    `more_windows` is the number of other windows that failed for the same reason.
    """
    window = failure.window
    more = f" and {count(more_windows, 'more window')}" if more_windows else ""
    request = f" (request id {failure.request_id})" if failure.request_id else ""
    text = (
        f"{failure.error}: {window.series}, {to_text(window.start)} to {to_text(window.end)}{more}: "
        f"{failure.message}{request}"
    )
    fields = {name: value for name, value in failure.to_json().items() if name != "message"}
    log.write("error", failure.message, text=text, **fields, more_windows=more_windows or None)


def print_request_plan(plan: RequestPlan, rate: Rate) -> None:
    """Print the plan of a dry run on stdout: series, requests and their time."""
    # A plan counts one request for each window. A report that is paged by rows can need more, and never fewer.
    inexact = "at least " if plan.is_paged_by_rows else "about "
    qualifier = "" if plan.exact else inexact
    for series_plan in plan.plans:
        times = f"{to_text(series_plan.start)} to {to_text(series_plan.end)}"
        click.echo(f"{series_plan.series}: {times}, {count(len(series_plan.windows), 'window')}")
    if plan.probes:
        click.echo(f"check for older history: {count(plan.probes, 'request')}")
    click.echo(f"organisation, names and limits: {count(plan.before_rows, 'request')}")
    seconds = request_seconds(plan.requests, rate)
    minutes = f", about {duration(seconds)} at {_per_minute(rate)}" if seconds else ""
    click.echo(f"in all: {qualifier}{count(plan.requests, 'request')}{minutes}")
    if plan.is_paged_by_rows:
        click.echo(
            "the analytics and claude-code reports take one request for each thousand rows of a window; "
            "only the API knows how many rows there are"
        )


def _per_minute(rate: Rate) -> str:
    return f"{(rate.per_second or 0) * 60:g} requests/min"
