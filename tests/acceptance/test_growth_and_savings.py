"""`report growth`, `savings`, `prices` and `idle` on round numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from tests.handmade import Handmade, cost_row, days, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-04-30T03:00:00"
MILLION = 1_000_000
TYPES = (
    "uncached_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)


def asked(db: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run("report", *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def notes(db: Path, *arguments: str) -> str:
    return run("report", *arguments, "--db", str(db)).stderr


def test_growth_of_a_week_and_of_four(db: Path) -> None:
    # Eight weeks to 2026-03-31. a: 1 USD a day, 2 in the last week. b: 5 USD a day, then 6 in the last four weeks. c is
    # new in the last week, at 1 USD. d: 9 USD a day in the first four weeks only.
    rows: dict[str, list[Any]] = {}
    for n, day in enumerate(days("2026-02-04", "2026-03-31")):
        of = {"a": 2 if n >= 49 else 1, "b": 6 if n >= 28 else 5, "c": 1 if n >= 49 else 0, "d": 0 if n >= 28 else 9}
        rows[day] = [cost_row(f"{usd}00", model=m, description=m, workspace_id="w") for m, usd in of.items() if usd]
    Handmade(db).cost(rows, read_at=READ_AT)
    found = {row["model"]: row for row in asked(db, "growth", "--by", "model")}
    names = ("four_weeks_before_usd", "four_weeks_now_usd", "four_weeks_change_usd", "four_weeks_ratio")
    assert {model: tuple(row[name] for name in names) for model, row in found.items()} == {
        "b": ("140.00", "168.00", "28.00", 0.2),
        "a": ("28.00", "35.00", "7.00", 0.25),
        "c": ("0.00", "7.00", "7.00", None),
        "d": ("252.00", "0.00", "-252.00", -1),
    }
    assert next(iter(found)) == "b"
    assert [*found][-1] == "d"
    names = ("week_before_usd", "week_now_usd", "week_change_usd", "week_ratio")
    assert tuple(found["a"][name] for name in names) == ("7.00", "14.00", "7.00", 1)
    assert tuple(found["b"][name] for name in names) == ("42.00", "42.00", "0.00", 0)
    by_ratio = asked(db, "growth", "--by", "model", "--sort", "week_ratio")
    assert [row["model"] for row in by_ratio][:2] == ["a", "b"]
    shown = run("report", "growth", "--by", "model", "--top", "1", "--db", str(db)).stdout.splitlines()
    # The week: 7 + 42 before, 14 + 42 + 7 now. Four weeks: 28 + 140 + 252 before, 35 + 168 + 7 now.
    assert shown[-1].split()[1:] == ["49.00", "63.00", "14.00", "28.6%", "420.00", "210.00", "-210.00", "-50.0%"]


def test_growth_compares_only_days_that_both_periods_have(db: Path) -> None:
    rows = {day: [cost_row("100", model="a", description="a")] for day in days("2026-02-20", "2026-03-31")}
    del rows["2026-03-30"]
    Handmade(db).cost(rows, read_at=READ_AT)
    (row,) = asked(db, "growth", "--by", "model")
    # 2026-02-04 to 02-19 are not archived, nor is 2026-03-30: six days of each week, and eleven of the four weeks.
    assert (row["week_before_usd"], row["week_now_usd"], row["week_change_usd"]) == ("6.00", "6.00", "0.00")
    assert (row["four_weeks_before_usd"], row["four_weeks_now_usd"]) == ("11.00", "11.00")
    said = notes(db, "growth", "--by", "model")
    assert "week: 6 days archived by model in both periods" in said
    assert "four weeks: 11 days archived by model in both periods" in said
    only = asked(db, "growth", "--by", "model", "--until", "2026-02-24")
    assert [(row["week_change_usd"], row["four_weeks_change_usd"]) for row in only] == [(None, None)]
    assert asked(db, "growth", "--until", "2025-01-01", code=3) == []
    assert "no analytics-cost is archived yet: run archiver sync --report analytics-cost" in notes(
        db, "growth", "--by", "person"
    )


@pytest.fixture
def cached(db: Path) -> Path:
    """Return ten days of two models and three tiers.

    Of a, standard: 10 M uncached at 3 USD, 1 M written for an hour at 6, 2 M for five minutes at 4, 20 M read at 0.30,
    5 M output at 15. Of a, batch: 2 M uncached at 1.50 and 2 M output at 7.50. Of b, standard: 4 M uncached at 1, and
    4 M read at 0.10. Of a, priority: 7 M read, which are never billed.
    """
    per_day: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {
        ("a", "standard"): ((10, 300), (1, 600), (2, 400), (20, 30), (5, 1500)),
        ("a", "batch"): ((2, 150), (0, 0), (0, 0), (0, 0), (2, 750)),
        ("b", "standard"): ((4, 100), (0, 0), (0, 0), (4, 10), (0, 0)),
        ("a", "priority"): ((0, 0), (0, 0), (0, 0), (7, 0), (0, 0)),
    }
    cost: dict[str, list[Any]] = {}
    usage: dict[str, list[Any]] = {}
    for day in days("2026-03-01", "2026-03-10"):
        cost[day], usage[day] = [], []
        for (model, tier), parts in per_day.items():
            kinds = {"model": model, "service_tier": tier, "context_window": "0-200k", "workspace_id": "w"}
            usage[day].append(usage_row(*(millions * MILLION for millions, _ in parts), api_key_id="k", **kinds))
            cost[day] += [
                cost_row(
                    f"{millions * cents}",
                    cost_type="tokens",
                    token_type=name,
                    description=f"{model} {tier} {name}",
                    **kinds,
                )
                for name, (millions, cents) in zip(TYPES, parts, strict=True)
                if millions * cents
            ]
    handmade = Handmade(db)
    handmade.cost(cost, read_at=READ_AT)
    handmade.usage(usage, read_at=READ_AT)
    return db


def test_prices_are_those_of_the_bills(cached: Path) -> None:
    found = {
        (row["model"], row["service_tier"], row["token_type"]): (row["price_usd"], row["tokens"], row["first_day"])
        for row in asked(cached, "prices", "--since", "2026-03-03")
    }
    assert found[("a", "standard", "cache_read_input_tokens")] == ("0.30", 160 * MILLION, "2026-03-03")
    assert found[("a", "batch", "output_tokens")] == ("7.50", 16 * MILLION, "2026-03-03")
    assert len(found) == 9  # priority tier has no price
    assert asked(cached, "prices", "--since", "2026-04-01", code=3) == []


def test_what_the_cache_saves_and_what_batches_would(cached: Path) -> None:
    a, b = asked(cached, "savings")
    # a, a day: 20 M reads save 20 * (3 - 0.30) = 54; writes cost 1 * (6 - 3) + 2 * (4 - 3) = 5 more.
    assert (a["model"], a["cache_read_tokens"]) == ("a", 270 * MILLION)
    assert (a["saved_by_reads_usd"], a["extra_for_writes_usd"], a["saved_usd"]) == ("540.00", "50.00", "490.00")
    # In a batch: 10 M at 1.50 in place of 3, 5 M at 7.50 in place of 15. Cached tokens have no batch price here.
    assert (a["standard_cost_usd"], a["cost_in_batch_usd"], a["batch_would_save_usd"]) == (
        "1050.00",
        "525.00",
        "525.00",
    )
    # b: 4 M reads save 4 * 0.90 a day; nothing of it was ever in a batch.
    assert (b["model"], b["saved_usd"], b["extra_for_writes_usd"]) == ("b", "36.00", None)
    assert (b["standard_cost_usd"], b["cost_in_batch_usd"], b["batch_would_save_usd"]) == (None, None, None)
    said = notes(cached, "savings")
    assert "70,000,000 tokens of the cache have no known price" in said
    # a: 1 + 2 + 20 M a day, b: 8 M a day
    assert "310,000,000 tokens of the standard tier have no known batch price" in said
    total = run("report", "savings", "--db", str(cached)).stdout.splitlines()[-1].split()
    assert total == ["total", "310,000,000", "576.00", "50.00", "526.00", "1,050.00", "525.00", "525.00"]
    months = asked(cached, "savings", "--by", "month", "--since", "2026-03-06")
    assert [(row["month"], row["saved_usd"]) for row in months] == [("2026-03", "263.00")]


def test_savings_take_prices_of_other_days_where_the_selected_have_none(cached: Path) -> None:
    more = {
        "2026-03-11": [
            usage_row(
                0, 0, 0, MILLION, 0, model="a", service_tier="standard", context_window="0-200k", workspace_id="w"
            )
        ]
    }
    Handmade(cached).usage(more, read_at=READ_AT)
    (row,) = asked(cached, "savings", "--since", "2026-03-11")
    assert (row["saved_usd"], row["cache_read_tokens"]) == ("2.70", MILLION)


def test_savings_without_bills_or_with_two_currencies_claim_nothing(cached: Path, tmp_path: Path) -> None:
    alone = tmp_path / "usage.db"
    row = usage_row(1, 0, 0, 5, 0, model="a", service_tier="standard", context_window="0-200k", workspace_id="w")
    Handmade(alone).usage({"2026-03-01": [row]}, read_at=READ_AT)
    assert asked(alone, "savings", code=3) == []
    assert "no price can be learnt" in notes(alone, "savings")
    Handmade(cached).cost({"2026-03-11": [cost_row("1", currency="EUR", model="a", description="x")]}, read_at=READ_AT)
    Handmade(cached).usage({"2026-03-11": [row]}, read_at=READ_AT)
    done = run("report", "savings", "--db", str(cached))
    assert (done.code, "the bills are in EUR and USD" in done.stderr) == (2, True)


def test_idle_keys(db: Path) -> None:
    handmade = Handmade(db)
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=59)
    used = {"busy": range(60), "quiet": range(25), "new": range(0)}
    usage = {
        f"{first + timedelta(days=n)}": [
            usage_row(1000, model="a", workspace_id="w", api_key_id=key) for key, when in used.items() if n in when
        ]
        for n in range(60)
    }
    handmade.usage(usage, read_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
    long_ago, recently, soon = (
        "2020-01-01T00:00:00Z",
        f"{last - timedelta(days=3)}T00:00:00Z",
        f"{last + timedelta(days=9)}T00:00:00Z",
    )
    listed = {
        "busy": {"created_at": long_ago, "expires_at": soon},
        "quiet": {"created_at": long_ago, "workspace_id": "gone"},
        "never": {"created_at": long_ago, "expires_at": "2021-01-01T00:00:00Z"},
        "new": {"created_at": recently},
        "off": {"created_at": long_ago, "status": "inactive"},
    }
    for key, details in listed.items():
        handmade.names(
            NameKind.API_KEY, {key: f"Invented {key}"}, read_at="2024-01-01T00:00:00",
            details=json.dumps({"status": "active"} | details),
        )  # fmt: skip
    handmade.names(
        NameKind.WORKSPACE,
        {"gone": "Invented gone"},
        read_at="2024-01-01T00:00:00",
        details=json.dumps({"archived_at": long_ago}),
    )
    found = {row["api_key_id"]: (row["last_used"], row["state"]) for row in asked(db, "idle")}
    assert found == {
        "never": (None, "idle, expired"),
        "quiet": (f"{first + timedelta(days=24)}", "idle, workspace archived"),
        "busy": (f"{last}", "expires soon"),
    }
    assert [*found] == ["never", "quiet", "busy"]
    assert "3 keys of 4 active keys" in notes(db, "idle")
    # The last 40 days begin on day 20, so the quiet key was used in them; 60 days are more than the new key is old.
    assert asked(db, "idle", "--days", "40")[1]["state"] == "workspace archived"
    # The archive has 60 days: of the 20 before, nobody knows.
    assert {row["api_key_id"]: row["state"] for row in asked(db, "idle", "--days", "80")}[
        "never"
    ] == "use unknown, expired"


def test_idle_says_that_usage_by_key_is_missing(db: Path) -> None:
    Handmade(db).usage({"2026-03-01": [usage_row(1, model="a")]}, read_at=READ_AT, group_by=("model",))
    assert asked(db, "idle", code=3) == []
    assert "by API key" in notes(db, "idle")
    assert "as of 2026-01-01T00:00:00Z by API key: run archiver sync" in notes(db, "idle", "--as-of", "2026-01-01")
