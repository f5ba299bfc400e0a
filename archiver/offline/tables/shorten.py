"""Shorten texts for a narrow terminal, and keep different ones different.

Pure functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archiver.offline.tables.write import display_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ID = re.compile(r"\b([a-z]+_)([0-9A-Za-z]{10,})\b")
_SHORTEST_TAIL = 6


def shorten_ids(texts: Sequence[str], ellipsis: str) -> list[str]:
    """Shorten the API ids in texts to their ends: `wrkspc_…KfFUJx`."""
    longest = max((len(one[1]) for text in texts for one in _ID.findall(text)), default=0)

    def shortened(tail: int) -> Callable[[str], str]:
        def short(match: re.Match[str]) -> str:
            return match[0] if len(match[2]) <= tail + len(ellipsis) else f"{match[1]}{ellipsis}{match[2][-tail:]}"

        return lambda text: _ID.sub(short, text)

    tries = ([*map(shortened(tail), texts)] for tail in range(_SHORTEST_TAIL, longest))
    return next((made for made in tries if _are_as_different(texts, made)), list(texts))


def shorten_middles(texts: Sequence[str], widest: int, ellipsis: str) -> list[str] | None:
    """Cut texts in the middle to at most `widest` columns.

    None if different texts would become equal.
    """
    room = widest - display_width(ellipsis)
    # What differs is often near the end, as in names that begin with the same words.
    tries = ([_cut(text, widest, tail, ellipsis) for text in texts] for tail in (room // 2, room * 3 // 4, room // 4))
    return next((made for made in tries if _are_as_different(texts, made)), None)


def _are_as_different(texts: Sequence[str], made: Sequence[str]) -> bool:
    return len(set(made)) == len(set(texts))


def _cut(text: str, widest: int, tail: int, ellipsis: str) -> str:
    """Cut a text to a width, of which the last `tail` columns are those of its end."""
    if display_width(text) <= widest:
        return text
    head = widest - display_width(ellipsis) - tail
    return _first_columns(text, head) + ellipsis + _first_columns(text[::-1], tail)[::-1]


def _first_columns(text: str, width: int) -> str:
    """Return as many first characters as fit into a width."""
    used = 0
    for at, character in enumerate(text):
        used += display_width(character)
        if used > width:
            return text[:at]
    return text
