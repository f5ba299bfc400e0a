"""What earlier runs remembered decides the beginning and the cap, as long as it is valid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from archiver.crawl.names import creation_times, recall_oldest, remember_oldest
from archiver.crawl.prepare import COARSE_WINDOWS, Beginning, apply_memory, find_beginning, known_cap, remember_since
from archiver.model import DAY, NamedObject, NameKind, Report
from archiver.plan.calendar import EARLIEST_HISTORY, parse_time
from archiver.plan.scope import Scope
from archiver.store.plan_reader import PlanReader

if TYPE_CHECKING:
    from archiver.store.archive import Archive

NOW = int(parse_time("2026-01-15T12:30:00Z").timestamp())
OLDEST = int(parse_time("2025-11-03T09:00:00Z").timestamp())
OLDEST_DAY = int(parse_time("2025-11-03").timestamp())


@dataclass
class Memory(PlanReader):
    """The part of an archive that is remembered between runs."""

    values: dict[str, str] = field(default_factory=dict)
    begin: tuple[int, int | None] | None = None

    async def recall(self, key: str) -> str | None:
        return self.values.get(key)

    async def remember(self, key: str, value: str) -> None:
        self.values[key] = value

    async def history(self, report: Report) -> tuple[int, int | None] | None:  # noqa: ARG002
        return self.begin


# Where history begins -----------------------------------------------------------------------------------------------


async def test_history_begins_with_the_day_of_the_oldest_object() -> None:
    assert await find_beginning(Memory(), Report.USAGE, NOW, OLDEST) == Beginning(OLDEST_DAY, EARLIEST_HISTORY)


async def test_a_known_first_bucket_is_the_beginning_and_nothing_is_left_to_check() -> None:
    beginning = await find_beginning(Memory(begin=(5 * DAY, 5 * DAY)), Report.USAGE, NOW, OLDEST)
    assert beginning == Beginning(5 * DAY, 5 * DAY)
    assert beginning.coarse_pass(Report.USAGE, NOW) is None


async def test_a_beginning_remembered_from_the_future_is_ignored() -> None:
    future = NOW + 30 * DAY
    assert await find_beginning(Memory(begin=(future, future)), Report.USAGE, NOW, OLDEST) == Beginning(
        OLDEST_DAY, EARLIEST_HISTORY
    )


async def test_an_oldest_object_before_the_api_or_in_the_future_is_bounded() -> None:
    assert (await find_beginning(Memory(), Report.USAGE, NOW, 1)).start == EARLIEST_HISTORY
    assert (await find_beginning(Memory(), Report.USAGE, NOW, NOW + 90 * DAY)).start == NOW - NOW % DAY


async def test_without_objects_nothing_is_known() -> None:
    assert (await find_beginning(Memory(), Report.USAGE, NOW, None)).start is None


async def test_the_coarse_pass_of_a_run_is_bounded_and_ends_at_the_beginning() -> None:
    probe = Beginning(OLDEST_DAY, EARLIEST_HISTORY).coarse_pass(Report.COST, NOW)
    assert probe is not None
    assert len(probe.windows) == COARSE_WINDOWS
    assert probe.windows[0].start == EARLIEST_HISTORY
    last = Beginning(OLDEST_DAY, OLDEST_DAY - 40 * DAY).coarse_pass(Report.COST, NOW)
    assert last is not None
    assert last.windows[-1].end == OLDEST_DAY


def test_creation_times_are_read_where_they_are_valid() -> None:
    details = [
        '{"created_at": "2025-11-03T09:00:00Z"}',
        '{"added_at": "1970-01-02T00:00:00Z"}',
        '{"created_at": 7}',
        "{}",
    ]
    objects = [NamedObject(NameKind.USER, str(number), None, text) for number, text in enumerate(details)]
    assert creation_times(objects) == [OLDEST, DAY]


async def test_the_oldest_object_of_any_run_is_remembered() -> None:
    memory = Memory()
    archive: Archive = memory  # type: ignore[assignment]  # the two methods that are used
    for created, oldest in [([], None), ([OLDEST], OLDEST), ([OLDEST + 5], OLDEST), ([OLDEST - 5, NOW], OLDEST - 5)]:
        await remember_oldest(archive, created)
        assert await recall_oldest(memory) == oldest


# The cap of dimensions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remembered", "cap"),
    [
        (None, 5),
        (f"3 {NOW - 7 * DAY + 1}", 3),
        (f"3 {NOW - 7 * DAY}", 5),
        (f"3 {NOW + 1}", 5),
        (f"9 {NOW}", 5),
        (f"0 {NOW}", 1),
        ("0", 5),
        ("three 5", 5),
    ],
)
async def test_a_learnt_cap_expires_after_a_week(remembered: str | None, cap: int) -> None:
    values = {} if remembered is None else {"group_by_cap": remembered}
    assert await known_cap(Memory(values), Scope(), NOW) == cap


# --since ------------------------------------------------------------------------------------------------------------

BARE, AUTO = Scope(), Scope(whole_history=True)
JANUARY, MARCH = Scope(since=parse_time("2025-01-01")), Scope(since=parse_time("2025-03-01"))


@pytest.mark.parametrize(
    ("runs", "since"),
    [
        ([BARE], "auto"),
        ([MARCH], "2025-03-01T00:00:00Z"),
        ([MARCH, BARE], "2025-03-01T00:00:00Z"),
        ([MARCH, JANUARY], "2025-01-01T00:00:00Z"),
        ([JANUARY, MARCH], "2025-01-01T00:00:00Z"),
        ([MARCH, AUTO], "auto"),
        ([BARE, MARCH], "auto"),
        ([MARCH, AUTO, MARCH], "auto"),
    ],
)
async def test_only_a_wider_since_replaces_that_of_the_first_run(runs: list[Scope], since: str) -> None:
    memory = Memory()
    for scope in runs:
        await remember_since(memory, scope)  # type: ignore[arg-type]  # the two methods that are used
    assert memory.values == {"since": since}


async def test_a_bare_run_begins_where_the_first_one_did() -> None:
    memory = Memory({"since": "2025-03-01T00:00:00Z"})
    assert (await apply_memory(memory, BARE, NOW)).since == MARCH.since
    assert await apply_memory(memory, AUTO, NOW) == AUTO
    assert await apply_memory(memory, JANUARY, NOW) == JANUARY
    assert await apply_memory(Memory({"since": "auto"}), BARE, NOW) == replace(BARE, since=None)
