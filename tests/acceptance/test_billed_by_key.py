"""`report keys` and `report people`: cost that the API has by key and by person, to the last digit.

The numbers are those of the simulator, or written by hand on round amounts.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind, Report
from archiver.offline import page
from archiver.offline.reports.request import ReportRequest
from archiver.plan.scope import Scope
from archiver.simulator import background
from tests.analytics import NOW, SMALL
from tests.handmade import Handmade, cost_row, run, usage_row
from tests.pages import Read
from tests.support import day, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archiver.simulator import Simulator

SINCE, UNTIL = "2026-02-10", "2026-03-10"
READ_AT = "2026-02-10T03:00:00"
KIND = {"workspace_id": "w", "model": "m", "service_tier": "standard", "context_window": "0-200k"}
DEFAULT_CREATED = '{"created_at": "2025-01-01T00:00:00Z"}'
OTHER_CREATED = '{"created_at": "2025-06-01T00:00:00Z"}'


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Simulator, Path]:
    """Archive all four reports of the invented organisation, once."""
    made = tmp_path_factory.mktemp("billed") / "archive.db"
    with background(SMALL) as api:
        sync(api, made, Scope(tuple(Report), since=day("2026-02-01")))
        return api, made


def report(db: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run("report", *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def true_cost(api: Simulator, of: Callable[[dict[str, Any]], Any]) -> dict[Any, Decimal]:
    """Return the dollars that the simulator has in the selected days, by what `of` makes of a row's dimensions."""
    found: dict[Any, Decimal] = defaultdict(Decimal)
    group_by = ("workspace_id", "api_key_id", "actor")
    for row in api.analytics_truth("analytics-cost", day(SINCE), day(UNTIL), bucket_width="1d", group_by=group_by):
        found[of(row["group"])] += Decimal(row["cost"]["amount"]) / 100
    return dict(found)


def identity(actor: dict[str, Any] | None) -> Any:
    ids = ("user_id", "service_account_id", "api_key_id")
    return actor and next((actor[one] for one in ids if one in actor), actor["type"])


def selected(*more: str) -> tuple[str, ...]:
    return (*more, "--since", SINCE, "--until", UNTIL)


def test_keys_are_what_the_api_billed_them(whole: tuple[Simulator, Path]) -> None:
    api, db = whole
    rows = report(db, *selected("keys"))
    assert {row["method"] for row in rows} == {"billed"}
    found = {row["api_key_id"]: Decimal(row["amount_usd"]) for row in rows}
    assert found == true_cost(api, lambda group: group["api_key_id"])
    assert len(found) > 5
    assert {row["api_key"] for row in rows if row["api_key_id"] is None} == {"(no API key)"}
    stderr = run("report", *selected("keys"), "--db", str(db)).stderr
    assert "billed: 28 days of the analytics cost report" in stderr
    assert "allocated" not in stderr


def test_the_default_workspace_is_that_of_the_other_reports(whole: tuple[Simulator, Path]) -> None:
    api, db = whole
    by = ("--by", "workspace", "--by", "api_key")
    default = api.organization.default_workspace["id"]
    expected = true_cost(
        api, lambda group: (None if group["workspace_id"] == default else group["workspace_id"], group["api_key_id"])
    )
    rows = report(db, *selected("keys", *by))
    assert {(row["workspace_id"], row["api_key_id"]): Decimal(row["amount_usd"]) for row in rows} == expected
    assert {row["workspace"] for row in rows if row["workspace_id"] is None} == {"(default workspace)"}
    labels = select(db, "SELECT DISTINCT workspace FROM daily_cost_by_key WHERE workspace_id = ?", default)
    assert labels == [("(default workspace)",)]


def test_a_workspace_that_is_called_default_later_is_not_the_default_one(db: Path) -> None:
    made = Handmade(db)
    made.names(NameKind.WORKSPACE, {"first": "Default"}, read_at="2026-01-01", details=DEFAULT_CREATED)
    made.names(NameKind.WORKSPACE, {"later": "Default", "w": "w"}, read_at="2026-01-01", details=OTHER_CREATED)
    rows = [cost_row("100", workspace_id=one) for one in ("first", "later", "w")]
    made.analytics_cost({"2026-01-01": rows}, read_at=READ_AT)
    by_workspace = report(db, "people", "--by", "workspace")
    assert sorted((row["workspace_id"] or "", row["workspace"]) for row in by_workspace) == [
        ("", "(default workspace)"),
        ("later", "Default"),
        ("w", "w"),
    ]


def test_people_are_what_the_api_billed_them(whole: tuple[Simulator, Path]) -> None:
    api, db = whole
    rows = report(db, *selected("people"))
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:  # a cloud identity is written as its JSON
        cloud = row["actor_id"] is not None and row["actor_id"].startswith("{")
        found["federated_actor" if cloud else row["actor_id"]] += Decimal(row["amount_usd"])
    assert found == true_cost(api, lambda group: identity(group["actor"]))
    names = {one["id"]: one["name"] for one in api.organization.users}
    named = [row for row in rows if row["actor_id"] in names]
    assert named
    assert all(row["person"] == names[row["actor_id"]] for row in named)
    assert {row["person"] for row in rows if row["actor_id"] is None} == {"(not attributed)"}
    clouds = {row["person"] for row in rows if (row["actor_id"] or "").startswith("{")}
    assert clouds == {"arn:aws:iam::000000000000:role/invented"}
    labels = select(db, "SELECT DISTINCT person FROM daily_cost_by_person WHERE actor_type = 'federated_actor'")
    assert labels == [("arn:aws:iam::000000000000:role/invented",)]


