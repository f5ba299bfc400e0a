"""The admin key, which shows itself to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from archiver.api.response import Response

_LONGEST_KEY = 4096


class AdminKey:
    """An admin credential. Its text leaves this object only as a request header."""

    __slots__ = ("_text",)

    def __init__(self, text: str, source: str) -> None:
        """Check the key's form; `source` names where it came from.

        Raises:
            ConfigurationError: Empty, or with characters that no key has. The message does not show it.
        """
        text = text.strip()
        if not text:
            raise ConfigurationError(f"the key from {source} is empty")
        if len(text) > _LONGEST_KEY:
            raise ConfigurationError(f"the key from {source} is longer than {_LONGEST_KEY} characters")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigurationError(
                f"the key from {source} has white space or characters that are not ASCII within it",
                hint="give the key alone, on one line",
            )
        self._text = text

    def header(self) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"x-api-key": self._text}

    def redact(self, text: str) -> str:
        """Take the key out of a text."""
        return text.replace(self._text, "[key]")

    def scrub(self, reply: Response) -> Response:
        """Take the key out of a reply that repeats it."""
        return reply.without(self._text)

    def __repr__(self) -> str:
        return "AdminKey([key])"

    def __reduce__(self) -> str:
        raise TypeError("an AdminKey is not for copying")
