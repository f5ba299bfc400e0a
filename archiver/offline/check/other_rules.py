"""The rules `cache`, `stale` and `restated`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.model import DEFAULT_REPORTS, Report
from archiver.offline.check.findings import Identity, Signal
from archiver.offline.check.watch import dollars
from archiver.offline.reports.known_days import count
from archiver.offline.tables.money import from_dollars
from archiver.reports.dimensions import BY_NAME, Label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archiver.offline.check.watch import Watch

_BEFORE = 14  # the days before a day, with which the day is compared
_LEAST_BEFORE = 7  # the least number of these days that need enough input tokens


@dataclass(slots=True)
class _Input:
    """The input tokens of a subject by day.

    Attributes:
        name: The name of the organisation, workspace or model.
        all: All input tokens.
        read: The input tokens that were read from the cache.
    """

    name: str
    all: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    read: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def rate(self, day: date) -> float:
        """Return the cache hit rate of a day, which has to have input tokens."""
        return self.read[day] / self.all[day]


def cache_collapses(watch: Watch) -> Iterator[Signal]:
    """Yield the days on which the cache hit rate fell far below its median.

    The median is that of the fourteen days before. Days with few input tokens are left out, and at least seven of the
    fourteen days have to remain.
    """
    rule = watch.settings.cache
    first = watch.period.since - timedelta(days=_BEFORE)
    days = [day for day in watch.reader.days(Report.USAGE, f"{first}", f"{watch.period.until}") if day.is_whole]
    inputs: dict[Identity, _Input] = {}
    for line in watch.reader.lines(Report.USAGE, ("day", "workspace", "model"), days):
        day = date.fromisoformat(line.values["date"])
        # The first four counts are the input tokens: not cached, written for an hour or five minutes, and read.
        uncached, written_1h, written_5m, read = line.sums[:4]
        for kind in rule.by:
            value = None if kind == "total" else line.values[BY_NAME[kind].column]
            # A label stands for usage that is not grouped by the dimension: it belongs to no subject of this kind.
            if not isinstance(value, Label):
                subject = inputs.setdefault((kind, value), _Input(_name(kind, line.values)))
                subject.all[day] += uncached + written_1h + written_5m + read
                subject.read[day] += read
    for identity, subject in inputs.items():
        for day in sorted(subject.all):
            before = [past for past in subject.all if day - timedelta(days=_BEFORE) <= past < day]
            compared = [past for past in before if subject.all[past] >= rule.tokens]
            if not watch.has(day) or subject.all[day] < rule.tokens or len(compared) < _LEAST_BEFORE:
                continue
            rates = sorted(map(subject.rate, compared))
            usual = rates[len(rates) // 2]  # the median; the upper one of two middle rates
            if usual - subject.rate(day) >= rule.drop:
                text = (
                    f"the cache hit rate of {subject.name} was {subject.rate(day):.1%} on {day}, usually {usual:.1%} "
                    f"(median of {count(len(rates), 'day')}), of {subject.all[day]:,} input tokens"
                )
                yield Signal("cache", subject.name, identity, day, text)


def _name(kind: str, values: dict[str, Any]) -> str:
    """Return the name of a subject: the organisation, a workspace or a model."""
    if kind == "total":
        return "the organisation"
    dimension = BY_NAME[kind]
    value = values[dimension.label_column or dimension.column]
    return f"{kind} {dimension.null_label if value is None else value}"


def stale_reports(watch: Watch) -> Iterator[Signal]:
    """Yield the reports of which the newest whole day ended too long ago.

    A day is whole if it was read after it had ended. A backtest yields nothing, because the archive does not have the
    times at which a sync was due.
    """
    if watch.is_backtest:
        return
    for report in DEFAULT_REPORTS:
        whole_days = [day.date for day in watch.reader.days(report) if day.is_whole]
        if not whole_days:
            continue
        end = datetime.combine(max(whole_days) + timedelta(days=1), time.min, UTC)
        age = watch.now - end
        if age >= timedelta(hours=watch.settings.stale.hours):
            hours = f"{age.total_seconds() / 3600:.0f} hours"
            text = f"{report} is archived up to the end of {max(whole_days)}, {hours} ago: run archiver sync"
            # Dated with the day of the check, so that the finding ends once a sync has run.
            yield Signal("stale", str(report), (str(report),), watch.now.date(), text)


def restated_cost(watch: Watch) -> Iterator[Signal]:
    """Yield the days on which changes of settled cost were first seen.

    Cost can be archived in several series, by different groupings, and a change of it is in each of them. So a bucket
    counts only once, with the series that changed most.
    """
    changes: dict[tuple[date, str, str], dict[str, _Change]] = defaultdict(lambda: defaultdict(_Change))
    since, until = (f"{day}T00:00:00Z" for day in (watch.period.since, watch.period.until))
    # The newest changes are seen after the last watched day has ended: only a backtest has an upper bound.
    for row in watch.reader.restatements(since, until if watch.is_backtest else None):
        if row["report"] == Report.COST and row["field"] == "amount":
            # The first ten characters of a time are its date.
            key = (date.fromisoformat(row["learnt_at"][:10]), row["currency"], row["bucket_start"][:10])
            changes[key][row["group_by"]].add(Decimal(row["now"] or 0) - Decimal(row["was"] or 0))
    found: dict[tuple[date, str], dict[str, _Change]] = defaultdict(dict)
    for (day, currency, bucket), by_series in changes.items():
        found[day, currency][bucket] = max(by_series.values(), key=lambda change: change.up - change.down)
    for (day, currency), by_bucket in sorted(found.items()):
        up, down = (
            from_dollars(sum((getattr(change, direction) for change in by_bucket.values()), Decimal()) / 100)
            for direction in ("up", "down")
        )
        if max(up, -down) >= from_dollars(watch.settings.restated.amount):
            buckets = sorted(by_bucket.items(), key=lambda item: (-abs(item[1].net), item[0]))
            # The three largest changes, in dollars.
            lines = tuple(f"cost of {bucket} {change.net / 100:+.2f}" for bucket, change in buckets[:3] if change.net)
            text = (
                f"settled cost changed, first seen on {day}: {dollars(up, currency)} more and "
                f"{dollars(-down, currency)} less"
            )
            identity = ("settled cost", currency)
            yield Signal("restated", "settled cost", identity, day, text, lines, currency, up + down)


@dataclass(slots=True)
class _Change:
    """The changes of one bucket in one series, in cents.

    Attributes:
        up: The sum of the changes that are above zero.
        down: The sum of the changes that are below zero; never positive.
    """

    up: Decimal = Decimal()
    down: Decimal = Decimal()

    @property
    def net(self) -> Decimal:
        """The change of the bucket's cost as a whole."""
        return self.up + self.down

    def add(self, change: Decimal) -> None:
        """Add the change of a row."""
        if change > 0:
            self.up += change
        else:
            self.down += change
