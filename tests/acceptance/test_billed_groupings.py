"""Billed cost by key and by person where the analytics report is archived in several groupings.

The numbers are those of the simulator, or written by hand on round amounts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.groupings import parse_group_by
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.analytics import SMALL, scope
from tests.handmade import Handmade, cost_row, run
from tests.support import archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

SINCE, UNTIL = "2026-03-02", "2026-03-06"
BY_KEY, BY_ACTOR = ("api_key_id", "workspace_id"), ("actor", "model")


@pytest.fixture(scope="module")
def api() -> Any:
    with background(SMALL) as simulator:
        yield simulator


def report(db: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run("report", *arguments, "--json", "--db", str(db))
    assert done.code == 0, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def amounts(rows: list[dict[str, Any]], column: str) -> dict[Any, Decimal]:
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row[column]] += Decimal(row["amount_usd"])
    return dict(found)


def true_cost(api: Simulator, dimension: str) -> dict[Any, Decimal]:
    """Return the dollars of the simulator by key or by the id of the actor."""
    found: dict[Any, Decimal] = defaultdict(Decimal)
    rows = api.analytics_truth("analytics-cost", day(SINCE), day(UNTIL), bucket_width="1d", group_by=(dimension,))
    for row in rows:
        value = row["group"][dimension]
        if isinstance(value, dict):
            cloud = json.dumps(
                {name: value.get(name) for name in ("provider", "subject")}, separators=(",", ":"), sort_keys=True
            )
            value = next((value[one] for one in ("user_id", "service_account_id", "api_key_id") if one in value), cloud)
        found[value] += Decimal(row["cost"]["amount"]) / 100
    return dict(found)


@pytest.mark.parametrize(
    "groupings",
    [
        ((None,), (("product",),)),
        ((parse_group_by("each"),),),
        ((BY_KEY, BY_ACTOR),),
        ((BY_ACTOR, BY_KEY),),
    ],
    ids=["product later", "each", "by key and by actor", "by actor and by key"],
)
def test_another_grouping_hides_neither_keys_nor_people(api: Simulator, db: Path, groupings: Any) -> None:
    since, until = day(SINCE), day(UNTIL)
    sync(api, db, Scope((Report.USAGE, Report.COST), since=since, until=until))
    for group_by in groupings:
        more = {} if group_by == (None,) else {"group_by": group_by}
        assert sync(api, db, scope(Report.ANALYTICS_COST, since=since, until=until, **more)).exit_code == 0
    keys, people = true_cost(api, "api_key_id"), true_cost(api, "actor")
    assert len(keys) > 3
    assert len(people) > 3
    for words in ((), ("--as-of", "2026-03-20T12:31:00Z")):
        by_key = report(db, "keys", *words)
        assert {row["method"] for row in by_key} == {"billed"}
        assert amounts(by_key, "api_key_id") == keys
        assert amounts(report(db, "people", *words), "actor_id") == people
        views = ("daily_cost_by_key", "api_key_id", "api_key"), ("daily_cost_by_person", "actor_id", "person")
        for view, column, label in views:
            statement = f"SELECT {column}, {label}, amount FROM {view}"  # noqa: S608
            rows = json.loads(archiver("query", statement, *words, "--db", str(db), "--json").stdout)
            found: dict[Any, Decimal] = defaultdict(Decimal)
            for row in rows:
                assert row[label] != "(not grouped)"
                found[row[column]] += Decimal(row["amount"]) / 100
            assert found == (keys if column == "api_key_id" else people)


def test_a_day_by_key_that_is_not_settled_is_used_before_a_settled_one_without_keys(db: Path) -> None:
    made = Handmade(db)
    made.analytics_cost(
        {"2026-01-05": [cost_row("500", api_key_id="k")]}, read_at="2026-01-06T03:00:00", group_by=("api_key_id",)
    )
    made.analytics_cost(
        {"2026-01-05": [cost_row("600", model="m")]}, read_at="2026-02-20T03:00:00", group_by=("model",)
    )
    (row,) = report(db, "keys")
    assert (row["api_key_id"], row["amount_usd"], row["method"]) == ("k", "5.00", "billed")


def test_of_a_day_in_progress_the_latest_reading_is_used(db: Path) -> None:
    made = Handmade(db)
    made.analytics_cost(
        {"2026-01-05": [cost_row("500", actor_id="u")]}, read_at="2026-01-05T03:00:00", group_by=("actor",)
    )
    made.analytics_cost(
        {"2026-01-05": [cost_row("600", model="m")]}, read_at="2026-01-05T09:00:00", group_by=("model",)
    )
    (row,) = report(db, "people")
    assert (row["person"], row["amount_usd"]) == ("(not grouped)", "6.00")


def test_a_report_that_is_not_archived_yet_says_which_sync_archives_it(db: Path) -> None:
    Handmade(db).cost({"2026-01-05": [cost_row("500", description="d")]}, read_at="2026-01-06T03:00:00")
    for words in (("people",), ("compare", "--by", "person")):
        done = run("report", *words, "--db", str(db))
        assert done.code == 3
        assert "no analytics-cost is archived yet: run archiver sync --report analytics-cost" in done.stderr
