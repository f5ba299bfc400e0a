"""`report savings`: what the prompt cache saves, and what batches would."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archiver.model import Report
from archiver.offline.reports.grouped import COUNT_OF_TOKEN_TYPE, total_row
from archiver.offline.reports.known_days import count
from archiver.offline.reports.priced_days import PRICED_BY, has_all, kind_of
from archiver.offline.reports.prices import NO_PRICES, Prices, learn_prices, newest_currency, unpriced_note
from archiver.offline.reports.request import select_days
from archiver.offline.tables.money import Estimate
from archiver.offline.tables.table import Table, counts, keep_top, money, plain, sum_by_currency
from archiver.reports.dimensions import BY_COLUMN, BY_NAME, TIMES, dimensions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.offline.reports.drivers import Kind
    from archiver.offline.reports.request import ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

DIMENSIONS = dimensions_of(Report.USAGE)
_UNCACHED, _READ = "uncached_input_tokens", "cache_read_input_tokens"
_WRITES = ("cache_creation.ephemeral_1h_input_tokens", "cache_creation.ephemeral_5m_input_tokens")
_STANDARD, _BATCH = "standard", "batch"
_AMOUNTS = ("saved_by_reads", "extra_for_writes", "saved", "standard_cost", "cost_in_batch", "batch_would_save")


@dataclass(slots=True)
class _Sums:
    """The sums of one row, in 1e-18 cents; None: no price is known."""

    read_tokens: int = 0
    saved_by_reads: Fraction | None = None
    extra_for_writes: Fraction | None = None
    standard_cost: Fraction | None = None
    cost_in_batch: Fraction | None = None
    unknown_cache: int = 0
    unknown_batch: int = 0

    def add(self, values: Row, counts_of: Sequence[int], known: Prices) -> None:
        """Add the tokens of one model, tier and window."""
        tokens = {name: counts_of[at] for name, at in COUNT_OF_TOKEN_TYPE.items() if counts_of[at]}
        self.read_tokens += tokens.get(_READ, 0)
        for name in (_READ, *_WRITES):
            self._add_cached(name, tokens.get(name, 0), values, known)
        if values["service_tier"] == _STANDARD:
            for name, number in tokens.items():
                self._add_standard(number, kind_of(values, name), known)

    def _add_cached(self, name: str, number: int, values: Row, known: Prices) -> None:
        """Add the difference to the price of the same tokens without a cache."""
        if not number:
            return
        price, uncached = (known.of_tokens.get(kind_of(values, one)) for one in (name, _UNCACHED))
        if price is None or uncached is None:
            self.unknown_cache += number
        elif name == _READ:
            self.saved_by_reads = (self.saved_by_reads or Fraction()) + uncached.of(number) - price.of(number)
        else:
            self.extra_for_writes = (self.extra_for_writes or Fraction()) + price.of(number) - uncached.of(number)

    def _add_standard(self, number: int, kind: Kind, known: Prices) -> None:
        """Add the cost of tokens of the standard tier, and their cost in a batch."""
        price, in_batch = (known.of_tokens.get(one) for one in (kind, kind._replace(service_tier=_BATCH)))
        if price is None or in_batch is None:
            self.unknown_batch += number
        else:
            self.standard_cost = (self.standard_cost or Fraction()) + price.of(number)
            self.cost_in_batch = (self.cost_in_batch or Fraction()) + in_batch.of(number)

    def row(self, currency: str) -> Row:
        """Return the columns of the sums."""
        saved = None
        if self.saved_by_reads is not None or self.extra_for_writes is not None:
            saved = (self.saved_by_reads or 0) - (self.extra_for_writes or 0)
        batch = None
        if self.standard_cost is not None and self.cost_in_batch is not None:
            batch = self.standard_cost - self.cost_in_batch
        parts = (self.saved_by_reads, self.extra_for_writes, saved, self.standard_cost, self.cost_in_batch, batch)
        amounts = (None if one is None else Estimate(round(one)) for one in parts)
        return {"currency": currency, "cache_read_tokens": self.read_tokens} | dict(zip(_AMOUNTS, amounts, strict=True))


def savings(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return what the cache saved and what batches would have saved, by model.

    `saved` is `saved_by_reads`, cache reads at the price of uncached input less their own, less `extra_for_writes`,
    cache writes at their price less that of uncached input. `batch_would_save` is the cost of the standard tier less
    that of the same tokens at the prices of the batch tier. Prices are those of the archive's own bills of the selected
    days, or else of all days in the same currency; what has no price is counted in a note, and is in no sum.
    """
    by = request.grouped(DIMENSIONS, ("model",), "savings")
    selected = select_days(reader, Report.USAGE, request)
    if selected.known is None:
        return selected.unknown()
    days = [day for day in selected.days if has_all(Report.USAGE, day)]
    known = learn_prices(reader, request.selects)
    currency = known.currency or newest_currency(reader, lambda _: True)
    known = known.or_else(learn_prices(reader, lambda _: True, currency=currency))
    if not known.of_tokens:
        return Table([], [], notes=(NO_PRICES,), is_known=False)
    shown = {BY_NAME[one].column if one in BY_NAME else {"day": "date"}.get(one, one) for one in by}
    found: dict[tuple[Any, ...], tuple[Row, _Sums]] = {}
    for line in reader.lines(Report.USAGE, (*by, *(one for one in PRICED_BY if one not in by)), days):
        values = {name: value for name, value in line.values.items() if _column(name) in shown}
        _, sums = found.setdefault(tuple(values[one] for one in values if one in shown), (values, _Sums()))
        sums.add(line.values, line.sums, known)
    rows = [values | sums.row(known.currency) for values, sums in found.values()]
    top = rows
    if request.top is not None or not set(by) & set(TIMES):
        top = keep_top(rows, request.top, lambda row: row["saved"] or 0, ("cache_read_tokens", *_AMOUNTS)).rows
    names = [*rows[0]][: -len(_AMOUNTS) - 1] if rows else [*by, "currency"]
    sums_of = {name: sum_by_currency(rows, name) or None for name in _AMOUNTS}
    total = total_row(names, cache_read_tokens=sum(row["cache_read_tokens"] for row in rows), **sums_of)
    columns = [*plain(*names), *counts("cache_read_tokens"), *money(*_AMOUNTS)]
    left_out = len(selected.days) - len(days)
    return Table(columns, top, total, period=selected.known.title()).noting(
        selected.known.sentence(),
        f"{count(left_out, 'day')} left out: usage is not archived by {', '.join(PRICED_BY)}" if left_out else "",
        unpriced_note(sum(one.unknown_cache for _, one in found.values()), "of the cache have no known price"),
        unpriced_note(
            sum(one.unknown_batch for _, one in found.values()), "of the standard tier have no known batch price"
        ),
        "estimates, from prices of the archive's own bills: archiver report prices shows each with its days",
    )


def _column(name: str) -> str:
    """Return the column of an id, of its own name or of the name of its label."""
    return next((one.column for one in BY_COLUMN.values() if one.label_column == name), name)
