"""`report why` on round numbers: a day, a month, two currencies, and what is not known."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.handmade import Handmade, cost_row, days, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-04-30T03:00:00"
BASE = {"cost_type": "tokens", "context_window": "0-200k", "service_tier": "standard"}
MILLION = 1_000_000


def explained(db: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run("report", "why", *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def part(rows: list[dict[str, Any]], name: str, currency: str = "USD") -> dict[str, tuple[str | None, str | None, str]]:
    """Return expected, now and change of one way to break the change down, by value."""
    return {
        row["value"]: (row["expected_usd"], row["now_usd"], row["change_usd"])
        for row in rows
        if (row["part"], row["currency"]) == (name, currency)
    }


def spend(model: str, workspace: str, token_type: str, dollars: int) -> Any:
    return cost_row(
        f"{dollars}00",
        model=model,
        workspace_id=workspace,
        token_type=token_type,
        description=f"{model} {token_type}",
        **BASE,
    )


@pytest.fixture
def jump(db: Path) -> Path:
    """Return February and March, where Thursday 2026-03-26 costs more.

    On other days model a has 1 M uncached input tokens at 3 USD and 2 M output tokens at 10 USD in the workspace w1.
    The four Thursdays before have 1 to 4 USD more of web searches. On the 26th there are 2 M input tokens at 3 USD, 2 M
    output tokens at 11 USD, and 1 M input tokens of the new model b at 5 USD in the workspace w2.
    """
    searches = {"2026-02-26": 1, "2026-03-05": 2, "2026-03-12": 3, "2026-03-19": 4}
    cost: dict[str, list[Any]] = {}
    usage: dict[str, list[Any]] = {}
    for day in days("2026-02-01", "2026-03-31"):
        many = day == "2026-03-26"
        cost[day] = [
            spend("a", "w1", "uncached_input_tokens", 6 if many else 3),
            spend("a", "w1", "output_tokens", 22 if many else 20),
        ]
        if day in searches:
            cost[day].append(
                cost_row(f"{searches[day]}00", cost_type="web_search", workspace_id="w1", description="web")
            )
        kinds = {"service_tier": "standard", "context_window": "0-200k"}
        usage[day] = [
            usage_row(
                (2 if many else 1) * MILLION,
                0,
                0,
                0,
                2 * MILLION,
                model="a",
                workspace_id="w1",
                api_key_id="k1",
                **kinds,
            )
        ]
        if many:
            cost[day].append(spend("b", "w2", "uncached_input_tokens", 5))
            usage[day].append(usage_row(MILLION, model="b", workspace_id="w2", api_key_id="k2", **kinds))
    handmade = Handmade(db)
    handmade.cost(cost, read_at=READ_AT)
    handmade.usage(usage, read_at=READ_AT)
    return db


def test_a_day_against_the_same_weekdays(jump: Path) -> None:
    rows = explained(jump, "--day", "2026-03-26")
    # Expected: 23 and the mean of 1, 2, 3 and 4. Now: 6 + 22 + 5.
    assert part(rows, "total") == {None: ("25.50", "33.00", "7.50")}
    assert part(rows, "workspace") == {"w2": ("0.00", "5.00", "5.00"), "w1": ("25.50", "28.00", "2.50")}
    assert part(rows, "model") == {
        "b": ("0.00", "5.00", "5.00"),
        "a": ("23.00", "28.00", "5.00"),
        "(none)": ("2.50", "0.00", "-2.50"),
    }
    assert part(rows, "token_type") == {
        "uncached_input_tokens": ("3.00", "11.00", "8.00"),
        "(none)": ("2.50", "0.00", "-2.50"),
        "output_tokens": ("20.00", "22.00", "2.00"),
    }
    # The cost of web searches has no tokens to share it by: it is not of any key.
    assert part(rows, "api_key") == {
        "k1": ("23.00", "28.00", "5.00"),
        "k2": ("0.00", "5.00", "5.00"),
        "(not allocated)": ("2.50", "0.00", "-2.50"),
    }
    # Before: 3 M tokens cost 23 USD. Now: 5 M tokens. Volume: 5 * 23 / 3 - 23 = 15.33.
    # Each cell at its price of before, b at its own: 2 * 3 + 2 * 10 + 5 = 31, so mix is 31 - 38.33 = -7.33.
    # No cell changed inside. Price: 33 - 31 = 2. Web searches: -2.50.
    drivers = {value: Decimal(change) for value, (_, _, change) in part(rows, "driver").items()}
    assert {name: round(change, 6) for name, change in drivers.items()} == {
        "volume": Decimal("15.333333"),
        "mix": Decimal("-7.333333"),
        "cache": 0,
        "price": 2,
        "other": Decimal("-2.5"),
    }
    for name in ("workspace", "model", "token_type", "api_key", "driver"):
        assert sum(Decimal(change) for _, _, change in part(rows, name).values()) == Decimal("7.50"), name


def test_sentences_say_it_and_a_table_follows(jump: Path) -> None:
    shown = run("report", "why", "--day", "2026-03-26", "--db", str(jump)).stdout.splitlines()
    named = "workspace w2 +5.00; api key k1 +5.00; model a +5.00; token type uncached_input_tokens +8.00"
    assert shown[:4] == [
        "2026-03-26 cost 33.00 USD: 7.50, 29.4%, more than the mean of 4 Thursdays before, 25.50.",
        f"The largest changes: {named}.",
        "What drove it: volume +15.33; mix -7.33; other -2.50; price +2.00.",
        "",
    ]
    assert shown[4].split() == ["part", "value", "id", "currency", "expected_usd", "now_usd", "change_usd", "share"]


def test_a_month_against_the_one_before(jump: Path) -> None:
    rows = explained(jump, "--month", "2026-03", "--by", "model", "--by", "driver")
    # The 28 days of both: 23 each, the Thursdays' searches 2 + 3 + 4 and 1, and the 26th with 33 in place of 23.
    assert part(rows, "total") == {None: ("645.00", "663.00", "18.00")}
    assert {row["part"] for row in rows} == {"total", "model", "driver"}
    said = run("report", "why", "--month", "2026-03", "--db", str(jump)).stdout.splitlines()[0]
    # March has 31 days, of which 28 are compared: the amount is theirs and not that of the month.
    assert said == "28 days of 2026-03 cost 663.00 USD: 18.00, 2.8%, more than the same 28 days of 2026-02, 645.00."
    assert sum(Decimal(row["change_usd"]) for row in rows if row["part"] == "driver") == 18


def test_the_default_is_the_last_whole_day(jump: Path) -> None:
    done = run("report", "why", "--db", str(jump))
    assert done.stdout.startswith("2026-03-31 cost 23.00 USD, as much as the mean of 4 Tuesdays before.")


def test_what_is_beyond_the_top_is_one_line(jump: Path) -> None:
    rows = explained(jump, "--day", "2026-03-26", "--top", "1")
    assert part(rows, "model") == {"a": ("23.00", "28.00", "5.00"), "(others)": ("2.50", "5.00", "2.50")}
    assert len(part(rows, "driver")) == 5


def test_a_day_without_a_comparison_has_no_numbers(jump: Path) -> None:
    assert explained(jump, "--day", "2026-02-03", code=3) == []
    done = run("report", "why", "--day", "2026-02-03", "--db", str(jump))
    assert "no day to compare with is archived: nothing is known of a change" in done.stderr
    assert run("report", "why", "--day", "2026-04-03", "--db", str(jump)).code == 3
    assert explained(jump, "--day", "2026-02-08")[0]["expected_usd"] == "23.00"  # one Sunday before


def test_a_period_for_a_day_is_refused(jump: Path) -> None:
    done = run("report", "why", "--day", "2026-03", "--db", str(jump))
    assert (done.code, "'2026-03' is not a single day" in done.stderr) == (2, True)
    both = run("report", "why", "--day", "2026-03-01", "--month", "2026-03", "--db", str(jump))
    assert (both.code, "--day and --month are both given" in both.stderr) == (2, True)


def test_currencies_are_explained_apart_and_without_usage_there_are_no_drivers(db: Path) -> None:
    rows = {
        day: [
            cost_row("100", model="a", description="a", workspace_id="w"),
            cost_row(
                "300" if day == "2026-03-26" else "200", currency="EUR", model="a", description="a", workspace_id="w"
            ),
        ]
        for day in days("2026-03-01", "2026-03-26")
    }
    Handmade(db).cost(rows, read_at=READ_AT)
    found = explained(db, "--day", "2026-03-26", "--by", "model", "--by", "driver")
    assert [(row["part"], row["currency"], row["change_usd"], row["change_eur"]) for row in found] == [
        ("total", "USD", "0.00", None),
        ("model", "USD", "0.00", None),
        ("total", "EUR", None, "1.00"),
        ("model", "EUR", None, "1.00"),
    ]
    done = run("report", "why", "--day", "2026-03-26", "--db", str(db))
    assert "no drivers: usage and cost of these days are not both archived" in done.stderr


def test_credits_that_the_analytics_report_lacks_are_a_part_of_their_own(db: Path) -> None:
    handmade = Handmade(db)
    whole = {
        day: [
            cost_row("1000", model="a", description="a", workspace_id="w"),
            cost_row("-400" if day == "2026-03-26" else "0", description="credit", workspace_id="w"),
        ]
        for day in days("2026-03-01", "2026-03-26")
    }
    handmade.cost(whole, read_at=READ_AT)
    by_key = {day: [cost_row("1000", model="a", workspace_id="w", api_key_id="k", actor="user_1")] for day in whole}
    handmade.analytics_cost(by_key, read_at=READ_AT)
    rows = explained(db, "--day", "2026-03-26")
    assert part(rows, "total") == {None: ("10.00", "6.00", "-4.00")}
    assert part(rows, "api_key") == {
        "k": ("10.00", "10.00", "0.00"),
        "(not in this report)": ("0.00", "-4.00", "-4.00"),
    }
