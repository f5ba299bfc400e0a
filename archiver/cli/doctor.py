"""`archiver doctor`."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import config_option, connect_options, db_option, option
from archiver.cli.profiles import run_children
from archiver.cli.terminal import terminal_of
from archiver.errors import PARTIAL_EXIT, ArchiverError, ConfigurationError
from archiver.model import to_text
from archiver.offline.health import Check, State, check_files, check_program, check_schedule
from archiver.offline.retention import retentions
from archiver.offline.status import age, problems_of
from archiver.offline.tables.write import show
from archiver.plan.calendar import parse_time
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.store.read.status import ArchiveStatus

_MOST_AGE = 60 * 3600
_MOST_SKEW = 120
_COLOURS = {State.OK: "green", State.ATTENTION: "yellow", State.FAILED: "red", State.UNKNOWN: "yellow"}


@click.command(
    cls=Command,
    several=run_children,
    examples=[
        "archiver doctor  # what is wrong, and what to do next",
        "archiver doctor --offline --json  # without a request",
    ],
)
@option("--offline", is_flag=True, help="Send no request.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@connect_options
@db_option
@config_option
def doctor(*, offline: bool, as_json: bool, db: Path, **connection: Any) -> int:
    """Check the installation: program, file, disk, key, API and schedule.

    The key itself is never printed. Exit code 3: something needs attention, or failed.
    """
    checks = [check_program(sqlite3.sqlite_version), *check_files(db)]
    status, found = _read(db)
    checks += [found, *(_of_status(status) if status is not None else ())]
    checks += [] if offline else _of_api(connection, status)
    checks.append(check_schedule())
    if as_json:
        click.echo(json.dumps({"ok": _is_ok(checks), "checks": [asdict(one) for one in checks]}, indent=2))
    else:
        _print(checks)
    return 0 if _is_ok(checks) else PARTIAL_EXIT


def _is_ok(checks: list[Check]) -> bool:
    return not any(one.state in {State.ATTENTION, State.FAILED} for one in checks)


def _read(db: Path) -> tuple[ArchiveStatus | None, Check]:
    try:
        with open_archive_reader(db) as reader:
            status = reader.status()
    except ArchiverError as error:
        return None, Check("archive", State.FAILED, error.message, error.hint or "")
    return status, Check("archive", State.OK, f"{status.path}, schema {status.schema_version}")


def _of_status(status: ArchiveStatus) -> Iterator[Check]:
    """Yield what is archived, how old it is, and what the API will forget."""
    now = time.time()
    run = status.last_run
    if run is not None:
        ended = run["finished_at"]
        text = (
            f"{run['outcome']}, {age(now - parse_time(ended).timestamp())} ago" if ended else "not finished, or running"
        )
        state = State.OK if run["exit_code"] == 0 else State.ATTENTION
        yield Check("last run", state, text, "" if state is State.OK else "archiver sync continues it")
    problems = problems_of(status, _MOST_AGE, now)
    for problem in problems:
        text, _, hint = problem.partition("; ")
        yield Check("content", State.ATTENTION, text, hint or "archiver sync")
    if not problems and status.newest_complete:
        newest = max(status.newest_complete.values())
        yield Check("content", State.OK, f"no gaps, complete up to {to_text(newest)}")
    for one in retentions(status, now):
        if not one.archived_since and not status.unavailable:
            yield Check("retention", State.ATTENTION, f"{one.report}: {one.sentence()}", "archiver sync --report all")


def _of_api(connection: dict[str, Any], status: ArchiveStatus | None) -> Iterator[Check]:
    """Yield what a request says: the key, the organisation and the clock."""
    from archiver.api.rate_limit import Rate  # noqa: PLC0415  # only where a request is sent
    from archiver.api.url import check_api_url  # noqa: PLC0415  # the same
    from archiver.cli.credentials import find_key  # noqa: PLC0415  # the same
    from archiver.cli.run import read_organization  # noqa: PLC0415  # the same
    from archiver.cli.settings import Connect  # noqa: PLC0415  # the same

    try:
        key = find_key(connection["admin_key_file"], connection["admin_key_command"])
    except ConfigurationError as error:
        yield Check("key", State.FAILED, error.message, error.hint or "")
        return
    kind, is_admin = key.kind
    yield Check(
        "key", State.OK if is_admin else State.ATTENTION, kind, "" if is_admin else "the reports need an Admin key"
    )
    try:
        connect = Connect(check_api_url(connection["api_url"]), key, Rate.parse(connection["rate"]), concurrency=1)
        organization, server_time = read_organization(connect)
    except ArchiverError as error:
        yield Check("API", State.FAILED, f"{connection['api_url']}: {error.message}", error.hint or "")
        return
    name = organization.name or organization.id
    yield Check("API", State.OK, f"{connection['api_url']} answers for {show(name)} ({show(organization.id)})")
    known = status.organization if status is not None else None
    if known is not None and known.id != organization.id:
        text = f"the archive is of {show(known.name or known.id)}, the key of {show(name)}"
        yield Check("organisation", State.FAILED, text, "use the key of the archive's organisation, or another --db")
    skew = abs(time.time() - server_time) if server_time is not None else 0
    if skew > _MOST_SKEW:
        hint = "set the clock; archiver uses the API's time meanwhile"
        yield Check("clock", State.ATTENTION, f"the clock differs from the API's by {age(skew)}", hint)
    elif server_time is not None:
        yield Check("clock", State.OK, "the clock agrees with the API's")


def _print(checks: list[Check]) -> None:
    terminal = terminal_of(sys.stdout)
    states, names = (
        max(len(text) for text in texts) for texts in ([one.state for one in checks], [one.name for one in checks])
    )
    for one in checks:
        state = f"{one.state:{states}}"
        state = click.style(state, fg=_COLOURS[one.state]) if terminal is not None and terminal.is_coloured else state
        click.echo(f"{state}  {one.name:{names}}  {one.text}")
        if one.hint:
            click.echo(f"{'':{states}}  {'':{names}}  {one.hint}")
