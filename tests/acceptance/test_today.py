"""`report today`: an estimate from tokens and learnt prices, on round numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import BucketWidth, Report
from archiver.offline.periods import period as parse_period
from archiver.offline.reports.request import ReportRequest
from archiver.offline.reports.today import today
from archiver.plan.scope import Scope
from archiver.store.read.reader import open_archive_reader
from tests.handmade import Handmade, cost_row, days, run, usage_row
from tests.support import NOW, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

MILLION = 1_000_000
TODAY = "2026-03-31"
KINDS = {"model": "a", "service_tier": "standard", "context_window": "0-200k", "workspace_id": "w", "api_key_id": "k"}


def asked(db: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run("report", "today", "--day", TODAY, *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


@pytest.fixture
def billed(db: Path) -> Path:
    """Return March to yesterday, 1 M input tokens of a at 2 USD a day and one web search at 1 cent; yesterday at 4 USD.

    Priority tier has 5 tokens a day that are not billed, and code execution costs 7 USD that have no tokens.
    """
    cost, usage = {}, {}
    for day in days("2026-03-01", "2026-03-30"):
        tokens = cost_row(
            "400" if day == "2026-03-30" else "200", cost_type="tokens", token_type="uncached_input_tokens",
            description="a", **{name: value for name, value in KINDS.items() if name != "api_key_id"},
        )  # fmt: skip
        web = cost_row("1", cost_type="web_search", description="web", workspace_id="w")
        code = cost_row("700", cost_type="code_execution", description="code", workspace_id="w")
        cost[day] = [tokens, web, code]
        usage[day] = [
            usage_row(MILLION, 0, 0, 0, 0, 1, **KINDS),
            usage_row(5, **(KINDS | {"service_tier": "priority"})),
        ]
    handmade = Handmade(db)
    handmade.cost(cost, read_at="2026-04-30T03:00:00")
    handmade.usage(usage, read_at="2026-04-30T03:00:00")
    return db


def add_hours(db: Path) -> None:
    hours = {
        f"{TODAY}T08:00:00": [
            usage_row(3 * MILLION, 0, 0, 0, 0, 2, **KINDS),
            usage_row(9, 0, 0, 1, **(KINDS | {"model": "b", "api_key_id": None})),
        ],
        f"{TODAY}T09:00:00": [usage_row(MILLION, **KINDS)],
    }
    Handmade(db).usage_by_hour(hours, read_at=f"{TODAY}T09:50:00")


def test_hours_at_the_prices_of_the_four_weeks_before(billed: Path) -> None:
    add_hours(billed)
    # The 28 days before have 28 M tokens for 27 * 2 + 4 = 58 USD. 3 M cost 6.2142..., two searches 2 cents.
    assert asked(billed) == [
        {"hour": "2026-03-31 08:00", "currency": "USD", "tokens": 3 * MILLION + 10, "estimate_usd": "6.23"},
        {"hour": "2026-03-31 09:00", "currency": "USD", "tokens": MILLION, "estimate_usd": "2.07"},
    ]
    done = run("report", "today", "--day", TODAY, "--db", str(billed))
    # 4 * 58 / 28 + 0.02 = 8.3057
    assert done.stdout.splitlines()[-1].split() == ["total", "4,000,010", "8.31"]
    assert "10 tokens have no known price" in done.stderr
    # Of the 30th: a million tokens at 2 and a search, 2.01, where 4.01 were billed but for code execution.
    assert "the same estimate of 2026-03-30 is 2.01, and 4.01 USD were billed (-49.9%)" in done.stderr
    assert "archived up to 2026-03-31 10:00; hours" in done.stderr
    assert "from bills of 2026-03-03 to 2026-03-30" in done.stderr


def test_a_day_of_hours_that_were_all_read_after_it_is_not_in_progress(billed: Path) -> None:
    def title(day: str) -> str:
        with open_archive_reader(billed) as reader:
            return today(reader, ReportRequest(period=parse_period(day, date(2026, 4, 30)), by=("hour",))).period

    row = [usage_row(MILLION, **KINDS)]
    add_hours(billed)
    assert title(TODAY) == f"{TODAY}, in progress"
    Handmade(billed).usage_by_hour(
        {f"{TODAY}T{hour:02d}:00:00": row for hour in range(24)}, read_at="2026-04-01T09:00:00"
    )
    assert title(TODAY) == TODAY


def test_hours_are_shown_in_another_timezone(billed: Path) -> None:
    add_hours(billed)
    # Berlin changed to summer time on 2026-03-29.
    assert [row["hour"] for row in asked(billed, "--timezone", "Europe/Berlin")] == [
        "2026-03-31 10:00",
        "2026-03-31 11:00",
    ]
    done = run("report", "today", "--timezone", "Mars/Olympus", "--db", str(billed))
    assert (done.code, "'Mars/Olympus' is not a timezone" in done.stderr) == (2, True)


def test_by_model_and_where_only_days_are_archived(billed: Path) -> None:
    usage = [usage_row(2 * MILLION, **KINDS), usage_row(4, **(KINDS | {"model": "b"}))]
    Handmade(billed).usage({TODAY: usage}, read_at=f"{TODAY}T09:40:00")
    rows = asked(billed)
    assert [(row["model"], row["tokens"], row["estimate_usd"]) for row in rows] == [
        ("a", 2 * MILLION, "4.14"),
        ("b", 4, None),
    ]
    assert asked(billed, "--by", "hour", code=3) == []
    said = run("report", "today", "--day", TODAY, "--by", "hour", "--db", str(billed)).stderr
    assert "archiver sync --report usage --bucket-width 1h --since today" in said


def test_by_model_where_only_hours_are_archived(billed: Path) -> None:
    add_hours(billed)
    assert {row["model"]: row["tokens"] for row in asked(billed, "--by", "model")} == {"a": 4 * MILLION, "b": 10}
    assert {row["api_key_id"]: row["tokens"] for row in asked(billed, "--by", "api_key")} == {
        "k": 4 * MILLION,
        None: 10,
    }


def test_without_usage_or_prices_nothing_is_claimed(billed: Path, tmp_path: Path) -> None:
    assert asked(billed, code=3) == []
    assert run("report", "today", "--db", str(billed)).code == 3  # of the day of this test
    alone = tmp_path / "alone.db"
    Handmade(alone).usage({TODAY: [usage_row(1, **KINDS)]}, read_at=f"{TODAY}T09:40:00")
    assert asked(alone, code=3) == []
    assert "no price can be learnt" in run("report", "today", "--day", TODAY, "--db", str(alone)).stderr


def test_the_default_is_the_day_of_now(billed: Path) -> None:
    now = datetime.now(UTC)
    Handmade(billed).usage({f"{now:%Y-%m-%d}": [usage_row(MILLION, **KINDS)]}, read_at=f"{now:%Y-%m-%dT%H:%M:%S}")
    done = run("report", "today", "--json", "--db", str(billed))
    if datetime.now(UTC).date() == now.date():
        # Four weeks before this day there is no bill: the prices are those of all days before.
        recent = now.date() - timedelta(days=28) < datetime(2026, 3, 30, tzinfo=UTC).date()
        assert recent or [row["estimate_usd"] for row in done.rows()] == ["2.07"]


def test_a_real_sync_of_the_hours_of_today(api: Simulator, db: Path) -> None:
    sync(api, db, Scope(since=NOW - timedelta(days=40)))
    sync(
        api, db, Scope(reports=(Report.USAGE,), bucket_widths=(BucketWidth.HOUR,), since=NOW.replace(hour=0, minute=0))
    )
    done = run("report", "today", "--day", f"{NOW:%Y-%m-%d}", "--json", "--db", str(db))
    start, end = NOW.replace(hour=0, minute=0), NOW.replace(hour=0, minute=0) + timedelta(days=1)
    by_hour: dict[str, int] = {}
    for row in truth(api, "usage", "1h", ("model",), start, end):
        hour = f"{datetime.fromisoformat(str(row[0])):%Y-%m-%d %H:%M}"
        by_hour[hour] = by_hour.get(hour, 0) + sum(int(one) for one in row[-6:-1])
    assert {row["hour"]: row["tokens"] for row in done.rows()} == {
        hour: tokens for hour, tokens in by_hour.items() if tokens
    }
