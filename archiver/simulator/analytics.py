"""Pages of the two reports of the Usage and Cost Analytics API.

The discount is invented: `list_amount` is five quarters of `amount`.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from archiver.simulator.analytics_query import FAN_OUT, GROUPINGS
from archiver.simulator.attributed_use import AttributedUse
from archiver.simulator.clock import DAY, HOUR, stamp
from archiver.simulator.prices import MICROCENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archiver.simulator.analytics_query import AnalyticsQuery
    from archiver.simulator.attributed_use import Use
    from archiver.simulator.invented_data import InventedData
    from archiver.simulator.organization import Record

Row = dict[str, Any]
_CACHED_QUERIES = 8


@dataclass(slots=True)
class _Sums:
    counts: list[int] = field(default_factory=lambda: [0] * 6)
    requests: int = 0
    cost: int = 0


class Analytics:
    """Pages of the analytics reports in the API's shape."""

    def __init__(self, data: InventedData) -> None:
        """Read everything from `data`."""
        self._data = data
        self._rows: OrderedDict[Any, list[list[Row]]] = OrderedDict()
        self._use = AttributedUse(data)

    @property
    def refreshed_at(self) -> int:
        """The time (UTC seconds) up to which the reports have all use."""
        lag = int(self._data.settings.analytics_lag.total_seconds())
        return (self._data.clock.seconds - lag) // HOUR * HOUR

    def page(self, query: AnalyticsQuery) -> dict[str, Any]:
        """Return one page."""
        groups = self.groups(query)
        shown = groups[query.first : query.first + query.limit]
        following = query.first + query.limit
        more = following < len(groups)
        return {
            # Rows by cost type and token type do not count toward the limit.
            "data": [_copied(row) for group in shown for row in group],
            "has_more": more,
            "next_page": query.token(following) if more else None,
            "data_refreshed_at": stamp(self.refreshed_at),
        }

    def groups(self, query: AnalyticsQuery) -> list[list[Row]]:
        """Return all rows of a query, those of one combination together."""
        # The pages of a query are requested one after the other.
        key = (query.digest, self.refreshed_at, self._data.amendments.version)
        if key not in self._rows:
            self._rows[key] = self._compute(query)
            while len(self._rows) > _CACHED_QUERIES:
                self._rows.popitem(last=False)
        return self._rows[key]

    def _compute(self, query: AnalyticsQuery) -> list[list[Row]]:
        sums: dict[tuple[Any, ...], _Sums] = defaultdict(_Sums)
        actors: dict[str, Record | None] = {}
        for use in self._uses(query):
            if query.without_deleted and use.actor and use.actor.get("deleted"):
                continue
            actors[use.identity] = use.actor
            start = query.start if query.width is None else use.second // query.width * query.width
            for group in self._use.teams_of(use) if "rbac_group_id" in query.group_by else (None,):
                values = use.values | {"actor": use.identity, "rbac_group_id": group}
                key = (start, *(values[name] for name in query.group_by if name not in FAN_OUT))
                if query.report == "analytics-usage":
                    _add(sums[(*key, None, None)], use, 0)
                    continue
                for (cost_type, token_type), cost in use.costs.items():
                    if "token_type" in query.group_by and "cost_type" not in query.group_by and token_type is None:
                        continue  # documented: only token rows
                    fan = _fan_out(query, cost_type, token_type)
                    _add(sums[(*key, *fan)], use, cost)
        return _ordered(query, sums, actors)

    def _uses(self, query: AnalyticsQuery) -> Iterator[Use]:
        until = self.refreshed_at
        for day in range(query.start // DAY, -(-query.end // DAY)):
            for use in self._use.of_day(day, until):
                if query.start <= use.second < query.end and all(
                    (use.identity if name == "actor_id" else use.values.get(name)) in _with_null(values)
                    for name, values in query.filters
                ):
                    yield use


def _with_null(values: frozenset[str]) -> frozenset[str | None]:
    return frozenset({None, *values}) if "" in values else frozenset(values)


def _add(sums: _Sums, use: Use, cost: int) -> None:
    sums.counts = [a + b for a, b in zip(sums.counts, use.counts, strict=True)]
    sums.requests += 1
    sums.cost += cost


def _fan_out(query: AnalyticsQuery, cost_type: str, token_type: str | None) -> tuple[str | None, str | None]:
    by_token = "token_type" in query.group_by
    kind = cost_type if "cost_type" in query.group_by or by_token else None
    return kind, token_type if by_token else None


def _ordered(
    query: AnalyticsQuery, sums: dict[tuple[Any, ...], _Sums], actors: dict[str, Record | None]
) -> list[list[Row]]:
    """Return the rows in the order of the query, those of one combination together."""
    keys = sorted(sums, key=lambda key: tuple(str(value or "") for value in key))
    groups = [list(group) for _, group in groupby(keys, key=lambda key: key[:-2])]
    metric = _metric(query)
    # By time, the combinations of one bucket are ordered by their metric, the largest first.
    groups.sort(key=lambda group: -sum(metric(sums[key]) for key in group))
    if query.order_by == "time" and query.width is not None:
        groups.sort(key=lambda group: group[0][0], reverse=not query.ascending)
    elif query.ascending:
        groups.reverse()
    return [[_row(query, key, sums[key], actors) for key in group] for group in groups]


def _metric(query: AnalyticsQuery) -> Callable[[_Sums], int]:
    if query.report == "analytics-cost":
        return lambda sums: sums.cost
    by = query.order_by
    if by == "requests":
        return lambda sums: sums.requests
    at = {"output_tokens": slice(4, 5), "uncached_input_tokens": slice(0, 1)}.get(by, slice(0, 5))
    return lambda sums: sum(sums.counts[at])


def _row(query: AnalyticsQuery, key: tuple[Any, ...], sums: _Sums, actors: dict[str, Record | None]) -> Row:
    start, *values, cost_type, token_type = key
    group: Row = dict.fromkeys(GROUPINGS)
    group |= dict(zip([name for name in query.group_by if name not in FAN_OUT], values, strict=True))
    if "actor" in query.group_by:
        group["actor"] = actors[group["actor"]]
    end = query.end if query.width is None else start + query.width
    row: Row = {"starting_at": stamp(start), "ending_at": stamp(end), "group": group}
    if query.report == "analytics-usage":
        return row | {"usage": _usage(sums)}
    group |= {"cost_type": cost_type, "token_type": token_type}
    fans_out = any(name in query.group_by for name in FAN_OUT)
    return row | {
        "cost": {
            "amount": _cents(sums.cost * 100),
            "list_amount": _cents(sums.cost * 125),
            "currency": "USD",
            "requests": None if fans_out else sums.requests,
        }
    }


def _usage(sums: _Sums) -> Row:
    uncached, cache_1h, cache_5m, cache_read, output, searches = sums.counts
    return {
        "cache_creation": {"ephemeral_1h_input_tokens": cache_1h, "ephemeral_5m_input_tokens": cache_5m},
        "cache_read_input_tokens": cache_read,
        "output_tokens": output,
        "requests": sums.requests,
        "server_tool_use": {"web_search_requests": searches},
        "total_tokens": sum(sums.counts[:5]),
        "uncached_input_tokens": uncached,
    }


def _cents(units: int) -> str:
    """Return hundredths of microcents as decimal text in cents, with six to eight fractional digits."""
    whole, rest = divmod(units, MICROCENTS * 100)
    digits = f"{rest:08d}"
    return f"{whole}.{digits[:6]}{digits[6:].rstrip('0')}"


def _copied(row: Row) -> Row:
    """Return a row that a fault may change."""
    return {name: dict(value) if isinstance(value, dict) else value for name, value in row.items()}
