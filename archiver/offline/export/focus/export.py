"""Write a month of cost as FOCUS rows, with a metadata file next to it."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.errors import ConfigurationError
from archiver.model import Organization, Report, to_text
from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.export.focus.columns import COLUMNS, VERSION, Kind
from archiver.offline.export.focus.numbers import to_text as number_text
from archiver.offline.export.focus.quantities import EXACT, SHARED, SYNC, Quantity, read_quantities
from archiver.offline.export.focus.rows import Owner, focus_row
from archiver.offline.export.parquet import ROWS_AT_ONCE, load_library
from archiver.offline.reports.known_days import KnownDays, count
from archiver.offline.teams.rules import NO_TEAM, Rule
from archiver.store.statements import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from archiver.offline.export.focus.quantities import Quantities
    from archiver.offline.periods import Period
    from archiver.offline.teams.rules import Teams
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
        quantities: `exact`, or `shared` for a division of tokens by cost where they are not known row by row.
        split: The most rows of a file; None: one file.
    """

    month: Period
    quantities: str = EXACT
    split: int | None = None
    teams: Teams | None = None


def export_focus(reader: ArchiveReader, target: Path, request: FocusRequest) -> Exported:
    """Write a month; the suffix of the file chooses CSV or Parquet.

    Raises:
        ConfigurationError: The suffix is another, the bills are in several currencies, or a rule of teams is by key or
            person.
        StorageError: A file cannot be written. Every file is then the old or the new one.
    """
    _check_request(target, request)
    days = [day for day in reader.days(Report.COST) if request.month.since <= day.date < request.month.until]
    known = KnownDays.of(request.month, days)
    if not days:
        return Exported(notes=[f"no cost of {request.month} is archived"], is_written=False)
    by_day = _read_days(reader, request.month)
    currencies = {row["currency"] for rows in by_day.values() for row in rows}
    if len(currencies) > 1:
        raise ConfigurationError(
            f"{request.month} has bills in {' and '.join(sorted(currencies))}", hint="a FOCUS file is of one currency"
        )
    since, until = f"{request.month.since}", f"{request.month.until}"
    quantities = read_quantities(reader, since, until, request.quantities)
    done = Exported(notes=[one for one in (known.sentence(),) if one], is_complete=not known.missing)
    unknown = _count_unknown(quantities, by_day)
    if unknown:
        done.is_written = False
        done.notes.append(_unknown_note(unknown, quantities))
        return done
    if quantities.without_usage:
        alone = count(quantities.without_usage, "row")
        done.notes.append(f"{alone} without tokens of their own: the quantity is one charge, x_QuantityMethod none")
    settled = {day.date for day in days if day.is_whole and not day.is_provisional}
    made = _rows(reader, by_day, quantities, settled, request.teams)
    totals: Counter[str] = Counter()
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for part, rows in enumerate(_parts(_counted(made, totals, sums), request.split), 1):
        path = target if request.split is None else target.with_name(f"{target.stem}-{part:03d}{target.suffix}")
        _write(path, rows, reader.path)
        done.files.append(path)
    _remove_leftovers(target, done.files)
    done.rows = sum(totals[f"method {one}"] for one in ("exact", "shared", "none"))
    priority = _priority_tokens(reader, request.month)
    if priority:
        done.notes.append(f"{count(priority, 'token')} of priority tier have no cost, and no row")
    _write_metadata(reader, target, request, known, done, totals, sums)
    return done


def _remove_leftovers(target: Path, written: Sequence[Path]) -> None:
    """Remove the files that the metadata of an earlier delivery of this name lists.

    They would be added to those of this one. Files that no delivery wrote stay, whatever their names.
    """
    try:
        listed = json.loads(_metadata_path(target).read_text("utf-8")).get("x_Files", [])
    except (OSError, ValueError, AttributeError):
        return  # there was no delivery
    form = re.compile(re.escape(target.stem) + r"(-[0-9]{3,})?" + re.escape(target.suffix))
    kept = {path.name for path in written}
    for name in listed if isinstance(listed, list) else []:
        if isinstance(name, str) and form.fullmatch(name) and name not in kept:
            target.with_name(name).unlink(missing_ok=True)


def _metadata_path(target: Path) -> Path:
    return target.with_name(f"{target.stem}.metadata.json")


def _check_request(target: Path, request: FocusRequest) -> None:
    if target.suffix not in {".csv", ".parquet"}:
        raise ConfigurationError(f"{target} ends neither with .csv nor .parquet", hint="name it cost.csv")
    if request.teams is not None and set(request.teams.fields) - {"workspace"}:
        raise ConfigurationError("cost rows have no key and no person", hint="give rules of teams by workspace alone")


def _read_days(reader: ArchiveReader, month: Period) -> dict[date, list[dict[str, Any]]]:
    """Return the cost rows of each day, in one order."""
    found = reader.connection.execute(sql("daily_cost.select_month"), {"month": f"{month.since:%Y-%m}"})
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found]
    rows.sort(key=lambda row: tuple(str(row[name]) for name in ("date", "workspace_id", "description", *names)))
    return {date.fromisoformat(day): list(of_day) for day, of_day in groupby(rows, key=lambda row: row["date"])}


