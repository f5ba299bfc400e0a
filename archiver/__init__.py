"""Archive Claude API usage and cost reports in one local SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from os import PathLike

    from archiver.offline.python import Archive

__version__ = "0.1.0"


def open(path: str | PathLike[str], as_of: datetime | None = None) -> Archive:  # noqa: A001  # archiver.open
    """Open an archive for reading, as a context manager.

    With `as_of`, it is as it was known at that time.

    ```python
    with archiver.open("usage.db") as archive:
        for row in archive.report("spend", by=["month", "model"]):
            print(row["month"], row["model"], row["amount_usd"])
    ```

    Raises:
        ConfigurationError, DamagedError, NewerError, StorageError: On entering, see `Archive.__enter__`.
    """
    from pathlib import Path  # noqa: PLC0415  # so that `archiver --help` imports none of it

    from archiver.offline.python import Archive  # noqa: PLC0415  # the same

    return Archive(Path(path), as_of)
