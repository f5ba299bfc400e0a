"""The Claude Code report: archived row by row, by day, with people, and shown by `report claude-code`."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.reports.people import pseudonym
from archiver.simulator import background
from archiver.store.read.verify import verify_archive
from tests import claude_code
from tests.analytics import NOW, SMALL
from tests.handmade import run
from tests.raw_server import raw_server
from tests.support import archiver, day, run_sync, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from archiver.simulator import Simulator
    from tests.raw_server import Good

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 20)
SCOPE = Scope((Report.CLAUDE_CODE,), since=day("2026-03-01"))


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    with background(SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def whole(api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("claude_code") / "archive.db"
    summary = sync(api, path, SCOPE)
    assert (summary.exit_code, summary.failures) == (0, [])
    return path


def records(api: Simulator, first: date = FIRST, last: date = LAST) -> list[dict[str, Any]]:
    days = ((first + timedelta(days=n)) for n in range((last - first).days + 1))
    return [record for one in days for record in api.claude_code_truth(one)]


def test_every_row_is_the_apis(api: Simulator, whole: Path) -> None:
    rows = claude_code.archived(whole, FIRST, LAST)
    assert rows == claude_code.truth(api, FIRST, LAST)
    assert len(rows) > 300
    assert verify_archive(whole) == []


def test_a_second_sync_writes_nothing(api: Simulator, db: Path) -> None:
    sync(api, db, SCOPE)
    again = sync(api, db, SCOPE)
    assert (again.rows.changed, again.unchanged, again.exit_code) == (0, 20, 0)


def test_each_request_is_of_one_day_and_pages_are_put_together(db: Path) -> None:
    with background(SMALL) as api, raw_server(api) as server:

        def short_pages(good: Good) -> bytes:
            """Answer with three records a page: the simulator's records from the token on."""
            start = len([one for one in server.asked if one.startswith(good.path)]) - 1
            found = api.claude_code_truth(date(2026, 3, 12))
            page = {"data": found[3 * start : 3 * start + 3], "has_more": 3 * start + 3 < len(found), "next_page": None}
            page["next_page"] = f"page_{start}" if page["has_more"] else None
            return good.bytes(json.dumps(page).encode())

        server.spoil = short_pages
        scope = replace(SCOPE, since=day("2026-03-12"), until=day("2026-03-13"))
        summary = sync(api, db, scope, api_url=server.url)
        asked = [one for one in server.asked if "claude_code" in one]
        assert summary.failures == []
        assert asked[0].endswith("claude_code?starting_at=2026-03-12&limit=1000")
        assert len(asked) == -(-len(api.claude_code_truth(date(2026, 3, 12))) // 3)
        assert claude_code.archived(db, date(2026, 3, 12), date(2026, 3, 12)) == claude_code.truth(
            api, date(2026, 3, 12), date(2026, 3, 12)
        )


def test_a_day_younger_than_an_hour_is_not_asked(db: Path) -> None:
    with background(SMALL) as api:
        scope = replace(SCOPE, since=day("2026-03-19"))
        for minute, expected in (
            (30, "2026-03-20T00:00:00Z"),
            (59, "2026-03-20T00:00:00Z"),
            (60, "2026-03-21T00:00:00Z"),
        ):
            api.clock.now = day("2026-03-20") + timedelta(minutes=minute)
            assert sync(api, db, scope).exit_code == 0
            assert select(db, "SELECT max(range_end) FROM coverage") == [(expected,)]


def test_changed_days_are_restated_and_can_be_read_as_of_before(db: Path) -> None:
    with background(SMALL) as api:
        sync(api, db, SCOPE)
        before = claude_code.truth(api, FIRST, LAST)
        api.clock.now = NOW + timedelta(days=2)
        api.amend(date(2026, 3, 10), 3)
        sync(api, db, replace(SCOPE, until=day("2026-03-21")), accept_restatements=True)
        after = claude_code.truth(api, FIRST, LAST)
        assert claude_code.archived(db, FIRST, LAST) == after
    assert before != after
    moment = (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    sql = "SELECT sum(sessions) AS sessions, sum(amount_microcents) AS cost FROM claude_code WHERE date = '2026-03-10'"
    done = archiver("query", "--db", str(db), "--json", sql, "--as-of", moment)
    (then,) = json.loads(done.stdout)
    records = [row for row in before if row[0] == "2026-03-10"]
    assert then == {
        "sessions": sum(row[11] for row in records),
        "cost": sum(int(row[-1] or 0) * 10**6 for row in records),
    }


def test_the_report_adds_up_what_people_did(api: Simulator, whole: Path) -> None:
    rows = run("report", "claude-code", "--json", "--db", str(whole)).rows()
    expected: dict[str, list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0, 0, Decimal(0)])
    emails = {user["email"]: user["name"] for user in api.organization.users}
    for record in records(api):
        actor, core = record["actor"], record["core_metrics"]
        person = emails[actor["email_address"]] if "email_address" in actor else actor["api_key_name"]
        tools, models = record["tool_actions"].values(), record["model_breakdown"]
        numbers = [
            core["num_sessions"],
            core["commits_by_claude_code"],
            core["pull_requests_by_claude_code"],
            core["lines_of_code"]["added"],
            core["lines_of_code"]["removed"],
            sum(one["accepted"] for one in tools),
            sum(one["rejected"] for one in tools),
            sum(sum(one["tokens"].values()) for one in models),
            sum(Decimal(one["estimated_cost"]["amount"]) / 100 for one in models),
        ]
        expected[person] = [a + b for a, b in zip(expected[person], numbers, strict=True)]
    names = ["sessions", "commits", "pull_requests", "lines_added", "lines_removed", "accepted", "rejected", "tokens"]
    found = {row["person"]: [*(row[name] for name in names), Decimal(row["estimated_cost_usd"])] for row in rows}
    assert found == expected
    assert [row["acceptance_rate"] for row in rows] == [
        expected[row["person"]][5] / (expected[row["person"]][5] + expected[row["person"]][6]) for row in rows
    ]
    costs = [Decimal(row["estimated_cost_usd"]) for row in rows]
    assert costs == sorted(costs, reverse=True)


def test_the_report_by_day_is_in_order_and_by_id_has_no_names(api: Simulator, whole: Path) -> None:
    rows = run("report", "claude-code", "--by", "day", "--json", "--db", str(whole)).rows()
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)
    done = run("report", "claude-code", "--by", "id", "--json", "--db", str(whole))
    assert "email_" in done.stdout
    assert not any(user["name"] in done.stdout or user["email"] in done.stdout for user in api.organization.users)
    printed = run("report", "claude-code", "--top", "2", "--db", str(whole)).stdout
    assert "(others)" in printed


