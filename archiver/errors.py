"""All errors that end a command, with their exit codes and outcome words.

ArchiverError
├── ConfigurationError      2  usage: an option, a file, a key or a certificate cannot be used
│   └── OrganizationMismatchError  the key belongs to another organisation than the archive
├── ApiError
│   ├── KeyRefusedError     4  auth: 401 or 403
│   ├── TemporaryError      5  temporary: 429, 5xx, the network
│   └── ContractError       6  contract: an answer that is not as documented
│       ├── RequestRefusedError    a status that says the request itself is wrong
│       │   └── GroupByCapError    more dimensions in one request than the API allows
│       ├── TooWideError           a part of the window is worth a request instead
│       ├── DamagedAnswerError     no JSON at all: most likely damaged in transit
│       ├── KeyEchoError           the response contains the admin key
│       └── NotReadyError          the range holds no complete bucket yet
├── StorageError            7  storage: disk full, no permission, I/O
├── DamagedError            8  damaged: not an archive, or a broken one
├── NewerError              9  newer: made by a newer program
├── TimeLimitError         10  time_limit: --max-runtime was reached, progress is kept
├── LockedError            11  locked: another run holds the archive
└── InterruptedRunError    130 or 143: SIGINT or SIGTERM

This module imports nothing of the project.
"""

from __future__ import annotations

PARTIAL_EXIT = 3
BUG_EXIT = 1

_LONGEST_EXCERPT = 200


def excerpt(text: str, longest: int = _LONGEST_EXCERPT) -> str:
    """Return foreign text on one line, shortened and escaped.

    Every character that is not printable is escaped.
    """
    flat = " ".join(text.split())
    # Terminal escapes and control characters of a foreign text must not reach a terminal or a log.
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in flat[:longest])
    return shown + ("…" if len(flat) > longest else "")


class ArchiverError(Exception):
    """An error for the user.

    `message` is what happened, in one sentence without a full stop. `hint` is what to do next.
    """

    exit_code = BUG_EXIT
    outcome = "bug"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(ArchiverError):
    """An option, a configuration file or a key that cannot be used as it is."""

    exit_code = 2
    outcome = "usage"


class OrganizationMismatchError(ConfigurationError):
    """The key belongs to another organisation than the one this file archives."""


class ApiError(ArchiverError):
    """A request that brought no usable answer.

    `request_id` is the vendor's id of the request, where there is one. `ends_run` is set where requests for other
    windows would fail likewise.
    """

    ends_run = False

    def __init__(self, message: str, *, request_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.request_id = request_id


class KeyRefusedError(ApiError):
    """The key is not valid (401), or may not read what was requested (403).

    A 403 can concern one report alone: then `ends_run` is False.
    """

    ends_run = True
    exit_code = 4
    outcome = "auth"


class TemporaryError(ApiError):
    """A rate limit, server error or network error after the last retry.

    `not_before` is the local time (UTC seconds) before which the API asked for no further request.
    """

    not_before: int | None = None
    exit_code = 5
    outcome = "temporary"


class ContractError(ApiError):
    """An answer that breaks the API's contract.

    `place` is a path in the answer, such as `data[3].results[0].amount`.
    """

    exit_code = 6
    outcome = "contract"

    def __init__(
        self,
        message: str,
        *,
        place: str | None = None,
        placed: bool = False,
        request_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Build the message, with the place appended unless it is `placed` in it already."""
        named = message if place is None or placed else f"{message}, at {place}"
        super().__init__(named, request_id=request_id, hint=hint)
        self.place = place


class RequestRefusedError(ContractError):
    """A `status` that means the request is wrong: a retry cannot help."""

    def __init__(self, message: str, *, status: int, request_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, request_id=request_id, hint=hint)
        self.status = status


class GroupByCapError(RequestRefusedError):
    """The request has more group_by dimensions than the `cap` of the API."""

    def __init__(self, message: str, *, status: int, cap: int, request_id: str | None = None) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.cap = cap


class TooWideError(ContractError):
    """The answer about several buckets is too large or too slow.

    A request for a part of them may succeed.
    """


class DamagedAnswerError(ContractError):
    """The body is not JSON: most likely damaged in transit, so it is retried."""


class KeyEchoError(ContractError):
    """The response contains the admin key.

    It is refused, so that the key reaches no file and no log.
    """

    def __init__(self) -> None:
        super().__init__(
            "the response contains the admin key, so it is refused",
            hint="check --api-url: a proxy or another server may echo the request headers",
        )


class NotReadyError(ContractError):
    """The range holds no complete bucket yet, so the API refuses it."""


class StorageError(ArchiverError):
    """The disk is full, the folder cannot be written, or reading failed."""

    exit_code = 7
    outcome = "storage"


class DamagedError(ArchiverError):
    """The file is not an archive, or it is damaged. It was not changed."""

    exit_code = 8
    outcome = "damaged"


class NewerError(ArchiverError):
    """The file was made by a newer program. It was not changed."""

    exit_code = 9
    outcome = "newer"


class TimeLimitError(ArchiverError):
    """--max-runtime was reached; what was done is kept."""

    exit_code = 10
    outcome = "time_limit"


class LockedError(ArchiverError):
    """Another run holds the archive."""

    exit_code = 11
    outcome = "locked"


class InterruptedRunError(ArchiverError):
    """SIGINT (130) or SIGTERM (143) ended the run; what was done is kept."""

    outcome = "interrupted"

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
