"""Spend by month and workspace, from the canonical series of each day."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.offline.reports.breakdowns import columns_of
from archiver.offline.tables.write import dollars
from archiver.store.read.reads import read_grouped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEFAULT_WORKSPACE = "(default workspace)"


@dataclass(frozen=True, slots=True)
class Spend:
    """A table of exact amounts, in microcents, by month and workspace."""

    months: tuple[str, ...]
    workspaces: tuple[str, ...]
    microcents: dict[tuple[str, str], int]
    currencies: tuple[str, ...]

    def total(self, *, month: str | None = None, workspace: str | None = None) -> int:
        """Sum exactly, over all or over one month or workspace."""
        return sum(
            amount for (m, w), amount in self.microcents.items() if month in {None, m} and workspace in {None, w}
        )

    def table(self) -> tuple[list[str], list[Sequence[str]]]:
        """Lay it out for people: a row a month, a column a workspace (its name over several lines), and totals."""
        header = ["month", *(name.replace(" ", "\n") for name in self.workspaces), "total"]
        body: list[Sequence[str]] = [
            [m, *(dollars(self.microcents.get((m, w), 0)) for w in self.workspaces), dollars(self.total(month=m))]
            for m in self.months
        ]
        totals = ["total", *(dollars(self.total(workspace=w)) for w in self.workspaces), dollars(self.total())]
        return header, [*body, totals]


def read_spend(path: Path) -> Spend:
    """Read the table from an archive; raises what opening one raises."""
    amounts: dict[tuple[str, str | None], int] = defaultdict(int)
    names: dict[str | None, str] = {}
    currencies = set()
    by = ("month", "workspace")
    for month, workspace_id, name, currency, microcents in read_grouped(path, "cost", columns_of(by), by, None, None):
        names[workspace_id] = DEFAULT_WORKSPACE if workspace_id is None else name or workspace_id  # the latest, at last
        amounts[month, workspace_id] += microcents
        currencies.add(currency)
    labels = _labels(names)
    months = tuple(sorted({month for month, _ in amounts}))
    told = {(month, labels[one]): amount for (month, one), amount in amounts.items()}
    return Spend(months, tuple(sorted(labels.values())), told, tuple(sorted(currencies)))


def _labels(names: Mapping[str | None, str]) -> dict[str | None, str]:
    """Tell workspaces of one name apart by their ids."""
    count = Counter(map(str, names.values()))
    return {
        one: name if one is None or count[str(name)] == 1 or name == one else f"{name} ({one})"
        for one, name in names.items()
    }
