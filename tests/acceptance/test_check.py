"""`archiver check`: each rule on planted incidents, each finding once, and backtests."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind, SpendLimit
from tests.handmade import Handmade, cost_row, days, run, usage_row
from tests.pseudo_terminal import on_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

MILLION = 1_000_000
FIRST, LAST = "2026-01-01", "2026-06-30"
READ_AT = "2026-07-01T03:00:00"
WORKSPACES = {"w1": 100, "w2": 60, "w3": 8}
MODELS = ("opus", "haiku")
KINDS = {"context_window": "0-200k", "service_tier": "standard"}
JUMP, NEW_MODEL, COLLAPSE, WHOLE = "2026-04-15", "2026-05-12", "2026-05-20", "2026-06-03"
ALL_RULES = 'rules = ["budget", "pace", "limit", "jump", "new", "cache", "restated"]\n'


def quiet_cost(day: str, noise: random.Random) -> dict[tuple[str, str], float]:
    """Return dollars by workspace and model of a usual day: less at weekends, and up to a third more or less."""
    weekday = date.fromisoformat(day).weekday()
    return {
        (where, model): usd
        * (0.3 if weekday > 4 else 1)
        * (0.7 if model == "opus" else 0.3)
        * noise.uniform(0.67, 1.33)
        for where, usd in WORKSPACES.items()
        for model in MODELS
    }


@pytest.fixture(scope="module")
def half_a_year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return half a year with four incidents.

    On JUMP the workspace w2 costs five times as much, from NEW_MODEL on there is a third model, on COLLAPSE and the day
    after nothing of w1 is read from the cache, and on WHOLE everything costs three times as much.
    """
    db = tmp_path_factory.mktemp("check") / "archive.db"
    noise = random.Random(20260101)  # noqa: S311  # invented numbers, the same on every run
    cost: dict[str, list[Any]] = {}
    usage: dict[str, list[Any]] = {}
    for day in days(FIRST, LAST):
        amounts = quiet_cost(day, noise)
        if day >= NEW_MODEL:
            amounts["w3", "new"] = 5
        amounts = {(where, model): usd * (5 if day == JUMP and where == "w2" else 3 if day == WHOLE else 1)
                   for (where, model), usd in amounts.items()}  # fmt: skip
        cost[day] = [
            cost_row(f"{usd * 100:.4f}", workspace_id=where, model=model, description=model, cost_type="tokens",
                     token_type="output_tokens", **KINDS)
            for (where, model), usd in amounts.items()
        ]  # fmt: skip
        usage[day] = []
        for where, model in amounts:
            read = 0 if where == "w1" and day in {COLLAPSE, "2026-05-21"} else int(noise.uniform(6, 8) * MILLION)
            usage[day].append(
                usage_row(
                    10 * MILLION - read,
                    0,
                    0,
                    read,
                    MILLION,
                    workspace_id=where,
                    model=model,
                    api_key_id=f"key-{where}",
                    **KINDS,
                )
            )
    handmade = Handmade(db)
    handmade.cost(cost, read_at=READ_AT)
    handmade.usage(usage, read_at=READ_AT)
    handmade.names(NameKind.WORKSPACE, {one: f"Invented {one}" for one in WORKSPACES}, read_at="2026-01-01T00:00:00")
    return db


def found(db: Path, tmp_path: Path, *arguments: str, config: str = "", code: int | None = None) -> list[dict[str, Any]]:
    path = tmp_path / "config.toml"
    path.write_text(f"[check]\n{config or ALL_RULES}", encoding="utf-8")
    done = run("check", *arguments, "--config", str(path), "--json", "--db", str(db))
    assert code is None or done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def test_planted_incidents_are_found_and_nothing_else(half_a_year: Path, tmp_path: Path) -> None:
    rows = found(half_a_year, tmp_path, "--backtest", "120d", code=0)
    assert {(row["rule"], row["subject"], row["first_day"], row["last_day"]) for row in rows} == {
        ("jump", "workspace Invented w2", JUMP, JUMP),
        ("jump", "the organisation", JUMP, JUMP),  # w2 is a third of it
        ("new", "model new", NEW_MODEL, NEW_MODEL),
        ("cache", "workspace Invented w1", COLLAPSE, "2026-05-21"),
        ("cache", "the organisation", COLLAPSE, "2026-05-21"),
        ("cache", "model opus", COLLAPSE, "2026-05-21"),
        ("cache", "model haiku", COLLAPSE, "2026-05-21"),
        ("jump", "the organisation", WHOLE, WHOLE),
        # Three times the noise is three times the median for about half of what is watched.
        *((row["rule"], row["subject"], WHOLE, WHOLE) for row in rows if row["first_day"] == WHOLE),
    }


