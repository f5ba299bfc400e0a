"""`archiver export parquet`: the daily views as Parquet files.

There is a folder for each view and in it one for each month, `daily_cost/month=2026-10/data.parquet`, which engines
read as a partition. A file is written next to its place and moved there whole. `manifest.json` says what each file was
made from; a month with the same rows as before is not written again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, localcontext
from functools import partial
from hashlib import sha256
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archiver import __version__
from archiver.errors import ConfigurationError, StorageError
from archiver.model import Report, to_text
from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.export.parquet import ROWS_AT_ONCE, load_library
from archiver.store.statements import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from archiver.store.read.reader import ArchiveReader

VIEWS_OF = {
    Report.COST: ("daily_cost",),
    Report.USAGE: ("daily_tokens",),
    Report.ANALYTICS_COST: ("daily_cost_by_key", "daily_cost_by_person"),
    Report.CLAUDE_CODE: ("claude_code",),
}
"""The views that are exported of each report. Of each day they have one series, so that sums over them are right."""
_FORMAT = 1
_MANIFEST = "manifest.json"
_FILE = "data.parquet"
_CENTS_DIGITS, _DOLLAR_DIGITS = 18, 20
_AMOUNTS = {"amount": "amount_usd", "list_amount": "list_amount_usd"}
"""Amounts in cents as the API's text, and the rounded columns of the views that are computed exactly here."""
_COUNTS = frozenset({"sessions", "lines_added", "lines_removed", "commits", "pull_requests", "accepted", "rejected"})


