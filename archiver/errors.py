"""Every error that leaves the program, with its exit code and outcome word.

ArchiverError
├── ConfigurationError      2  usage: an option, a file or a key is not what it should be
│   └── OrganizationMismatchError  the key belongs to another organisation than the archive
├── ApiError
│   ├── KeyRefusedError     4  auth: 401 or 403
│   ├── TemporaryError      5  temporary: 429, 5xx, the network
│   └── ContractError       6  contract: an answer that is not what the reference says
│       ├── RequestRefusedError    a status that says the request itself is wrong
│       │   └── GroupByCapError    fewer dimensions may be asked for at once than were
│       ├── TooWideError           a part of the window is worth trying instead
│       ├── DamagedAnswerError     no JSON at all: damage on the way, as far as one can tell
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
    """Return foreign text on one line, shortened, with everything unprintable escaped."""
    flat = " ".join(text.split())
    # Terminal escapes and control characters of a foreign text must not reach a terminal or a log.
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in flat[:longest])
    return shown + ("…" if len(flat) > longest else "")


class ArchiverError(Exception):
    """What happened, in one sentence without a full stop; `hint` says what to do next."""

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
    """Anything the API answered that is not what was asked for.

    `request_id` is the vendor's name for the request, when it gave one. `ends_run` says that asking for other
    windows would be answered likewise.
    """

    ends_run = False

    def __init__(self, message: str, *, request_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.request_id = request_id


class KeyRefusedError(ApiError):
    """401: the key is not valid; 403: it may not read what was asked, which need not be all (`ends_run` tells)."""

    ends_run = True
    exit_code = 4
    outcome = "auth"


class TemporaryError(ApiError):
    """Rate limits, server errors and network errors that outlasted every retry.

    `not_before` is the local time (UTC seconds) before which the API asked not to come back.
    """

    not_before: int | None = None
    exit_code = 5
    outcome = "temporary"


class ContractError(ApiError):
    """An answer that breaks the API's contract; `place` points into it, as in `data[3].results[0].amount`."""

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
        """`placed` says that the message names the place already."""
        named = message if place is None or placed else f"{message}, at {place}"
        super().__init__(named, request_id=request_id, hint=hint)
        self.place = place


class RequestRefusedError(ContractError):
    """A `status` that says the request itself is wrong; asking again would not help."""

    def __init__(self, message: str, *, status: int, request_id: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, request_id=request_id, hint=hint)
        self.status = status


class GroupByCapError(RequestRefusedError):
    """One request may ask for `cap` dimensions, and this one asked for more."""

    def __init__(self, message: str, *, status: int, cap: int, request_id: str | None = None) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.cap = cap


class TooWideError(ContractError):
    """The answer about a window of several buckets is too large or too slow; a part of it is worth trying."""


class DamagedAnswerError(ContractError):
    """The body is no JSON at all; most likely it was damaged on the way, so it is asked for again."""


class NotReadyError(ContractError):
    """The range holds no complete bucket yet, so the API has nothing to say about it."""


class StorageError(ArchiverError):
    """The disk is full, the folder cannot be written, or reading failed."""

    exit_code = 7
    outcome = "storage"


class DamagedError(ArchiverError):
    """The file is not an archive, or it is damaged. It was left as it is."""

    exit_code = 8
    outcome = "damaged"


class NewerError(ArchiverError):
    """The file was made by a newer program. It was left as it is."""

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
