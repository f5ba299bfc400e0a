"""The files of a FOCUS delivery, and the metadata that lists them."""

from __future__ import annotations

import csv
import json
import re
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from archiver.offline.atomic import atomic_file, write_atomic
from archiver.offline.export.focus.columns import Kind
from archiver.offline.export.parquet import ROWS_AT_ONCE, load_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


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
        # No part is replaced before all are made, so that old and new parts are next to each other for a moment alone.
        for stage in made:
            stage.keep()
    _remove_leftovers(target, written)
    return written


def write_metadata(target: Path, entry: Mapping[str, Any], archive: Path) -> None:
    """Write the metadata of a delivery, as JSON.

    Raises:
        StorageError: The file cannot be written; the old one stays.
    """
    write_atomic(_metadata_path(target), (json.dumps(entry, indent=1) + "\n").encode(), archive)


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
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    else:
        _write_parquet(path, rows, columns)


def _write_parquet(path: Path, rows: Iterator[dict[str, str]], columns: Mapping[str, Kind]) -> None:
    pa = load_library()
    types = {
        Kind.TEXT: pa.string(),
        Kind.JSON: pa.string(),
        Kind.NUMBER: pa.decimal128(38, 20),
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
        return Decimal(text)
    return datetime.fromisoformat(text) if kind is Kind.TIME else text
