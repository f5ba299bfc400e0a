"""Questions that come up every week, each answered by one command, against the simulator's truth."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from archiver.plan.scope import Scope
from archiver.reports import COST, USAGE
from archiver.simulator import Settings, background
from tests.support import NOW, archiver, day, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

KINDS = (
    "uncached_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)
MONTH = ("2025-12-01", "2026-01-01")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class World:
    """An archive of thirteen months, and its simulator."""

    api: Simulator
    db: Path

    def ask(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Rows:
        done = archiver("report", *arguments, "--json", "--db", str(self.db))
        assert done.returncode in codes, done.stderr
        rows: Rows = json.loads(done.stdout)
        return rows

    def costs(self, since: str, until: str) -> Rows:
        rows = truth(self.api, "cost", "1d", ("workspace_id", "description"), day(since), day(until))
        return [dict(zip(("start", "end", *COST.columns, "amount"), row, strict=True)) for row in rows]

    def uses(self, since: str, until: str) -> Rows:
        by = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
        names = ("start", "end", *USAGE.columns, *KINDS, "web_search_requests")
        rows = truth(self.api, "usage", "1d", by, day(since), day(until))
        return [dict(zip(names, row, strict=True)) for row in rows]

    def spent(self, since: str, until: str, by: str) -> dict[Any, Decimal]:
        """Return dollars by a column, or all under ""."""
        sums: dict[Any, Decimal] = defaultdict(Decimal)
        for row in self.costs(since, until):
            sums[row[by] if by else ""] += Decimal(row["amount"]) / 100
        return sums


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    db = tmp_path_factory.mktemp("world") / "archive.db"
    with background(Settings(first_day=date(2024, 12, 10), now=NOW, size=0.1)) as api:
        sync(api, db, Scope())
        yield World(api, db)


def after(text: str, days: int) -> str:
    return f"{date.fromisoformat(text) + timedelta(days=days)}"


def test_why_did_that_day_jump(world: World) -> None:
    that = "2025-12-10"
    before = [after(that, -7 * n) for n in range(1, 5)]
    rows = world.ask("why", "--day", that, "--top", "1000")
    for part, column in (
        ("total", ""),
        ("workspace", "workspace_id"),
        ("model", "model"),
        ("token_type", "token_type"),
    ):
        now = world.spent(that, after(that, 1), column)
        then: dict[Any, Decimal] = defaultdict(Decimal)
        for one in before:
            for key, amount in world.spent(one, after(one, 1), column).items():
                then[key] += amount / 4
        expected = {key: now.get(key, Decimal(0)) - then.get(key, Decimal(0)) for key in {*now, *then}}
        found = [Decimal(row["change_usd"]) for row in rows if row["part"] == part]
        # The last digit is that of 1e-18 cents, where the mean of four days is rounded.
        assert sorted(found) == pytest.approx(sorted(expected.values()), abs=Decimal("1e-17"))
        assert sum(found) == Decimal(rows[0]["change_usd"])
    assert sum(Decimal(row["change_usd"]) for row in rows if row["part"] == "driver") == Decimal(rows[0]["change_usd"])


def test_what_drove_a_month(world: World) -> None:
    rows = {
        row["value"]: Decimal(row["change_usd"]) for row in world.ask("why", "--month", "2025-12", "--by", "driver")
    }
    months = {"then": ("2025-11-01", "2025-12-01"), "now": ("2025-12-01", "2025-12-31")}  # 30 days of both
    tokens: dict[str, dict[Any, int]] = {side: defaultdict(int) for side in months}
    paid: dict[str, dict[Any, Fraction]] = {side: defaultdict(Fraction) for side in months}
    for side, bounds in months.items():
        for use in world.uses(*bounds):
            for kind in KINDS:
                tokens[side][use["model"], use["service_tier"], use["context_window"], kind] += use[kind]
        for cost in world.costs(*bounds):
            key = (cost["model"], cost["service_tier"], cost["context_window"], cost["token_type"])
            paid[side][key if cost["cost_type"] == "tokens" else "other"] += Fraction(cost["amount"]) / 100
    billed = {key for side in months for key in paid[side] if key != "other"}
    old = {key: paid["then"][key] / tokens["then"][key] for key in billed if tokens["then"][key]}
    new = {key: paid["now"][key] / tokens["now"][key] for key in billed if tokens["now"][key]}
    # Price is the only part that no grouping into cells can change: each kind that was there before, at its new price.
    price = sum((tokens["now"][key] * (new[key] - old[key]) for key in new.keys() & old.keys()), Fraction())
    count = {side: sum(tokens[side][key] for key in billed) for side in months}
    cost = {side: sum((paid[side][key] for key in billed), Fraction()) for side in months}
    volume = (count["now"] - count["then"]) * cost["then"] / count["then"]
    other = paid["now"]["other"] - paid["then"]["other"]
    for name, value in (("price", price), ("volume", volume), ("other", other)):
        assert float(rows[name]) == pytest.approx(float(value), abs=1e-9), name
    assert sum(rows[name] for name in ("volume", "mix", "cache", "price", "other")) == rows[None]


def test_who_grows_fastest(world: World) -> None:
    rows = world.ask("growth", "--by", "model")
    last = max(row["start"] for row in world.costs("2025-12-01", after(f"{NOW:%Y-%m-%d}", 1)))[:10]
    end = after(last, 1)
    for span, length in (("week", 7), ("four_weeks", 28)):
        now = world.spent(after(end, -length), end, "model")
        then = world.spent(after(end, -2 * length), after(end, -length), "model")
        for row in rows:
            change = now.get(row["model"], Decimal(0)) - then.get(row["model"], Decimal(0))
            assert Decimal(row[f"{span}_change_usd"]) == change
    changes = [Decimal(row["four_weeks_change_usd"]) for row in rows]
    assert changes == sorted(changes, reverse=True)


def test_what_the_cache_saves(world: World) -> None:
    rows = world.ask("savings", "--since", MONTH[0], "--until", MONTH[1])
    tokens: dict[Any, int] = defaultdict(int)
    paid: dict[Any, Fraction] = defaultdict(Fraction)
    for use in world.uses(*MONTH):
        for kind in KINDS:
            tokens[use["model"], use["service_tier"], use["context_window"], kind] += use[kind]
    for cost in world.costs(*MONTH):
        if cost["cost_type"] == "tokens":
            key = (cost["model"], cost["service_tier"], cost["context_window"], cost["token_type"])
            paid[key] += Fraction(cost["amount"]) / 100
    saved: dict[str, Fraction] = defaultdict(Fraction)
    for (model, tier, window, kind), number in tokens.items():
        uncached, own = (model, tier, window, KINDS[0]), (model, tier, window, kind)
        if kind in KINDS[1:4] and number and paid[own] and paid[uncached]:
            saved[model] += number * paid[uncached] / tokens[uncached] - paid[own]
    found = {row["model"]: float(row["saved_usd"]) for row in rows if row["saved_usd"] is not None}
    assert found.keys() == saved.keys()
    for model, amount in found.items():
        assert amount == pytest.approx(float(saved[model]), abs=0.00501)  # an estimate is to the cent


def test_which_keys_are_idle(world: World) -> None:
    rows = world.ask("idle", "--days", "30")
    last = f"{NOW:%Y-%m-%d}"
    used: dict[Any, str] = {}
    for use in world.uses("2024-12-10", after(last, 1)):
        used[use["api_key_id"]] = max(used.get(use["api_key_id"], ""), str(use["start"])[:10])
    for row in rows:
        assert row["last_used"] == used.get(row["api_key_id"])
        assert ("idle" in row["state"]) == ((row["last_used"] or "") < after(last, -29))


def test_what_to_book(world: World, tmp_path: Path) -> None:
    teams = tmp_path / "teams.toml"
    spent = world.spent(*MONTH, "workspace_id")
    named = [one for one in spent if one is not None]
    teams.write_text(
        f'[[rule]]\nteam = "A"\ncost-centre = "1"\nworkspace = {json.dumps(named[:2])}\n'
        f'[[rule]]\nworkspace = {json.dumps(named[2])}\nshares = {{ A = 1, B = 3 }}\n',
        encoding="utf-8",
    )  # fmt: skip
    rows = world.ask("statement", "--month", "2025-12", "--teams", str(teams), codes=(0, 3))
    a = sum(spent[one] for one in named[:2]) + spent[named[2]] / 4
    b = spent[named[2]] * 3 / 4
    found = {row["team"]: Decimal(row["amount_usd"]) for row in rows}
    assert found["A"] == pytest.approx(a, abs=Decimal("1e-15"))
    assert found["B"] == pytest.approx(b, abs=Decimal("1e-15"))
    assert sum(found.values()) == sum(spent.values())
    booked = sum(Decimal(row["booked_usd"]) for row in rows)
    assert booked == round(sum(spent.values()), 2)


def test_our_gateway_agrees_with_the_bill(world: World, tmp_path: Path) -> None:
    log = tmp_path / "gateway.csv"
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for use in world.uses("2025-11-01", "2025-11-08"):
        key = (str(use["start"])[:10], use["workspace_id"] or "", use["model"])
        sums[key] += sum(use[kind] for kind in KINDS)
    lines = [f"{','.join(key)},{number}" for key, number in sums.items()]
    log.write_text("\n".join(["date,workspace,model,tokens", *lines]) + "\n", encoding="utf-8")
    rows = world.ask("reconcile", "--against", str(log))
    assert {row["state"] for row in rows} == {"matched"}
    assert len(rows) == len(sums)
    worse = [line if i else line.rpartition(",")[0] + ",1" for i, line in enumerate(lines)]
    log.write_text("\n".join(["date,workspace,model,tokens", *worse]) + "\n", encoding="utf-8")
    assert [row["state"] for row in world.ask("reconcile", "--against", str(log), codes=(3,))][:2] == [
        "differs",
        "matched",
    ]
