"""Verify the content of an archive, without the API.

The checks compare digests with rows, keys with dimension values, coverage with buckets, stored daily sums with rows,
and the sums of several series of one report with each other.

The dictionary of a report is the table of its sets of dimension values. An entry has an id that rows refer to, a unique
key, which is the JSON text of the values, and the values themselves in columns.
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

# The errors that damaged content can raise: errors of SQLite, and errors of Python for a value of the wrong type, range
# or form.
_DAMAGE = (sqlite3.Error, ValueError, TypeError, OverflowError, KeyError)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that a check found.

    Attributes:
        check: `integrity`, `digest`, `dictionary`, `coverage`, `sums` or `online`.
        message: The series, the time and the difference, for the user.
        series_id: The series in which `Archive.mark_damaged` marks the range as failed. None if there is nothing to
            mark: the finding has no range, the wrong series cannot be determined, or every sync removes the fault.
        report: The report concerned; None if the finding concerns the whole file.
        start: The start of the first bucket concerned, in UTC seconds; None if the finding has no range.
        end: The end of the last bucket concerned (exclusive), or None likewise.
        key_id: The id of the damaged dictionary entry; None for all other findings.
        repair: The options of the `sync` that requests the series again, without `--since` and `--until`; may be empty.
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
        """Whether the finding means that the file is damaged.

        Sums that differ between series, and content that has changed in the API since, are not damage.
        """
        return self.check not in {"sums", "online"}


@dataclass(frozen=True, slots=True)
class _StoredSeries:
    """A series of the archive, with what its findings need.

    Attributes:
        width: The bucket width in seconds.
        name: The series for messages, with its filters.
        repair: As in `Finding`.
    """

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

    A reading after `now` (UTC seconds) is a finding too; by default, no time is after `now`.

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: The file cannot be opened or read.
    """
    with open_reader(path) as connection:
        connection.execute("BEGIN")  # all checks see one snapshot, also while a sync writes
        return list(_findings(connection, path, now))


def _findings(connection: sqlite3.Connection, path: Path, now: int) -> Iterator[Finding]:
    """Run all checks, and yield their findings."""
    # The order matters: the second check fills `series`, which all later checks use. A series with an unknown report or
    # bucket width is not in `series`, so that later checks skip it.
    series: dict[int, _StoredSeries] = {}
    # Each check is a function, so that it starts only when `_run_check` calls it. A default argument (`report=report`)
    # keeps the value of its own iteration; otherwise all checks of a loop would use the last value.
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("the integrity of the file", lambda: _check_integrity(connection)),
        ("the list of series", lambda: _read_series(connection, series)),
        ("coverage", lambda: _check_coverage(connection, series, now)),
        *(
            (f"the dictionary of {report}", lambda report=report: _check_dictionary(connection, report, series))
            for report in Report
        ),
        ("digests", lambda: (found for stored in series.values() for found in _check_digests(connection, stored))),
        ("days", lambda: (found for stored in series.values() for found in _check_days(connection, stored))),
        *(
            (f"the sums of {report}", lambda report=report: _check_sums(connection, report, series))
            for report in Report
        ),
    ]
    for subject, check in checks:
        yield from _run_check(path, subject, check)


