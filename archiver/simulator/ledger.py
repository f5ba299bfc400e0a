"""Amendments: how a day that was already told is told otherwise later (late, changed, vanished rows)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from archiver.simulator.activity import Atom
from archiver.simulator.habits import DIMENSIONS

if TYPE_CHECKING:
    from fractions import Fraction

Atoms = tuple[Atom, ...]
Where = Mapping[str, str | None]
_Change = Callable[[Atoms], Iterable[Atom]]


class Ledger:
    """Changes to days (counted since 1970), applied in the order in which they were made.

    `version` grows with every change, for those who keep what they computed.
    """

    def __init__(self) -> None:
        """Nothing is amended."""
        self._changes: defaultdict[int, list[_Change]] = defaultdict(list)
        self._without_charges: set[int] = set()
        self.version = 0

    def apply(self, day: int, atoms: Atoms) -> Atoms:
        """The atoms of the day after every change to it."""
        for change in self._changes.get(day, ()):
            atoms = tuple(change(atoms))
        return atoms

    def charges_stand(self, day: int) -> bool:
        """Whether charges that do not come from use (code execution, sessions, credits) are still there."""
        return day not in self._without_charges

    def scale(self, day: int, factor: Fraction, where: Where) -> None:
        """Every count of the atoms that match becomes `factor` times as large, rounded."""

        def change(atoms: Atoms) -> Iterable[Atom]:
            return (_scaled(atom, factor) if _matches(atom, where) else atom for atom in atoms)

        self._add(day, change)

    def remove(self, day: int, where: Where) -> None:
        """The atoms that match are gone; with an empty `where` so are the day's other charges."""
        if not where:
            self._without_charges.add(day)
        self._add(day, lambda atoms: (atom for atom in atoms if not _matches(atom, where)))

    def add(self, day: int, atom: Atom) -> None:
        """One more atom."""
        self._add(day, lambda atoms: (*atoms, atom))

    def restore(self, day: int) -> None:
        """The day is as if it had never been amended."""
        self._changes.pop(day, None)
        self._without_charges.discard(day)
        self.version += 1

    def _add(self, day: int, change: _Change) -> None:
        self._changes[day].append(change)
        self.version += 1


def _matches(atom: Atom, where: Where) -> bool:
    return all(atom.dims[DIMENSIONS.index(name)] == value for name, value in where.items())


def _scaled(atom: Atom, factor: Fraction) -> Atom:
    a, b, c, d, e, f = (round(count * factor) for count in atom.tokens)
    return atom._replace(tokens=(a, b, c, d, e, f))
