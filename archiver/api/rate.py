"""How many requests are allowed in a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archiver.errors import ConfigurationError

_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|sec|second|m|min|minute|h|hour))?")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a second are allowed; `none` has no limit."""

    per_second: float | None

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read `50/min`, `5/s`, `3000/h`, a bare number a minute, or `none`.

        Raises:
            ConfigurationError: Anything else, or zero.
        """
        if text.strip() == "none":
            return cls(None)
        match = _RATE.fullmatch(text.strip())
        if match is None or float(match[1]) <= 0:
            raise ConfigurationError(f"--rate {text!r} is not a rate", hint="write it as 50/min, 5/s, 3000/h or none")
        return cls(float(match[1]) / _UNITS[(match[2] or "m")[0]])
