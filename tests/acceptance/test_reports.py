"""Built-in reports equal the sums of the simulator's rows to the last digit."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from tests.support import archiver, day, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator


def report(db: Path, *arguments: str) -> Any:
    done = archiver("report", *arguments, "--json", "--db", str(db))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_spend_is_the_apis_to_the_last_digit(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db)
    expected: dict[tuple[str, Any], int] = defaultdict(int)
    for row in truth(shared_api, "cost", "1d", ("workspace_id",), day("2025-11-01")):
        expected[row[0][:7], row[2]] += int(row[-1].replace(".", ""))
    reported = {(row["month"], row["workspace_id"]): row["amount_microcents"] for row in report(db, "spend")}
    assert reported == expected
    one = report(db, "spend", "--since", "2025-12-05", "--until", "2025-12-06")
    assert sum(row["amount_microcents"] for row in one) == sum(
        int(row[-1].replace(".", ""))
        for row in truth(shared_api, "cost", "1d", (), day("2025-12-05"), day("2025-12-06"))
    )


def test_tokens_and_cache_use_are_the_apis(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.USAGE,)))
    rows = truth(shared_api, "usage", "1d", ("model", "workspace_id"), day("2025-11-01"))
    expected: dict[tuple[str, Any, Any], int] = defaultdict(int)
    reads: dict[tuple[str, Any], int] = defaultdict(int)
    inputs: dict[tuple[str, Any], int] = defaultdict(int)
    for row in rows:
        uncached, hour, minutes, read, output, _ = row[-6:]
        expected[row[0][:7], row[2], row[4]] += output
        reads[row[0][:7], row[4]] += read
        inputs[row[0][:7], row[4]] += uncached + hour + minutes + read
    reported = {(r["month"], r["workspace_id"], r["model"]): r["output_tokens"] for r in report(db, "tokens")}
    assert reported == expected
    rates = {(r["month"], r["model"]): r["cache_hit_rate"] for r in report(db, "cache")}
    assert rates == {key: round(reads[key] / inputs[key], 4) for key in reads}


def test_restatements_show_what_changed_and_by_how_much(api: Simulator, db: Path) -> None:
    scope = Scope((Report.COST,), group_by=("none",), since=day("2025-11-05"))
    wide = Scope((Report.COST,), group_by=("none",), since=day("2025-11-05"), refresh_days=90)
    sync(api, db, scope)
    (before,) = truth(api, "cost", "1d", (), day("2025-11-12"), day("2025-11-13"))
    api.amend(day("2025-11-12").date(), 2)
    sync(api, db, wide)
    (after,) = truth(api, "cost", "1d", (), day("2025-11-12"), day("2025-11-13"))
    (reported,) = report(db, "restatements", "--since", "2026-01-01")
    assert (reported["bucket_start"], reported["field"], reported["was"], reported["now"]) == (
        "2025-11-12T00:00:00Z",
        "amount",
        before[-1],
        after[-1],
    )
    assert report(db, "restatements", "--since", "2026-02-01") == []


def test_every_cost_shows_where_it_comes_from(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day("2026-01-10")))
    assert "not the invoice" in archiver("report", "spend", "--db", str(db)).stderr


def test_what_is_configured_for_sync_bounds_no_report(shared_api: Simulator, db: Path, tmp_path: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day("2025-12-20")))
    config = tmp_path / "config.toml"
    config.write_text('since = "2026-01-01"\nuntil = "2026-01-10"\n[budgets]\ntotal = 5000\n', encoding="utf-8")
    whole = report(db, "spend")
    assert report(db, "spend", "--config", str(config)) == whole
    asked = ("--db", str(db), "--json")
    assert json.loads(archiver("report", "spend", *asked, ARCHIVER_SINCE="2026-01-01").stdout) == whole
    for of_a_month in (("compare",), ("forecast",), ("budget", "--month", "2025-12"), ("spend", "--month", "2025-12")):
        done = archiver("report", *of_a_month, *asked, "--config", str(config))
        assert done.returncode in {0, 3}, done.stderr
        done = archiver("report", *of_a_month, "--config", str(config), *asked, ARCHIVER_UNTIL="2026-01-01")
        assert done.returncode in {0, 3}, done.stderr


def test_workspaces_of_one_name_are_distinguished(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day("2025-12-20")))
    expected: dict[str | None, int] = defaultdict(int)
    for row in report(db, "spend"):
        expected[row["workspace_id"]] += row["amount_microcents"]
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _name SET name = 'Team' WHERE kind = 'workspace'")
    labels = {one: "(default workspace)" if one is None else f"Team ({one})" for one in expected}
    assert len(expected) > 2
    reported = archiver("report", "workspaces", "--db", str(db)).stdout
    assert all(label in reported for label in labels.values())


def test_several_currencies_are_never_added_up(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day("2025-12-20")))
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _cost_key SET currency = 'EUR' WHERE id % 2")
    sums: dict[str, int] = defaultdict(int)
    for row in report(db, "spend"):
        sums[row["currency"]] += row["amount_microcents"]
    assert set(sums) == {"EUR", "USD"}
    for name in ("workspaces", "models", "keys"):
        rows = report(db, name, "--top", "2")
        currencies = [row["currency"] for row in rows]
        assert currencies == sorted(currencies)
        assert max(map(currencies.count, sums)) <= 3
        for currency, whole in sums.items():
            mine = [row for row in rows if row["currency"] == currency]
            # Estimated amounts of keys are to the cent, which is 10**6 microcents.
            assert sum(row["amount_microcents"] for row in mine) == pytest.approx(whole, abs=3 * 10**6, rel=0)
            assert [row["share"] for row in mine] == pytest.approx(
                [row["amount_microcents"] / whole for row in mine], 1e-2
            )
    for name in ("workspaces", "spend"):
        rows = report(db, name)
        assert all((row["amount_usd"] is None) is (row["currency"] == "EUR") for row in rows)
        assert all((row["amount_eur"] is None) is (row["currency"] == "USD") for row in rows)
        total = archiver("report", name, "--db", str(db)).stdout.splitlines()[-1].split()
        wholes = [f"{Decimal(sums[one]) / 10**8:,.2f}" for one in ("USD", "EUR")]
        assert total[:3] == ["total", *wholes]
        cents = archiver("report", name, "--unit", "cents", "--db", str(db)).stdout.splitlines()[-1]
        assert cents.split()[0] == "total"
        assert not any(character.isdigit() for character in cents)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["budget", "--by", "month"], "'--by'"),
        (["restatements", "--top", "3"], "'--top'"),
        (["tokens", "--unit", "cents"], "'--unit'"),
        (["compare", "--since", "2026-01-01"], "'--since'"),
        (["spend", "--since", "2026-01-05", "--until", "2026-01-02"], "not before --until"),
        (["restatements", "--since", "2026-01-05", "--until", "2026-01-05"], "not before --until"),
        (["spend", "--until", "2026-01-11T12:00Z"], "time of day"),
        (["tokens", "--since", "2026-01-11T00:00+01:00"], "time of day"),
    ],
)
def test_options_that_a_report_would_ignore_are_refused(
    shared_api: Simulator, db: Path, arguments: list[str], message: str
) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day("2026-01-10")))
    done = archiver("report", *arguments, "--db", str(db))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert archiver("report", "restatements", "--since", "2026-01-11T12:00Z", "--db", str(db)).returncode == 0
