"""The workloads: width, days and rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from scripts.benchmark.pages import Shape

SINCE = date(2023, 11, 1)


@dataclass(frozen=True)
class Workload:
    """One measurement; `window_days` is the largest range of one request."""

    name: str
    title: str
    width: str
    days: int
    window_days: int
    shape: Shape
    report: str = "usage"
    latency: float = 0.0
    concurrency: int = 4

    @property
    def since(self) -> str:
        """The first day."""
        return SINCE.isoformat()

    @property
    def until(self) -> str:
        """The day after the last."""
        return (SINCE + timedelta(days=self.days)).isoformat()

    def arguments(self, *, since: str | None = None, until: str | None = None) -> list[str]:
        """Return the options of `archiver sync`."""
        report = [] if self.report == "both" else ["--report", self.report]
        times = ["--since", since or self.since, "--until", until or self.until]
        return [*times, "--bucket-width", self.width, "--concurrency", str(self.concurrency), *report]

    def peer_arguments(self) -> list[str]:
        """Return the arguments of a peer."""
        return [self.width, self.since, str(self.days), str(self.window_days)]


A = Workload("A", "minutes, 30 days, 20 rows a bucket", "1m", 30, 1, Shape(20, 40))
B = Workload("B", "days, 3 years, 200 rows a day", "1d", 1096, 31, Shape(200, 200))
C = Workload("C", "hours, a year, 50 rows an hour of 2,000 keys", "1h", 364, 7, Shape(50, 2000))
D = Workload("D", "days, 3 years, 150 ms a request, 8 at a time", "1d", 1096, 31, Shape(5, 5), "both", 0.150, 8)
E = Workload("E", "minutes, a year, 20 rows a bucket", "1m", 364, 1, Shape(20, 40), "both")
G = replace(A, name="G", title="A with a new field in every row", shape=replace(A.shape, new_field=True))