def _run_check(path: Path, subject: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield the findings of one check.

    An error that damaged content causes ends the check and becomes a finding, so that the other checks still run.
    `subject` names in that finding what was checked.

    Raises:
        StorageError: The file cannot be read from the disk.
    """
    try:
        yield from check()
    except _DAMAGE as error:
        # SQLite also raises errors for a faulty disk, which are not damage of the content.
        translated = translate(error, path) if isinstance(error, sqlite3.Error) else None
        if isinstance(translated, StorageError):
            raise translated from error
        yield Finding("integrity", f"{subject} cannot be checked: {type(error).__name__}: {error}")


def _check_integrity(connection: sqlite3.Connection) -> Iterator[Finding]:
    for (message,) in connection.execute("PRAGMA integrity_check"):
        if message != "ok":
            yield Finding("integrity", message)


def _read_series(connection: sqlite3.Connection, series: dict[int, _StoredSeries]) -> Iterator[Finding]:
    """Add each series to `series` by its id, or yield a finding about it."""
    for series_id, *columns in connection.execute(sql("verify_series")).fetchall():
        try:
            series[series_id] = _stored_series(series_id, *columns)
        except ValueError as error:
            yield Finding("dictionary", f"series {series_id} has an unknown report or bucket width: {error}")


def _stored_series(series_id: int, report: str, bucket_width: str, group_by: str, filters: str) -> _StoredSeries:
    """Return a series from its row in the archive.

    Raises:
        ValueError: The report or the bucket width is unknown.
    """
    series = Series(Report(report), BucketWidth(bucket_width), tuple(filter(None, group_by.split(","))))
    name = f"{series} where {filters}" if filters else str(series)
    repair = repair_options(report, bucket_width, group_by, filters)
    return _StoredSeries(series_id, series.report, series.bucket_width.seconds, name, repair)


def repair_options(report: str, bucket_width: str, group_by: str, filters: str) -> str:
    """Return the options of the `sync` that requests a series again.

    The options are quoted for a shell, and do not contain `--since` and `--until`.
    """
    options = ["--report", report, "--bucket-width", bucket_width, "--group-by", group_by or "none"]
    for dimension, value in parse_qsl(filters, keep_blank_values=True):
        options += [f"--{dimension.replace('_', '-')}", value]
    return shlex.join(options)


def _check_coverage(connection: sqlite3.Connection, series: dict[int, _StoredSeries], now: int) -> Iterator[Finding]:
    """Find coverage that overlaps, and coverage of time after it was read."""
    for series_id, start, end in connection.execute(sql("verify_overlaps")).fetchall():
        if series_id in series:
            stored = series[series_id]
            message = f"{stored.name}, {_when(start)}: the coverage overlaps itself"
            yield Finding("coverage", message, stored.id, stored.report, start, end, None, stored.repair)
    # These findings have no `series_id`, so that they are not marked as failed: each sync first removes coverage of the
    # future with `Archive.drop_future_coverage`.
    values = {"now": now, "skew": WORST_CLOCK_SKEW}
    rows = connection.execute(sql("select_future_spans"), values).fetchall()
    for series_id, width, start, _, _, fetched_at, *_ in rows:
        if series_id in series:
            stored = series[series_id]
            # Buckets that had ended at the time of reading are not wrong: the finding begins after them.
            read_at = min(now, fetched_at if fetched_at is not None else now)
            first = max(start, read_at - read_at % width)
            message = f"{stored.name}, {_when(first)}: the coverage extends beyond the time when it was read"
            yield Finding("coverage", message, None, stored.report, first, first + width, None, stored.repair)


def _check_dictionary(
    connection: sqlite3.Connection, report: Report, series: dict[int, _StoredSeries]
) -> Iterator[Finding]:
    """Compare the key of each dictionary entry with its dimension values."""
    for key_id, key, *values in connection.execute(sql(f"{report}.verify_keys")).fetchall():
        expected = key_text(tuple(values))
        # Three keys are valid: the JSON array of the values; that array with one more value, the `extra` of a row, to
        # distinguish rows with equal values; and `damaged ID`, which an earlier `verify` set when it marked the damage.
        # The slice cuts off the closing bracket of the array.
        if key in {expected, f"damaged {key_id}"} or key.startswith(f"{expected[:-1]},"):
            continue
        for series_id, start in connection.execute(sql(f"{report}.buckets_of_key"), {"id": key_id}).fetchall():
            if series_id in series:
                fault = f"the dimension values of its rows were changed (dictionary entry {key_id})"
                yield series[series_id].finding(start, "dictionary", fault, key_id)


def _check_digests(connection: sqlite3.Connection, series: _StoredSeries) -> Iterator[Finding]:
    """Compare digests with rows, and amounts with their microcents."""
    digests = dict(connection.execute(sql("verify_buckets"), (series.id,)))
    facts = connection.execute(sql(f"{series.report}.verify_facts"), (series.id,))
    # The query orders rows by the start of their bucket, which is their first column.
    for start, rows in groupby(facts, key=lambda row: row[0]):
        stored = {key_id: tuple(values) for _, key_id, *values in rows}
        digest = digests.pop(start, None)
        if digest is None:
            yield series.finding(start, "digest", "contains rows without a digest")
        elif digest != facts_digest(stored):
            yield series.finding(start, "digest", "the rows do not match their digest")
        # The first three measures of money are the amount, its microcents and the remainder.
        elif SPECS[series.report].is_money and not all(_is_exact(*values[:3]) for values in stored.values()):
            yield series.finding(start, "digest", "an amount and its microcents do not agree")
    # The digests that are left belong to buckets without rows. They are valid if a response removed the last row of the
    # bucket: the digest is then that of an empty bucket.
    for start, digest in digests.items():
        if digest != facts_digest({}):
            yield series.finding(start, "digest", "the rows are missing")


def _check_days(connection: sqlite3.Connection, series: _StoredSeries) -> Iterator[Finding]:
    """Check the coverage of buckets and days, and stored daily sums."""
    parameters = {"series_id": series.id}
    for (start,) in connection.execute(sql("verify_uncovered"), parameters).fetchall():
        yield series.finding(start, "coverage", "contains a digest without coverage")
    for (start,) in connection.execute(sql("verify_series_days"), parameters).fetchall():
        yield series.finding(start, "coverage", "the daily views use a day that is not fully covered")
    if series.report is Report.USAGE:  # no other report has stored daily sums
        for (start,) in connection.execute(sql("verify_days"), parameters).fetchall():
            yield series.finding(start, "digest", "the stored sums of the day differ from the sums of its rows")


def _when(seconds: int) -> str:
    """Return a time as text.

    Damage can cause a time that is out of range, which is returned as its number of seconds.
    """
    try:
        return to_text(seconds)
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _is_exact(amount: Any, microcents: Any, remainder: Any) -> bool:
    """Return whether an amount equals its microcents and its remainder."""
    try:
        return split_amount(amount) == (microcents, remainder)
    except (ValueError, TypeError):
        return False


def _check_sums(connection: sqlite3.Connection, report: Report, series: dict[int, _StoredSeries]) -> Iterator[Finding]:
    """Compare the sums of settled days across series.

    Series of a report have the same sums for a day, whatever their grouping and bucket width. The query leaves out
    series that do not add up to the whole report. The sums of a day without usage are zero.
    """
    days: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for day, series_id, *sums in connection.execute(sql(f"{report}.verify_sums")):
        if series_id in series:
            days[day][series_id] = tuple(sums)
    for day, sums_by_series in sorted(days.items()):
        counts = Counter(sums_by_series.values())  # sums → the number of series that have them
        if len(counts) > 1:
            usual_sums, agreeing = counts.most_common(1)[0]
            deviating = [series_id for series_id, sums in sums_by_series.items() if sums != usual_sums]
            # If no two series agree, the message names all of them. The finding has no `series_id`, because the
            # deviating series need not be the wrong ones.
            names = [series[series_id].name for series_id in (deviating if agreeing > 1 else sums_by_series)]
            which = (
                f"{', '.join(names)} against {agreeing} others" if agreeing > 1 else f"between {' and '.join(names)}"
            )
            message = f"the sums of {_when(day)[:10]} differ: {which}"  # the first ten characters are the date
            yield Finding("sums", message, None, report, day, day + DAY)
