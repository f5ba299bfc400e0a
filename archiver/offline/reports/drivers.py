"""Split a change of cost into volume, mix, cache, price and other.

A kind of tokens has one price: it is a model, service tier, context window and token type. A cell is a model, service
tier, context window and direction. The direction is output or input, and an input cell has several token types:
uncached, written to the cache, and read from the cache.

`before` and `now` are the two periods, and the price of a cell is its cost divided by its tokens. Each driver is the
difference of two sums:

- volume: the tokens of now at the average price of all tokens before, less the cost before;
- mix: the tokens of now at the price of their cell before, less the first sum of volume;
- cache: the tokens of now at the price of their kind before, less the first sum of mix;
- price: the cost now, less the first sum of cache;
- other: the change of cost that is not for tokens, or for tokens that the usage report does not have.

So the drivers add up to the change exactly. A kind without tokens before has no price before: its price of now is used
instead. Then its cost counts as volume, mix or cache, and never as price. Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

DRIVERS = ("volume", "mix", "cache", "price", "other")

_OUTPUT = "output_tokens"


class Kind(NamedTuple):
    """A kind of tokens, which has one price."""

    model: str | None
    service_tier: str | None
    context_window: str | None
    token_type: str

    @property
    def cell(self) -> tuple[str | None, ...]:
        """The kind with its direction in place of its token type."""
        direction = "output" if self.token_type == _OUTPUT else "input"
        return (self.model, self.service_tier, self.context_window, direction)


@dataclass(slots=True)
class Used:
    """Tokens and their cost, by kind, in one of the two periods.

    Attributes:
        tokens: Kind → tokens; not a whole number if it is a mean of several days.
        amounts: Kind → cost in 1e-18 cents.
        other: Cost that is not for a kind of tokens, in 1e-18 cents.
    """

    tokens: dict[Kind, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    amounts: dict[Kind, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    other: Fraction = Fraction()

    def total(self) -> Fraction:
        """Return the cost of all kinds, and the other cost."""
        return self.other + sum(self.amounts.values())


def drivers(before: Used, now: Used) -> dict[str, Fraction]:
    """Return the change of cost by driver; the values add up to the change."""
    kinds = _billed_kinds(before, now)
    cost_before, cost_now = (_cost(used, kinds) for used in (before, now))
    tokens_before, tokens_now = (sum((used.tokens[kind] for kind in kinds), Fraction()) for used in (before, now))
    # The price before, or the price now for a kind without tokens before.
    prices = {kind: _price(before if before.tokens[kind] else now, kind) for kind in kinds}
    at_old_prices = sum((now.tokens[kind] * prices[kind] for kind in kinds), Fraction())
    at_cell_prices = _at_cell_prices(before, now, kinds, prices)
    # Without any tokens before there is no average price: all of the change counts as volume, and mix is zero.
    at_average = tokens_now * cost_before / tokens_before if tokens_before else at_cell_prices
    return {
        "volume": at_average - cost_before,
        "mix": at_cell_prices - at_average,
        "cache": at_old_prices - at_cell_prices,
        "price": cost_now - at_old_prices,
        "other": (now.total() - cost_now) - (before.total() - cost_before),
    }


def _billed_kinds(before: Used, now: Used) -> list[Kind]:
    """Return the kinds with tokens, in cells that have both tokens and cost.

    Other cells cannot explain a change of cost: priority tier, for example, has tokens without cost.
    """
    billed_cells = {
        kind.cell for used in (before, now) for kind in used.amounts if used.amounts[kind] and used.tokens[kind]
    }
    kinds = {kind for used in (before, now) for kind in used.tokens if used.tokens[kind] and kind.cell in billed_cells}
    return sorted(kinds, key=str)


def _cost(used: Used, kinds: list[Kind]) -> Fraction:
    """Return the cost of kinds; without tokens, cost counts as `other`."""
    return sum((used.amounts[kind] for kind in kinds if used.tokens[kind]), Fraction())


def _price(used: Used, kind: Kind) -> Fraction:
    return used.amounts[kind] / used.tokens[kind]


def _at_cell_prices(before: Used, now: Used, kinds: list[Kind], prices: dict[Kind, Fraction]) -> Fraction:
    """Return the tokens of now at the price of their cell before.

    In a cell without tokens before, each kind has its own price.
    """
    cells: dict[tuple[str | None, ...], list[Kind]] = defaultdict(list)
    for kind in kinds:
        cells[kind.cell].append(kind)
    total = Fraction()
    for kinds_of_cell in cells.values():
        tokens_before = sum((before.tokens[kind] for kind in kinds_of_cell), Fraction())
        if tokens_before:
            price = _cost(before, kinds_of_cell) / tokens_before
            total += sum(now.tokens[kind] for kind in kinds_of_cell) * price
        else:
            total += sum((now.tokens[kind] * prices[kind] for kind in kinds_of_cell), Fraction())
    return total
