"""The formats of a dataset, which write a month of a table at once."""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Protocol

from archiver.errors import ConfigurationError, StorageError
from archiver.offline.export.columns import record_batches
from archiver.offline.export.parquet import ROWS_AT_ONCE, load_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archiver.offline.export.stores import Store
    from archiver.offline.export.tables import Rows

_FILE = "data.parquet"
_MONTH = "month="


class Format(Protocol):
    """A format, in a store.

    Every method raises StorageError if the store cannot be read or written.
    """

    @property
    def name(self) -> str:
        """The name of the format in the manifest."""

    def months(self, table: str) -> dict[str, int | None]:
        """Return the months of a table that are there.

        Their values are the numbers of rows, None if these are not known.
        """

    def write(self, table: str, month: str, rows: Rows, about: Mapping[str, str]) -> None:
        """Replace a month; readers see the old or the new one.

        `about` says what it was made from.
        """

    def remove(self, table: str, month: str) -> None:
        """Remove a month."""


@dataclass(frozen=True, slots=True)
class ParquetFiles:
    """Parquet files, as `daily_cost/month=2026-10/data.parquet`."""

    store: Store
    name: str = "parquet"

    def months(self, table: str) -> dict[str, int | None]:
        """Return the months of a table that have a file."""
        folders = [one for one in self.store.names(table) if one.startswith(_MONTH)]
        return {one.removeprefix(_MONTH): None for one in folders if _FILE in self.store.names(f"{table}/{one}")}

    def write(self, table: str, month: str, rows: Rows, about: Mapping[str, str]) -> None:  # noqa: ARG002  # see the manifest
        """Replace the file of a month."""
        with self.store.writing(f"{table}/{_MONTH}{month}/{_FILE}") as file:
            _write_parquet(file, *rows)

    def remove(self, table: str, month: str) -> None:
        """Remove the file of a month."""
        self.store.remove(f"{table}/{_MONTH}{month}/{_FILE}")


@dataclass(frozen=True, slots=True)
class DeltaTables:
    """Delta tables, with a partition for each month.

    Each change of a month is a transaction.
    """

    store: Store
    name: str = "delta"

    def __post_init__(self) -> None:
        """Refuse what delta-rs reads as an escape, and would not find again."""
        if "%" in self.store.address:
            raise ConfigurationError(
                f"Delta tables cannot be in {self.store.address}, which has a percent sign", hint="name another folder"
            )

    def months(self, table: str) -> dict[str, int | None]:
        """Return the months and rows of the last version of a table."""
        delta = _load_delta()
        try:
            if not delta.DeltaTable.is_deltatable(self._address(table)):
                return {}
            files = load_library().table(delta.DeltaTable(self._address(table)).get_add_actions()).to_pylist()
        except (delta.exceptions.DeltaError, OSError) as error:
            raise self._fault(table, error) from None
        found: dict[str, int | None] = {}
        for file in files:
            month = file["partition"]["month"]
            found[month] = (found.get(month) or 0) + file["num_records"]
        return found

    def write(self, table: str, month: str, rows: Rows, about: Mapping[str, str]) -> None:
        """Replace a month in one transaction; the first one makes the table."""
        pa, delta = load_library(), _load_delta()
        # delta-rs reads batches in a thread of its own, where SQLite's rows cannot be read.
        with TemporaryFile() as file:
            _write_parquet(file, *rows, month=month)
            made = pa.parquet.ParquetFile(file)
            batches = pa.RecordBatchReader.from_batches(made.schema_arrow, made.iter_batches(ROWS_AT_ONCE))
            self._commit(delta, table, month, batches, about)

    def _commit(self, delta: Any, table: str, month: str, batches: Any, about: Mapping[str, str]) -> None:
        try:
            # Two first exports at once would each write to a table of their own. With a table that is there, one of two
            # transactions on the same month fails.
            delta.DeltaTable.create(self._address(table), batches.schema, mode="ignore", partition_by=["month"])
            delta.write_deltalake(
                self._address(table),
                batches,
                mode="overwrite",
                predicate=f"month = '{month}'",
                partition_by=["month"],
                schema_mode="merge",
                commit_properties=delta.CommitProperties(custom_metadata=dict(about)),
            )
        except (delta.exceptions.DeltaError, OSError) as error:
            raise self._fault(table, error) from None

    def remove(self, table: str, month: str) -> None:
        """Remove a month in one transaction."""
        delta = _load_delta()
        try:
            delta.DeltaTable(self._address(table)).delete(f"month = '{month}'")
        except (delta.exceptions.DeltaError, OSError) as error:
            raise self._fault(table, error) from None

    def _address(self, table: str) -> str:
        return f"{self.store.uri.rstrip('/')}/{table}"

    def _fault(self, table: str, error: Exception) -> StorageError:
        reason = str(error).partition("\n")[0]
        return StorageError(
            f"cannot use the Delta table {self._address(table)}: {reason}", hint="try again; see the path"
        )


def _write_parquet(file: Any, names: Sequence[str], rows: Iterator[tuple[Any, ...]], month: str | None = None) -> None:
    pa = load_library()
    schema, batches = record_batches(pa, names, rows, month)
    with pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _load_delta() -> Any:
    """Import delta-rs.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import deltalake  # noqa: PLC0415  # optional and large
        import deltalake.exceptions  # noqa: PLC0415  # the same
    except ImportError:
        raise ConfigurationError(
            "Delta tables need delta-rs, which is not installed", hint="pip install 'claude-usage-archiver[delta]'"
        ) from None
    return deltalake
