"""Six common questions about thirteen months, each answered by one command to the last digit."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
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

CLOSED = datetime(2025, 11, 3, 9, tzinfo=UTC)
RESTATED, LATE = "2025-09-10", "2025-10-20"  # one settled when October was closed, and one not yet
KINDS = (
    "uncached_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)
Rows = list[dict[str, Any]]
Values = dict[tuple[str, str], dict[tuple[Any, ...], Decimal]]


@dataclass(frozen=True)
class World:
    """An archive of thirteen months, synced at the end of October and now, and October's costs at that time."""

    api: Simulator
    db: Path
    october: dict[Any, int]
    before: Values

    def ask(self, *arguments: str, code: int = 0) -> Any:
        done = archiver("report", *arguments, "--json", "--db", str(self.db))
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    db = tmp_path_factory.mktemp("world") / "archive.db"
    with background(Settings(first_day=date(2024, 12, 10), now=CLOSED, size=0.1)) as api:
        sync(api, db, Scope())
        october, before = by_workspace(api, "2025-10-01", "2025-11-01"), values(api, RESTATED)
        api.clock.now = NOW
        for changed in (RESTATED, LATE):
            api.amend(date.fromisoformat(changed), 2)
        sync(api, db, Scope(refresh_days=150))
        yield World(api, db, october, before)


def costs(api: Simulator, since: str, until: str) -> Rows:
    rows = truth(api, "cost", "1d", ("workspace_id", "description"), day(since), day(until))
    return [dict(zip(("start", "end", *COST.columns, "amount"), row, strict=True)) for row in rows]


def uses(api: Simulator, since: str, until: str) -> Rows:
    by = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
    names = ("start", "end", *USAGE.columns, *KINDS, "web_search_requests")
    return [dict(zip(names, row, strict=True)) for row in truth(api, "usage", "1d", by, day(since), day(until))]


def microcents(row: dict[str, Any]) -> int:
    return int(Decimal(row["amount"]) * 10**6)


def by_workspace(api: Simulator, since: str, until: str) -> dict[Any, int]:
    sums: dict[Any, int] = defaultdict(int)
    for row in costs(api, since, until):
        sums[row["workspace_id"]] += microcents(row)
    return sums


def values(api: Simulator, of: str) -> Values:
    """Return the value of each row of a day, by report and field as in restatements."""
    until = date.fromordinal(date.fromisoformat(of).toordinal() + 1).isoformat()
    found: Values = defaultdict(dict)
    for row in costs(api, of, until):
        found["cost", "amount"][tuple(row[name] for name in COST.columns)] = Decimal(row["amount"])
    for row in uses(api, of, until):
        for kind, field in zip((*KINDS, "web_search_requests"), USAGE.measures, strict=True):
            found["usage", field][tuple(row[name] for name in USAGE.columns)] = Decimal(row[kind])
    return found


def microcents_by(rows: Rows, name: str) -> dict[Any, int]:
    """Return microcents by id, or by the label of this program in its place."""
    return {_who(row, name): row["amount_microcents"] for row in rows}


def _who(row: dict[str, Any], name: str) -> Any:
    label = row[name.removesuffix("_id")]
    return label if label == "(not allocated)" else row[name]


def test_last_month_by_workspace(world: World) -> None:
    assert microcents_by(world.ask("workspaces", "--month", "2025-12"), "workspace_id") == by_workspace(
        world.api, "2025-12-01", "2026-01-01"
    )


