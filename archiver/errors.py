"""All errors that the program reports, with exit codes and outcome words.

The number after a class is its exit code, the word after the number its `outcome`. Most errors end the command. An
ApiError can concern one window only, and then the sync goes on with the other windows.

ArchiverError
├── ConfigurationError      2  usage: an option, a file, a key or a certificate cannot be used
│   └── OrganizationMismatchError  the key belongs to another organisation than the archive
├── ApiError
│   ├── KeyRefusedError     4  auth: 401 or 403
│   ├── TemporaryError      5  temporary: a rate or spend limit, 5xx, the network
│   └── ContractError       6  contract: an answer that is not as documented
│       ├── RequestRefusedError    a status that means that the request itself is wrong
│       │   └── GroupByCapError    more dimensions in one request than the API allows
│       ├── ReportUnavailableError the key or the organisation does not have the report
│       ├── TooWideError           too large or too slow: the window is fetched in halves
│       ├── DamagedAnswerError     not JSON, most likely damaged in transit
│       ├── KeyEchoError           the response contains the admin key
│       └── NotReadyError          the range holds no complete bucket yet
├── StorageError            7  storage: disk full, no permission, I/O
├── DamagedError            8  damaged: not an archive, or a broken one
├── NewerError              9  newer: made by a newer program
├── TimeLimitError         10  time_limit: --max-runtime of a sync or --timeout of a query was reached
├── LockedError            11  locked: another process holds the archive
└── InterruptedRunError    130 or 143: SIGINT or SIGTERM

This module imports nothing from the project.
"""

from __future__ import annotations

PARTIAL_EXIT = 3
BUG_EXIT = 1

_LONGEST_EXCERPT = 200


def excerpt(text: str, longest: int = _LONGEST_EXCERPT) -> str:
    """Return text from outside on one line, shortened and escaped.

    Text of more than `longest` characters is cut off there. Every character that is not printable is escaped.
    """
    flat = " ".join(text.split())
    # Terminal escapes and control characters from outside must not reach a terminal or a log.
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in flat[:longest])
    return shown + ("…" if len(flat) > longest else "")


class ArchiverError(Exception):
    """An error for the user.

    `message` describes what happened, in one sentence without a full stop. `hint` describes what to do next, or is
    None.
    """

    exit_code = BUG_EXIT
    outcome = "bug"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(ArchiverError):
    """An option, a file, a key or a certificate that cannot be used as it is."""

    exit_code = 2
    outcome = "usage"


class OrganizationMismatchError(ConfigurationError):
    """The key belongs to another organisation than the archive."""


class ApiError(ArchiverError):
    """A request without a usable answer.

    `request_id` is the vendor's id of the request, or None. `ends_run` is set where requests for other windows would
    fail likewise, so that the sync stops.
    """

    ends_run = False

    def __init__(self, message: str, *, request_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.request_id = request_id


class KeyRefusedError(ApiError):
    """The key is not valid (401), or may not read what was requested (403).

    `ends_run` is set to False for a 403, because a 403 can concern one report or one list alone.
    """

    ends_run = True
    exit_code = 4
    outcome = "auth"


class TemporaryError(ApiError):
    """A rate limit, server error or network error after the last retry.

    For a spend limit it is raised at once, without a retry. While the `not_before` of an earlier run is in the future,
    it is raised before any request. `not_before` is the time on the local clock (UTC seconds) before which the next run
    sends no request; None if the next run need not wait.
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
        append_place: bool = True,
        request_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Build the message, with the place at its end if `append_place`."""
        full_message = f"{message}, at {place}" if append_place and place is not None else message
        super().__init__(full_message, request_id=request_id, hint=hint)
        self.place = place


class RequestRefusedError(ContractError):
    """A refused request; its `status` means that a retry cannot help."""

    def __init__(self, message: str, *, status: int, request_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, request_id=request_id, hint=hint)
        self.status = status


class GroupByCapError(RequestRefusedError):
    """The request has more group_by dimensions than the API allows.

    `cap` is the allowed number, from the API's message.
    """

    def __init__(self, message: str, *, status: int, cap: int, request_id: str | None = None) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.cap = cap


class ReportUnavailableError(ContractError):
    """The key may not read a report, or the organisation does not have it.

    Other reports may still be available.
    """

    exit_code = 4
    outcome = "auth"


class TooWideError(ContractError):
    """The answer about several buckets is too large or too slow.

    A request for a part of the buckets may succeed.
    """


class DamagedAnswerError(ContractError):
    """The body is not JSON.

    Most likely the body was damaged in transit, so the request is retried.
    """


class KeyEchoError(ContractError):
    """The response contains the admin key.

    The response is refused, so that the key reaches no file and no log.
    """

    def __init__(self) -> None:
        super().__init__(
            "the response contains the admin key, so it is refused",
            hint="check --api-url: a proxy or another server may echo the request headers",
        )


class NotReadyError(ContractError):
    """The API refuses a window that holds no complete bucket yet."""


class StorageError(ArchiverError):
    """The disk is full, the folder cannot be written, or reading failed."""

    exit_code = 7
    outcome = "storage"


class DamagedError(ArchiverError):
    """The file is not an archive, or it is damaged.

    A file that is refused when it is opened is not changed. Damage that a sync finds later ends the sync, and the
    windows that are archived by then stay.
    """

    exit_code = 8
    outcome = "damaged"


class NewerError(ArchiverError):
    """The file was made by a newer program, and is not changed."""

    exit_code = 9
    outcome = "newer"


class TimeLimitError(ArchiverError):
    """A sync reached `--max-runtime`, or a query its time limit.

    The windows that the sync has archived are kept.
    """

    exit_code = 10
    outcome = "time_limit"


class LockedError(ArchiverError):
    """Another sync or another program holds a lock on the archive."""

    exit_code = 11
    outcome = "locked"


class InterruptedRunError(ArchiverError):
    """SIGINT (130) or SIGTERM (143) ended the run.

    The windows that the run has archived are kept.
    """

    outcome = "interrupted"

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number  # as shells do
