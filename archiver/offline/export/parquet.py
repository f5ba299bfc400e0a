"""Parquet files, by a library that is optional."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ROWS_AT_ONCE = 50_000


def load_library() -> Any:
    """Import pyarrow.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # optional and large
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415  # the same
    except ImportError:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed", hint="pip install 'claude-usage-archiver[parquet]'"
        ) from None
    return pa


def write_result_file(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write the result of a query, and return the number of rows.

    A column of whole numbers is int64, one with fractions double, one of bytes binary, and any other or mixed one text.
    The first rows decide; a later value of another type is an error.

    Raises:
        ConfigurationError: Two columns have the same name, or a column has values of several types.
    """
    pa = load_library()
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if list(columns).count(name) > 1)
        raise ConfigurationError(f"two columns are named {twice!r}", hint="name them with AS")
    source = iter(rows)
    batch = list(islice(source, ROWS_AT_ONCE))
    types = [_type(pa, [row[i] for row in batch]) for i in range(len(columns))]
    schema = pa.schema([pa.field(name, one) for name, one in zip(columns, types, strict=True)])
    number = 0
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while True:
            writer.write_batch(pa.record_batch(_arrays(pa, columns, types, batch), schema=schema))
            number += len(batch)
            batch = list(islice(source, ROWS_AT_ONCE))
            if not batch:
                return number


def _type(pa: Any, values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.binary() if kinds == {bytes} else pa.string()


def _arrays(pa: Any, columns: Sequence[str], types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Any]:
    arrays = []
    for i, (name, kind) in enumerate(zip(columns, types, strict=True)):
        values = [row[i] for row in rows]
        if kind == pa.string():
            values = [value if value is None or isinstance(value, str) else _text(value) for value in values]
        try:
            arrays.append(pa.array(values, type=kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise ConfigurationError(
                f"the column {name!r} has values of several types", hint="convert them with CAST"
            ) from None
    return arrays


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