def test_days_that_are_not_archived_are_not_zero(whole: Path) -> None:
    done = run("report", "claude-code", "--month", "2026-02", "--json", "--db", str(whole))
    assert (done.code, done.rows()) == (3, [])
    assert "no claude-code from 2026-02-01 to 2026-02-28 is archived" in done.stderr


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Good], bytes]:
    """Return a fault that changes the first record with a tool and a model."""

    def spoil(good: Good) -> bytes:
        decoded = json.loads(good.body)
        record = next(one for one in decoded["data"] if one["tool_actions"] and one["model_breakdown"])
        change(record)
        return good.bytes(json.dumps(decoded).encode())

    return spoil


REFUSED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another day": lambda one: one.update(date="2026-03-13T00:00:00Z"),
    "no day": lambda one: one.pop("date"),
    "no actor": lambda one: one.update(actor=None),
    "an actor without a type": lambda one: one["actor"].pop("type"),
    "a user without an address": lambda one: one.update(actor={"type": "user_actor", "email_address": None}),
    "a key without a name": lambda one: one.update(actor={"type": "api_actor"}),
    "no metrics": lambda one: one.pop("core_metrics"),
    "negative sessions": lambda one: one["core_metrics"].update(num_sessions=-1),
    "sessions as a float": lambda one: one["core_metrics"].update(num_sessions=1.5),
    "lines as a number": lambda one: one["core_metrics"].update(lines_of_code=5),
    "tools as a list": lambda one: one.update(tool_actions=[]),
    "a tool without a number": lambda one: one["tool_actions"].update(edit_tool={"accepted": 1}),
    "models as an object": lambda one: one.update(model_breakdown={}),
    "a model twice": lambda one: one["model_breakdown"].append(one["model_breakdown"][0]),
    "a model without tokens": lambda one: one["model_breakdown"][0].pop("tokens"),
    "a cost as text of no number": lambda one: one["model_breakdown"][0]["estimated_cost"].update(amount="much"),
    "a cost without a currency": lambda one: one["model_breakdown"][0]["estimated_cost"].pop("currency"),
    "a terminal as a number": lambda one: one.update(terminal_type=5),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_record_that_breaks_the_contract_costs_its_day_and_is_repaired(api: Simulator, db: Path, name: str) -> None:
    scope = replace(SCOPE, since=day("2026-03-12"), until=day("2026-03-13"))
    with raw_server(api) as server:
        server.spoil = changed(REFUSED[name])
        summary = sync(api, db, scope, api_url=server.url)
        assert (summary.exit_code, [one.error for one in summary.failures]) == (6, ["contract"])
        assert select(db, "SELECT count(*) FROM claude_code") == [(0,)]
        server.spoil = None
        assert sync(api, db, scope, api_url=server.url).exit_code == 0
    assert claude_code.archived(db, FIRST, LAST) == claude_code.truth(api, date(2026, 3, 12), date(2026, 3, 12))


