"""The files of a FOCUS delivery, and the metadata that lists them."""

from __future__ import annotations

import csv
import json
import re
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal, localcontext
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, TextIO

from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.export.focus.columns import Kind
from archiver.offline.export.focus.numbers import PRECISION
from archiver.offline.export.parquet import ROWS_AT_ONCE, load_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_PARQUET_DIGITS = 20  # after the point; a decimal of 38 digits has no more, and CSV has all


def write_files(
    target: Path, rows: Iterator[dict[str, str]], columns: Mapping[str, Kind], split: int | None, archive: Path
) -> list[Path]:
    """Write rows as CSV or Parquet; returns the paths of the files.

    There is one file, or with `split` as many as have at most that many rows. Files of an earlier delivery of the same
    name that are not written again are removed.

    Raises:
        ConfigurationError: A library is not installed, or a path is not that of a file to write.
        StorageError: A file cannot be written. All files are then the old ones.
    """
    written = []
    with ExitStack() as stages:
        made = []
        for part, of_part in enumerate(_parts(rows, split), 1):
            path = target if split is None else target.with_name(f"{target.stem}-{part:03d}{target.suffix}")
            stage = stages.enter_context(atomic_file(path, archive))
            _write(stage.file, of_part, columns)
            made.append(stage)
            written.append(path)
        # A process killed before its own metadata must not leave parts that no list has, which none would remove.
        names = [path.name for path in written]
        entry = _read_entry(target)
        _write_entry(target, {**entry, "x_EarlierFiles": [*_listed_files(target), *names]}, archive)
        # No part is replaced before all are made, so that old and new parts are next to each other for a moment alone.
        for stage in made:
            stage.keep()
    _remove_leftovers(target, written)
    return written


def write_metadata(target: Path, entry: Mapping[str, Any], archive: Path) -> None:
    """Write the metadata of a delivery, as JSON.

    `x_EarlierFiles` lists the files of earlier deliveries in another format, which have the same metadata file.

    Raises:
        StorageError: The file cannot be written; the old one stays.
    """
    others = [name for name in _listed_files(target) if name not in entry["x_Files"]]
    earlier = [name for name in others if target.with_name(name).exists()]
    _write_entry(target, {**entry, "x_EarlierFiles": earlier}, archive)


def _write_entry(target: Path, entry: Mapping[str, Any], archive: Path) -> None:
    write_atomic(_metadata_path(target), (json.dumps(entry, indent=1) + "\n").encode(), archive)


def _read_entry(target: Path) -> dict[str, Any]:
    """Return the metadata of an earlier delivery; empty without one."""
    try:
        entry = json.loads(_metadata_path(target).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _listed_files(target: Path) -> list[str]:
    """Return the files that earlier deliveries of a name wrote, as their metadata lists them."""
    entry = _read_entry(target)
    lists = [entry.get(key) for key in ("x_Files", "x_EarlierFiles")]
    names = [name for one in lists if isinstance(one, list) for name in one if isinstance(name, str)]
    form = re.compile(re.escape(target.stem) + r"(-[0-9]{3,})?\.(csv|parquet)")
    return [name for name in dict.fromkeys(names) if form.fullmatch(name)]


def _remove_leftovers(target: Path, written: Sequence[Path]) -> None:
    """Remove the files of earlier deliveries of this name and format.

    They would be added to those of this one. Files that no delivery wrote stay, whatever their names.
    """
    kept = {path.name for path in written}
    for name in _listed_files(target):
        if name not in kept and name.endswith(target.suffix):
            target.with_name(name).unlink(missing_ok=True)


def _metadata_path(target: Path) -> Path:
    return target.with_name(f"{target.stem}.metadata.json")


def _parts(rows: Iterator[dict[str, str]], most: int | None) -> Iterator[Iterator[dict[str, str]]]:
    """Yield iterators over at most so many rows, one after the other."""
    if most is None:
        yield rows
        return
    first = next(rows, None)
    if first is None:
        yield iter(())  # a file with a header says that there is nothing, and no file says nothing
        return
    numbered = enumerate(chain([first], rows))
    for _, part in groupby(numbered, key=lambda one: one[0] // most):
        yield (row for _, row in part)


def _write(path: Path, rows: Iterator[dict[str, str]], columns: Mapping[str, Kind]) -> None:
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(_Lines(file), columns, lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
    else:
        _write_parquet(path, rows, columns)


class _Lines:
    """A file that ends lines with a line feed alone.

    The writer quotes characters of its own line ends only, so a name with a carriage return is quoted if they have one.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        """Write one line of a CSV."""
        self._file.write(line.removesuffix("\r\n") + "\n")


def _write_parquet(path: Path, rows: Iterator[dict[str, str]], columns: Mapping[str, Kind]) -> None:
    pa = load_library()
    types = {
        Kind.TEXT: pa.string(),
        Kind.JSON: pa.string(),
        Kind.NUMBER: pa.decimal128(38, _PARQUET_DIGITS),
        Kind.TIME: pa.timestamp("us", "UTC"),
    }
    schema = pa.schema([pa.field(name, types[kind]) for name, kind in columns.items()])
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[dict[str, str]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_AT_ONCE:
                writer.write_batch(_batch(pa, schema, columns, batch))
                batch = []
        writer.write_batch(_batch(pa, schema, columns, batch))


def _batch(pa: Any, schema: Any, columns: Mapping[str, Kind], rows: Sequence[dict[str, str]]) -> Any:
    arrays = [
        pa.array([_value(kind, row[name]) for row in rows], type=one.type)
        for (name, kind), one in zip(columns.items(), schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _value(kind: Kind, text: str) -> Any:
    if text == "":
        return None
    if kind is Kind.NUMBER:
        with localcontext(prec=PRECISION):
            return round(Decimal(text), _PARQUET_DIGITS)
    return datetime.fromisoformat(text) if kind is Kind.TIME else text
