"""What drove a change of the cost of tokens: volume, mix, cache or price.

A cell is a model, service tier, context window and direction, input or output. Within the input cell, tokens are of the
types uncached, written to the cache, and read from it. With the quantities q and prices p of before (0) and now (1):

- volume: all tokens at the average price of before, less the cost of before;
- mix: the tokens of each cell at the price of its cell, less all tokens at the average price;
- cache: each token type at its own price, less each cell at its price (all at prices of before);
- price: the cost of now, less the tokens of now at the prices of before;
- other: cost that is not of tokens, or of tokens that the usage report does not have.

Each begins where the one before ends, so they add up to the change exactly. A token type that is new has its price of
now, so that its cost counts as mix or cache, never as price. Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

DRIVERS = ("volume", "mix", "cache", "price", "other")

_OUTPUT = "output_tokens"


class Kind(NamedTuple):
    """The tokens that have one price."""

    model: str | None
    service_tier: str | None
    context_window: str | None
    token_type: str

    @property
    def cell(self) -> tuple[str | None, ...]:
        """The kind without what the cache changes."""
        direction = "output" if self.token_type == _OUTPUT else "input"
        return (self.model, self.service_tier, self.context_window, direction)


@dataclass(slots=True)
class Used:
    """Tokens and their cost, by kind.

    Attributes:
        tokens: Kind → tokens, may be a mean.
        amounts: Kind → cost in 1e-18 cents.
        other: Cost without a kind.
    """

    tokens: dict[Kind, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    amounts: dict[Kind, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    other: Fraction = Fraction()

    def total(self) -> Fraction:
        """Return all cost."""
        return self.other + sum(self.amounts.values())


def drivers(before: Used, now: Used) -> dict[str, Fraction]:
    """Return the change of cost by driver; the parts add up to it."""
    kinds = _billed_kinds(before, now)
    cost_before, cost_now = (_cost(one, kinds) for one in (before, now))
    tokens_before, tokens_now = (sum((one.tokens[kind] for kind in kinds), Fraction()) for one in (before, now))
    prices = {kind: _price(before if before.tokens[kind] else now, kind) for kind in kinds}
    at_old_prices = sum((now.tokens[kind] * prices[kind] for kind in kinds), Fraction())
    at_cell_prices = _at_cell_prices(before, now, kinds, prices)
    # Without tokens before there is no mix that could have changed.
    at_average = tokens_now * cost_before / tokens_before if tokens_before else at_cell_prices
    return {
        "volume": at_average - cost_before,
        "mix": at_cell_prices - at_average,
        "cache": at_old_prices - at_cell_prices,
        "price": cost_now - at_old_prices,
        "other": (now.total() - cost_now) - (before.total() - cost_before),
    }


def _billed_kinds(before: Used, now: Used) -> list[Kind]:
    """Return the kinds of the cells that are billed.

    Priority tier has tokens and no cost: its tokens say nothing about the change.
    """
    of_cells = {kind.cell for one in (before, now) for kind in one.amounts if one.amounts[kind] and one.tokens[kind]}
    kinds = {kind for one in (before, now) for kind in one.tokens if one.tokens[kind] and kind.cell in of_cells}
    return sorted(kinds, key=str)


def _cost(used: Used, kinds: list[Kind]) -> Fraction:
    return sum((used.amounts[kind] for kind in kinds if used.tokens[kind]), Fraction())


def _price(used: Used, kind: Kind) -> Fraction:
    return used.amounts[kind] / used.tokens[kind]


def _at_cell_prices(before: Used, now: Used, kinds: list[Kind], prices: dict[Kind, Fraction]) -> Fraction:
    """Return the tokens of now, each at the average price of its cell before."""
    cells: dict[tuple[str | None, ...], list[Kind]] = defaultdict(list)
    for kind in kinds:
        cells[kind.cell].append(kind)
    total = Fraction()
    for mine in cells.values():
        tokens = sum((before.tokens[kind] for kind in mine), Fraction())
        if tokens:
            total += sum(now.tokens[kind] for kind in mine) * _cost(before, mine) / tokens
        else:
            total += sum((now.tokens[kind] * prices[kind] for kind in mine), Fraction())
    return total
