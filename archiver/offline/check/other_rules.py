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

_BEFORE = 14
_LEAST_BEFORE = 7


@dataclass(slots=True)
class _Input:
    """The input tokens of a subject by day, and those from the cache."""

    name: str
    all: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    read: dict[date, int] = field(default_factory=lambda: defaultdict(int))

    def rate(self, day: date) -> float:
        """Return the cache hit rate of a day with input."""
        return self.read[day] / self.all[day]


def cache_collapses(watch: Watch) -> Iterator[Signal]:
    """Yield the days when the cache hit rate was far below that of before.

    It is compared with its median of the fourteen days before.
    """
    rule = watch.settings.cache
    first = watch.period.since - timedelta(days=_BEFORE)
    days = [day for day in watch.reader.days(Report.USAGE, f"{first}", f"{watch.period.until}") if day.is_whole]
    inputs: dict[Identity, _Input] = {}
    for line in watch.reader.lines(Report.USAGE, ("day", "workspace", "model"), days):
        day = date.fromisoformat(line.values["date"])
        uncached, hour, minutes, read = line.sums[:4]
        for word in rule.by:
            value = None if word == "total" else line.values[BY_NAME[word].column]
            if not isinstance(value, Label):
                one = inputs.setdefault((word, value), _Input(_name(word, line.values)))
                one.all[day] += uncached + hour + minutes + read
                one.read[day] += read
    for identity, one in inputs.items():
        for day in sorted(one.all):
            before = [other for other in one.all if day - timedelta(days=_BEFORE) <= other < day]
            enough = [other for other in before if one.all[other] >= rule.tokens]
            if not watch.has(day) or one.all[day] < rule.tokens or len(enough) < _LEAST_BEFORE:
                continue
            rates = sorted(map(one.rate, enough))
            usual = rates[len(rates) // 2]
            if usual - one.rate(day) >= rule.drop:
                text = (
                    f"the cache hit rate of {one.name} was {one.rate(day):.1%} on {day}, usually {usual:.1%} "
                    f"(median of {count(len(rates), 'day')}), of {one.all[day]:,} input tokens"
                )
                yield Signal("cache", one.name, identity, day, text)


def _name(word: str, values: dict[str, Any]) -> str:
    if word == "total":
        return "the organisation"
    dimension = BY_NAME[word]
    value = values[dimension.label_column or dimension.column]
    return f"{word} {dimension.null_label if value is None else value}"


def stale_reports(watch: Watch) -> Iterator[Signal]:
    """Yield the reports with a newest whole day that ended too long ago.

    The past cannot be tested: which days were archived when is known, but not which runs were meant to.
    """
    if watch.is_backtest:
        return
    for report in DEFAULT_REPORTS:
        whole = [day.date for day in watch.reader.days(report) if day.is_whole]
        if not whole:
            continue
        end = datetime.combine(max(whole) + timedelta(days=1), time.min, UTC)
        age = watch.now - end
        if age >= timedelta(hours=watch.settings.stale.hours):
            hours = f"{age.total_seconds() / 3600:.0f} hours"
            text = f"{report} is archived up to the end of {max(whole)}, {hours} ago: run archiver sync"
            # The day is that of the check, so that the finding is over once a sync has run.
            yield Signal("stale", str(report), (str(report),), watch.now.date(), text)


def restated_cost(watch: Watch) -> Iterator[Signal]:
    """Yield the days on which the API was seen to have changed settled cost.

    Cost that is archived by several groupings has each change in all of them: the one that has most of it counts.
    """
    changes: dict[tuple[date, str, str], dict[str, _Change]] = defaultdict(lambda: defaultdict(_Change))
    since, until = (f"{one}T00:00:00Z" for one in (watch.period.since, watch.period.until))
    for row in watch.reader.restatements(since, until if watch.is_backtest else None):
        if row["report"] == Report.COST and row["field"] == "amount":
            key = (date.fromisoformat(row["learnt_at"][:10]), row["currency"], row["bucket_start"][:10])
            changes[key][row["group_by"]].add(Decimal(row["now"] or 0) - Decimal(row["was"] or 0))
    found: dict[tuple[date, str], dict[str, _Change]] = defaultdict(dict)
    for (day, currency, bucket), by_series in changes.items():
        found[day, currency][bucket] = max(by_series.values(), key=lambda one: one.up - one.down)
    for (day, currency), of_buckets in sorted(found.items()):
        up, down = (
            from_dollars(sum((getattr(one, way) for one in of_buckets.values()), Decimal()) / 100)
            for way in ("up", "down")
        )
        if max(up, -down) >= from_dollars(watch.settings.restated.amount):
            buckets = sorted(of_buckets.items(), key=lambda one: (-abs(one[1].net), one[0]))
            lines = tuple(f"cost of {bucket} {one.net / 100:+.2f}" for bucket, one in buckets[:3] if one.net)
            text = (
                f"settled cost changed, first seen on {day}: {dollars(up, currency)} more and "
                f"{dollars(-down, currency)} less"
            )
            identity = ("settled cost", currency)
            yield Signal("restated", "settled cost", identity, day, text, lines, currency, up + down)


@dataclass(slots=True)
class _Change:
    """What was added to a bucket and taken from it, in cents."""

    up: Decimal = Decimal()
    down: Decimal = Decimal()

    @property
    def net(self) -> Decimal:
        """The change of the sum."""
        return self.up + self.down

    def add(self, change: Decimal) -> None:
        """Add the change of a row."""
        if change > 0:
            self.up += change
        else:
            self.down += change
