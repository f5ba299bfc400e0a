"""Spend by month and workspace, from the canonical series of each day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archiver.offline.breakdowns import columns_of
from archiver.offline.render import dollars
from archiver.store.questions import read_grouped

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    amounts: dict[tuple[str, str], int] = defaultdict(int)
    currencies = set()
    by = ("month", "workspace")
    for month, workspace_id, name, currency, microcents in read_grouped(path, "cost", columns_of(by), by, None, None):
        label = DEFAULT_WORKSPACE if workspace_id is None else name or workspace_id
        amounts[month, label] += microcents
        currencies.add(currency)
    months = tuple(sorted({month for month, _ in amounts}))
    workspaces = tuple(sorted({workspace for _, workspace in amounts}))
    return Spend(months, workspaces, dict(amounts), tuple(sorted(currencies)))
