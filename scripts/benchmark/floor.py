"""The bare minimum: the same rows, as integers, with executemany into the same table, and nothing else.

`python -m scripts.benchmark.floor ARCHIVE FOLDER ROWS_AT_ONCE` prints the seconds. It is a process of its own: the rows
that it holds would count as memory of every process that is started after it.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from archiver.store.statements import sql


def floor(db: Path, folder: Path, rows_at_once: int) -> float:
    """Return the seconds to write the usage rows of an archive again, a page a transaction."""
    with closing(sqlite3.connect(db)) as source:
        rows = source.execute("SELECT * FROM _usage_fact ORDER BY series_id, bucket_start, key_id").fetchall()
        (schema,) = source.execute("SELECT sql FROM sqlite_master WHERE name = '_usage_fact'").fetchone()
    bare_file = folder / "floor.db"
    with closing(sqlite3.connect(bare_file, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute(schema)
        began = time.perf_counter()
        for start in range(0, len(rows), rows_at_once):
            bare.execute("BEGIN")
            bare.executemany(sql("usage.insert_fact"), rows[start : start + rows_at_once])
            bare.execute("COMMIT")
        seconds = time.perf_counter() - began
    bare_file.unlink()
    return seconds


if __name__ == "__main__":
    print(floor(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
