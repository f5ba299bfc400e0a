"""Teams: rules in order, splits, statements, and `--by team`, on round numbers."""

from __future__ import annotations

import csv
import io
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from tests.handmade import Handmade, cost_row, days, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-04-30T03:00:00"
RULES = """
[cost-centres]
Research = 4711
Product = "P-1"

[[rule]]
team = "Research"
workspace = ["Invented research*", "w-lab"]

[[rule]]
team = "Product"
workspace = "Invented product"
until = "2026-02-15"

[[rule]]
team = "Growth"
workspace = "Invented product"

[[rule]]
workspace = "Invented shared"
shares = { Research = 60, Product = 39.5, Growth = 0.5 }

[[rule]]
workspace = "Invented platform"
split = "proportional"

[[rule]]
workspace = "(default workspace)"
split = "even"
"""


@pytest.fixture
def february(db: Path) -> Path:
    """Return February, where each workspace costs some dollars a day, and no rule is for the last one."""
    daily = {"w-r1": 3, "w-lab": 1, "w-p": 2, "w-shared": 10, "w-platform": 6, None: 9, "w-none": 5}
    names = {
        "w-r1": "Invented research 1", "w-lab": "Invented lab", "w-p": "Invented product",
        "w-shared": "Invented shared", "w-platform": "Invented platform", "w-none": "Invented rest",
    }  # fmt: skip
    rows = [cost_row(f"{usd}00", workspace_id=where, model="m", description="m") for where, usd in daily.items()]
    handmade = Handmade(db)
    handmade.names(NameKind.WORKSPACE, names, read_at="2026-01-01T00:00:00")
    handmade.cost(dict.fromkeys(days("2026-02-01", "2026-02-28"), rows), read_at=READ_AT)
    (db.parent / "teams.toml").write_text(RULES, encoding="utf-8")
    return db


