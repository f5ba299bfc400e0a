"""What `sync` says at its end."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from archiver.model import to_text

if TYPE_CHECKING:
    from archiver.crawl.request_plan import RequestPlan
    from archiver.crawl.summary import Summary

_MOST_FAILURES = 10


def count(number: int, what: str) -> str:
    """Spell a number with its noun: `1 window`, `1,234 windows`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def say_summary(summary: Summary) -> None:
    """Say on stderr what a run did, what it could not do, and what comes next."""
    for warning in summary.warnings:
        click.echo(f"warning: {warning}", err=True)
    _say_failures(summary)
    if summary.plans:
        rows = summary.rows
        click.echo(
            f"archived {summary.fetched:,} of {count(summary.planned, 'window')}, {summary.unchanged:,} unchanged, "
            f"with {count(summary.requests, 'request')}, {_retries(summary)}\n"
            f"rows: {rows.inserted:,} inserted, {rows.updated:,} updated, {rows.removed:,} removed, "
            f"{rows.unchanged:,} unchanged",
            err=True,
        )
        if not summary.exit_code and not rows.changed:
            click.echo("nothing new: the archive already says what the API says", err=True)
    if summary.fetched < summary.planned or summary.failures:
        command = shlex.join(["archiver", *sys.argv[1:]])
        click.echo(f"hint: what was done is kept; to go on, run the same command again: {command}", err=True)


def _retries(summary: Summary) -> str:
    return f"{summary.retries:,} of them retries" if summary.retries else "no retries"


def _say_failures(summary: Summary) -> None:
    reasons = Counter(failure.message for failure in summary.failures)
    shown: set[str] = set()
    for failure in summary.failures:
        if failure.message in shown or len(shown) >= _MOST_FAILURES:
            continue
        shown.add(failure.message)
        others = reasons[failure.message] - 1
        window = failure.window
        where = f"{window.series}, {to_text(window.start)} to {to_text(window.end)}"
        more = f" and {count(others, 'more window')}" if others else ""
        request = f" (request id {failure.request_id})" if failure.request_id else ""
        click.echo(f"{failure.error}: {where}{more}: {failure.message}{request}", err=True)
    if len(reasons) > len(shown):
        click.echo(f"and {count(len(reasons) - len(shown), 'more reason')}", err=True)


def say_forecast(plan: RequestPlan) -> None:
    """Print the plan and the number of requests."""
    for warning in plan.warnings:
        click.echo(f"warning: {warning}", err=True)
    most = "" if plan.exact else "at most "
    for one in plan.plans:
        times = f"{to_text(one.start)} to {to_text(one.end)}"
        click.echo(f"{one.series}: {times}, {most}{count(len(one.windows), 'window')}")
    if plan.probes:
        click.echo(f"to find where history begins: at most {count(plan.probes, 'request')}")
    click.echo(f"the organisation and its names: {count(plan.organization_and_names, 'request')}")
    click.echo(f"in all: {most}{count(plan.requests, 'request')}")
