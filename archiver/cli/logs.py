"""The log of a run on stderr, as text or as JSON lines."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver.cli import fail, show_bug
from archiver.offline.tables.write import show

if TYPE_CHECKING:
    from archiver.errors import ArchiverError


@dataclass(frozen=True, slots=True)
class Log:
    """Writes log lines to stderr.

    With `as_json` each line is an object with time, level, message and fields.
    """

    as_json: bool = False

    def write(self, level: str, message: str, *, text: str | None = None, **fields: object) -> None:
        """Write one line.

        JSON has the message and the fields. Text has `text` if it is given, else the message.
        """
        if self.as_json:
            click.echo(_to_json(datetime.now(UTC), level, message, fields), err=True)
        else:
            click.echo(message if text is None else text, err=True)

    def write_error(self, error: ArchiverError) -> None:
        """Write the error that ended a run, and its hint."""
        if self.as_json:
            fields = {"outcome": error.outcome, "hint": error.hint, "request_id": getattr(error, "request_id", None)}
            self.write("error", error.message, **fields)
        else:
            fail(error)

    def write_bug(self, error: Exception) -> None:
        """Write where a bug is, without messages and values, which may be secret."""
        if self.as_json:
            frames = traceback.extract_tb(error.__traceback__)
            places = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
            self.write("error", f"this is a bug in archiver: {type(error).__name__}", traceback=places)
        else:
            show_bug(error)


TEXT = Log()


class RequestFormatter(logging.Formatter):
    """Formats the lines that `--verbose` writes for each request."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one request."""
        time = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, object] = getattr(record, "fields", {})
        if self._as_json:
            return _to_json(time, record.levelname.lower(), record.getMessage(), fields)
        # Requests are logged as fields; other records have a message alone.
        fields = fields or {"message": record.getMessage()}
        return " ".join([_stamp(time), *(f"{name}={show(value)}" for name, value in fields.items())])


def show_requests(log_format: str) -> None:
    """Log every request to stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RequestFormatter(as_json=log_format == "json"))
    logger = logging.getLogger("archiver")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # a handler of the root logger would write every line again


def _to_json(time: datetime, level: str, message: str, fields: dict[str, object]) -> str:
    # Fields without a value are left out.
    known = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"time": _stamp(time), "level": level, "message": message, **known}, ensure_ascii=False)


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