def test_a_jump_has_its_numbers_and_its_cause(half_a_year: Path, tmp_path: Path) -> None:
    rows = found(half_a_year, tmp_path, "--backtest", "120d")
    row = next(one for one in rows if one["subject"] == "workspace Invented w2")
    wednesdays = [f"{date.fromisoformat(JUMP) - timedelta(weeks=n)}" for n in range(1, 9)]
    by_day = spent_of(half_a_year, "w2")
    usual = sorted(by_day[day] for day in wednesdays)
    assert float(row["expected_usd"]) == pytest.approx((usual[3] + usual[4]) / 2, abs=0.01)
    assert float(row["amount_usd"]) == pytest.approx(by_day[JUMP], abs=0.01)
    assert f"on {JUMP}" in row["text"]
    assert "median of 8 Wednesdays" in row["text"]
    assert row["lines"].startswith("model opus +")


def spent_of(db: Path, workspace: str) -> dict[str, float]:
    rows = run("report", "spend", "--by", "day", "--by", "workspace", "--json", "--db", str(db)).rows()
    return {row["date"]: float(row["amount_usd"]) for row in rows if row["workspace_id"] == workspace}


def test_stricter_settings_find_less(half_a_year: Path, tmp_path: Path) -> None:
    quiet = 'rules = ["jump"]\n[check.jump]\nby = ["total"]\ntotal-factor = 3.5\n'
    assert found(half_a_year, tmp_path, "--backtest", "120d", config=quiet) == []
    loud = 'rules = ["jump"]\n[check.jump]\nby = ["total"]\ntotal-factor = 1.2\namount = 1\n'
    assert len(found(half_a_year, tmp_path, "--backtest", "120d", config=loud)) > 3
    table = run("check", "--backtest", "120d", "--db", str(half_a_year)).stdout.splitlines()
    assert table[0].split()[:3] == ["rule", "findings", "per_30_days"]
    assert next(line for line in table if line.startswith("new")).split()[:3] == ["new", "1", "0.2"]


def until(tmp_path: Path, last: str) -> Path:
    """Return an archive that ends with a day."""
    short = tmp_path / f"{last}.db"
    noise = random.Random(20260101)  # noqa: S311  # the same numbers
    handmade = Handmade(short)
    cost = {}
    for day in days(FIRST, last):
        amounts = quiet_cost(day, noise)
        times = 5 if JUMP <= day <= "2026-04-16" else 1
        cost[day] = [
            cost_row(f"{usd * 100 * times:.4f}", workspace_id=where, model=model, description=model)
            for (where, model), usd in amounts.items()
        ]
    handmade.cost(cost, read_at=f"{date.fromisoformat(last) + timedelta(days=1)}T03:00:00")
    return short


