"""The admin key, which is sent as a header and shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from archiver.api.response import Response

# Real keys have about 100 characters. A short key is a mistake, and its text could also occur in a response by chance,
# which would look like an echo of the key. The longest key is far below the limits that servers have for a header.
_SHORTEST_KEY = 20
_LONGEST_KEY = 4096
_OAUTH_PREFIX = "sk-ant-oat"
# The prefix of a key, its kind in words, and whether such a key can read the reports.
_KINDS = (
    ("sk-ant-admin", "an Admin API key", True),
    (_OAUTH_PREFIX, "an OAuth access token", True),
    ("sk-ant-api", "an API key, which cannot read the reports", False),
)


class AdminKey:
    """An admin credential.

    Its text leaves this object only as a request header.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str, source: str) -> None:
        """Check the form of a key, after white space around it is removed.

        `source` is the origin of the key, for messages.

        Raises:
            ConfigurationError: The key is empty, too short, too long, or has characters that no key has. The message
                does not contain the key.
        """
        text = text.strip()
        if not text:
            raise ConfigurationError(f"the key from {source} is empty")
        if len(text) > _LONGEST_KEY:
            raise ConfigurationError(f"the key from {source} is longer than {_LONGEST_KEY} characters")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigurationError(
                f"the key from {source} has white space or characters that are not ASCII within it",
                hint="write the key alone, on one line",
            )
        if len(text) < _SHORTEST_KEY:
            raise ConfigurationError(
                f"the key from {source} is shorter than {_SHORTEST_KEY} characters",
                hint="copy the whole key; an Admin API key begins with sk-ant-admin",
            )
        self._text = text

    def header(self) -> dict[str, str]:
        """Return the request header that carries the key.

        An OAuth access token, which is recognised by its prefix, is sent as Bearer. Any other key is sent as
        `x-api-key`, even if its kind is not in `_KINDS`.
        """
        if self._text.startswith(_OAUTH_PREFIX):
            return {"authorization": f"Bearer {self._text}"}
        return {"x-api-key": self._text}

    @property
    def kind(self) -> tuple[str, bool]:
        """The kind of the key in words, and whether it can read the reports.

        A key of an unknown kind counts as able to read them.
        """
        for prefix, words, reads_reports in _KINDS:
            if self._text.startswith(prefix):
                return words, reads_reports
        return "a key of an unknown kind", True

    def redact(self, text: str) -> str:
        """Return a text of a log or a message, with the key masked."""
        return text.replace(self._text, "[key]")

    def guard(self, response: Response) -> Response:
        """Return a response that cannot be read if it contains the key."""
        return response.guarded(self._text)

    def __repr__(self) -> str:
        return "AdminKey([key])"

    # Pickling would copy the key to another process or a file.
    def __reduce__(self) -> str:
        raise TypeError("an AdminKey cannot be pickled")
