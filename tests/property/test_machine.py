"""A state machine in which rows change on the server and syncs overlap, stop and are repeated.

In any order, after a sync the archive equals the last responses of the API, and `verify` finds nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from archiver.model import BucketWidth, Report
from archiver.plan.scope import Scope
from archiver.simulator import Settings, background
from archiver.store.read.verify import verify_archive
from tests import analytics, claude_code
from tests.support import NOW, archived, day, sync, truth

EXAMPLES = int(os.environ.get("ARCHIVER_TEST_EXAMPLES", "12"))
STEPS = int(os.environ.get("ARCHIVER_TEST_STEPS", "12"))
FIRST = date(2026, 1, 1)

days = st.integers(0, 14).map(lambda n: FIRST + timedelta(days=n))
series = st.sampled_from(
    [
        (Report.USAGE, BucketWidth.DAY, ("model",)),
        (Report.USAGE, BucketWidth.DAY, ()),
        (Report.USAGE, BucketWidth.HOUR, ("workspace_id",)),
        (Report.COST, BucketWidth.DAY, ("workspace_id",)),
        (Report.ANALYTICS_USAGE, BucketWidth.DAY, ("actor", "model")),
        (Report.ANALYTICS_USAGE, BucketWidth.HOUR, ()),
        (Report.ANALYTICS_COST, BucketWidth.DAY, ("api_key_id", "workspace_id")),
        (Report.CLAUDE_CODE, BucketWidth.DAY, ()),
    ]
)


def scope_of(one: tuple[Report, BucketWidth, tuple[str, ...]], first: date, last: date) -> Scope:
    report, width, group_by = one
    if report is Report.COST:  # today has no cost: a range of today alone is a mistake of the caller
        first = min(first, NOW.date() - timedelta(days=1))
    since, until = day(first.isoformat()), day((last + timedelta(days=1)).isoformat())
    return Scope((report,), (width,), (group_by or "none",), since=since, until=until, refresh_days=400)


class Machine(RuleBasedStateMachine):
    """The simulator is the model that the archive is compared with."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.db = self.folder / "archive.db"
        self.hours = 0

    @initialize(seed=st.integers(1, 5))
    def start_server(self, seed: int) -> None:
        self.api = self.stack.enter_context(background(Settings(seed=seed, first_day=FIRST, now=NOW, size=0.05)))

    @rule(when=days, factor=st.sampled_from([0, 2, 3]))
    def amend(self, when: date, factor: int) -> None:
        self.api.amend(when, factor)

    @rule(when=days)
    def remove(self, when: date) -> None:
        self.api.remove(when)

    @rule(when=days)
    def restore(self, when: date) -> None:
        self.api.restore(when)

    @rule(when=days, count=st.integers(1, 9))
    def add_late(self, when: date, count: int) -> None:
        self.api.add_usage(day(when.isoformat()) + timedelta(hours=7), {"output": count}, model="late")

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.hours += hours
        self.api.clock.now = NOW + timedelta(hours=self.hours)

    @rule(one=series, first=days, length=st.integers(0, 14), seconds=st.sampled_from([0.0, 0.01, 0.03, 0.06]))
    def interrupt(
        self, one: tuple[Report, BucketWidth, tuple[str, ...]], first: date, length: int, seconds: float
    ) -> None:
        sync(self.api, self.db, scope_of(one, first, first + timedelta(days=length)), max_runtime=seconds)

    @rule(one=series, first=days, length=st.integers(0, 14))
    def archive(self, one: tuple[Report, BucketWidth, tuple[str, ...]], first: date, length: int) -> None:
        report, width, group_by = one
        last = first + timedelta(days=length)
        summary = sync(self.api, self.db, scope_of(one, first, last), accept_restatements=True)
        assert {failure.error for failure in summary.failures} <= {"collapse"}
        assert summary.exit_code == (3 if summary.failures else 0)
        end = day((last + timedelta(days=1)).isoformat())
        if report is Report.CLAUDE_CODE:
            assert claude_code.archived(self.db, first, last) == claude_code.truth(self.api, first, last)
            return
        if report in analytics.BOTH:
            kept = [
                row
                for row in analytics.archived(self.db, report, group_by, width)
                if str(first) <= json.loads(row)["bucket_start"][:10] <= str(last)
            ]
            assert kept == analytics.truth(self.api, report, group_by, day(first.isoformat()), width, end)
            return
        expected = truth(self.api, report, width, group_by, day(first.isoformat()), end)
        until = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = [r for r in archived(self.db, report, width, group_by) if f"{first}T00:00:00Z" <= r[0] < until]
        assert rows == expected

    @rule()
    def verify(self) -> None:
        if self.db.exists():
            assert [finding for finding in verify_archive(self.db) if finding.is_damage] == []

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.folder)


Machine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
TestMachine = Machine.TestCase
