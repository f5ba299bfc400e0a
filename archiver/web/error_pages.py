"""The pages of errors: which status and message each kind of error gets."""

from __future__ import annotations

import sys
from typing import Any

from datasette import Response, hookimpl
from datasette.database import QueryInterrupted
from datasette.utils.asgi import Base400
from datasette.views.base import DatasetteError

from archiver.errors import ArchiverError
from archiver.web.database import QUERY_SECONDS

TOO_LONG = f"the query took longer than {QUERY_SECONDS:.0f} seconds: limit the rows, or use archiver query"
_NOT_FOUND, _SERVER_ERROR = 404, 500


@hookimpl  # type: ignore[untyped-decorator]  # Datasette ships no types
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Any:
    """Return the error as a page or as JSON.

    For a bug only the type is written to stderr, because its message may contain data.
    """
    status, message = _status_and_message(exception)

    async def respond() -> Response:
        if request.path.endswith(".json"):
            return Response.json({"ok": False, "error": message, "status": status}, status=status)
        context = {"title": "Page not found" if status == _NOT_FOUND else "Error", "error": message}
        return Response.html(await datasette.render_template("error.html", context, request=request), status=status)

    return respond


def _status_and_message(exception: Exception) -> tuple[int, str]:  # noqa: PLR0911  # a table of errors
    if isinstance(exception, DatasetteError):
        # Datasette raises 500 without a cause for a mistake in the address, and an HTML message for a time limit.
        is_address = exception.status == _SERVER_ERROR and exception.__context__ is None
        return 400 if is_address else exception.status, TOO_LONG if exception.message_is_html else exception.message
    if isinstance(exception, Base400):
        return exception.status, "page not found" if exception.status == _NOT_FOUND else str(exception.args[0])
    if isinstance(exception, QueryInterrupted):
        return 400, TOO_LONG
    if isinstance(exception, ArchiverError):
        return 503, f"{exception.message}; {exception.hint}" if exception.hint else exception.message
    if isinstance(exception, OSError):
        return 503, "the archive cannot be read"
    if isinstance(exception, ValueError):  # Datasette parses numbers of the address without a check
        return 400, "a value in the address is not valid"
    sys.stderr.write(f"error: a page failed: {type(exception).__name__}\n")
    return _SERVER_ERROR, "this is a bug in archiver, or in Datasette"
