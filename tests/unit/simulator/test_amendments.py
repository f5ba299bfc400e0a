"""Later changes to past days: late, changed and vanished rows, and a moving clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from archiver.simulator import Settings, Simulator

DAY = date(2025, 12, 10)
START = datetime(2025, 12, 10, tzinfo=UTC)
END = START + timedelta(days=1)
NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
FIRST = date(2025, 11, 1)


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(Settings(first_day=FIRST, now=NOW))


def results_of_day(simulator: Simulator, **query: Any) -> list[dict[str, Any]]:
    (bucket,) = simulator.truth(start=START, end=END, **query)
    results: list[dict[str, Any]] = bucket["results"]
    return results


def output(simulator: Simulator, **query: Any) -> int:
    return sum(row["output_tokens"] for row in results_of_day(simulator, **query))


def test_a_factor_restates_the_counts_of_a_day(simulator: Simulator) -> None:
    before = output(simulator)
    simulator.amend(DAY, 2)
    assert output(simulator) == 2 * before


def test_a_factor_restates_the_cost_of_a_day(simulator: Simulator) -> None:
    before = results_of_day(simulator, report="cost")
    simulator.amend(DAY, 2)
    assert results_of_day(simulator, report="cost") != before


def test_a_restatement_can_be_of_one_value_of_a_dimension(simulator: Simulator) -> None:
    batch = output(simulator, filters={"service_tier": ("batch",)})
    rest = output(simulator) - batch
    simulator.amend(DAY, 3, service_tier="batch")
    assert output(simulator) == 3 * batch + rest


def test_other_days_are_not_restated(simulator: Simulator) -> None:
    other: dict[str, Any] = {"start": END, "end": NOW}
    before = simulator.truth(**other)
    simulator.amend(DAY, 2)
    assert simulator.truth(**other) == before


def test_removed_rows_vanish(simulator: Simulator) -> None:
    simulator.remove(DAY, workspace_id=None)
    assert None not in {row["workspace_id"] for row in results_of_day(simulator, group_by=("workspace_id",))}


def test_a_removed_day_is_an_empty_bucket_in_both_reports(simulator: Simulator) -> None:
    simulator.remove(DAY)
    assert results_of_day(simulator) == results_of_day(simulator, report="cost") == []


def test_a_restored_day_is_what_it_was(simulator: Simulator) -> None:
    before = results_of_day(simulator, report="cost")
    simulator.amend(DAY, 2)
    simulator.remove(DAY)
    simulator.restore(DAY)
    assert results_of_day(simulator, report="cost") == before


def test_added_use_is_one_more_row(simulator: Simulator) -> None:
    simulator.remove(DAY)
    simulator.add_usage(START + timedelta(hours=3), {"output": 7, "web_searches": 1}, model="invented-model")
    (row,) = results_of_day(simulator, group_by=("model",))
    assert (row["model"], row["output_tokens"]) == ("invented-model", 7)
    assert row["server_tool_use"] == {"web_search_requests": 1}


def test_an_unknown_dimension_or_count_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="no dimension"):
        simulator.amend(DAY, 2, colour="red")
    with pytest.raises(ValueError, match="counts are"):
        simulator.add_usage(START, {"outputs": 1})


def test_use_becomes_visible_five_minutes_after_it_happened(simulator: Simulator) -> None:
    simulator.remove(DAY)
    simulator.add_usage(START + timedelta(hours=12), {"output": 7})
    simulator.clock.now = START + timedelta(hours=12, minutes=4, seconds=59)
    assert results_of_day(simulator) == []
    simulator.clock.advance(timedelta(seconds=1))
    assert output(simulator) == 7


def test_the_bucket_in_progress_holds_only_what_already_happened(simulator: Simulator) -> None:
    whole = output(simulator)
    simulator.clock.now = START + timedelta(hours=12)
    assert 0 < output(simulator) < whole


def test_late_use_is_missing_first_and_complete_in_the_end() -> None:
    late = Simulator(Settings(first_day=FIRST, now=END + timedelta(hours=1), late=0.5, late_by=timedelta(days=2)))
    whole = output(Simulator(Settings(first_day=FIRST, now=NOW)))
    first = output(late)
    late.clock.advance(timedelta(days=1))
    second = output(late)
    late.clock.advance(timedelta(days=2))
    assert 0 < first < second < whole == output(late)
