"""Sum usage events into rows in the shape of the API.

Usage rows belong to a bucket of any width, cost rows to a day.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archiver.simulator.activity import COUNTS
from archiver.simulator.clock import DAY
from archiver.simulator.prices import (
    FREE_OF_COST,
    MICROCENTS,
    TOKEN_TYPES,
    WEB_SEARCH,
    WEB_SEARCH_ITEM,
    CostItem,
    token_item,
)
from archiver.simulator.usage_patterns import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archiver.simulator.activity import UsageEvent
    from archiver.simulator.invented_data import Charge
    from archiver.simulator.settings import Settings
    from archiver.simulator.usage_patterns import DimensionValues

Row = dict[str, Any]
Key = tuple[str | None, ...]
Sums = dict[Key, list[int]]

# The index in UsageEvent.counts of each token type: TOKEN_TYPES and the start of COUNTS have the same order.
_COUNT_OF = {token_type: index for index, token_type in enumerate(TOKEN_TYPES)}
_WEB_SEARCHES = COUNTS.index("web_searches")
# All fields are null: the item of a row that is not grouped by `description`.
_UNGROUPED_ITEM = CostItem(None)


def sum_usage(events: Iterable[UsageEvent], width: int, group_by: tuple[str, ...]) -> dict[int, Sums]:
    """Return sums by bucket and by the values of `group_by`.

    `events` are of one day, and `width` is in seconds. Bucket 0 begins at the start of the day.
    """
    key_of = _key_getter(group_by)
    minutes = width // 60
    buckets: dict[int, Sums] = {}
    for minute, values, counts, _ in events:
        sums = buckets.setdefault(minute // minutes, {})
        key = key_of(values)
        total = sums.get(key)
        if total is None:
            sums[key] = list(counts)
        else:
            _add(total, counts)
    return buckets


def _add(total: list[int], counts: tuple[int, ...]) -> None:
    # Six statements instead of a loop: the loop took half of the time of a page.
    total[0] += counts[0]
    total[1] += counts[1]
    total[2] += counts[2]
    total[3] += counts[3]
    total[4] += counts[4]
    total[5] += counts[5]


def _key_getter(group_by: tuple[str, ...]) -> Callable[[DimensionValues], Key]:
    indexes = [DIMENSIONS.index(name) for name in group_by]
    # itemgetter returns a tuple only for two or more indexes.
    if not indexes:
        return lambda _: ()
    if len(indexes) == 1:
        return lambda values: (values[indexes[0]],)
    return itemgetter(*indexes)


def usage_rows(sums: Sums, group_by: tuple[str, ...], settings: Settings) -> list[Row]:
    """Return the usage rows of a bucket.

    Dimensions that are not grouped by are null or, with the setting `omit_ungrouped`, absent.
    """
    # `speed` is in a row only when it was grouped by (documented).
    names = group_by if settings.omit_ungrouped else [n for n in DIMENSIONS if n != "speed" or n in group_by]
    rows = []
    for key in sorted(sums, key=_nulls_first):
        values = dict(zip(group_by, key, strict=True))
        row = _usage_row(sums[key], {name: values.get(name) for name in names})
        if settings.omit_server_tool_use:
            del row["server_tool_use"]
        rows.append(row)
    return rows


def _usage_row(total: list[int], values: dict[str, str | None]) -> Row:
    uncached, cache_1h, cache_5m, cache_read, output, web_searches = total  # the order of COUNTS
    return {
        "uncached_input_tokens": uncached,
        "cache_creation": {"ephemeral_1h_input_tokens": cache_1h, "ephemeral_5m_input_tokens": cache_5m},
        "cache_read_input_tokens": cache_read,
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": web_searches},
        **values,
    }


def _nulls_first(key: Key) -> tuple[str, ...]:
    return tuple(value or "" for value in key)


def cost_rows(
    events: Iterable[UsageEvent],
    charges: Iterable[Charge],
    group_by: tuple[str, ...],
    currency_of: Callable[[str | None], str],
) -> list[Row]:
    """Return the cost rows of a day.

    The description and the fields parsed from it are null unless `description` is in `group_by`.
    """
    sums: dict[tuple[str | None, CostItem, str], int] = {}
    for workspace, item, microcents in (*_token_costs(events), *charges):
        key = (
            workspace if "workspace_id" in group_by else None,
            item if "description" in group_by else _UNGROUPED_ITEM,
            currency_of(workspace),  # part of the key, so that amounts of two currencies are never added
        )
        sums[key] = sums.get(key, 0) + microcents
    # Rows are sorted, so that equal data makes equal bytes and a client can compare digests of pages.
    keys = sorted(sums, key=lambda key: (key[0] or "", *_nulls_first(key[1]), key[2]))
    return [_cost_row(*key, sums[key]) for key in keys]


def _token_costs(events: Iterable[UsageEvent]) -> list[tuple[str | None, CostItem, int]]:
    priced = ("context_window", "inference_geo", "model", "service_tier", "speed", "workspace_id")
    costs: list[tuple[str | None, CostItem, int]] = []
    for key, total in sum_usage(events, DAY, priced).get(0, {}).items():
        window, geo, model, tier, speed, workspace = key
        # Priority Tier is paid for by a commitment in advance, so the cost report leaves it out.
        if tier == FREE_OF_COST:
            continue
        values = (window or "", geo or "", model or "", tier or "", speed or "")
        for token_type, index in _COUNT_OF.items():
            # The cost report has no row for tokens that were not used.
            if total[index]:
                item, price = token_item(values, token_type)
                costs.append((workspace, item, total[index] * price))
        if searches := total[_WEB_SEARCHES]:
            costs.append((workspace, WEB_SEARCH_ITEM, searches * WEB_SEARCH))
    return costs


def _cost_row(workspace: str | None, item: CostItem, currency: str, microcents: int) -> Row:
    return {"currency": currency, "amount": cents(microcents), "workspace_id": workspace, **item._asdict()}


def cents(microcents: int) -> str:
    """Return microcents as decimal text in cents: 123789120 is `"123.789120"`."""
    # divmod rounds down, which is wrong for the digits of a negative number, so the sign is written apart.
    whole, rest = divmod(abs(microcents), MICROCENTS)
    return f"{'-' if microcents < 0 else ''}{whole}.{rest:06d}"
