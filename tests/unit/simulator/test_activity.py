"""The invented organisation and its use: repeatable, varied and recognisable as invented."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from archiver.simulator import DIMENSIONS, Settings, Simulator

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
FIRST = date(2024, 1, 1)
START = datetime(2024, 1, 1, tzinfo=UTC)
PLAIN = Settings(first_day=FIRST, now=NOW)


def rows(simulator: Simulator, **query: Any) -> list[dict[str, Any]]:
    return [row for bucket in simulator.truth(**query) for row in bucket["results"]]


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(PLAIN)


def test_equal_settings_give_equal_answers(simulator: Simulator) -> None:
    query: dict[str, Any] = {"start": START, "end": START + timedelta(days=9), "group_by": DIMENSIONS}
    assert simulator.truth(**query) == Simulator(PLAIN).truth(**query)


def test_equal_settings_give_equal_names(simulator: Simulator) -> None:
    assert simulator.organization == Simulator(PLAIN).organization


def test_another_seed_gives_other_use(simulator: Simulator) -> None:
    other = Simulator(Settings(first_day=FIRST, now=NOW, seed=2))
    end = START + timedelta(days=9)
    assert simulator.truth(start=START, end=end) != other.truth(start=START, end=end)


def test_a_day_is_the_same_whatever_was_read_before(simulator: Simulator) -> None:
    late = START + timedelta(days=400)
    simulator.truth(start=START, end=late)
    assert simulator.truth(start=late) == Simulator(PLAIN).truth(start=late)


def test_there_is_no_use_before_the_first_day(simulator: Simulator) -> None:
    for report in ("usage", "cost"):
        assert rows(simulator, report=report, start=START - timedelta(days=30), end=START) == []


def test_the_first_day_has_use_and_cost(simulator: Simulator) -> None:
    for report in ("usage", "cost"):
        assert rows(simulator, report=report, start=START, end=START + timedelta(days=1))


def test_the_default_first_day_is_thirteen_months_before_now() -> None:
    assert Simulator(Settings(now=NOW)).first_day == date(2024, 12, 1)


def test_some_days_are_quiet_and_listed_all_the_same(simulator: Simulator) -> None:
    buckets = simulator.truth(start=START, end=START + timedelta(days=365))
    assert len(buckets) == 365
    assert 1 <= sum(not bucket["results"] for bucket in buckets) <= 30


def test_there_is_no_use_in_the_quiet_range_and_some_around_it() -> None:
    settings = Settings(first_day=FIRST, now=NOW, quiet=(date(2024, 3, 1), date(2024, 8, 31)))
    buckets = Simulator(settings).truth(start=START, end=START + timedelta(days=366))
    used = {bucket["starting_at"][:7] for bucket in buckets if bucket["results"]}
    assert used == {"2024-01", "2024-02", "2024-09", "2024-10", "2024-11", "2024-12"}


def test_use_grows_and_rests_on_weekends(simulator: Simulator) -> None:
    def output(day: date) -> int:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        found = rows(simulator, start=start, end=start + timedelta(days=5 if day.weekday() == 0 else 2))
        return sum(row["output_tokens"] for row in found)

    assert output(date(2025, 12, 1)) > 2 * output(date(2024, 1, 1))
    assert output(date(2025, 12, 1)) > 5 * output(date(2025, 12, 6))


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("service_tier", {"standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount"}),
        ("context_window", {"0-200k", "200k-1M"}),
        ("inference_geo", {"global", "us", "not_available"}),
        ("speed", {"standard", "fast"}),
    ],
)
def test_every_documented_value_is_in_use(simulator: Simulator, dimension: str, values: set[str]) -> None:
    start = START + timedelta(days=200)
    found = rows(simulator, start=start, end=start + timedelta(days=31), group_by=[dimension])
    assert {row[dimension] for row in found} == values


def test_accounts_and_service_accounts_never_come_with_a_key(simulator: Simulator) -> None:
    group = ("account_id", "api_key_id", "service_account_id")
    start = START + timedelta(days=200)
    found = rows(simulator, start=start, end=start + timedelta(days=31), group_by=group)
    assert all(sum(row[name] is not None for name in group) == 1 for row in found)
    assert all(any(row[name] is not None for row in found) for name in group)


def test_every_id_in_use_has_a_name_or_is_null(simulator: Simulator) -> None:
    organization = simulator.organization
    lists = {
        "workspace_id": organization.workspaces,
        "api_key_id": organization.api_keys,
        "account_id": organization.users,
        "service_account_id": organization.service_accounts,
    }
    found = rows(simulator, start=START, end=START + timedelta(days=300), group_by=tuple(lists))
    for dimension, records in lists.items():
        assert {row[dimension] for row in found} <= {None, *(record["id"] for record in records)}


def test_every_name_contains_the_word_invented(simulator: Simulator) -> None:
    organization = simulator.organization
    lists = (
        organization.workspaces,
        organization.users,
        organization.api_keys,
        organization.service_accounts,
    )
    names = [record["name"] for records in lists for record in records]
    assert all("Invented" in name for name in [*names, organization.me["name"]])


def test_counts_are_whole_and_not_negative(simulator: Simulator) -> None:
    for row in rows(simulator, start=START, end=START + timedelta(days=60), group_by=DIMENSIONS):
        counts = [value for value in row.values() if isinstance(value, int)]
        counts += [*row["cache_creation"].values(), *row["server_tool_use"].values()]
        assert len(counts) == 6
        assert all(type(count) is int and count >= 0 for count in counts)


def test_size_scales_the_use() -> None:
    def output(size: float) -> int:
        found = rows(Simulator(Settings(first_day=FIRST, now=NOW, size=size)), start=START)
        return sum(row["output_tokens"] for row in found)

    assert 3 < output(0.2) / output(0.05) < 5


def test_nothing_is_used_before_it_was_created() -> None:
    simulator = Simulator(Settings(first_day=FIRST, now=NOW))
    organization = simulator.organization
    lists = {
        "workspace_id": organization.workspaces,
        "api_key_id": organization.api_keys,
        "account_id": organization.users,
        "service_account_id": organization.service_accounts,
    }
    buckets = simulator.truth(start=START, end=START + timedelta(days=300), group_by=tuple(lists))
    for dimension, records in lists.items():
        created = {record["id"]: record.get("created_at") or record["added_at"] for record in records}
        used = [(b["starting_at"], row[dimension]) for b in buckets for row in b["results"] if row[dimension]]
        assert used
        assert all(created[identity] <= at for at, identity in used), dimension


def test_history_begins_within_two_weeks_after_the_oldest_object(simulator: Simulator) -> None:
    organization = simulator.organization
    created = [one["created_at"] for one in (organization.default_workspace, *organization.workspaces)]
    created += [one["created_at"] for one in organization.api_keys] + [one["added_at"] for one in organization.users]
    assert "2023-12-18" <= min(created) < "2024-01-01"


def test_the_default_workspace_is_as_old_as_the_organisation(simulator: Simulator) -> None:
    default = simulator.organization.default_workspace
    assert default["created_at"] <= min(workspace["created_at"] for workspace in simulator.organization.workspaces)
    assert default["id"] not in {workspace["id"] for workspace in simulator.organization.workspaces}


def test_newer_keys_are_used_exactly_as_the_older_ones(simulator: Simulator) -> None:
    newer = Simulator(Settings(first_day=FIRST, now=NOW, key_scope=True))
    query: dict[str, Any] = {"start": START, "end": START + timedelta(days=9), "group_by": DIMENSIONS}
    assert newer.truth(**query) == simulator.truth(**query)


def test_objects_have_the_fields_and_times_of_the_api(simulator: Simulator) -> None:
    organization = simulator.organization
    kinds = {type(one["data_residency"]["allowed_inference_geos"]) for one in organization.workspaces}
    assert kinds == {str, list}
    assert {key["principal"] is None for key in organization.api_keys} == {True, False}
    times = [one["created_at"] for one in (*organization.workspaces, *organization.api_keys)]
    assert all(datetime.fromisoformat(time).microsecond for time in times)
