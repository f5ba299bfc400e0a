"""`archiver verify`."""

from __future__ import annotations

import json
import shlex
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.options import DEFAULT_API_URL, config_option, connect_options, db_option, option
from archiver.errors import PARTIAL_EXIT, ArchiverError, DamagedError
from archiver.model import DAY, to_text
from archiver.offline.tables.write import show
from archiver.store.read.verify import Finding, inspect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_SHOWN = 20
_END_OF_TIME = 253_402_300_800  # the year 10000


def heal_commands(findings: Sequence[Finding], db: Path, api_url: str = DEFAULT_API_URL) -> list[str]:
    """Name the syncs that read again what is damaged, one a series, over all of its damaged days."""
    file = shlex.quote(str(db)) + ("" if api_url == DEFAULT_API_URL else f" --api-url {shlex.quote(api_url)}")
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for finding in findings:
        if finding.heal and finding.check != "sums" and is_sensible(finding.start) and is_sensible(finding.end):
            assert finding.start is not None
            assert finding.end is not None
            ranges[finding.heal].append((finding.start, finding.end))
    return [
        f"archiver sync --db {file} {options} --since {_day(min(start for start, _ in found))}"
        f" --until {_day(max(end for _, end in found) + DAY - 1)}"
        for options, found in ranges.items()
    ]


def is_sensible(seconds: int | None) -> bool:
    """Tell a time that an archive can hold from one that damage made."""
    return seconds is not None and 0 <= seconds < _END_OF_TIME


def _day(seconds: int) -> str:
    return to_text(seconds)[:10]


def _mark(db: Path, damage: Sequence[Finding]) -> None:
    """Mark damaged buckets as failed, so that status shows them and any sync over them heals."""
    import anyio  # noqa: PLC0415  # only where there is damage

    from archiver.store.archive import held_archive, open_archive  # noqa: PLC0415  # the same

    now = int(time.time())

    async def mark_damaged() -> None:
        async with open_archive(db) as archive:
            await archive.mark_damaged(damage, now)

    with held_archive(db, now=now):
        anyio.run(mark_damaged)


@click.command
@option("--online", type=click.IntRange(1, 10_000), metavar="N", help="Ask the API again about N settled windows.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@connect_options
@db_option
@config_option
def verify(*, online: int | None, as_json: bool, db: Path, **connection: Any) -> int:
    """Prove the file: stored digests against rows, dictionaries, coverage, sums across groupings and widths.

    Damaged buckets are marked as failed, and the sync that heals them is named. With --online a random sample of what
    is settled is compared with what the API says now. Exit code 8 says that there is damage, 3 that only sums differ,
    or what the API says.
    """
    findings = inspect(db)
    asked, unasked = 0, None
    if online is not None:
        try:
            asked, otherwise = _ask_again(db, online, connection)
            findings += otherwise
        except ArchiverError as error:
            if not any(finding.is_damage for finding in findings):
                raise
            unasked = error  # what is damaged is told and marked all the same
    damage = [finding for finding in findings if finding.is_damage]
    heal = heal_commands(findings, db, connection["api_url"])
    if damage:
        try:
            _mark(db, damage)
        except ArchiverError as error:
            click.echo(f"warning: the damage could not be marked, verify again later: {error.message}", err=True)
            heal = []
    if as_json:
        click.echo(json.dumps(_to_json(findings, heal) | ({} if online is None else {"online": asked}), indent=2))
    else:
        _say(findings, heal)
        if online is not None and unasked is None:
            click.echo(f"asked the API again about {asked:,} settled windows")
    if unasked is not None:
        click.echo(f"warning: the API could not be asked again: {unasked.message}", err=True)
    if damage:
        return DamagedError.exit_code
    return PARTIAL_EXIT if findings else 0


def _ask_again(db: Path, count: int, options: dict[str, Any]) -> tuple[int, list[Finding]]:
    from archiver.api.rate_limit import Rate  # noqa: PLC0415  # the same
    from archiver.api.url import check_api_url  # noqa: PLC0415  # only where the API is asked
    from archiver.cli.credentials import find_key  # noqa: PLC0415  # the same
    from archiver.cli.run import ask_again  # noqa: PLC0415  # the same
    from archiver.cli.settings import Connect  # noqa: PLC0415  # the same

    key = find_key(options["admin_key_file"], options["admin_key_command"])
    connect = Connect(check_api_url(options["api_url"]), key, Rate.parse(options["rate"]), concurrency=1)
    return ask_again(db, connect, count)


def _to_json(findings: Sequence[Finding], heal: Sequence[str]) -> dict[str, Any]:
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
        "heal": list(heal),
    }


def _say(findings: Sequence[Finding], heal: Sequence[str]) -> None:
    if not findings:
        click.echo("everything is as it was archived: digests, dictionaries, coverage and sums agree")
        return
    for finding in findings[:_MOST_SHOWN]:
        click.echo(f"{finding.check}: {show(finding.message, None)}")
    if len(findings) > _MOST_SHOWN:
        click.echo(f"and {len(findings) - _MOST_SHOWN:,} more")
    for command in heal:
        click.echo(f"heal it with: {command}")
