"""Proving a file: every stored digest against its rows, the dictionaries, the coverage, and sums across series."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from archiver.model import DAY, BucketWidth, Report, Series, to_text
from archiver.reports.cost import to_microcents
from archiver.store.diff import facts_digest
from archiver.store.keys import key_text
from archiver.store.read.reader import open_reader
from archiver.store.statements import FOREVER, sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        check: `integrity`, `digest`, `dictionary`, `coverage`, `sums` or `online`.
        message: What is wrong.
        series_id: Of which series, where one is to blame.
        report: Of which report.
        start: The first bucket concerned; None when it is none in particular.
        end: Where the last one ends.
        key_id: The dictionary's entry, where that is damaged.
        heal: The options of the `sync` that reads the series again, but for the range.
    """

    check: str
    message: str
    series_id: int | None = None
    report: Report | None = None
    start: int | None = None
    end: int | None = None
    key_id: int | None = None
    heal: str = ""

    @property
    def is_damage(self) -> bool:
        """Whether the file is to blame; sums that differ, and what the API says otherwise now, are the API's doing."""
        return self.check not in {"sums", "online"}


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    report: Report
    width: int
    name: str
    heal: str


def inspect(path: Path, now: int = FOREVER) -> list[Finding]:
    """Prove an archive; nothing found means that it says what it was told. `now` shows what lies in the future.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: It cannot be read at all.
    """
    with open_reader(path) as connection:
        connection.execute("BEGIN")
        return list(_findings(connection, now))


def _findings(connection: sqlite3.Connection, now: int) -> Iterator[Finding]:
    for (message,) in connection.execute("PRAGMA integrity_check"):
        if message != "ok":
            yield Finding("integrity", message)
    series = [_known(*row) for row in connection.execute(sql("verify_series"))]
    known = {one.id: one for one in series}
    for series_id, start, end in connection.execute(sql("verify_overlaps")).fetchall():
        if series_id in known:
            one = known[series_id]
            message = f"{one.name}, {_when(start)}: the coverage overlaps itself"
            yield Finding("coverage", message, one.id, one.report, start, end, None, one.heal)
    yield from _check_future(connection, known, now)
    for report in Report:
        yield from _check_dictionary(connection, report, known)
    for one in series:
        yield from _check_digests(connection, one)
        yield from _check_days(connection, one)
    for report in Report:
        yield from _check_sums(connection, report, known)


def _check_future(connection: sqlite3.Connection, known: dict[int, _Known], now: int) -> Iterator[Finding]:
    """Find coverage that nobody can have read. It names no series: a sync takes it back by itself."""
    for series_id, width, start, _, _, fetched_at in connection.execute(sql("spans_ahead"), {"now": now}).fetchall():
        if series_id in known:
            one = known[series_id]
            read = min(now, fetched_at if fetched_at is not None else now)
            first = max(start, read - read % width)
            message = f"{one.name}, {_when(first)}: the coverage lies ahead of when it was read"
            yield Finding("coverage", message, None, one.report, first, first + width, None, one.heal)


def _known(identity: int, report: str, bucket_width: str, group_by: str, filters: str) -> _Known:
    series = Series(Report(report), BucketWidth(bucket_width), tuple(filter(None, group_by.split(","))))
    name = f"{series} where {filters}" if filters else str(series)
    heal = heal_options(report, bucket_width, group_by, filters)
    return _Known(identity, series.report, series.bucket_width.seconds, name, heal)


def heal_options(report: str, bucket_width: str, group_by: str, filters: str) -> str:
    """Spell the options of the `sync` that reads a series again, but for the range."""
    options = ["--report", report, "--bucket-width", bucket_width, "--group-by", group_by or "none"]
    for dimension, value in parse_qsl(filters, keep_blank_values=True):
        options += [f"--{dimension.replace('_', '-')}", value]
    return shlex.join(options)


def _check_dictionary(connection: sqlite3.Connection, report: Report, series: dict[int, _Known]) -> Iterator[Finding]:
    for identity, key, *values in connection.execute(sql(f"{report}.verify_keys")).fetchall():
        own = key_text(tuple(values))
        # A key that tells rows apart by their `extra` has one value more.
        if key in {own, f"damaged {identity}"} or key.startswith(f"{own[:-1]},"):
            continue
        for series_id, start in connection.execute(sql(f"{report}.buckets_of_key"), {"id": identity}).fetchall():
            if series_id in series:
                what = f"the dimensions of its rows are not what they were (entry {identity} of the dictionary)"
                yield _of_bucket(series[series_id], start, "dictionary", what, identity)


def _check_digests(connection: sqlite3.Connection, series: _Known) -> Iterator[Finding]:
    digests = dict(connection.execute(sql("verify_buckets"), (series.id,)))
    facts = connection.execute(sql(f"{series.report}.verify_facts"), (series.id,))
    for start, rows in groupby(facts, key=lambda row: row[0]):
        stored = {key: tuple(values) for _, key, *values in rows}
        digest = digests.pop(start, None)
        if digest is None:
            yield _of_bucket(series, start, "digest", "there are rows and no digest of them")
        elif digest != facts_digest(stored):
            yield _of_bucket(series, start, "digest", "the rows are not those that were archived")
        elif series.report is Report.COST and not all(_is_exact(*values[:2]) for values in stored.values()):
            yield _of_bucket(series, start, "digest", "an amount and its microcents do not agree")
    for start, digest in digests.items():
        if digest != facts_digest({}):
            yield _of_bucket(series, start, "digest", "the rows are gone")


def _check_days(connection: sqlite3.Connection, series: _Known) -> Iterator[Finding]:
    for (start,) in connection.execute(sql("verify_uncovered"), {"series_id": series.id}).fetchall():
        yield _of_bucket(series, start, "coverage", "rows stand where nothing is covered")
    if series.report is Report.USAGE:
        for (start,) in connection.execute(sql("verify_days"), {"series_id": series.id}).fetchall():
            yield _of_bucket(series, start, "digest", "the kept sums of the day are not those of its rows")


def _when(seconds: int) -> str:
    """Spell a time that damage may have made absurd."""
    try:
        return to_text(seconds)
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _is_exact(amount: Any, microcents: Any) -> bool:
    try:
        return bool(to_microcents(amount) == microcents)
    except (ValueError, TypeError):
        return False


def _check_sums(connection: sqlite3.Connection, report: Report, series: dict[int, _Known]) -> Iterator[Finding]:
    for day, one, other in connection.execute(sql(f"{report}.verify_sums")).fetchall():
        names = f"{series[one].name} and {series[other].name}" if one in series and other in series else "two series"
        message = f"the sums of {_when(day)[:10]} differ between {names}"
        yield Finding("sums", message, one, report, day, day + DAY)


def _of_bucket(series: _Known, start: int, check: str, what: str, key_id: int | None = None) -> Finding:
    message = f"{series.name}, {_when(start)}: {what}"
    return Finding(check, message, series.id, series.report, start, start + series.width, key_id, series.heal)