def shared_out(api: Simulator, since: str, until: str) -> dict[Any, int]:
    """Return the microcents of each key, shared by the largest remainder in fractions."""
    weights: dict[Any, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    for row in uses(api, since, until):
        kind = (row["start"], row["workspace_id"], row["model"], row["service_tier"], row["context_window"])
        for name in KINDS:
            weights[*kind, name][row["api_key_id"]] += row[name]
        weights[kind[:2]][row["api_key_id"]] += row["web_search_requests"]
    bills: dict[Any, int] = defaultdict(int)
    for row in costs(api, since, until):
        kind = (row["start"], row["workspace_id"], row["model"], row["service_tier"], row["context_window"])
        place = {"tokens": (*kind, row["token_type"]), "web_search": kind[:2]}
        bills[place.get(row["cost_type"])] += microcents(row)
    shares: dict[Any, int] = defaultdict(int)
    for place_of, amount in bills.items():
        found = {key: weight for key, weight in weights.get(place_of, {}).items() if weight}
        if not found:
            shares["(not allocated)"] += amount
            continue
        exact = {key: Fraction(amount * weight, sum(found.values())) for key, weight in found.items()}
        left = amount - sum(map(floor, exact.values()))
        order = sorted(exact, key=lambda key: (floor(exact[key]) - exact[key], str(key)))
        for place_in, key in enumerate(order):
            shares[key] += floor(exact[key]) + (place_in < left)
    return shares


def test_the_five_most_expensive_keys_of_a_quarter_and_their_share(world: World) -> None:
    asked = ("--since", "2025-10-01", "--until", "2026-01-01")
    expected = shared_out(world.api, "2025-10-01", "2026-01-01")
    rows = world.ask("keys", *asked)
    assert {_who(row, "api_key_id") for row in rows} == set(expected)
    for row in rows:  # exact, or to the cent where regions of different prices share the tokens
        most = 0 if row["method"] == "exact" else 500_000
        assert abs(row["amount_microcents"] - expected[_who(row, "api_key_id")]) <= most
    rows = world.ask("keys", *asked, "--top", "5")
    top = sorted(expected, key=lambda key: -expected[key])[:5]
    assert [row["api_key_id"] for row in rows] == [*top, "(others)"]
    whole = sum(expected.values())
    assert [row["amount_microcents"] for row in rows[:5]] == pytest.approx([expected[key] for key in top], abs=500_000)
    assert [row["share"] for row in rows[:5]] == pytest.approx([expected[key] / whole for key in top])
    rest = whole - sum(expected[key] for key in top)
    assert rows[5]["amount_microcents"] == pytest.approx(rest, abs=500_000)


def test_the_cache_hit_rate_by_model_of_a_week(world: World) -> None:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in uses(world.api, "2026-01-08", "2026-01-15"):
        sums[row["model"]][0] += row["cache_read_input_tokens"]
        sums[row["model"]][1] += sum(row[kind] for kind in KINDS[:4])
    rows = world.ask("cache", "--by", "model", "--since", "2026-01-08", "--until", "2026-01-15")
    assert {row["model"]: row["cache_hit_rate"] for row in rows} == {
        model: round(read / whole, 4) for model, (read, whole) in sums.items()
    }


def test_what_changed_in_settled_data_since_the_first(world: World) -> None:
    rows = world.ask("restatements", "--since", "2026-01-01")
    now = values(world.api, RESTATED)
    assert {row["bucket_start"] for row in rows} == {f"{RESTATED}T00:00:00Z"}
    reported = {(row["report"], row["field"]): (row["rows"], Decimal(row["was"]), Decimal(row["now"])) for row in rows}
    expected = {}
    for key, before in world.before.items():
        changed = [one for one in before if before[one] != now[key][one]]
        expected[key] = (len(changed), sum(before[one] for one in changed), sum(now[key][one] for one in changed))
    assert reported == expected
    assert [Decimal(row["change"]) for row in rows] == [Decimal(row["now"]) - Decimal(row["was"]) for row in rows]


@pytest.mark.parametrize(("over", "code", "state"), [(-1, 3, "passed"), (0, 0, "kept")])
def test_whether_a_budget_is_passed_is_right_to_the_last_cent(
    world: World, tmp_path: Path, over: int, code: int, state: str
) -> None:
    december = by_workspace(world.api, "2025-12-01", "2026-01-01")
    cents = -(-sum(december.values()) // 10**6) + over
    most = max((one for one in december if one), key=lambda one: december[one])
    config = tmp_path / "config.toml"
    config.write_text(
        f"[budgets]\ntotal = {Decimal(cents) / 100}\n"
        f"[budgets.workspaces]\n{most} = 1000000\n'(default workspace)' = 1000000\n"
    )
    total, one, default = world.ask("budget", "--month", "2025-12", "--config", str(config), code=code)
    assert (total["state"], int(Decimal(total["limit_usd"]) * 100)) == (state, cents)
    for row, spent in ((total, sum(december.values())), (one, december[most]), (default, december[None])):
        assert Decimal(row["spent_usd"]) * 10**8 == spent
        assert Decimal(row["left_usd"]) == Decimal(row["limit_usd"]) - Decimal(row["spent_usd"])
        assert Decimal(row["projected_usd"]) == round(Decimal(row["spent_usd"]), 2)


def test_what_october_looked_like_when_it_was_closed(world: World) -> None:
    asked = ("workspaces", "--month", "2025-10")
    assert microcents_by(world.ask(*asked, "--as-of", "2025-11-03T12:00:00Z"), "workspace_id") == world.october
    today = by_workspace(world.api, "2025-10-01", "2025-11-01")
    assert microcents_by(world.ask(*asked), "workspace_id") == today != world.october