def test_people_by_id_have_no_names(whole: tuple[Simulator, Path]) -> None:
    api, db = whole
    done = run("report", *selected("people"), "--by", "id", "--json", "--db", str(db))
    rows = done.rows()
    assert {row["actor_id"]: row["amount_usd"] for row in rows} == {
        row["actor_id"]: row["amount_usd"] for row in report(db, *selected("people"))
    }
    assert not any(one["name"] in done.stdout or one["email"] in done.stdout for one in api.organization.users)


def mixed(db: Path) -> None:
    """Write 10 USD a day: on the 1st of the cost report, on the 2nd of both, on the 3rd of the analytics report."""
    made = Handmade(db)
    bill = cost_row(
        "1000",
        **KIND,
        description="d",
        cost_type="tokens",
        token_type="output_tokens",  # no secret
        inference_geo="global",
    )
    made.cost({"2026-01-01": [bill], "2026-01-02": [bill]}, read_at=READ_AT)
    used = [usage_row(0, 0, 0, 0, 1, api_key_id="k1", **KIND)]
    made.usage({"2026-01-01": used, "2026-01-02": used}, read_at=READ_AT)
    parts = {"k1": "400", "k2": "500", None: "100"}
    rows = [cost_row(amount, workspace_id="w", api_key_id=key) for key, amount in parts.items()]
    made.analytics_cost({"2026-01-02": rows, "2026-01-03": rows}, read_at=READ_AT)


def test_a_day_is_billed_or_allocated_and_never_both(db: Path) -> None:
    mixed(db)
    rows = report(db, "keys")
    assert [(row["api_key"], row["amount_usd"], row["method"]) for row in rows] == [
        ("k1", "18.00", "exact"),
        ("k2", "10.00", "billed"),
        ("(no API key)", "2.00", "billed"),
    ]
    stderr = run("report", "keys", "--db", str(db)).stderr
    assert "billed: 2 days" in stderr
    assert "allocated: 1 day of the cost report" in stderr
    by_day = report(db, "keys", "--by", "day")
    assert sorted((row["date"], row["amount_usd"], row["method"]) for row in by_day) == [
        ("2026-01-01", "10.00", "exact"),
        ("2026-01-02", "10.00", "billed"),
        ("2026-01-03", "10.00", "billed"),
    ]


def test_a_day_in_progress_is_billed_only_where_the_cost_report_has_none(db: Path) -> None:
    mixed(db)
    made = Handmade(db)
    rows = [cost_row("300", workspace_id="w", api_key_id="k3")]
    made.analytics_cost({"2026-01-01": rows}, read_at="2026-01-01T12:00:00")
    made.analytics_cost({"2026-02-10": rows}, read_at="2026-02-10T12:00:00")
    assert "k3" not in {row["api_key"] for row in report(db, "keys", "--until", "2026-01-04")}
    done = run("report", "keys", "--since", "2026-02-10", "--json", "--db", str(db))
    assert [(row["api_key"], row["amount_usd"], row["method"]) for row in done.rows()] == [("k3", "3.00", "billed")]
    assert "2026-02-10 was read before the day ended" in done.stderr


def test_a_day_that_is_not_grouped_by_key_is_allocated(db: Path) -> None:
    mixed(db)
    Handmade(db).analytics_cost(
        {"2026-01-01": [cost_row("900", workspace_id="w")]}, read_at=READ_AT, group_by=("workspace_id",)
    )
    rows = report(db, "keys", "--until", "2026-01-02")
    assert [(row["api_key"], row["amount_usd"], row["method"]) for row in rows] == [("k1", "10.00", "exact")]


def test_days_that_are_not_archived_are_not_zero(db: Path) -> None:
    mixed(db)
    assert report(db, "people", "--month", "2026-02", code=3) == []
    done = run("report", "people", "--since", "2026-01-01", "--until", "2026-01-06", "--json", "--db", str(db))
    assert "3 of 5 days from 2026-01-01 to 2026-01-05 are not archived" in done.stderr
    assert [row["amount_usd"] for row in done.rows()] == ["20.00"]
    no_person = run("report", "people", "--since", "2026-01-02", "--json", "--db", str(db)).rows()
    assert [(row["person"], row["share"]) for row in no_person] == [("(not attributed)", 1.0)]


def test_the_page_has_the_billed_cost_of_keys_and_people(whole: tuple[Simulator, Path]) -> None:
    api, db = whole
    read = Read(page.overview(db, ReportRequest(day(SINCE).date(), day(UNTIL).date(), today=NOW.date())))
    cents = {key: amount * 100 for key, amount in true_cost(api, lambda group: group["api_key_id"]).items()}
    scale = 10 ** (read.figures["digits"] - 2)
    for name, expected in (("keys", sum(cents.values())), ("people", sum(cents.values()))):
        drawn = sum(sum(values) for values in read.lines(name).values())
        assert Decimal(drawn) / scale == expected
    no_key = sum(read.lines("keys")["(no API key)"])
    assert Decimal(no_key) / scale == cents[None]
    assert read.tables["All people"][0][0] == "person"
    people = true_cost(api, lambda group: identity(group["actor"]))
    share = 1 - people[None] / sum(people.values())
    assert read.cards["Attributed cost"].startswith(f"{share:.1%}; {SINCE} to 2026-03-09")
    states = {chart["id"]: set(chart["states"]) for chart in read.figures["charts"] if "states" in chart}
    assert states["keys"] == states["people"] == {"s", "p"}


def test_a_page_without_the_analytics_report_has_no_people(db: Path) -> None:
    made = Handmade(db)
    made.cost({"2026-01-01": [cost_row("100", description="d")]}, read_at=READ_AT)
    written = page.overview(db, ReportRequest())
    assert "Spend by person" not in written
    assert "Attributed cost" not in written
