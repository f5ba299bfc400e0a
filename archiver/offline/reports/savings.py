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
    from archiver.store.read.daily_sums import Day
    from archiver.store.read.reader import ArchiveReader

DIMENSIONS = dimensions_of(Report.USAGE)
_UNCACHED, _READ = "uncached_input_tokens", "cache_read_input_tokens"
_WRITES = ("cache_creation.ephemeral_1h_input_tokens", "cache_creation.ephemeral_5m_input_tokens")
# Service tiers.
_STANDARD, _BATCH = "standard", "batch"
_AMOUNTS = ("saved_by_reads", "extra_for_writes", "saved", "standard_cost", "cost_in_batch", "batch_would_save")


@dataclass(slots=True)
class _Sums:
    """The sums of one row.

    Amounts are in 1e-18 cents, and None if there are no tokens with the prices that they need.

    Attributes:
        unknown_cache: The cached tokens that lack a price.
        unknown_batch: The tokens of the standard tier that lack a price.
    """

    read_tokens: int = 0
    saved_by_reads: Fraction | None = None
    extra_for_writes: Fraction | None = None
    standard_cost: Fraction | None = None
    cost_in_batch: Fraction | None = None
    unknown_cache: int = 0
    unknown_batch: int = 0

    def add(self, values: Row, usage_counts: Sequence[int], prices: Prices) -> None:
        """Add the tokens of one model, tier and window."""
        tokens = {name: usage_counts[index] for name, index in COUNT_OF_TOKEN_TYPE.items() if usage_counts[index]}
        self.read_tokens += tokens.get(_READ, 0)
        for name in (_READ, *_WRITES):
            self._add_cached(name, tokens.get(name, 0), values, prices)
        if values["service_tier"] == _STANDARD:
            for name, number in tokens.items():
                self._add_standard(number, kind_of(values, name), prices)

    def _add_cached(self, name: str, number: int, values: Row, prices: Prices) -> None:
        """Add the difference between the cost with and without the cache."""
        if not number:
            return
        price, uncached = (prices.of_tokens.get(kind_of(values, token_type)) for token_type in (name, _UNCACHED))
        if price is None or uncached is None:
            self.unknown_cache += number
        elif name == _READ:
            self.saved_by_reads = (self.saved_by_reads or Fraction()) + uncached.of(number) - price.of(number)
        else:
            self.extra_for_writes = (self.extra_for_writes or Fraction()) + price.of(number) - uncached.of(number)

    def _add_standard(self, number: int, kind: Kind, prices: Prices) -> None:
        """Add the cost of tokens of the standard tier, and their cost in a batch."""
        price, in_batch = (prices.of_tokens.get(priced) for priced in (kind, kind._replace(service_tier=_BATCH)))
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
        amounts = (None if part is None else Estimate(round(part)) for part in parts)
        return {"currency": currency, "cache_read_tokens": self.read_tokens} | dict(zip(_AMOUNTS, amounts, strict=True))


def savings(reader: ArchiveReader, request: ReportRequest) -> Table:
    """Return what the cache saved and what batches would have saved, by model.

    `saved_by_reads`: the cost of the cache reads as uncached input, less their own cost.
    `extra_for_writes`: the cost of the cache writes, less their cost as uncached input.
    `saved`: `saved_by_reads` less `extra_for_writes`.
    `batch_would_save`: the cost of the standard tier, less the cost of the same tokens in the batch tier.

    Prices are computed from the archived cost of the selected days, or for kinds of tokens without a price there, of
    all days in the same currency. Tokens without a price are in none of the amounts; notes have their numbers.
    """
    by = request.grouped(DIMENSIONS, ("model",), "savings")
    selected = select_days(reader, Report.USAGE, request)
    if selected.known is None:
        return selected.unknown()
    days = [day for day in selected.days if has_all(Report.USAGE, day)]
    prices = _prices(reader, request)
    if not prices.of_tokens:
        return Table([], [], notes=(NO_PRICES,), is_known=False)
    found = _read_sums(reader, by, days, prices)
    rows = [values | sums.row(prices.currency) for values, sums in found]
    top = rows
    if request.top is not None or not set(by) & set(TIMES):
        top = keep_top(rows, request.top, lambda row: row["saved"] or 0, ("cache_read_tokens", *_AMOUNTS)).rows
    # All columns but the last ones: the amounts, and before them the tokens.
    names = [*rows[0]][: -len(_AMOUNTS) - 1] if rows else [*by, "currency"]
    sums_of = {name: sum_by_currency(rows, name) or None for name in _AMOUNTS}
    total = total_row(names, cache_read_tokens=sum(row["cache_read_tokens"] for row in rows), **sums_of)
    columns = [*plain(*names), *counts("cache_read_tokens"), *money(*_AMOUNTS)]
    left_out = len(selected.days) - len(days)
    return Table(columns, top, total, period=selected.known.title()).noting(
        selected.known.sentence(),
        f"{count(left_out, 'day')} left out: usage is not archived by {', '.join(PRICED_BY)}" if left_out else "",
        unpriced_note(sum(sums.unknown_cache for _, sums in found), "of the cache have no known price"),
        unpriced_note(sum(sums.unknown_batch for _, sums in found), "of the standard tier have no known batch price"),
        "estimates, from prices computed from the archive: archiver report prices shows each price and its days",
    )


def _prices(reader: ArchiveReader, request: ReportRequest) -> Prices:
    """Return the prices of the selected days, completed by those of all days."""
    prices = learn_prices(reader, request.selects)
    # Without bills on the selected days, the currency is that of the newest bill in the archive.
    currency = prices.currency or newest_currency(reader, lambda _: True)
    return prices.or_else(learn_prices(reader, lambda _: True, currency=currency))


def _read_sums(
    reader: ArchiveReader, by: tuple[str, ...], days: Sequence[Day], prices: Prices
) -> list[tuple[Row, _Sums]]:
    """Return the columns of the dimensions, with the sums, for each row."""
    # The columns of the dimensions. Of the times, only `day` has a column with another name.
    shown = {BY_NAME[name].column if name in BY_NAME else {"day": "date"}.get(name, name) for name in by}
    found: dict[tuple[Any, ...], tuple[Row, _Sums]] = {}
    # Lines are read by all that a price depends on, and summed into rows by `by` alone.
    for line in reader.lines(Report.USAGE, (*by, *(name for name in PRICED_BY if name not in by)), days):
        values = {name: value for name, value in line.values.items() if _column(name) in shown}
        # Rows are identified by ids, because the name of an id can change.
        _, sums = found.setdefault(tuple(values[name] for name in values if name in shown), (values, _Sums()))
        sums.add(line.values, line.sums, prices)
    return list(found.values())


def _column(name: str) -> str:
    """Return the id column for a label column; other names as they are."""
    return next((dimension.column for dimension in BY_COLUMN.values() if dimension.label_column == name), name)