def asked(db: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run("report", *arguments, "--teams", str(db.parent / "teams.toml"), "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def test_money_by_team_has_the_latest_names(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    handmade.names(NameKind.WORKSPACE, {"w": "Old"}, read_at="2026-02-01T00:00:00")
    handmade.names(NameKind.WORKSPACE, {"w": "New"}, read_at="2026-02-02T12:00:00")
    rows = {day: [cost_row("100", workspace_id="w")] for day in days("2026-02-01", "2026-02-03")}
    handmade.cost(rows, read_at="2026-03-20T03:00:00")
    teams = tmp_path / "teams.toml"
    teams.write_text('[[rule]]\nteam = "A"\nworkspace = "*"\n', "utf-8")
    done = run("report", "spend", "--by", "team", "--by", "workspace", "--teams", str(teams), "--json", "--db", str(db))
    assert [(row["team"], row["workspace"], row["amount_usd"]) for row in done.rows()] == [("A", "New", "3.00")]


def test_a_statement_adds_up_to_the_month(february: Path) -> None:
    rows = asked(february, "statement", "--month", "2026-02")
    # 14 days of Product, 14 of Growth. Direct: Research 28 * (3 + 1) + 168 = 280; Product 28 + 110.60 = 138.60;
    # Growth 28 + 1.40 = 29.40: in all 448. Platform: 168, by these: 105, 51.975, 11.025.
    # The default workspace: 84 each.
    assert [(row["team"], row["cost_centre"], row["amount_usd"], row["booked_usd"]) for row in rows] == [
        ("Research", "4711", "469.00", "469.00"),
        ("Product", "P-1", "274.575", "274.58"),
        ("Growth", "(no cost centre)", "124.425", "124.42"),
        ("(no team)", "(no cost centre)", "140.00", "140.00"),
    ]
    assert sum(Decimal(row["booked_usd"]) for row in rows) == 28 * 36
    assert rows[0]["share"] == pytest.approx(469 / 1008)
    at = ("--teams", str(february.parent / "teams.toml"), "--db", str(february))
    total = run("report", "statement", "--month", "2026-02", *at).stdout.splitlines()[-1]
    assert total.split() == ["total", "1,008.00", "1,008.00"]


def test_a_statement_as_csv_is_one_line_a_team(february: Path) -> None:
    at = ("--teams", str(february.parent / "teams.toml"), "--db", str(february))
    done = run("report", "statement", "--month", "2026-02", "--csv", *at)
    lines = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [line["team"] for line in lines] == ["Research", "Product", "Growth", "(no team)"]


def test_a_day_has_the_shares_of_its_whole_month(february: Path) -> None:
    by_day = asked(february, "spend", "--by", "day", "--by", "team", "--since", "2026-02-20", "--until", "2026-02-21")
    # Product has no workspace of its own any more, and its part of the shared ones by what it has in the month.
    platform = {"Research": Decimal(6) * 280 / 448, "Product": Decimal(6) * Decimal("138.6") / 448}
    found = {row["team"]: Decimal(row["amount_usd"]) for row in by_day}
    assert found["Research"] == 3 + 1 + 6 + platform["Research"] + 3
    assert found["Product"] == Decimal("3.95") + platform["Product"] + 3
    assert found["(no team)"] == 5
    assert sum(found.values()) == 36
    assert {row["date"] for row in by_day} == {"2026-02-20"}


def test_by_team_and_by_cost_centre_in_other_reports(february: Path) -> None:
    models = asked(february, "models", "--by", "model", "--by", "cost-centre")
    assert {(row["cost_centre"], row["model"]): row["amount_usd"] for row in models} == {
        ("4711", "m"): "469.00", ("P-1", "m"): "274.575", ("(no cost centre)", "m"): "264.425",
    }  # fmt: skip
    compared = asked(february, "compare", "--period", "2026-02-15", "--with", "2026-02-14", "--by", "team")
    changes = {row["team"]: row["change_usd"] for row in compared}
    assert (changes["Product"], changes["Growth"], changes["Research"]) == ("-2.00", "2.00", "0.00")
    growth = asked(february, "growth", "--by", "team")
    assert {row["team"] for row in growth} == {"Research", "Product", "Growth", "(no team)"}
    why = asked(february, "why", "--day", "2026-02-20", "--by", "team")
    # Of four Fridays before, three are archived: 2026-02-06 and 02-13 of Product, then Growth since the 15th.
    parts = {row["value"]: row["change_usd"] for row in why if row["part"] == "team"}
    assert (parts["Product"], parts["Growth"]) == ("-2.00", "2.00")
    forecast = asked(february, "forecast", "--month", "2026-02", "--by", "team")
    assert {row["team"]: row["to_date_usd"] for row in forecast}["Research"] == "469.00"


def test_tokens_and_cache_by_team_are_split_like_money(february: Path) -> None:
    daily = {"w-r1": 3, "w-lab": 1, "w-p": 2, "w-shared": 10, "w-platform": 6, None: 9, "w-none": 5}
    rows = [usage_row(n * 1000, 0, 0, n * 3000, workspace_id=where, model="m") for where, n in daily.items()]
    Handmade(february).usage(dict.fromkeys(days("2026-02-01", "2026-02-28"), rows), read_at=READ_AT)
    found = {row["team"]: row for row in asked(february, "tokens", "--by", "team")}
    # As in the statement.
    assert {team: row["uncached_input_tokens"] for team, row in found.items()} == {
        "Research": 280_000 + 105_000 + 84_000,
        "Product": 138_600 + 51_975 + 84_000,
        "Growth": 29_400 + 11_025 + 84_000,
        "(no team)": 140_000,
    }
    assert sum(row["cache_read_input_tokens"] for row in found.values()) == 28 * 36 * 3000
    one_day = asked(february, "tokens", "--period", "2026-02-20", "--by", "day", "--by", "cost-centre")
    # The shares of a day are those of its whole month.
    assert {(row["date"], row["cost_centre"]): row["uncached_input_tokens"] for row in one_day} == {
        ("2026-02-20", "4711"): 4_000 + 6_000 + 3_750 + 3_000,
        ("2026-02-20", "P-1"): 3_950 + 1_856 + 3_000,
        ("2026-02-20", "(no cost centre)"): 2_000 + 50 + 394 + 3_000 + 5_000,
    }
    rates = {row["team"]: row["cache_hit_rate"] for row in asked(february, "cache", "--by", "team")}
    assert rates == dict.fromkeys(found, 0.75)
    top = asked(february, "tokens", "--by", "team", "--top", "1")
    assert [row["team"] for row in top] == ["Research", "(others)"]
    html = february.parent / "page.html"
    at = ("--teams", str(february.parent / "teams.toml"), "--db", str(february))
    assert run("report", "tokens", "--by", "team", "--html", str(html), *at).code == 0
    assert "Research" in html.read_text("utf-8")


def test_small_counts_are_shared_fairly(db: Path) -> None:
    rows = [usage_row(0, 0, 0, 0, 1, 1, workspace_id=f"w{i}", model="m") for i in range(40)]
    Handmade(db).usage(dict.fromkeys(days("2026-02-01", "2026-02-28"), rows), read_at=READ_AT)
    (db.parent / "teams.toml").write_text(
        '[[rule]]\nworkspace = "*"\nshares = { A = 1, B = 1, C = 1 }\n', encoding="utf-8"
    )
    found = asked(db, "tokens", "--by", "team")
    # 1,120 single searches: 373 and a third each.
    assert [row["web_search_requests"] for row in found] == [374, 373, 373]
    by_day = asked(db, "tokens", "--by", "day", "--by", "team")
    assert {row["output_tokens"] for row in by_day} == {13, 14}
    assert sum(row["output_tokens"] for row in by_day) == 28 * 40


def test_rules_by_key_and_person_use_the_reports_that_have_them(db: Path) -> None:
    handmade = Handmade(db)
    dates = days("2026-02-01", "2026-02-02")
    kinds = {"model": "m", "context_window": "0-200k", "service_tier": "standard"}
    bill = cost_row("1000", workspace_id="w", cost_type="tokens", token_type="output_tokens", description="m", **kinds)
    handmade.cost({day: [bill] for day in dates}, read_at=READ_AT)
    used = [usage_row(0, 0, 0, 0, n, workspace_id="w", api_key_id=key, **kinds) for key, n in (("k1", 30), ("k2", 70))]
    handmade.usage(dict.fromkeys(dates, used), read_at=READ_AT)
    teams = db.parent / "teams.csv"
    teams.write_text("team,cost_centre,api_key\nA,1,k1\nB,2,k*\n", encoding="utf-8")
    at = ("--teams", str(teams), "--json", "--db", str(db))
    rows = run("report", "statement", "--month", "2026-02", *at).rows()
    assert [(row["team"], row["cost_centre"], row["amount_usd"]) for row in rows] == [
        ("B", "2", "14.00"),
        ("A", "1", "6.00"),
    ]
    keys = run("report", "keys", "--by", "api_key", "--by", "team", *at).rows()
    assert [(row["team"], row["api_key"], row["amount_usd"]) for row in keys] == [
        ("B", "k2", "14.00"),
        ("A", "k1", "6.00"),
    ]
    tokens = run("report", "tokens", "--by", "team", *at).rows()
    assert {row["team"]: row["output_tokens"] for row in tokens} == {"A": 60, "B": 140}
    by_person = db.parent / "people.csv"
    by_person.write_text("team,person\nA,user_1\n", encoding="utf-8")
    refused = run("report", "tokens", "--by", "team", "--teams", str(by_person), "--db", str(db))
    assert refused.code == 2
    assert "the usage report has no people" in refused.stderr
    assert run("report", "spend", "--by", "team", "--teams", str(by_person), "--json", "--db", str(db)).code == 3
    analytics = [
        cost_row("700", workspace_id="w", api_key_id="k1", actor_id="user_1"),
        cost_row("300", workspace_id="w"),
    ]
    handmade.analytics_cost(dict.fromkeys(dates, analytics), read_at=READ_AT)
    rows = run("report", "spend", "--by", "team", "--teams", str(by_person), "--json", "--db", str(db)).rows()
    assert {row["team"]: row["amount_usd"] for row in rows} == {"A": "14.00", "(no team)": "6.00"}
    people = run("report", "people", "--by", "team", "--teams", str(by_person), "--json", "--db", str(db)).rows()
    assert {row["team"]: row["amount_usd"] for row in people} == {"A": "14.00", "(no team)": "6.00"}


def test_what_is_not_grouped_is_of_no_known_team(db: Path) -> None:
    handmade = Handmade(db)
    handmade.cost(
        {"2026-02-01": [cost_row("500", model="m", description="m")]}, read_at=READ_AT, group_by=("description",)
    )
    handmade.cost({"2026-02-02": [cost_row("300", model="m", description="m", workspace_id="w")]}, read_at=READ_AT)
    (db.parent / "teams.toml").write_text('[[rule]]\nteam = "A"\nworkspace = "w"\n', encoding="utf-8")
    rows = asked(db, "statement", "--month", "2026-02", code=3)
    assert {row["team"]: row["amount_usd"] for row in rows} == {"(not grouped)": "5.00", "A": "3.00"}


def test_names_are_those_of_the_day(db: Path) -> None:
    handmade = Handmade(db)
    handmade.names(NameKind.WORKSPACE, {"w": "Old name"}, read_at="2026-01-01T00:00:00")
    handmade.names(NameKind.WORKSPACE, {"w": "New name"}, read_at="2026-02-02T12:00:00")
    rows = [cost_row("100", model="m", description="m", workspace_id="w")]
    handmade.cost(dict.fromkeys(days("2026-02-01", "2026-02-03"), rows), read_at=READ_AT)
    (db.parent / "teams.toml").write_text(
        '[[rule]]\nteam = "Old"\nworkspace = "Old*"\n[[rule]]\nteam = "New"\nworkspace = "New*"\n', encoding="utf-8"
    )
    found = asked(db, "spend", "--by", "team")
    assert {row["team"]: row["amount_usd"] for row in found} == {"Old": "1.00", "New": "2.00"}


def test_credits_and_currencies_stay_apart(db: Path) -> None:
    rows = [
        cost_row("1000", workspace_id="a", description="d"), cost_row("-300", workspace_id="a", description="credit"),
        cost_row("500", currency="EUR", workspace_id="b", description="d"),
        cost_row("200", workspace_id="s", description="d"),
        cost_row("90", currency="EUR", workspace_id="s", description="d"),
    ]  # fmt: skip
    Handmade(db).cost({"2026-02-01": rows}, read_at=READ_AT)
    (db.parent / "teams.toml").write_text(
        '[[rule]]\nteam = "A"\nworkspace = "a"\n[[rule]]\nteam = "B"\nworkspace = "b"\n'
        '[[rule]]\nworkspace = "s"\nsplit = "proportional"\n', encoding="utf-8"
    )  # fmt: skip
    found = asked(db, "statement", "--month", "2026-02", code=3)
    # A month with one archived day is not final. Each currency is split by what teams have of it.
    assert {(row["team"], row["currency"]): row["amount_usd"] or row["amount_eur"] for row in found} == {
        ("A", "USD"): "9.00", ("B", "EUR"): "5.90",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rules"),
        ("[[rule]]\nworkspace = 'w'\n", "rule 1 of"),
        ("[[rule]]\nteam = 'A'\nshares = { B = 1 }\n", "has team and shares"),
        ("[[rule]]\nteam = 'A'\nworkspce = 'w'\n", "unknown key 'workspce'"),
        ("[[rule]]\nteam = ''\n", "is ''"),
        ("[[rule]]\nteam = 'A'\nworkspace = 5\n", "5 in rule 1"),
        ("[[rule]]\nshares = { A = 0 }\n", "a share in rule 1"),
        ("[[rule]]\nshares = { A = 'x' }\n", "is 'x'"),
        ("[[rule]]\nshares = { A = true }\n", "is True"),
        ("[[rule]]\nsplit = 'half'\n", "is 'half'"),
        ("[[rule]]\nteam = 'A'\nsince = 'May'\n", "since in rule 1"),
        ("[[rule]]\nteam = 'A'\nsince = 2026-02-02\nuntil = 2026-02-02\n", "since is not before until"),
        ("[[rule]]\nteam = 'A'\ncost-centre = '1'\n[[rule]]\nteam = 'A'\ncost-centre = '2'\n", "'1' and '2'"),
        ("[[rule]]\nshares = { A = 1, B = 1 }\ncost-centre = '1'\n", "needs a single team"),
        ("rules = 1\n", "not [[rule]] or [cost-centres]"),
        ("[[rule]\n", "is not TOML"),
    ],
)
def test_a_faulty_file_is_a_clear_error(february: Path, text: str, said: str) -> None:
    teams = february.parent / "faulty.toml"
    teams.write_text(text, encoding="utf-8")
    done = run("report", "statement", "--teams", str(teams), "--db", str(february))
    assert done.code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_teams_the_error_says_what_to_write(february: Path) -> None:
    done = run("report", "spend", "--by", "team", "--db", str(february))
    assert (done.code, "there are no teams" in done.stderr, "--teams FILE" in done.stderr) == (2, True, True)
    gone = run("report", "statement", "--teams", str(february.parent / "no.toml"), "--db", str(february))
    assert (gone.code, "cannot read the teams" in gone.stderr) == (2, True)


def test_check_finds_dead_and_shadowed_rules_and_cost_of_no_team(february: Path) -> None:
    teams = february.parent / "checked.toml"
    teams.write_text(
        '[[rule]]\nteam = "Research"\nworkspace = "Invented*"\nuntil = 2026-02-11\n'
        '[[rule]]\nteam = "Lab"\nworkspace = "w-lab"\nuntil = 2026-02-11\n'
        '[[rule]]\nteam = "Gone"\nworkspace = "Old name"\n'
        '[[rule]]\nsplit = "even"\nworkspace = "Invented shared"\n',
        encoding="utf-8",
    )
    at = ("teams", "check", "--teams", str(teams), "--json", "--db", str(february))
    done = run(*at)
    assert done.code == 3
    found = [
        (row["rule"], row["team"], row["matches"], row["amount_usd"], row["days"], row["state"]) for row in done.rows()
    ]
    # Ten days of all that is named (3 + 1 + 2 + 10 + 6 + 5 = 27 USD a day), then eighteen of the shared workspace.
    assert found[:4] == [
        ("1", "Research", "workspace Invented*, until 2026-02-11", "270.00", 10, "used"),
        ("2", "Lab", "workspace w-lab, until 2026-02-11", "0.00", 0, "shadowed by rule 1"),
        ("3", "Gone", "workspace Old name", "0.00", 0, "matches nothing"),
        ("4", "(split, even)", "workspace Invented shared", "180.00", 18, "used"),
    ]
    assert found[4:] == [
        ("", "(no team)", "(default workspace)", "252.00", 28, "(no team)"),
        ("", "(no team)", "Invented platform", "108.00", 18, "(no team)"),
        ("", "(no team)", "Invented rest", "90.00", 18, "(no team)"),
        ("", "(no team)", "Invented research 1", "54.00", 18, "(no team)"),
        ("", "(no team)", "Invented product", "36.00", 18, "(no team)"),
        ("", "(no team)", "Invented lab", "18.00", 18, "(no team)"),
    ]
    whole = february.parent / "whole.toml"
    whole.write_text('[[rule]]\nteam = "All"\n', encoding="utf-8")
    done = run("teams", "check", "--teams", str(whole), "--json", "--db", str(february), "--period", "2026-02-03")
    assert (done.code, done.rows()[0]["amount_usd"], done.rows()[0]["matches"]) == (0, "36.00", "everything")


def test_suggested_rules_leave_nothing_without_a_team(db: Path) -> None:
    handmade = Handmade(db)
    kinds = {"model": "m", "context_window": "0-200k", "service_tier": "standard"}
    bills = [
        cost_row(
            f"{usd}00", workspace_id=where, cost_type="tokens", token_type="output_tokens", description="m", **kinds
        )
        for where, usd in ((None, 10), ("w", 4))
    ]
    keys = {"k1": "gateway key 01", "k2": "gateway key 02", "k3": 'odd "name"\\'}
    handmade.names(NameKind.API_KEY, keys, read_at="2026-01-01T00:00:00")
    handmade.names(NameKind.WORKSPACE, {"w": "Invented [team] *"}, read_at="2026-01-01T00:00:00")
    used = [usage_row(0, 0, 0, 0, n, api_key_id=key, **kinds) for key, n in (("k1", 2), ("k2", 3), ("k3", 5))]
    handmade.cost({"2026-02-01": bills}, read_at=READ_AT)
    handmade.usage({"2026-02-01": used}, read_at=READ_AT)
    done = run("teams", "suggest", "--db", str(db))
    assert done.code == 0, done.stderr
    path = db.parent / "suggested.toml"
    path.write_text(done.stdout, encoding="utf-8")
    rows = run("report", "spend", "--by", "team", "--teams", str(path), "--json", "--db", str(db)).rows()
    assert {row["team"]: row["amount_usd"] for row in rows} == {
        "gateway": "5.00",
        'odd "name"\\': "5.00",
        "Invented [team] *": "4.00",
    }
    again = run("teams", "suggest", "--teams", str(path), "--db", str(db)).stdout
    assert "[[rule]]" not in again


def test_without_a_file_check_says_how_to_begin(february: Path) -> None:
    done = run("teams", "check", "--db", str(february))
    assert (done.code, "archiver teams suggest" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("team,workspace,workspace\nA,a,b\n", "the column 'workspace' twice"),
        ("team,api-key,api_key\nA,a,b\n", "a column twice"),
        ("team,workspace\nA,a,b\n", "line 2 of"),
        (f"team,workspace\nA,{'a' * 200_000}\n", "is not valid CSV"),
        ('team,workspace\n"A,a\nB,b\n', "is not valid CSV"),
    ],
)
def test_an_odd_csv_is_a_clear_error(db: Path, tmp_path: Path, text: str, said: str) -> None:
    Handmade(db).cost({"2026-01-01": []}, read_at="2026-03-01T03:00:00")
    path = tmp_path / "teams.csv"
    path.write_text(text, encoding="utf-8")
    done = run("teams", "check", "--teams", str(path), "--db", str(db))
    assert (done.code, said in done.stderr) == (2, True), done.stderr


def test_suggested_rules_are_toml_whatever_the_names_are(db: Path) -> None:
    handmade = Handmade(db)
    names = {"w1": "Emoji \N{ROCKET} and \N{DELETE}", "w2": 'Quote " and \\', "w3": "Line\nbreak"}
    rows = [cost_row("100", workspace_id=one, currency=currency) for one in names for currency in ("USD", "EUR")]
    handmade.cost({"2026-01-01": rows}, read_at="2026-03-01T03:00:00")
    handmade.names(NameKind.WORKSPACE, names, read_at="2025-12-01T00:00:00")
    done = run("teams", "suggest", "--db", str(db))
    rules = tomllib.loads(done.stdout)["rule"]
    assert sorted(rule["workspace"] for rule in rules) == sorted(names.values())
    assert done.stdout.count("# 1.00 EUR, 1.00 USD\n") == len(names)
