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
    """Read UTF-8 text, with or without a byte order mark.

    Raises:
        ConfigurationError: It cannot be read, or is no UTF-8 text.
    """
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"cannot read {what} {path}: {reason}", hint=f"see {option}") from None


def lines_of(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the header and each line, with its number in the file.

    Empty lines are left out. A line with fewer cells than the header has empty ones.

    Raises:
        ConfigurationError: It is no CSV, a column is there twice, or a line has more cells than the header.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for line in reader:
            if header is None:
                header = [name.strip() for name in line]
                twice = next((name for name in header if name and header.count(name) > 1), None)
                if twice is not None:
                    raise ConfigurationError(f"{path} has the column {twice!r} twice", hint="leave one of them out")
                yield reader.line_num, header
            elif line:
                if len(line) > len(header):
                    raise ConfigurationError(
                        f"line {reader.line_num} of {path} has {len(line)} cells, and the header {len(header)}",
                        hint="write a cell with a comma in double quotes",
                    )
                yield reader.line_num, [*line, *[""] * (len(header) - len(line))]
    except csv.Error as error:
        raise ConfigurationError(f"line {reader.line_num} of {path} is no CSV: {error}") from None
