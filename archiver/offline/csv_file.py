"""Read a CSV file that a person or another program wrote."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_text(path: Path, what: str, option: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    `what` names the file in the error message, and `option` is the option of the command line that gave the path.

    Raises:
        ConfigurationError: The file cannot be read, or is not UTF-8 text.
    """
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        # Only an OSError has `strerror`.
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"cannot read {what} {path}: {reason}", hint=f"see {option}") from None


def lines_of(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line, the header first.

    A record over several lines has the number of its last line. Spaces around the names of the header are removed.
    Empty lines after the header are left out. A line with fewer cells than the header is filled up with empty cells.
    `path` is for error messages. An empty text yields nothing.

    Raises:
        ConfigurationError: The text is not valid CSV, two columns have the same name, or a line has more cells than the
            header.
    """
    # `newline=""` accepts every kind of line break, and keeps line breaks within quoted cells as they are. `strict`
    # makes a quote that is not closed an error.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for line in reader:
            if header is None:
                header = [name.strip() for name in line]
                # Columns without a name are allowed, and there may be several.
                repeated = next((name for name in header if name and header.count(name) > 1), None)
                if repeated is not None:
                    raise ConfigurationError(
                        f"{path} has the column {repeated!r} twice", hint="leave one of the columns out"
                    )
                yield reader.line_num, header
            elif line:
                if len(line) > len(header):
                    raise ConfigurationError(
                        f"line {reader.line_num} of {path} has {len(line)} cells, but the header has {len(header)}",
                        hint="write a cell with a comma in double quotes",
                    )
                yield reader.line_num, [*line, *[""] * (len(header) - len(line))]
    except csv.Error as error:
        raise ConfigurationError(f"line {reader.line_num} of {path} is not valid CSV: {error}") from None
