"""Write a month of cost as FOCUS rows, with a metadata file next to it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.errors import ConfigurationError
from archiver.model import Organization, Report, to_text
from archiver.offline.export.focus.columns import VERSION
from archiver.offline.export.focus.corrections import read_corrections
from archiver.offline.export.focus.files import write_files, write_metadata
from archiver.offline.export.focus.numbers import PRECISION
from archiver.offline.export.focus.numbers import to_text as number_text
from archiver.offline.export.focus.quantities import (
    EXACT,
    NONE,
    SHARED,
    Quantities,
    Quantity,
    read_quantities,
    read_quantities_by_key,
)
from archiver.offline.export.focus.rows import Owner, focus_row
from archiver.offline.export.focus.sources import COST, Source, check_currency
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.teams.rules import NO_TEAM, Rule
from archiver.reports.dimensions import Label
from archiver.store.read.reader import open_archive_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.offline.export.focus.sources import Rows
    from archiver.offline.periods import Period
    from archiver.offline.teams.rules import Teams
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader


@dataclass(slots=True)
class Exported:
    """What an export did.

    Attributes:
        notes: Sentences on what the file lacks.
        is_written: Whether there is a file: not without exact quantities that were asked for.
    """

    rows: int = 0
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_written: bool = True
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class FocusRequest:
    """The options of an export.

    Attributes:
        month: The month to write, or the month that corrections are booked in.
        with_tags: Whether the team and cost centre of a row are its tags too.
        quantities: `exact`, or `shared` for a division of tokens by cost where they are not known row by row.
        split: The most rows of a file; None: one file.
        corrections_since: The time of an earlier delivery, in UTC seconds, to write what changed since in the months
            before `month`; None: write the month itself.
    """

    month: Period
    quantities: str = EXACT
    split: int | None = None
    teams: Teams | None = None
    source: Source = COST
    corrections_since: int | None = None
    with_tags: bool = False


@dataclass(slots=True)
class _Content:
    """What a delivery is made from.

    Attributes:
        settled: The days that the API no longer changes.
        quantities: None for corrections, which have none.
        missing: How many days are not archived.
        provisional: How many days the API may still change.
    """

    rows: Rows
    settled: set[date]
    missing: int
    provisional: int
    quantities: Quantities | None = None


def export_focus(reader: ArchiveReader, target: Path, request: FocusRequest) -> Exported:
    """Write a month, or corrections of the months before.

    The suffix of the file chooses CSV or Parquet.

    Raises:
        ConfigurationError: The suffix is another, the bills are in several currencies, a rule of teams is by what the
            rows do not have, or nothing was archived at the time that corrections are since.
        StorageError: A file cannot be written. Every file is then the old or the new one.
    """
    _check_request(reader, target, request)
    done = Exported()
    content = (
        _read_month(reader, request, done)
        if request.corrections_since is None
        else _read_changes(reader, request, done)
    )
    if content is None:
        done.is_written = False
        return done
    totals: Counter[str] = Counter()
    sums: dict[str, Decimal] = defaultdict(Decimal)
    rows = _counted(_rows(reader, content, request), totals, sums)
    done.files = write_files(target, rows, request.source.columns, request.split, reader.path)
    done.rows = sum(totals[f"method {one}"] for one in (EXACT, SHARED, NONE))
    entry = _metadata(reader, request, content, done) | {
        "x_BilledCost": {currency: number_text(amount) for currency, amount in sorted(sums.items())},
        "x_Counts": dict(sorted(totals.items())),
    }
    write_metadata(target, entry, reader.path)
    return done


def _check_request(reader: ArchiveReader, target: Path, request: FocusRequest) -> None:
    now = int(datetime.now(UTC).timestamp()) if reader.as_of is None else reader.as_of
    if request.corrections_since is not None and request.corrections_since >= now:
        raise ConfigurationError(
            f"--corrections-since {to_text(request.corrections_since)} is not before {to_text(now)}",
            hint="name the time of an earlier delivery",
        )
    if target.suffix not in {".csv", ".parquet"}:
        raise ConfigurationError(f"{target} ends neither with .csv nor .parquet", hint="name it cost.csv")
    if request.with_tags and request.teams is None:
        raise ConfigurationError("tags are teams and cost centres", hint="give --teams FILE too")
    missing = set() if request.teams is None else set(request.teams.fields) - request.source.team_fields
    if missing:
        raise ConfigurationError(
            "cost rows have no key and no person", hint="give rules of teams by workspace alone, or --by key"
        )


def _read_month(reader: ArchiveReader, request: FocusRequest, done: Exported) -> _Content | None:
    """Return the rows of a month, or None and a note if they cannot be written."""
    month, source = request.month, request.source
    days = source.days(reader, month.since, month.until)
    if not days:
        done.notes.append(f"no {source.what} of {month} is archived; run {source.sync}")
        return None
    rows = source.rows(reader, month)
    check_currency(rows, str(month))
    known = KnownDays.of(month, days)
    quantities = _read_quantities(reader, request, days)
    done.is_complete = not known.missing
    done.notes += filter(None, [known.sentence()])
    unknown = sum(one is None for day, of_day in rows.items() for one in quantities.of_day(day, of_day))
    if unknown:
        done.notes.append(_unknown_note(unknown, quantities))
        return None
    if quantities.without_usage:
        alone = count(quantities.without_usage, "row")
        done.notes.append(f"{alone} without tokens of their own: the quantity is one charge, x_QuantityMethod none")
    priority = _priority_tokens(reader, month) if source is COST else quantities.priority
    if priority:
        done.notes.append(f"{count(priority, 'token')} of priority tier have no cost, and no row")
    provisional = len(known.provisional) + len(known.in_progress)
    return _Content(rows, _settled(days), known.missing, provisional, quantities)


def _read_changes(reader: ArchiveReader, request: FocusRequest, done: Exported) -> _Content:
    """Return the differences of the months before."""
    assert request.corrections_since is not None
    since = to_text(request.corrections_since)
    with open_archive_reader(reader.path, request.corrections_since) as then:
        rows, gone = read_corrections(reader, then, request.source, request.month)
    days = [day for day in request.source.days(reader, None, request.month.since) if day.date in rows]
    done.is_complete = not gone
    if gone:
        verb = "is" if len(gone) == 1 else "are"
        done.notes.append(f"{count(len(gone), 'day')} that {verb} no longer archived {verb} not in these numbers")
    if not rows:
        done.notes.append(f"nothing before {request.month} changed since {since}")
    return _Content(rows, _settled(days), len(gone), len(days) - len(_settled(days)))


def _settled(days: list[Day]) -> set[date]:
    return {day.date for day in days if day.is_whole and not day.is_provisional}


def _read_quantities(reader: ArchiveReader, request: FocusRequest, days: list[Day]) -> Quantities:
    if request.source is COST:
        return read_quantities(reader, f"{request.month.since}", f"{request.month.until}", request.quantities)
    return read_quantities_by_key(reader, days, request.quantities)


def _unknown_note(unknown: int, quantities: Quantities) -> str:
    rows = f"the quantity of {count(unknown, 'row')} is not known"
    if quantities.missing:
        days = count(len(quantities.missing), "day")
        return f"{rows}: {days} of usage not archived {quantities.by}; run {quantities.sync}"
    return (
        f"{rows}, as cost rows of several prices (such as by speed) share tokens; "
        f"--quantities {SHARED} divides them by cost, and says so in x_QuantityMethod"
    )


def _rows(reader: ArchiveReader, content: _Content, request: FocusRequest) -> Iterator[dict[str, str]]:
    organization = reader.status().organization or Organization("unknown", "")
    booked = None if request.corrections_since is None else request.month
    nothing = Quantity(None, NONE)
    for day, rows in content.rows.items():
        quantities = [nothing] * len(rows) if content.quantities is None else content.quantities.of_day(day, rows)
        for row, quantity in zip(rows, quantities, strict=True):
            team, centre = _team(reader, row, day, request.teams) if request.teams is not None else (None, None)
            made = focus_row(
                row, quantity or nothing, Owner(organization, day in content.settled, team, centre, booked)
            )
            if request.with_tags:
                tags = {"team": team, "cost-centre": centre}
                made["Tags"] = json.dumps({name: value for name, value in tags.items() if value is not None})
            yield {name: made.get(name, "") for name in request.source.columns}


def _team(reader: ArchiveReader, row: dict[str, Any], day: date, teams: Teams) -> tuple[str | None, str | None]:
    """Return the team of a row and its cost centre; none where the cost is divided."""
    start = int(datetime.combine(day, time.min, UTC).timestamp())
    is_default = row.get("is_default_workspace")  # it has an id in the analytics report alone
    values: dict[str, Any] = {
        "workspace_id": (None if is_default else row["workspace_id"]) if row["has_workspace"] else Label.NOT_GROUPED
    }
    if "api_key_id" in row:
        values |= {
            "api_key_id": row["api_key_id"],
            "actor_id": row["actor_id"] if row["has_person"] else Label.NOT_GROUPED,
        }
    rule = teams.rule_of(reader.with_labels(values, start), day)
    if rule is None:
        return NO_TEAM, None
    if not isinstance(rule, Rule) or len(rule.shares) != 1:
        return None, None
    (team,) = rule.shares
    return team, teams.cost_centres.get(team)


def _counted(
    rows: Iterator[dict[str, str]], totals: Counter[str], sums: dict[str, Decimal]
) -> Iterator[dict[str, str]]:
    for row in rows:
        totals[f"category {row['ChargeCategory']}"] += 1
        totals[f"method {row['x_QuantityMethod']}"] += 1
        totals[f"state {row['x_State']}"] += 1
        with localcontext(prec=PRECISION):
            sums[row["BillingCurrency"]] += Decimal(row["BilledCost"])
        yield row


def _priority_tokens(reader: ArchiveReader, month: Period) -> int:
    days = reader.days(Report.USAGE, f"{month.since}", f"{month.until}")
    lines = reader.lines(Report.USAGE, ("service_tier",), days)
    return sum(sum(line.sums[:5]) for line in lines if line.values["service_tier"] == "priority")


def _metadata(reader: ArchiveReader, request: FocusRequest, content: _Content, done: Exported) -> dict[str, Any]:
    """Return what describes the files, in the words of the specification and of our own."""
    since = request.corrections_since
    return {
        "DataGenerator": f"archiver {__version__}",
        "FocusVersion": VERSION,
        "SchemaId": f"archiver-focus-{VERSION}-1",
        "CreationDate": to_text(int(datetime.now(UTC).timestamp())),
        "ColumnDefinition": [
            {"ColumnName": name, "DataType": kind.value} for name, kind in request.source.columns.items()
        ],
        "x_Source": request.source.about,
        "x_BillingPeriod": str(request.month),
        "x_CorrectionsSince": None if since is None else to_text(since),
        "x_AsOf": None if reader.as_of is None else to_text(reader.as_of),
        "x_Files": [path.name for path in done.files],
        "x_Rows": done.rows,
        "x_DaysNotArchived": content.missing,
        "x_DaysProvisional": content.provisional,
        "x_LeftOut": done.notes,
    }
