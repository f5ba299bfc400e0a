"""Report pages of the served archive: every number leads to what is behind it, and the address holds the choice."""

from __future__ import annotations

import html
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from archiver.model import NameKind
from archiver.offline.reports.registry import REPORTS
from archiver.web.choices import Choices, read_choices
from tests.handmade import Handmade, cost_row, days, usage_row
from tests.pages import Read
from tests.serving import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READ_AT = "2026-04-30T03:00:00"
HOSTILE = '"><img src=x onerror=alert(1)> & 100%'
KINDS = {"context_window": "0-200k", "service_tier": "standard"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return January and February of three workspaces (one is the default) and two models, on round numbers."""
    db = tmp_path_factory.mktemp("reports") / "archive.db"
    dollars = {("a", "m"): 3, ("a", "n"): 2, ("b", "m"): 10, (None, "m"): 1}
    tokens = {"cost_type": "tokens", "token_type": "output_tokens"}
    cost = [
        cost_row(f"{usd}00", workspace_id=where, model=model, description=model, **tokens, **KINDS)
        for (where, model), usd in dollars.items()
    ]
    used = [
        usage_row(0, 0, 0, 0, usd, workspace_id=where, model=model, api_key_id=f"key-{where}", **KINDS)
        for (where, model), usd in dollars.items()
    ]
    handmade = Handmade(db)
    dates = days("2026-01-01", "2026-02-28")
    handmade.names(NameKind.WORKSPACE, {"a": HOSTILE, "b": "Invented b"}, read_at="2026-01-01T00:00:00")
    handmade.cost(dict.fromkeys(dates, cost), read_at=READ_AT)
    handmade.usage(dict.fromkeys(dates, used), read_at=READ_AT)
    return db


@pytest.fixture(scope="module")
def served(archive: Path) -> Iterator[Server]:
    with serving(archive) as server:
        yield server


def page(server: Server, address: str) -> Read:
    got = server.get(address)
    assert got.status == 200, got.text[:500]
    return Read(got.text)


def links(server: Server, address: str) -> dict[str, str]:
    """Return the links of the cells of a page, by text."""
    got = server.get(address)
    assert got.status == 200
    found = re.findall(r'<td[^>]*><a href="([^"]*)">([^<]*)</a>', got.text)
    return {html.unescape(text): html.unescape(href) for href, text in found}


def table(read: Read) -> list[list[str]]:
    (rows,) = read.tables.values()
    return rows[1:]


def test_from_the_overview_to_the_rows_in_three_clicks(served: Server) -> None:
    first = links(served, "/")
    assert first["Invented b"] == "/report/spend?by=month&by=model&workspace=b"
    second = links(served, first["Invented b"])
    assert second["2026-02"] == "/report/spend?period=2026-02&by=day&by=model&workspace=b"
    third = links(served, second["2026-02"])
    assert third["2026-02-03"] == "/archive/daily_cost?date=2026-02-03&workspace_id=b&model=m"
    rows = served.get(third["2026-02-03"].replace("?", ".json?") + "&_shape=array").json()
    assert [(row["date"], row["workspace_id"], row["model"], row["amount"]) for row in rows] == [
        ("2026-02-03", "b", "m", "1000")
    ]


def test_a_filter_is_of_an_id_and_of_null(served: Server) -> None:
    # 31 and 28 days of 3 + 2, of 10, and of 1 USD.
    for query, january in (("workspace=a", "155.00"), ("workspace=b", "310.00"), ("workspace=", "31.00")):
        rows = table(page(served, f"/report/spend?by=month&{query}"))
        assert rows[0][-1] == january
    both = table(page(served, "/report/spend?by=month&workspace=a&model=n"))
    assert [row[-1] for row in both] == ["62.00", "56.00", "118.00"]
    tokens = table(page(served, "/report/tokens?by=model&api_key=key-a&since=2026-02-01"))
    assert {row[0]: row[5] for row in tokens} == {"m": "84", "n": "56", "total": "140"}
    (chart, *_) = page(served, "/report/spend?by=workspace&model=n").figures["charts"]
    assert [line["name"] for facet in chart["facets"] for line in facet["lines"]] == [HOSTILE]


def test_days_without_the_dimension_are_not_in_a_filtered_report(archive: Path, tmp_path: Path) -> None:
    db = tmp_path / "archive.db"
    shutil.copy(archive, db)
    rows = {"2026-03-01": [cost_row("900", description="m", model="m")]}
    Handmade(db).cost(rows, read_at=READ_AT, group_by=("description",))
    with serving(db) as server:
        assert [row[0] for row in table(page(server, "/report/spend?by=month&workspace="))] == [
            "2026-01",
            "2026-02",
            "total",
        ]


def test_names_stay_inert_and_lead_somewhere(served: Server) -> None:
    got = served.get("/report/workspaces?by=workspace")
    assert "<img src=x" not in got.text
    assert links(served, "/report/workspaces?by=workspace")[HOSTILE] == "/report/spend?by=month&by=model&workspace=a"
    filtered = served.get("/report/spend?by=month&workspace=a")
    assert f"(workspace {html.escape(HOSTILE, quote=False)})" in filtered.text.replace("&#34;", '"')
    hostile = served.get("/report/spend?by=month&workspace=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert hostile.status == 200
    assert "<script>alert" not in hostile.text


def test_menus_hold_and_change_the_choice(served: Server) -> None:
    text = served.get("/report/spend?period=2026-02&by=model&workspace=a").text
    menu = re.findall(r'<a href="(/report/spend[^"]*)"( aria-current="true")?>([^<]*)</a>', text)
    found = {html.unescape(name): (html.unescape(href), bool(current)) for href, current, name in menu}
    assert found["model"] == ("/report/spend?period=2026-02&workspace=a", True)
    assert found["day"] == ("/report/spend?period=2026-02&by=model&by=day&workspace=a", False)
    assert found["all"] == ("/report/spend?by=model&workspace=a", False)
    assert found["last month"][0] == "/report/spend?period=last-month&by=model&workspace=a"
    assert found[f"workspace {HOSTILE} \u00d7"] == ("/report/spend?period=2026-02&by=model", True)


def test_every_report_is_listed_and_opens(served: Server) -> None:
    listed = links(served, "/report")
    assert [*listed] == [*REPORTS]
    for name, address in listed.items():
        got = served.get(address)
        # Budgets and teams are not configured here.
        assert got.status == (400 if name in {"budget", "statement"} else 200), name
        assert "bug" not in got.text or got.status == 200


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/report/nothing", 404, "no report"),
        ("/report/spend?by=colour", 400, "cannot group spend by"),
        ("/report/spend?period=soon", 400, "soon"),
        ("/report/spend?since=May", 400, "is no day"),
        ("/report/spend?period=2026-02&since=2026-02-03", 400, "both given"),
        ("/report/spend?top=0", 400, "no number of lines"),
        ("/report/spend?colour=red", 400, "no choice of a report"),
        ("/report/spend?period=2026-01&period=2026-02", 400, "given twice"),
        ("/report/spend?api_key=k", 400, "the cost report has no api key"),
        ("/report/Spend", 404, ""),
        ("/report/../report", 404, ""),
    ],
)
def test_a_wrong_address_is_a_clear_error(served: Server, address: str, status: int, said: str) -> None:
    got = served.get(address)
    assert got.status == status
    assert said in html.unescape(got.text)
    assert "Traceback" not in got.text


def test_health(served: Server, archive: Path, tmp_path: Path) -> None:
    assert (served.get("/healthz").status, served.get("/healthz").json()) == (
        200,
        {"ok": True, "newest_day": "2026-02-28"},
    )
    db = tmp_path / "archive.db"
    shutil.copy(archive, db)
    with serving(db) as server:
        db.write_bytes(b"no database at all" * 1000)
        got = server.get("/healthz")
        assert (got.status, got.json()["ok"]) == (503, False)


@pytest.mark.parametrize(
    "choices",
    [
        Choices("spend"),
        Choices("spend", period="2026-10", by=("month", "model"), filters=(("workspace", None), ("model", "a&b=c #%"))),
        Choices("tokens", since="2026-01-01", until="2026-02-01", top="5", filters=(("api_key", "ü"),)),
    ],
)
def test_an_address_is_read_as_it_was_written(choices: Choices) -> None:
    address = urlsplit(choices.address())
    assert read_choices(address.path.rpartition("/")[2], parse_qsl(address.query, keep_blank_values=True)) == choices


def test_budgets_and_teams_are_those_of_the_configuration_as_it_is_now(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archiver"
    folder.mkdir()
    (folder / "teams.toml").write_text('[[rule]]\nteam = "Invented Team"\ncost-centre = "C1"\nworkspace = "*"\n')
    (folder / "config.toml").write_text("[budgets]\ntotal = 9000\n")
    with serving(archive, XDG_CONFIG_HOME=str(tmp_path)) as one:
        assert "9,000.00" in one.get("/report/budget").text
        assert "Invented Team" in one.get("/report/spend?by=team").text
        (folder / "config.toml").write_text("[budgets]\ntotal = 4321\n")
        assert "4,321.00" in one.get("/report/budget").text
        (folder / "config.toml").write_text("[budgets]\ntotal = -1\n")
        got = one.get("/report/budget")
        assert (got.status, "a budget in" in got.text) == (400, True)
        assert one.get("/report/spend").status == 200


def test_health_answers_while_many_pages_are_asked_for(served: Server) -> None:
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(served.get, f"/report/keys?top={n}") for n in range(1, 41)]
        assert served.get("/healthz").json()["ok"] is True
        found = [one.result().status for one in asked]
    assert set(found) <= {200, 503}
    assert found.count(200) >= 3
    assert served.get("/report/keys?top=1").status == 200


def test_a_day_after_all_days_is_a_mistake(served: Server) -> None:
    got = served.get("/report/spend?since=9999-12-31")
    assert (got.status, "long after today" in got.text) == (400, True)