def _count_unknown(quantities: Quantities, by_day: dict[date, list[dict[str, Any]]]) -> int:
    return sum(one is None for day, rows in by_day.items() for one in quantities.of_day(day, rows))


def _unknown_note(unknown: int, quantities: Quantities) -> str:
    rows = f"the quantity of {count(unknown, 'row')} is not known"
    if quantities.missing:
        return f"{rows}: {count(len(quantities.missing), 'day')} of usage not archived by region; run {SYNC}"
    return (
        f"{rows}, as cost rows of several prices (such as by speed) share tokens; "
        f"--quantities {SHARED} divides them by cost, and says so in x_QuantityMethod"
    )


def _rows(
    reader: ArchiveReader,
    by_day: dict[date, list[dict[str, Any]]],
    quantities: Quantities,
    settled: set[date],
    teams: Teams | None,
) -> Iterator[dict[str, str]]:
    organization = reader.status().organization or Organization("unknown", "")
    for day, rows in by_day.items():
        for row, quantity in zip(rows, quantities.of_day(day, rows), strict=True):
            team, centre = _team(reader, row, day, teams) if teams is not None else (None, None)
            owner = Owner(organization, day in settled, team, centre)
            yield focus_row(row, quantity or Quantity(None, "none"), owner)


def _team(reader: ArchiveReader, row: dict[str, Any], day: date, teams: Teams) -> tuple[str | None, str | None]:
    """Return the team of a row and its cost centre; none where the cost is divided."""
    start = int(datetime.combine(day, time.min, UTC).timestamp())
    rule = teams.rule_of(reader.with_labels({"workspace_id": row["workspace_id"]}, start), day)
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
        sums[row["BillingCurrency"]] += Decimal(row["BilledCost"])
        yield row


def _parts(rows: Iterator[dict[str, str]], most: int | None) -> Iterator[Iterator[dict[str, str]]]:
    """Yield iterators over at most so many rows, one after the other."""
    if most is None:
        yield rows
        return
    numbered = enumerate(rows)
    for _, part in groupby(numbered, key=lambda one: one[0] // most):
        yield (row for _, row in part)


def _write(path: Path, rows: Iterator[dict[str, str]], archive: Path) -> None:
    with atomic_file(path, archive) as stage:
        if path.suffix == ".csv":
            with stage.file.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        else:
            _write_parquet(stage.file, rows)
        stage.keep()


def _write_parquet(path: Path, rows: Iterator[dict[str, str]]) -> None:
    pa = load_library()
    types = {
        Kind.TEXT: pa.string(),
        Kind.JSON: pa.string(),
        Kind.NUMBER: pa.decimal128(38, 20),
        Kind.TIME: pa.timestamp("us", "UTC"),
    }
    schema = pa.schema([pa.field(name, types[kind]) for name, kind in COLUMNS.items()])
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[dict[str, str]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_AT_ONCE:
                writer.write_batch(_batch(pa, schema, batch))
                batch = []
        writer.write_batch(_batch(pa, schema, batch))


def _batch(pa: Any, schema: Any, rows: Sequence[dict[str, str]]) -> Any:
    arrays = [
        pa.array([_value(kind, row[name]) for row in rows], type=one.type)
        for (name, kind), one in zip(COLUMNS.items(), schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _value(kind: Kind, text: str) -> Any:
    if text == "":
        return None
    if kind is Kind.NUMBER:
        return Decimal(text)
    return datetime.fromisoformat(text) if kind is Kind.TIME else text


def _priority_tokens(reader: ArchiveReader, month: Period) -> int:
    days = reader.days(Report.USAGE, f"{month.since}", f"{month.until}")
    lines = reader.lines(Report.USAGE, ("service_tier",), days)
    return sum(sum(line.sums[:5]) for line in lines if line.values["service_tier"] == "priority")


def _write_metadata(  # noqa: PLR0913, PLR0917  # what the file is about
    reader: ArchiveReader,
    target: Path,
    request: FocusRequest,
    known: KnownDays,
    done: Exported,
    totals: Counter[str],
    sums: dict[str, Decimal],
) -> None:
    entry = {
        "DataGenerator": f"archiver {__version__}",
        "FocusVersion": VERSION,
        "SchemaId": f"archiver-focus-{VERSION}-1",
        "CreationDate": to_text(int(datetime.now(UTC).timestamp())),
        "ColumnDefinition": [{"ColumnName": name, "DataType": kind.value} for name, kind in COLUMNS.items()],
        "x_Source": "the cost report, not the invoice",
        "x_BillingPeriod": str(request.month),
        "x_AsOf": None if reader.as_of is None else to_text(reader.as_of),
        "x_Files": [path.name for path in done.files],
        "x_Rows": done.rows,
        "x_BilledCost": {currency: number_text(amount) for currency, amount in sorted(sums.items())},
        "x_Counts": dict(sorted(totals.items())),
        "x_DaysNotArchived": known.missing,
        "x_DaysProvisional": len(known.provisional) + len(known.in_progress),
        "x_LeftOut": done.notes,
    }
    write_atomic(_metadata_path(target), (json.dumps(entry, indent=1) + "\n").encode(), reader.path)
