"""Adding up: atoms to usage rows of a bucket, atoms and charges to cost rows of a day, as on the wire."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archiver.simulator.clock import DAY
from archiver.simulator.habits import DIMENSIONS
from archiver.simulator.prices import (
    FREE_OF_COST,
    MICROCENTS,
    TOKEN_TYPES,
    WEB_SEARCH,
    WEB_SEARCH_LINE,
    Line,
    token_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archiver.simulator.activity import Atom
    from archiver.simulator.habits import Dims
    from archiver.simulator.world import Charge

Row = dict[str, Any]
Key = tuple[str | None, ...]
Tally = dict[Key, list[int]]

# where in Atom.tokens the count of a token type is found
_COUNT_OF = dict(zip(TOKEN_TYPES, (0, 1, 2, 3, 4), strict=True))
_NO_LINE = Line(None)


def usage_tallies(atoms: Iterable[Atom], width: int, group_by: tuple[str, ...]) -> dict[int, Tally]:
    """Sums by bucket (counted from the day's start, `width` in seconds) and by the values of `group_by`."""
    key_of = _key_getter(group_by)
    minutes = width // 60
    buckets: dict[int, Tally] = {}
    for minute, dims, tokens, _ in atoms:
        tally = buckets.setdefault(minute // minutes, {})
        key = key_of(dims)
        sums = tally.get(key)
        if sums is None:
            tally[key] = list(tokens)
        else:
            _add(sums, tokens)
    return buckets


def _add(sums: list[int], tokens: tuple[int, ...]) -> None:
    sums[0] += tokens[0]
    sums[1] += tokens[1]
    sums[2] += tokens[2]
    sums[3] += tokens[3]
    sums[4] += tokens[4]
    sums[5] += tokens[5]


def _key_getter(group_by: tuple[str, ...]) -> Callable[[Dims], Key]:
    places = [DIMENSIONS.index(name) for name in group_by]
    if not places:
        return lambda _: ()
    if len(places) == 1:
        return lambda dims: (dims[places[0]],)
    return itemgetter(*places)


def usage_rows(tally: Tally, group_by: tuple[str, ...]) -> list[Row]:
    """Usage rows, `speed` only when it was grouped by; a dimension that was not is null."""
    blank = dict.fromkeys(name for name in DIMENSIONS if name != "speed" or name in group_by)
    keys = sorted(tally, key=_nulls_first)
    return [_usage_row(tally[key], {**blank, **dict(zip(group_by, key, strict=True))}) for key in keys]


def _usage_row(sums: list[int], dims: dict[str, str | None]) -> Row:
    return {
        "uncached_input_tokens": sums[0],
        "cache_creation": {"ephemeral_1h_input_tokens": sums[1], "ephemeral_5m_input_tokens": sums[2]},
        "cache_read_input_tokens": sums[3],
        "output_tokens": sums[4],
        "server_tool_use": {"web_search_requests": sums[5]},
        **dims,
    }


def _nulls_first(key: Key) -> tuple[str, ...]:
    return tuple(value or "" for value in key)


def cost_rows(atoms: Iterable[Atom], charges: Iterable[Charge], group_by: tuple[str, ...]) -> list[Row]:
    """Cost rows of a day; the parsed fields are null unless grouped by `description`."""
    sums: dict[tuple[str | None, Line], int] = {}
    for workspace, line, microcents in (*_token_costs(atoms), *charges):
        key = (
            workspace if "workspace_id" in group_by else None,
            line if "description" in group_by else _NO_LINE,
        )
        sums[key] = sums.get(key, 0) + microcents
    keys = sorted(sums, key=lambda key: (key[0] or "", *_nulls_first(key[1])))
    return [_cost_row(workspace, line, sums[workspace, line]) for workspace, line in keys]


def _token_costs(atoms: Iterable[Atom]) -> list[tuple[str | None, Line, int]]:
    priced = ("context_window", "inference_geo", "model", "service_tier", "speed", "workspace_id")
    found: list[tuple[str | None, Line, int]] = []
    for key, sums in usage_tallies(atoms, DAY, priced).get(0, {}).items():
        window, geo, model, tier, speed, workspace = key
        if tier == FREE_OF_COST:
            continue
        dims = (window or "", geo or "", model or "", tier or "", speed or "")
        for token_type, place in _COUNT_OF.items():
            if sums[place]:
                line, price = token_line(dims, token_type)
                found.append((workspace, line, sums[place] * price))
        if sums[5]:
            found.append((workspace, WEB_SEARCH_LINE, sums[5] * WEB_SEARCH))
    return found


def _cost_row(workspace: str | None, line: Line, microcents: int) -> Row:
    return {"currency": "USD", "amount": cents(microcents), "workspace_id": workspace, **line._asdict()}


def cents(microcents: int) -> str:
    """Microcents as the decimal string in cents that the API sends: 123789120 is `"123.789120"`."""
    whole, rest = divmod(abs(microcents), MICROCENTS)
    return f"{'-' if microcents < 0 else ''}{whole}.{rest:06d}"
