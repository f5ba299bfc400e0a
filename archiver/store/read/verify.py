"""Verify the content of an archive, without the API.

The checks compare digests with rows, keys with dimension values, coverage with buckets, stored daily sums with rows,
and the sums of several series of one report with each other.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from archiver.errors import StorageError
from archiver.model import DAY, WORST_CLOCK_SKEW, BucketWidth, Report, Series, to_text
from archiver.reports import SPECS
from archiver.reports.cost import split_amount
from archiver.store.diff import facts_digest
from archiver.store.faults import translate
from archiver.store.keys import key_text
from archiver.store.read.reader import open_reader
from archiver.store.statements import FOREVER, sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

# The errors that damaged content can raise: those of SQLite, and those of values of a wrong type, range or form.
_DAMAGE = (sqlite3.Error, ValueError, TypeError, OverflowError, KeyError)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that a check found.

    Attributes:
        check: `integrity`, `digest`, `dictionary`, `coverage`, `sums` or `online`.
        message: The series, the time and the difference, for the user.
        series_id: The series in which `Archive.mark_damaged` marks the range as failed. None where it has to mark
            nothing: no single series is known to be wrong, or a sync removes the fault by itself.
        report: The report of the series.
        start: The start of the first bucket concerned, in UTC seconds; None if the finding concerns no range.
        end: The end of the last bucket concerned.
        key_id: The damaged entry of the dictionary; None for all other findings.
        repair: The options of the `sync` that requests the series again, without `--since` and `--until`.
    """

    check: str
    message: str
    series_id: int | None = None
    report: Report | None = None
    start: int | None = None
    end: int | None = None
    key_id: int | None = None
    repair: str = ""

    @property
    def is_damage(self) -> bool:
        """Whether the file is damaged.

        Sums that differ and newer content of the API are no damage.
        """
        return self.check not in {"sums", "online"}


@dataclass(frozen=True, slots=True)
class _StoredSeries:
    id: int
    report: Report
    width: int
    name: str
    repair: str

    def finding(self, start: int, check: str, fault: str, key_id: int | None = None) -> Finding:
        """Return a finding about one bucket."""
        message = f"{self.name}, {_when(start)}: {fault}"
        return Finding(check, message, self.id, self.report, start, start + self.width, key_id, self.repair)


def verify_archive(path: Path, now: int = FOREVER) -> list[Finding]:
    """Return all findings about an archive; an empty list if it is sound.

    Coverage that was read after `now` (UTC seconds) is a finding.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: The file cannot be opened or read.
    """
    with open_reader(path) as connection:
        connection.execute("BEGIN")  # all checks see one snapshot, also while a sync writes
        return list(_findings(connection, path, now))


def _findings(connection: sqlite3.Connection, path: Path, now: int) -> Iterator[Finding]:
    # The check of the list of series fills `series`, and all later checks use it: the order matters. They skip a series
    # that is not in it, because its report or width cannot be read.
    series: dict[int, _StoredSeries] = {}
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("the integrity of the file", lambda: _check_integrity(connection)),
        ("the list of series", lambda: _read_series(connection, series)),
        ("coverage", lambda: _check_coverage(connection, series, now)),
        *((f"the dictionary of {one}", lambda one=one: _check_dictionary(connection, one, series)) for one in Report),
        ("digests", lambda: (found for one in series.values() for found in _check_digests(connection, one))),
        ("days", lambda: (found for one in series.values() for found in _check_days(connection, one))),
        *((f"the sums of {one}", lambda one=one: _check_sums(connection, one, series)) for one in Report),
    ]
    for subject, check in checks:
        yield from _run_check(path, subject, check)


