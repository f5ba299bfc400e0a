"""The lines that `sync` prints: its summary, or the plan of a dry run."""

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

_MOST_FAILURES = 10  # distinct reasons that are printed


def duration(seconds: float) -> str:
    """Return a rough duration as text: `40 s`, `3 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 2:  # noqa: PLR2004  # below, minutes are too coarse
        return f"{seconds:.0f} s"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def request_seconds(requests: int, rate: Rate) -> float | None:
    """Return the seconds that requests take at a rate; None without a limit.

    The first requests are a burst and take no time.
    """
    return None if rate.per_second is None else max(0, requests - DEFAULT_BURST) / rate.per_second


def print_warnings(warnings: Iterable[str], log: Log = TEXT) -> None:
    """Print warnings, one a line."""
    for warning in warnings:
        log.write("warning", warning, text=f"warning: {warning}")


def print_summary(summary: Summary, log: Log = TEXT, *, quiet: bool = False) -> None:
    """Print the result of a run; with `quiet`, only its failures."""
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
    # To run it again at once does not help against a collapse, which has to be confirmed hours later.
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
    """Print the exact cost of the range that was archived, by currency."""
    ranges = [found for series, found in summary.archived.items() if series.report is Report.COST]
    if not ranges:
        return
    since, until = to_text(min(start for start, _ in ranges))[:10], to_text(max(end for _, end in ranges))[:10]
    # A run that archived all it should does not fail because of this line; `report spend` shows what is wrong.
    with suppress(ArchiverError), open_archive_reader(db) as reader:
        days = reader.days(Report.COST, since, until)
        sums = reader.sums(Report.COST, ["currency"], days, lambda _: None)
        amounts = {str(one.values[0]): to_exact(one.sums[0], "usd") for one in sums}
        if amounts:
            text = ", ".join(f"{amount} {currency}" for currency, amount in sorted(amounts.items()))
            log.write("info", f"cost of {count(len(days), 'day')}: {text}", amounts=amounts)


def _ranges(archived: dict[Series, Range]) -> str:
    # Passes of one report and width nearly always cover the same range: it is printed once.
    texts = (
        f"{series.report} {series.bucket_width} {to_text(start)[:10]} to {to_text(end - 1)[:10]}"
        for series, (start, end) in archived.items()
    )
    return ", ".join(dict.fromkeys(texts))


def _print_failures(summary: Summary, log: Log) -> None:
    """Print each reason of failures once, with the first window and a count.

    An outage fails hundreds of windows for one reason.
    """
    reasons = Counter(failure.message for failure in summary.failures)
    shown: set[str] = set()
    for failure in summary.failures:
        if failure.message in shown or len(shown) >= _MOST_FAILURES:
            continue
        shown.add(failure.message)
        _print_failure(failure, reasons[failure.message] - 1, log)
    if len(reasons) > len(shown):
        log.write("error", f"and {count(len(reasons) - len(shown), 'more reason')}")


def _print_failure(failure: Failure, others: int, log: Log) -> None:
    window = failure.window
    more = f" and {count(others, 'more window')}" if others else ""
    request = f" (request id {failure.request_id})" if failure.request_id else ""
    text = (
        f"{failure.error}: {window.series}, {to_text(window.start)} to {to_text(window.end)}{more}: "
        f"{failure.message}{request}"
    )
    fields = {name: value for name, value in failure.to_json().items() if name != "message"}
    log.write("error", failure.message, text=text, **fields, more_windows=others or None)


def print_request_plan(plan: RequestPlan, rate: Rate) -> None:
    """Print the plan of a dry run on stdout: series, requests and their time."""
    about = "" if plan.exact else "at least " if plan.is_paged_by_rows else "about "
    for one in plan.plans:
        times = f"{to_text(one.start)} to {to_text(one.end)}"
        click.echo(f"{one.series}: {times}, {count(len(one.windows), 'window')}")
    if plan.probes:
        click.echo(f"check for older history: {count(plan.probes, 'request')}")
    click.echo(f"organisation, names and limits: {count(plan.before_rows, 'request')}")
    seconds = request_seconds(plan.requests, rate)
    minutes = f", about {duration(seconds)} at {_per_minute(rate)}" if seconds else ""
    click.echo(f"in all: {about}{count(plan.requests, 'request')}{minutes}")
    if plan.is_paged_by_rows:
        click.echo(
            "a window of these reports takes a request for each thousand rows; only the API knows how many there are"
        )


def _per_minute(rate: Rate) -> str:
    return f"{(rate.per_second or 0) * 60:g} requests/min"
