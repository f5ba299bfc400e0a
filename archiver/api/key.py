"""The admin key: sent as a header, shown nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from archiver.api.response import Response

_LONGEST_KEY = 4096


class AdminKey:
    """An admin credential; its text leaves this object only as a request header."""

    __slots__ = ("_text",)

    def __init__(self, text: str, source: str) -> None:
        """Check the form of a key; `source` says in messages where it was read.

        Raises:
            ConfigurationError: It is empty, or has characters that no key has. The message does not contain it.
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
        self._text = text

    def header(self) -> dict[str, str]:
        """Return the request header that carries the key."""
        return {"x-api-key": self._text}

    def redact(self, text: str) -> str:
        """Return a text with the key masked."""
        return text.replace(self._text, "[key]")

    def scrub(self, response: Response) -> Response:
        """Return a response with the key masked."""
        return response.without(self._text)

    def __repr__(self) -> str:
        return "AdminKey([key])"

    def __reduce__(self) -> str:
        raise TypeError("an AdminKey cannot be pickled")
