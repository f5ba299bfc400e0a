"""`report reconcile --against FILE`: a gateway's log against the archive, on round numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from tests.handmade import Handmade, cost_row, days, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-03-20T03:00:00"
KINDS = {"context_window": "0-200k", "service_tier": "standard"}


@pytest.fixture
def march(db: Path) -> Path:
    """Return 2026-03-01 to 03-03, settled: 1000 tokens of m in w1, 500 in the default workspace; 2 and 1 USD a day."""
    handmade = Handmade(db)
    dates = days("2026-02-01", "2026-02-03")
    used = [usage_row(900, 0, 0, 0, 100, model="m", workspace_id="w1", api_key_id="k1", **KINDS),
            usage_row(500, model="m", api_key_id="k2", **KINDS)]  # fmt: skip
    tokens = {"cost_type": "tokens", "token_type": "uncached_input_tokens", "model": "m", "description": "m", **KINDS}
    paid = [cost_row("200", workspace_id="w1", **tokens), cost_row("100", **tokens)]
    handmade.usage(dict.fromkeys(dates, used), read_at=READ_AT)
    handmade.cost(dict.fromkeys(dates, paid), read_at=READ_AT)
    handmade.names(NameKind.WORKSPACE, {"w1": "Invented one"}, read_at="2026-01-01T00:00:00")
    return db


def compared(db: Path, text: str, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    log = db.parent / "gateway.csv"
    log.write_text(text, encoding="utf-8")
    done = run("report", "reconcile", "--against", str(log), *arguments, "--json", "--db", str(db))
    assert done.code == code, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def short(rows: list[dict[str, Any]], what: str = "tokens") -> list[tuple[Any, ...]]:
    return [
        (
            row["date"],
            row["workspace"],
            row[f"{what}_there"],
            row[f"{what}_here"],
            row[f"{what}_difference"],
            row["state"],
        )
        for row in rows
    ]


def test_matched_differs_and_only_one_side(march: Path) -> None:
    text = (
        "date,workspace,tokens\n"
        "2026-02-01,Invented one,600\n2026-02-01,w1,395\n2026-02-01,,500\n"  # within 1 %, by name and by id
        "2026-02-02,Invented one,985\n2026-02-02,(default workspace),500\n"  # 1.5 % less
        "2026-02-03,Invented one,1000\n2026-02-03,Unknown,7\n"  # the default workspace is missing there
    )
    rows = compared(march, text, code=3)
    assert short(rows) == [
        ("2026-02-02", "Invented one", 985, 1000, 15, "differs"),
        ("2026-02-03", "Unknown", 7, 0, -7, "only there"),
        ("2026-02-03", "(default workspace)", None, 500, 500, "only here"),
        ("2026-02-01", "(default workspace)", 500, 500, 0, "matched"),
        ("2026-02-01", "Invented one", 995, 1000, 5, "matched"),
        ("2026-02-02", "(default workspace)", 500, 500, 0, "matched"),
        ("2026-02-03", "Invented one", 1000, 1000, 0, "matched"),
    ]
    assert [row["workspace_id"] for row in rows][:3] == ["w1", None, None]
    assert [row["state"] for row in compared(march, text, "--tolerance", "2%", code=3)].count("matched") == 5
    assert compared(march, text, "--until", "2026-02-02") == rows[3:5]
    shown = run("report", "reconcile", "--against", str(march.parent / "gateway.csv"), "--top", "1", "--db", str(march))
    assert shown.stdout.startswith("1 differs, 1 only there, 1 only here, 4 matched.\n")
    assert "6 more lines" in shown.stderr


def test_amounts_by_key_and_model(march: Path) -> None:
    text = "timestamp,key,amount\n2026-02-01T23:30:00-01:00,k1,1.99\n2026-02-01T10:00:00Z,k1,2\n2026-02-02,k2,1\n"
    rows = compared(march, text, code=3)
    # The first line is of 00:30 UTC on the second day.
    found = [
        (row["date"], row["api_key_id"], row["amount_there_usd"], row["amount_here_usd"], row["state"]) for row in rows
    ]
    assert found == [
        ("2026-02-01", "k2", None, "1.00", "only here"),
        ("2026-02-01", "k1", "2.00", "2.00", "matched"),
        ("2026-02-02", "k1", "1.99", "2.00", "matched"),
        ("2026-02-02", "k2", "1.00", "1.00", "matched"),
    ]
    both = compared(march, "date,model,tokens,amount\n2026-02-01,m,1500,9\n", code=3)
    assert [(row["tokens_difference"], row["amount_difference_usd"], row["state"]) for row in both] == [
        (0, "-6.00", "differs")
    ]


def test_days_that_are_not_settled_or_not_archived_stand_apart(march: Path) -> None:
    later = {"2026-02-04": [usage_row(10, model="m", workspace_id="w1", api_key_id="k1", **KINDS)]}
    Handmade(march).usage(later, read_at="2026-02-05T03:00:00")
    ungrouped = {"2026-02-05": [usage_row(10, model="m")]}
    Handmade(march).usage(ungrouped, read_at=READ_AT, group_by=("model",))
    text = "date,workspace,tokens\n2026-02-04,w1,999\n2026-02-05,w1,10\n2026-02-06,w1,10\n"
    assert short(compared(march, text)) == [
        ("2026-02-04", "Invented one", 999, 10, -989, "not settled"),
        ("2026-02-05", "Invented one", 10, None, None, "not archived"),
        ("2026-02-06", "Invented one", 10, None, None, "not archived"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks a column"),
        ("date,tokens\n2026-02-01,5\n", "lacks a column"),
        ("date,workspace\n2026-02-01,w1\n", "lacks a column"),
        ("date,day,workspace,tokens\n", "the columns 'date' and 'day'"),
        ("date,workspace,tokens\nMay,w1,5\n", "'May' in line 2"),
        ("date,workspace,tokens\n2026-02-01,w1,5.5\n", "'5.5' in line 2"),
        ("date,workspace,tokens\n2026-02-01,w1\n", "is not a whole number"),
        ("date,workspace,amount\n2026-02-01,w1,1e99\n", "'1e99'"),
        ("date,workspace,amount\n2026-02-01,w1,nan\n", "'nan'"),
    ],
)
def test_a_faulty_log_is_a_clear_error(march: Path, text: str, said: str) -> None:
    log = march.parent / "faulty.csv"
    log.write_text(text, encoding="utf-8")
    done = run("report", "reconcile", "--against", str(log), "--db", str(march))
    assert (done.code, said in done.stderr) == (2, True), done.stderr


def test_a_log_of_no_selected_day_and_a_wrong_tolerance(march: Path) -> None:
    assert compared(march, "date,workspace,tokens\n2026-02-01,w1,5\n", "--since", "2026-03-01", code=3) == []
    done = run("report", "reconcile", "--tolerance", "lots", "--db", str(march))
    assert (done.code, "'lots' is not a percentage" in done.stderr) == (2, True)


def test_a_name_of_two_keys_is_compared_as_their_sum(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    used = [usage_row(0, 0, 0, 0, n, workspace_id="w", api_key_id=key, model="m") for key, n in (("k1", 10), ("k2", 7))]
    handmade.usage({"2026-01-01": used}, read_at="2026-03-01T03:00:00")
    handmade.names(NameKind.API_KEY, {"k1": "Shared", "k2": "Shared"}, read_at="2025-12-01T00:00:00")
    path = tmp_path / "log.csv"
    path.write_text("date,api_key,tokens\n2026-01-01,Shared,12\n2026-01-01,Shared,5\n", encoding="utf-8")
    (row,) = run("report", "reconcile", "--against", str(path), "--json", "--db", str(db)).rows()
    assert (row["api_key"], row["api_key_id"], row["tokens_there"], row["tokens_here"]) == ("Shared", None, 17, 17)
    path.write_text("date,api_key,tokens\n2026-01-01,k1,10\n2026-01-01,k2,7\n", encoding="utf-8")
    by_id = run("report", "reconcile", "--against", str(path), "--json", "--db", str(db))
    assert [(one["api_key_id"], one["state"]) for one in by_id.rows()] == [("k1", "matched"), ("k2", "matched")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,api_key,tokens\n9999-12-31T23:00:00-05:00,k,1\n", "is not a date"),
        ('date,api_key,tokens\n2026-01-01,"k,1\n2026-01-02,k,1\n', "is not valid CSV"),
        (f"date,api_key,tokens\n2026-01-01,{'k' * 200_000},1\n", "is not valid CSV"),
        ("date,api_key,tokens\n2026-01-01,k,1,2\n", "line 2 of"),
        ("date,api_key,tokens,tokens\n2026-01-01,k,1,2\n", "the column 'tokens' twice"),
    ],
)
def test_an_odd_log_is_a_clear_error(db: Path, tmp_path: Path, text: str, said: str) -> None:
    Handmade(db).usage({"2026-01-01": []}, read_at="2026-03-01T03:00:00")
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    done = run("report", "reconcile", "--against", str(path), "--db", str(db))
    assert (done.code, said in done.stderr) == (2, True), done.stderr
