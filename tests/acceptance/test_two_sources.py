"""`report reconcile --by source`: the two reports that have money."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.analytics import SMALL
from tests.handmade import Handmade, cost_row, run
from tests.support import archiver, day, sync

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-02-10T03:00:00"  # 2026-01-05 is the last settled day
COLUMNS = (
    "date",
    "currency",
    "cost_usd",
    "credits_usd",
    "analytics_usd",
    "other_products_usd",
    "difference_usd",
    "state",
)


def report(db: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run("report", "reconcile", "--by", "source", *arguments, "--json", "--db", str(db))
    assert done.code == 0, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


@pytest.fixture
def compared(db: Path) -> Path:
    """Return two sources of 10 USD a day: with a credit, with chat, without products, with a fault, and of late."""
    made = Handmade(db)
    ten, credit = cost_row("1000", description="d"), cost_row("-200", description="credit")
    five = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-06")
    made.cost({one: [ten] for one in five} | {"2026-01-01": [ten, credit], "2026-01-07": [ten]}, read_at=READ_AT)
    amounts = dict(zip(five, ("1000", "1300", "1300", "999", "990"), strict=True))
    rows = {one: [cost_row(amount, api_key_id="k")] for one, amount in amounts.items()}
    made.analytics_cost(rows, read_at=READ_AT)
    chat = {
        one: [cost_row("300", product="chat")] if one == "2026-01-02" else [] for one in amounts if one != "2026-01-03"
    }
    api = {one: [*chat[one], cost_row("1000", product="messages_api")] for one in chat}
    made.analytics_cost(api, read_at=READ_AT, group_by=("product",))
    return db


def test_each_day_says_what_explains_its_difference(compared: Path) -> None:
    assert [tuple(row[name] for name in COLUMNS) for row in report(compared)] == [
        ("2026-01-01", "USD", "8.00", "-2.00", "10.00", "0.00", "0.00", "equal"),
        ("2026-01-02", "USD", "10.00", "0.00", "13.00", "3.00", "0.00", "equal"),
        ("2026-01-03", "USD", "10.00", "0.00", "13.00", None, "-3.00", "differs, products unknown"),
        ("2026-01-04", "USD", "10.00", "0.00", "9.99", "0.00", "0.01", "differs"),
        ("2026-01-06", "USD", "10.00", "0.00", "9.90", "0.00", "0.10", "not settled yet"),
    ]
    stderr = run("report", "reconcile", "--by", "source", "--db", str(compared)).stderr
    assert "1 day left out: not archived from both reports" in stderr
    assert "1 day not archived by product: archiver sync --report analytics-cost --group-by workspace_id," in stderr


def test_a_month_does_not_know_the_products_of_one_of_its_days(compared: Path) -> None:
    (row,) = report(compared, "--by", "month")
    assert row == {
        "month": "2026-01",
        "currency": "USD",
        "cost_usd": "48.00",
        "credits_usd": "-2.00",
        "analytics_usd": "55.89",
        "other_products_usd": None,
        "difference_usd": "-5.89",
        "state": "not settled yet",
    }


@pytest.mark.parametrize("arguments", [("--by", "model"), ("--top", "3")])
def test_what_it_does_not_take_is_refused(compared: Path, arguments: tuple[str, ...]) -> None:
    done = archiver("report", "reconcile", "--by", "source", *arguments, "--db", str(compared))
    assert done.returncode == 2
    assert "with --by source" in done.stderr


def test_the_sync_that_is_recommended_for_products_hides_neither_keys_nor_people(db: Path) -> None:
    def billed(*words: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(run("report", *words, "--db", str(db), "--json").stdout)
        return rows

    with background(SMALL) as api:
        first, since, until = api.clock.now, day("2026-03-01"), day("2026-03-10")
        sync(api, db, Scope((Report.COST, Report.ANALYTICS_COST), since=since, until=until))
        before = billed("keys"), billed("people")
        stderr = run("report", "reconcile", "--by", "source", "--db", str(db)).stderr
        grouping = stderr.partition("--group-by ")[2].split()[0].split(",")
        api.clock.now = first + timedelta(days=60)  # all days of before are settled by then, in the new series alone
        sync(api, db, Scope((Report.ANALYTICS_COST,), group_by=(tuple(grouping),), since=since, until=until))
    assert (billed("keys"), billed("people")) == before
    assert {row["method"] for row in before[0]} == {"billed"}


def test_without_the_analytics_report_nothing_is_compared(db: Path) -> None:
    Handmade(db).cost({"2026-01-01": [cost_row("1000", description="d")]}, read_at=READ_AT)
    done = run("report", "reconcile", "--by", "source", "--json", "--db", str(db))
    assert (done.code, done.rows()) == (3, [])
    assert "no analytics-cost is archived yet" in done.stderr


def test_the_sources_of_the_simulator_are_equal_but_for_credits_and_other_products(db: Path) -> None:
    with background(SMALL) as api:
        since, until = day("2026-02-01"), day("2026-03-10")
        sync(api, db, Scope((Report.COST, Report.ANALYTICS_COST), since=since, until=until))
        sync(api, db, Scope((Report.ANALYTICS_COST,), group_by=(("product",),), since=since, until=until))
    rows = report(db)
    assert len(rows) == 37
    assert {row["state"] for row in rows} == {"equal"}
    assert sum(Decimal(row["other_products_usd"]) for row in rows) > 0
    assert sum(Decimal(row["analytics_usd"]) for row in rows) > 0
