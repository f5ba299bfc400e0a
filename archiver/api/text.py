"""Foreign text, made fit for a sentence."""

from __future__ import annotations

_LONGEST_EXCERPT = 200


def excerpt(text: str, longest: int = _LONGEST_EXCERPT) -> str:
    """Put a foreign text on one line, short, with everything unprintable escaped."""
    flat = " ".join(text.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in flat[:longest])
    return shown + ("…" if len(flat) > longest else "")
