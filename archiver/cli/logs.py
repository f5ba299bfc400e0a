"""What `--verbose` shows: every request on a line, as text or JSON, on stderr. The key is in neither."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from archiver.offline.tables.write import show


class RequestFormatter(logging.Formatter):
    """Writes the fields of a record after its time."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {"time": moment, **getattr(record, "fields", {"message": record.getMessage()})}
        if self._as_json:
            return json.dumps(fields, ensure_ascii=False)
        return " ".join([moment, *(f"{name}={show(value)}" for name, value in fields.items() if name != "time")])


def show_requests(log_format: str) -> None:
    """Send the program's own log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RequestFormatter(as_json=log_format == "json"))
    logger = logging.getLogger("archiver")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
