"""Error responses of the API, in the documented envelope."""

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


class ApiError(Exception):
    """An error response of the API, raised while a request is handled."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, code: str | None = None
    ) -> None:
        """Describe the response; `code` is `error.details.error_code`."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.code = code


def invalid_request(message: str) -> ApiError:
    """Return a 400, which asks clients not to retry as the recorded ones do."""
    return ApiError(400, message, {"x-should-retry": "false"})


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the documented body of an error response."""
    described: dict[str, Any] = {"type": _TYPES.get(error.status, "api_error"), "message": error.message}
    if error.code:
        described["details"] = {"error_code": error.code}
    return {"type": "error", "error": described, "request_id": request_id}
