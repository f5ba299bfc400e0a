"""`archiver verify`."""

from __future__ import annotations

import json
import shlex
import sqlite3
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import DEFAULT_API_URL, config_option, connect_options, db_option, option
from archiver.cli.profiles import run_children
from archiver.errors import PARTIAL_EXIT, ArchiverError, DamagedError
from archiver.model import DAY, to_text
from archiver.offline.reports.known_days import count
from archiver.offline.tables.write import show
from archiver.store.read.verify import Finding, verify_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_SHOWN = 20
_END_OF_TIME = 253_402_300_800  # the year 10000
_DEFAULT_SAMPLE = 5


def repair_commands(findings: Sequence[Finding], db: Path, api_url: str = DEFAULT_API_URL) -> list[str]:
    """Return the `sync` commands that fetch damaged days again, one a series.

    A command covers all days from the first to the last damaged day of its series.
    """
    file = shlex.quote(str(db)) + ("" if api_url == DEFAULT_API_URL else f" --api-url {shlex.quote(api_url)}")
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for finding in findings:
        # Sums that differ between series are no damage: it is not known which of the series is wrong.
        if finding.repair and finding.check != "sums" and is_sensible(finding.start) and is_sensible(finding.end):
            assert finding.start is not None
            assert finding.end is not None
            ranges[finding.repair].append((finding.start, finding.end))
    return [
        f"archiver sync --db {file} {options} --since {_day(min(start for start, _ in found))}"
        f" --until {_day(max(end for _, end in found) + DAY - 1)}"
        for options, found in ranges.items()
    ]


def is_sensible(seconds: int | None) -> bool:
    """Return whether a time is plausible, as damage can make any number."""
    return seconds is not None and 0 <= seconds < _END_OF_TIME


def _day(seconds: int) -> str:
    return to_text(seconds)[:10]


def _mark(db: Path, damage: Sequence[Finding]) -> None:
    """Mark damaged buckets as failed, so that status shows them and any sync over them reads them again."""
    import anyio  # noqa: PLC0415  # only where there is damage

    from archiver.store.archive import held_archive, open_archive  # noqa: PLC0415  # the same

    now = int(time.time())

    async def mark() -> None:
        async with open_archive(db) as archive:
            await archive.mark_damaged(damage, now)

    with held_archive(db, now=now):
        anyio.run(mark)


@click.command(
    cls=Command,
    several=run_children,
    examples=[
        "archiver verify  # the file alone, offline",
        "archiver verify --online 20  # and 20 settled windows against the API",
    ],
)
@option(
    "--online",
    is_flag=False,
    flag_value=_DEFAULT_SAMPLE,
    type=click.IntRange(1, 10_000),
    metavar="[N]",
    help=f"Compare N settled windows with the API ({_DEFAULT_SAMPLE} without a number).",
)
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@connect_options
@db_option
@config_option
def verify(*, online: int | None, as_json: bool, db: Path, **connection: Any) -> int:
    """Verify the archive file: digests, dictionaries, coverage and sums.

    Digests are compared with rows, and sums across groupings and bucket widths. Damaged buckets are marked as failed,
    and the sync that repairs them is printed. With --online a random sample of settled windows is compared with what
    the API returns now. Exit code 8: there is damage; 3: only sums differ, or the API's content.
    """
    findings = verify_archive(db)
    compared, api_error = 0, None
    if online is not None:
        try:
            compared, newer = _compare_online(db, online, connection)
            findings += newer
        except ArchiverError as error:
            if not any(finding.is_damage for finding in findings):
                raise
            api_error = error  # the damage is still shown and marked
    damage = [finding for finding in findings if finding.is_damage]
    repair = repair_commands(findings, db, connection["api_url"])
    if damage and not _marked(db, damage):
        repair = []
    if as_json:
        click.echo(json.dumps(_to_json(findings, repair) | ({} if online is None else {"online": compared}), indent=2))
    else:
        _print(findings, repair)
        if online is not None and api_error is None:
            click.echo(f"compared {count(compared, 'settled window')} with the API")
    if api_error is not None:
        click.echo(f"warning: no window was compared with the API: {api_error.message}", err=True)
    if damage:
        return DamagedError.exit_code
    return PARTIAL_EXIT if findings else 0


def _marked(db: Path, damage: Sequence[Finding]) -> bool:
    """Mark damage and return True, or warn that the file is too damaged for it."""
    try:
        _mark(db, damage)
    except (ArchiverError, sqlite3.Error, ValueError) as error:
        message = error.message if isinstance(error, ArchiverError) else type(error).__name__
        click.echo(f"warning: the damage could not be marked, verify again later: {message}", err=True)
        return False
    return True


def _compare_online(db: Path, number: int, options: dict[str, Any]) -> tuple[int, list[Finding]]:
    from archiver.api.rate_limit import Rate  # noqa: PLC0415  # only where requests are sent
    from archiver.api.url import check_api_url  # noqa: PLC0415  # the same
    from archiver.cli.credentials import find_key  # noqa: PLC0415  # the same
    from archiver.cli.run import run_spot_check  # noqa: PLC0415  # the same
    from archiver.cli.settings import Connect  # noqa: PLC0415  # the same

    key = find_key(options["admin_key_file"], options["admin_key_command"])
    connect = Connect(check_api_url(options["api_url"]), key, Rate.parse(options["rate"]), concurrency=1)
    return run_spot_check(db, connect, number)


def _to_json(findings: Sequence[Finding], repair: Sequence[str]) -> dict[str, Any]:
    return {
        "ok": not findings,
        "findings": [
            {
                "check": one.check,
                "message": one.message,
                "report": one.report,
                "start": to_text(one.start) if one.start is not None and is_sensible(one.start) else None,
                "end": to_text(one.end) if one.end is not None and is_sensible(one.end) else None,
            }
            for one in findings
        ],
        "repair": list(repair),
    }


def _print(findings: Sequence[Finding], repair: Sequence[str]) -> None:
    if not findings:
        click.echo("OK: digests, dictionaries, coverage and totals match")
        return
    for finding in findings[:_MOST_SHOWN]:
        click.echo(f"{finding.check}: {show(finding.message, None)}")
    if len(findings) > _MOST_SHOWN:
        click.echo(f"and {len(findings) - _MOST_SHOWN:,} more")
    for command in repair:
        click.echo(f"to repair, run: {command}")