@dataclass(slots=True)
class Written:
    """What an export did, in months and rows, and the manifest's entries."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    rows: int = 0
    partitions: dict[str, dict[str, Any]] = field(default_factory=dict)


def export_dataset(
    reader: ArchiveReader, folder: Path, reports: Sequence[Report], since: date | None, until: date | None
) -> Written:
    """Write the months that changed, and the manifest.

    Every month with a day from `since` to before `until` is written whole; others stay as they are.

    Raises:
        ConfigurationError: pyarrow is not installed, or the folder has files that no export wrote.
        StorageError: A file cannot be written. Every file is then the old or the new one.
    """
    pa = load_library()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make {folder}: {error.strerror}", hint="check the path and its permissions"
        ) from None
    organization = reader.status().organization
    identity = organization.id if organization else None
    manifest = _read_manifest(folder)
    if manifest.get("organization_id") not in {None, identity}:
        raise ConfigurationError(f"{folder} is of another organization", hint="name another folder")
    done = Written(partitions=dict(manifest.get("partitions", {})))
    for view in (view for report in reports for view in VIEWS_OF[report]):
        months = _months(reader, view, since, until)
        for month in months:
            _export_month(pa, reader, folder, view, month, done)
        _remove_others(folder, view, months, since, until, done)
    entry = {
        "format": _FORMAT,
        "generator": f"archiver {__version__}",
        "organization_id": identity,
        "as_of": None if reader.as_of is None else to_text(reader.as_of),
        "partitions": dict(sorted(done.partitions.items())),
    }
    write_atomic(folder / _MANIFEST, (json.dumps(entry, indent=1) + "\n").encode(), reader.path)
    return done


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.exists():
        strangers = [one.name for one in folder.iterdir() if not one.name.startswith(".")]
        if strangers and not set(strangers) <= {view for views in VIEWS_OF.values() for view in views}:
            raise ConfigurationError(f"{folder} is not empty, and no export wrote it", hint="name an empty folder")
        return {}
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ConfigurationError(f"{path} is not a manifest of this program", hint="name another folder")
    return manifest


def _months(reader: ArchiveReader, view: str, since: date | None, until: date | None) -> list[str]:
    """Return the months that a view has rows of, within the bounds."""
    bounds = {"since": f"{since}" if since else None, "until": f"{until}" if until else None}
    return [month for (month,) in reader.connection.execute(sql(f"{view}.select_months"), bounds)]


def _export_month(pa: Any, reader: ArchiveReader, folder: Path, view: str, month: str, done: Written) -> None:  # noqa: PLR0913, PLR0917  # what is written, and where
    name = f"{view}/month={month}"
    target = folder / name / _FILE
    digest, number = _digest(*_rows(reader, view, month))
    done.rows += number
    if done.partitions.get(name, {}).get("digest") == digest and target.exists():
        done.unchanged += 1
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(target, reader.path) as stage:
        _write(pa, stage.file, *_rows(reader, view, month))
        stage.keep()
    done.written += 1
    done.partitions[name] = {"digest": digest, "rows": number}


def _remove_others(  # noqa: PLR0913, PLR0917  # the same
    folder: Path, view: str, months: Sequence[str], since: date | None, until: date | None, done: Written
) -> None:
    """Remove the months within the bounds that have no rows any more."""
    for name in [one for one in done.partitions if one.startswith(f"{view}/month=")]:
        month = name.rpartition("=")[2]
        first = date.fromisoformat(f"{month}-01")
        is_selected = (until is None or first < until) and (since is None or month >= f"{since:%Y-%m}")
        if is_selected and month not in months:
            (folder / name / _FILE).unlink(missing_ok=True)
            del done.partitions[name]
            done.removed += 1


def _rows(reader: ArchiveReader, view: str, month: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    found = reader.connection.execute(sql(f"{view}.select_month"), {"month": month})
    return [column[0] for column in found.description], found


def _digest(names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> tuple[str, int]:
    """Return a digest of rows in any order, and their number."""
    total, number = 0, 0
    for row in rows:
        total += int.from_bytes(sha256(repr(row).encode("utf-8", "surrogatepass")).digest())
        number += 1
    return sha256(repr((_FORMAT, list(names), total, number)).encode()).hexdigest(), number


def _write(pa: Any, path: Path, names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    columns = _columns(pa, names)
    schema = pa.schema([one for one, _ in columns])
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            arrays = [pa.array([value_of(row) for row in batch], type=one.type) for one, value_of in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _columns(pa: Any, names: Sequence[str]) -> list[tuple[Any, Callable[[tuple[Any, ...]], Any]]]:
    """Return the field of each column, and what computes its value from a row."""
    at = {name: i for i, name in enumerate(names)}
    cents, dollars = pa.decimal128(38, _CENTS_DIGITS), pa.decimal128(38, _DOLLAR_DIGITS)
    found: list[tuple[Any, Callable[[tuple[Any, ...]], Any]]] = []
    for name, i in at.items():
        if name in _AMOUNTS.values():
            continue
        if name == "date":
            found.append((pa.field(name, pa.date32()), partial(_day, at=i)))
        elif name in _AMOUNTS:
            found.append((pa.field(f"{name}_cents", cents), partial(_decimal, at=i)))
            in_dollars = partial(_dollars, at=i, currency=at["currency"])
            found.append((pa.field(_AMOUNTS[name], dollars), in_dollars))
        elif name in _COUNTS or name.endswith(("_tokens", "_requests", "_microcents")):
            found.append((pa.field(name, pa.int64()), itemgetter(i)))
        else:
            found.append((pa.field(name, pa.string()), itemgetter(i)))
    return found


def _day(row: tuple[Any, ...], at: int) -> date:
    return date.fromisoformat(row[at])


def _decimal(row: tuple[Any, ...], at: int) -> Decimal | None:
    return None if row[at] is None else Decimal(row[at])


def _dollars(row: tuple[Any, ...], at: int, currency: int) -> Decimal | None:
    """Return the exact amount in US dollars; None for another currency."""
    if row[at] is None or row[currency] != "USD":
        return None
    with localcontext(prec=60):  # a text can have more digits than the 28 that Python keeps by default
        return Decimal(row[at]).scaleb(-2)