def _run_check(path: Path, subject: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check.

    An error that damaged content causes is one more finding, so that the other checks still run.

    Raises:
        StorageError: The disk does not let the file be read.
    """
    try:
        yield from check()
    except _DAMAGE as error:
        ours = translate(error, path) if isinstance(error, sqlite3.Error) else None
        if isinstance(ours, StorageError):
            raise ours from error
        yield Finding("integrity", f"{subject} cannot be checked: {type(error).__name__}: {error}")


def _check_integrity(connection: sqlite3.Connection) -> Iterator[Finding]:
    for (message,) in connection.execute("PRAGMA integrity_check"):
        if message != "ok":
            yield Finding("integrity", message)


def _read_series(connection: sqlite3.Connection, series: dict[int, _StoredSeries]) -> Iterator[Finding]:
    """Add all series to `series` by their ids, and yield a finding for each that cannot be read."""
    for row in connection.execute(sql("verify_series")).fetchall():
        try:
            series[row[0]] = _stored_series(*row)
        except ValueError as error:
            yield Finding("dictionary", f"series {row[0]} is not one that can be archived: {error}")


def _stored_series(identity: int, report: str, bucket_width: str, group_by: str, filters: str) -> _StoredSeries:
    series = Series(Report(report), BucketWidth(bucket_width), tuple(filter(None, group_by.split(","))))
    name = f"{series} where {filters}" if filters else str(series)
    repair = repair_options(report, bucket_width, group_by, filters)
    return _StoredSeries(identity, series.report, series.bucket_width.seconds, name, repair)


def repair_options(report: str, bucket_width: str, group_by: str, filters: str) -> str:
    """Return the options of the `sync` that requests a series again.

    `--since` and `--until` are not among them.
    """
    options = ["--report", report, "--bucket-width", bucket_width, "--group-by", group_by or "none"]
    for dimension, value in parse_qsl(filters, keep_blank_values=True):
        options += [f"--{dimension.replace('_', '-')}", value]
    return shlex.join(options)


def _check_coverage(connection: sqlite3.Connection, series: dict[int, _StoredSeries], now: int) -> Iterator[Finding]:
    for series_id, start, end in connection.execute(sql("verify_overlaps")).fetchall():
        if series_id in series:
            one = series[series_id]
            message = f"{one.name}, {_when(start)}: the coverage overlaps itself"
            yield Finding("coverage", message, one.id, one.report, start, end, None, one.repair)
    # Findings about coverage of the future have no `series_id`, so they are not marked: each sync begins with
    # `Archive.drop_future_coverage`, which removes that coverage.
    values = {"now": now, "skew": WORST_CLOCK_SKEW}
    rows = connection.execute(sql("select_future_spans"), values).fetchall()
    for series_id, width, start, _, _, fetched_at, *_ in rows:
        if series_id in series:
            one = series[series_id]
            # Only the part from the bucket in progress at the time of reading is wrong.
            read_at = min(now, fetched_at if fetched_at is not None else now)
            first = max(start, read_at - read_at % width)
            message = f"{one.name}, {_when(first)}: the coverage reaches beyond the time of its reading"
            yield Finding("coverage", message, None, one.report, first, first + width, None, one.repair)


def _check_dictionary(
    connection: sqlite3.Connection, report: Report, series: dict[int, _StoredSeries]
) -> Iterator[Finding]:
    for identity, key, *values in connection.execute(sql(f"{report}.verify_keys")).fetchall():
        own = key_text(tuple(values))
        # Three keys are right. Usually it is the JSON array of the values. A key that distinguishes rows by their
        # `extra` has that as one more value. `damaged ID` was set when this damage was marked by an earlier `verify`.
        if key in {own, f"damaged {identity}"} or key.startswith(f"{own[:-1]},"):
            continue
        for series_id, start in connection.execute(sql(f"{report}.buckets_of_key"), {"id": identity}).fetchall():
            if series_id in series:
                fault = f"the dimensions of its rows were changed (entry {identity} of the dictionary)"
                yield series[series_id].finding(start, "dictionary", fault, identity)


def _check_digests(connection: sqlite3.Connection, series: _StoredSeries) -> Iterator[Finding]:
    digests = dict(connection.execute(sql("verify_buckets"), (series.id,)))
    facts = connection.execute(sql(f"{series.report}.verify_facts"), (series.id,))
    for start, rows in groupby(facts, key=lambda row: row[0]):
        stored = {key: tuple(values) for _, key, *values in rows}
        digest = digests.pop(start, None)
        if digest is None:
            yield series.finding(start, "digest", "contains rows without a digest")
        elif digest != facts_digest(stored):
            yield series.finding(start, "digest", "the rows are not those that were archived")
        elif SPECS[series.report].is_money and not all(_is_exact(*values[:3]) for values in stored.values()):
            yield series.finding(start, "digest", "an amount and its microcents do not agree")
    # The digests that are left belong to buckets without rows. That is right for a bucket that lost its last row by a
    # response: its digest is that of no rows.
    for start, digest in digests.items():
        if digest != facts_digest({}):
            yield series.finding(start, "digest", "the rows are gone")


def _check_days(connection: sqlite3.Connection, series: _StoredSeries) -> Iterator[Finding]:
    where = {"series_id": series.id}
    for (start,) in connection.execute(sql("verify_uncovered"), where).fetchall():
        yield series.finding(start, "coverage", "contains rows where nothing is covered")
    for (start,) in connection.execute(sql("verify_series_days"), where).fetchall():
        yield series.finding(start, "coverage", "the daily views use a day that is not covered")
    if series.report is Report.USAGE:
        for (start,) in connection.execute(sql("verify_days"), where).fetchall():
            yield series.finding(start, "digest", "the stored sums of the day are not those of its rows")


def _when(seconds: int) -> str:
    """Return a time as text, also a time out of range, which damage can cause."""
    try:
        return to_text(seconds)
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _is_exact(amount: Any, microcents: Any, remainder: Any) -> bool:
    try:
        return split_amount(amount) == (microcents, remainder)
    except (ValueError, TypeError):
        return False


def _check_sums(connection: sqlite3.Connection, report: Report, series: dict[int, _StoredSeries]) -> Iterator[Finding]:
    """Compare the sums of settled days across series.

    All groupings and widths of a report have the same sum for a day. Without use, that is zero.
    """
    days: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for day, series_id, *sums in connection.execute(sql(f"{report}.verify_sums")):
        if series_id in series:
            days[day][series_id] = tuple(sums)
    for day, sums_of in sorted(days.items()):
        counts = Counter(sums_of.values())
        if len(counts) > 1:
            usual, number = counts.most_common(1)[0]
            odd = [one for one, sums in sums_of.items() if sums != usual]
            # If no two series agree, all of them are named. Even the fewer of two groups need not be the wrong ones,
            # and two groups can be equally large: the finding has no `series_id`.
            names = [series[one].name for one in (odd if number > 1 else sums_of)]
            which = f"{', '.join(names)} against {number} others" if number > 1 else f"between {' and '.join(names)}"
            message = f"the sums of {_when(day)[:10]} differ: {which}"
            yield Finding("sums", message, None, report, day, day + DAY)