def test_what_is_new_in_the_api_is_kept_and_named(api: Simulator, db: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one.update(colour="red", actor={"type": "robot_actor", "serial": 7, "name": "R"})
        one["core_metrics"]["reviews"] = 3
        one["model_breakdown"][0]["estimated_cost"].update(amount=12.25, discount=1)
        one["model_breakdown"][0].pop("unknown", None)
        one["tool_actions"]["new_tool"] = {"accepted": 1, "rejected": 0, "ignored": 9}

    scope = replace(SCOPE, since=day("2026-03-12"), until=day("2026-03-13"))
    with raw_server(api) as server:
        server.spoil = changed(change)
        summary = sync(api, db, scope, api_url=server.url)
    assert summary.exit_code == 0
    kept = select(db, "SELECT actor_id, tool, amount, extra FROM claude_code WHERE actor_type = 'robot_actor'")
    assert {row[0] for row in kept} == {'{"serial":7}'}
    extras = [json.loads(row[3]) for row in kept if row[3]]
    assert {"colour": "red", "core_metrics": {"reviews": 3}} in extras
    assert {"ignored": 9} in extras
    assert {"estimated_cost": {"discount": 1}} in extras
    assert "12.25" in {row[2] for row in kept}
    warned = " ".join(summary.warnings)
    assert all(name in warned for name in ("colour", "ignored", "estimated_cost"))


def test_costs_in_another_currency_are_not_added_up(api: Simulator, db: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        for model in one["model_breakdown"]:
            model["estimated_cost"].update(currency="EUR", amount=10**9)

    scope = replace(SCOPE, since=day("2026-03-12"), until=day("2026-03-13"))
    with raw_server(api) as server:
        server.spoil = changed(change)
        sync(api, db, scope, api_url=server.url)
    done = run("report", "claude-code", "--json", "--db", str(db))
    costs = [row["estimated_cost_usd"] for row in done.rows()]
    assert None in costs  # somebody has a cost in euros alone
    assert all(cost is None or Decimal(cost) < 10**6 for cost in costs)
    assert "costs in other currencies than USD are not in these numbers" in done.stderr


ONE_DAY = replace(SCOPE, since=day("2026-03-12"), until=day("2026-03-13"))


def test_a_cost_that_is_not_known_is_not_zero(api: Simulator, db: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        for model in one["model_breakdown"]:
            model["estimated_cost"] = None

    with raw_server(api) as server:
        server.spoil = changed(change)
        sync(api, db, ONE_DAY, api_url=server.url)
    rows = run("report", "claude-code", "--json", "--db", str(db)).rows()
    (changed_one,) = (row for row in rows if row["estimated_cost_usd"] is None)
    assert changed_one["tokens"] > 0
    done = run("report", "claude-code", "--db", str(db))
    models = select(db, "SELECT count(*) FROM claude_code WHERE model IS NOT NULL AND amount IS NULL")[0][0]
    assert f"{models} row" in done.stderr
    assert "came without a cost" in done.stderr


def test_keys_of_one_name_are_added_up(api: Simulator, db: Path) -> None:
    def key_record(raw: dict[str, Any], sessions: int, amount: int) -> None:
        one = copy.deepcopy(next(one for one in raw["data"] if one["model_breakdown"]))
        one["actor"] = {"type": "api_actor", "api_key_name": "CI"}
        one["core_metrics"]["num_sessions"] = sessions
        one["tool_actions"] = {"edit_tool": {"accepted": sessions, "rejected": 1}}
        one["model_breakdown"] = [one["model_breakdown"][0]]
        one["model_breakdown"][0]["estimated_cost"] = {"amount": amount, "currency": "USD"}
        raw["data"].append(one)

    def spoil(good: Good) -> bytes:
        raw = json.loads(good.body)
        key_record(raw, 2, 150)
        key_record(raw, 3, 275)
        return good.bytes(json.dumps(raw).encode())

    with raw_server(api) as server:
        server.spoil = spoil
        assert sync(api, db, ONE_DAY, api_url=server.url).exit_code == 0
    rows = "SELECT sum(sessions), sum(accepted), sum(rejected), sum(amount_microcents) FROM claude_code"
    assert select(db, f"{rows} WHERE actor_id = 'CI'") == [(5, 5, 2, 425_000_000)]
    assert select(db, "SELECT amount FROM claude_code WHERE actor_id = 'CI' AND model IS NOT NULL") == [("425",)]


def test_a_record_that_comes_again_on_the_next_page_is_refused(api: Simulator, db: Path) -> None:
    def spoil(good: Good) -> bytes:
        raw = json.loads(good.body)
        one = raw["data"][0] | {"actor": {"type": "api_actor", "api_key_name": "CI"}}
        raw |= {"data": [one], "has_more": good.number == 0, "next_page": "page_2" if good.number == 0 else None}
        return good.bytes(json.dumps(raw).encode())

    with raw_server(api) as server:
        server.spoil = spoil
        summary = sync(api, db, ONE_DAY, api_url=server.url)
    assert summary.exit_code == 6
    assert "two rows of one bucket have the same dimensions" in summary.failures[0].message


def test_without_people_there_is_no_address(api: Simulator, db: Path) -> None:
    sync(api, db, replace(SCOPE, since=day("2026-03-12")), people=False)
    users = api.organization.users
    files = b"".join(file.read_bytes() for file in db.parent.iterdir() if file.name.startswith(db.name))
    assert not any(user["email"].encode() in files for user in users)
    known = {pseudonym(user["email"]) for user in users}
    people = {row[0] for row in select(db, "SELECT person FROM claude_code WHERE actor_type = 'user_actor'")}
    assert people
    assert people <= known


def test_an_organisation_without_the_report_goes_on_with_the_others(db: Path) -> None:
    with background(SMALL) as api, raw_server(api) as server:
        server.spoil = lambda good: good.bytes(b"{}", 404) if "claude_code" in good.path else good.bytes()
        done = run_sync(
            api,
            db,
            *("--api-url", server.url, "--report", "usage", "--report", "claude-code", "--group-by", "none"),
            *("--since", "2026-03-15", "--json"),
        )
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["failures"]) == (0, [])
    assert any("claude-code" in text for text in printed["warnings"])


def test_all_history_begins_with_the_oldest_object(db: Path) -> None:
    with background(replace(SMALL, first_day=date(2026, 3, 1))) as api:
        summary = sync(api, db, Scope((Report.CLAUDE_CODE,)))
        oldest = min(datetime.fromisoformat(user["added_at"]).date() for user in api.organization.users)
    assert summary.exit_code == 0
    ((begin,),) = select(db, "SELECT min(range_start) FROM coverage")
    assert date.fromisoformat(begin[:10]) <= oldest
    assert summary.planned < 250