def test_each_finding_is_reported_once_until_it_is_over(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    config = 'rules = ["jump"]\n[check.jump]\nby = ["total"]\n'

    def checked(last: str, code: int) -> list[str]:
        rows = found(until(tmp_path, last), tmp_path, "--state", str(state), config=config, code=code)
        return [row["first_day"] for row in rows]

    assert checked("2026-04-14", 0) == []
    assert checked(JUMP, 3) == [JUMP]
    assert checked(JUMP, 0) == []  # again
    assert checked("2026-04-16", 0) == []  # it goes on
    assert checked("2026-04-17", 0) == []  # it is over
    assert checked("2026-04-20", 0) == []
    everything = found(until(tmp_path, "2026-04-20"), tmp_path, "--all", "--state", str(state), config=config, code=3)
    assert [(row["first_day"], row["last_day"]) for row in everything] == [(JUMP, "2026-04-16")]


def test_a_first_check_reports_the_newest_day_alone(tmp_path: Path) -> None:
    config = 'rules = ["jump"]\n[check.jump]\nby = ["total"]\n'
    db = until(tmp_path, "2026-04-17")
    assert found(db, tmp_path, config=config, code=0) == []
    assert db.with_name(db.name + ".check.json").exists()
    later = until(tmp_path, "2026-04-16")
    assert [row["first_day"] for row in found(later, tmp_path, config=config, code=3)] == [JUMP]


def test_days_that_no_check_saw_are_reported_by_the_next(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    config = 'rules = ["jump"]\n[check.jump]\nby = ["total"]\n'
    assert found(until(tmp_path, "2026-04-10"), tmp_path, "--state", str(state), config=config) == []
    rows = found(until(tmp_path, "2026-04-28"), tmp_path, "--state", str(state), config=config, code=3)
    assert [row["first_day"] for row in rows] == [JUMP]


def test_notify_gets_json_and_a_failure_is_tried_again(tmp_path: Path) -> None:
    db = until(tmp_path, JUMP)
    config, told = tmp_path / "config.toml", tmp_path / "told.json"
    config.write_text('[check]\nrules = ["jump"]\n', encoding="utf-8")
    at = ("check", "--config", str(config), "--db", str(db))
    failed = run(*at, "--notify", "false")
    assert (failed.code, "ended with exit code 1" in failed.stderr) == (2, True)
    missing = run(*at, "--notify", "no-such-invented-command")
    assert (missing.code, "cannot run --notify" in missing.stderr) == (2, True)
    done = run(*at, "--notify", f"tee {told}")
    assert done.code == 3
    entries = json.loads(told.read_text("utf-8"))
    assert entries[0]["subject"] == "model haiku"
    assert entries[0]["lines"]
    assert float(entries[0]["amount"]) > float(entries[0]["expected"])
    told.unlink()
    assert run(*at, "--notify", f"tee {told}").code == 0
    assert not told.exists()  # nothing new: nothing is run
    assert "nothing odd" in run(*at).stdout
    assert run(*at, "--quiet").stdout == ""


def test_budgets_and_limits(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    rows = [cost_row("1000", workspace_id="w", model="m", description="m")]
    handmade.cost(dict.fromkeys(days("2026-01-01", "2026-02-20"), rows), read_at="2026-02-21T03:00:00")
    limit = SpendLimit("spl_1", "organization", None, "20000", "USD", "monthly", True)  # noqa: FBT003  # enabled
    handmade.spend_limits(limit, read_at="2026-02-21T03:00:00")
    config = tmp_path / "config.toml"
    config.write_text("[budgets]\ntotal = 195\n[budgets.quarter]\ntotal = 905\n", encoding="utf-8")
    done = run("check", "--backtest", "30d", "--config", str(config), "--json", "--db", str(db))
    assert [(one["rule"], one["subject"], one["first_day"], one["last_day"]) for one in done.rows()] == [
        # 310 USD of January are projected from its first day on. 195 were passed on the 20th, before the 30 days.
        ("budget", "budget of total in 2026-01", "2026-01-22", "2026-01-31"),
        ("limit", "API limit: organization in 2026-01", "2026-01-22", "2026-01-31"),
        ("pace", "budget of total in 2026-02", "2026-02-01", "2026-02-19"),
        ("limit", "API limit: organization in 2026-02", "2026-02-18", "2026-02-20"),
        ("budget", "budget of total in 2026-02", "2026-02-20", "2026-02-20"),
    ]
    # 20 days of 10 USD; 28 days are projected to 280.
    texts = {one["first_day"]: one["text"] for one in done.rows()}
    assert texts["2026-02-20"] == "budget of total in 2026-02 is passed: 200.00 USD of 195.00 USD by 2026-02-20"
    assert texts["2026-02-01"].endswith("is projected to be passed: 280.00 USD of 195.00 USD, as of 2026-02-01")
    assert texts["2026-02-18"].endswith("is used to 90%: 180.00 USD of 200.00 USD by 2026-02-18")


def test_what_is_stale_and_what_was_restated(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    now = datetime.now(UTC)
    last = now.date() - timedelta(days=4)
    dates = days(f"{last - timedelta(days=60)}", f"{last}")
    rows = {day: [cost_row("1000", workspace_id="w", model="m", description="m")] for day in dates}
    handmade.cost(rows, read_at=f"{now - timedelta(days=3):%Y-%m-%dT%H:%M:%S}")
    changed = f"{last - timedelta(days=50)}"
    restated = [cost_row("1250", workspace_id="w", model="m", description="m")]
    handmade.cost({changed: restated}, read_at=f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%S}")
    state = tmp_path / "state.json"
    found_now = found(db, tmp_path, "--state", str(state), config='rules = ["stale", "restated"]', code=3)
    assert {(row["rule"], row["subject"]) for row in found_now} == {("stale", "cost"), ("restated", "settled cost")}
    texts = {row["rule"]: row["text"] for row in found_now}
    assert f"up to the end of {last}" in texts["stale"]
    assert "2.50 USD more and 0.00 USD less" in texts["restated"]
    assert next(row for row in found_now if row["rule"] == "restated")["lines"] == f"cost of {changed} +2.50"
    assert found(db, tmp_path, "--state", str(state), config='rules = ["stale", "restated"]', code=0) == []


def test_new_keys_are_found_by_their_usage(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    cost: dict[str, list[Any]] = {}
    usage: dict[str, list[Any]] = {}
    tokens = {"cost_type": "tokens", "token_type": "output_tokens", "model": "m", "workspace_id": "w", **KINDS}
    for n, day in enumerate(days("2026-01-01", "2026-02-28")):
        keys = ["old", *(["fresh"] if n >= 50 else [])]
        cost[day] = [cost_row("400", description="m", **tokens)]
        usage[day] = [usage_row(0, 0, 0, 0, 10, model="m", workspace_id="w", api_key_id=key, **KINDS) for key in keys]
    handmade.cost(cost, read_at="2026-03-01T03:00:00")
    handmade.usage(usage, read_at="2026-03-01T03:00:00")
    rows = found(db, tmp_path, "--backtest", "28d", config='rules = ["new"]')
    assert [(row["subject"], row["first_day"], row["amount_usd"]) for row in rows] == [
        ("api key fresh", "2026-02-20", "2.00")
    ]
    # With fewer days before than the setting says, everything would be new.
    assert found(db, tmp_path, "--backtest", "28d", config='rules = ["new"]\n[check.new]\nafter-days = 60\n') == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("check = 5\n", "[check] in the configuration is not a table"),
        ("[check]\nrules = ['jmp']\n", "'jmp'"),
        ("[check]\njmp = 1\n", "unknown key 'jmp'"),
        ("[check.jump]\nfactr = 1\n", "unknown key 'factr'"),
        ("[check.jump]\nfactor = -1\n", "factor of [check.jump] is -1"),
        ("[check.jump]\nby = ['api_key']\n", "'api_key'"),
        ("[check.new]\nby = ['total']\n", "by of [check.new] has 'total'"),
        ("[check.cache]\ntokens = 1.5\n", "tokens of [check.cache] is 1.5"),
        ("[check.stale]\nhours = true\n", "hours of [check.stale] is True"),
        ("[check]\njump = 3\n", "[check.jump] is not a table"),
    ],
)
def test_a_faulty_setting_is_a_clear_error(half_a_year: Path, tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    done = run("check", "--config", str(config), "--db", str(half_a_year))
    assert (done.code, said in done.stderr) == (2, True), done.stderr


def test_a_damaged_state_is_named_and_not_replaced(half_a_year: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for text in (
        "{",
        "[]",
        '{"checked_until": "May", "reported": []}',
        '{"checked_until": "2026-01-01", "reported": [1]}',
    ):
        state.write_text(text, encoding="utf-8")
        done = run("check", "--state", str(state), "--db", str(half_a_year))
        assert (done.code, "is not a file of archiver check" in done.stderr) == (2, True)
        assert state.read_text("utf-8") == text


def test_on_a_terminal_findings_are_sentences(tmp_path: Path) -> None:
    at = ("check", "--state", str(tmp_path / "state.json"), "--db")
    screen = on_a_terminal(*at, str(until(tmp_path, JUMP)), columns=80)
    assert screen.code == 3
    assert any(line.startswith("jump: the organisation cost") for line in screen.lines)
    assert all(len(line) <= 80 for line in screen.lines), screen.written
    quiet = on_a_terminal(*at, str(until(tmp_path, JUMP)), columns=80)
    assert (quiet.code, quiet.lines[0]) == (0, f"nothing odd, new findings up to {JUMP}")
