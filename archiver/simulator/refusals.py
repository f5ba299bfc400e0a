"""The vendor's error answers: status, type and the documented envelope."""

from __future__ import annotations

from typing import Any

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class RefusalError(Exception):
    """A request that is answered with an error; becomes the envelope at the edge."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        """`headers` are sent beside the usual ones."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def invalid(message: str) -> RefusalError:
    """A 400."""
    return RefusalError(400, message)


def envelope(status: int, message: str, request_id: str) -> dict[str, Any]:
    """The body of an error (documented)."""
    error = {"type": _TYPES.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": request_id}
