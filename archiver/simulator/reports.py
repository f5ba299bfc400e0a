"""The two reports: which buckets a range gives at the clock's present, and pages of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.simulator.clock import DAY, stamp
from archiver.simulator.habits import DIMENSIONS
from archiver.simulator.tally import cost_rows, usage_rows, usage_tallies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archiver.simulator.activity import Atom
    from archiver.simulator.query import Ask, Filters, Query
    from archiver.simulator.tally import Row, Tally
    from archiver.simulator.world import World

Bucket = dict[str, Any]


class Reports:
    """Answers in exactly the wire's shape, computed from the world as it is visible now."""

    def __init__(self, world: World) -> None:
        """Nothing is kept between answers."""
        self._world = world

    def page(self, query: Query) -> dict[str, Any]:
        """One page: `data`, `has_more` and `next_page`."""
        starts = self.starts(query.ask)
        here = range(max(starts.start, query.first), starts.stop, query.ask.width)[: query.limit]
        more = bool(here) and here[-1] != starts[-1]
        following = query.token(here[-1] + query.ask.width) if more else None
        return {"data": self.buckets(query.ask, here), "has_more": more, "next_page": following}

    def starts(self, ask: Ask) -> range:
        """The starts (UTC seconds) of the buckets of a range that exist by now.

        The usage report gives the bucket in progress when the range covers its end; the cost report never
        does.
        """
        now = self._world.clock.seconds
        begun = now - now % ask.width
        last = begun + ask.width if ask.report == "usage" else begun
        return range(ask.start, min(ask.end, last), ask.width)

    def is_final(self, ask: Ask) -> bool:
        """Whether time alone can no longer change the answer for this range."""
        return ask.end + self._world.slack + DAY <= self._world.clock.seconds

    def buckets(self, ask: Ask, starts: Sequence[int]) -> list[Bucket]:
        """The buckets at these starts, also those without use."""
        rows = self._usage(ask, starts) if ask.report == "usage" else self._cost(ask, starts)
        return [
            {"starting_at": stamp(start), "ending_at": stamp(start + ask.width), "results": found}
            for start, found in zip(starts, rows, strict=True)
        ]

    def _usage(self, ask: Ask, starts: Sequence[int]) -> Iterator[list[Row]]:
        day: int | None = None
        tallies: dict[int, Tally] = {}
        for start in starts:
            if start // DAY != day:
                day = start // DAY
                atoms = _filtered(self._world.atoms(day), ask.filters)
                tallies = usage_tallies(atoms, ask.width, ask.group_by)
            yield usage_rows(tallies.get(start % DAY // ask.width, {}), ask.group_by)

    def _cost(self, ask: Ask, starts: Sequence[int]) -> Iterator[list[Row]]:
        for start in starts:
            day = start // DAY
            yield cost_rows(self._world.atoms(day), self._world.charges(day), ask.group_by)


def _filtered(atoms: Sequence[Atom], filters: Filters) -> Sequence[Atom]:
    """Use whose value is null matches no filter."""
    for name, values in filters:
        place = DIMENSIONS.index(name)
        atoms = [atom for atom in atoms if atom.dims[place] in values]
    return atoms
