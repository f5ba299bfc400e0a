"""Running one statement in a child, as `archiver query` does, with a bound on the answer too."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

from archiver.errors import ConfigurationError
from archiver.store.read.sandbox import Limits, run_query

MEBIBYTES = 256
MOST_ROWS, MOST_ROWS_OF_A_FILE = 1_000, 50_000
_MOST_BYTES = 32 * 1024 * 1024
_CELLS_A_ROW = 40


def read(path: str, statement: str, parameters: Any, seconds: float, most: int | None) -> Any:
    """Run a statement in a child: the columns, and `most` rows and one more, if there are.

    Raises:
        ArchiverError: As `run_query` does, and where the answer is too large.
    """
    cells = _CELLS_A_ROW * (most or MOST_ROWS_OF_A_FILE)
    size, rows = 0, []
    with run_query(Path(path), statement, parameters, Limits(seconds, MEBIBYTES), time.process_time) as result:
        for row in islice(result.rows, None if most is None else most + 1):
            size += sum(len(value) for value in row if isinstance(value, str | bytes))
            cells -= len(row)
            if size > _MOST_BYTES or cells < 0:
                raise ConfigurationError("the answer is too large", hint="ask for fewer rows or columns")
            rows.append(row)
        return [result.columns, rows]
