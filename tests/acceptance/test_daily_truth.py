"""Which series the daily views use for a day, now and as of earlier times, and which days they leave out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NameKind
from archiver.store.read.reader import open_archive_reader
from archiver.store.read.verify import verify_archive
from tests.handmade import FINEST_USAGE, Handmade, cost_row, days, run, seconds, usage_row
from tests.support import archiver, select

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = "SELECT date, sum(uncached_input_tokens) FROM daily_tokens GROUP BY date ORDER BY date"
NOON, NEXT, LATER = "2026-01-05T12:00:00", "2026-01-06T03:00:00", "2026-01-07T03:00:00"
KEYS = {"workspace_id": "w", "model": "m", "service_tier": "standard", "context_window": "0-200k", "api_key_id": "k"}


def as_of(db: Path, moment: str) -> list[Any]:
    with open_archive_reader(db, seconds(moment)) as reader:
        return reader.connection.execute(TOKENS).fetchall()


def test_a_whole_reading_ranks_before_a_finer_one_of_half_a_day(db: Path) -> None:
    made = Handmade(db)
    made.usage({"2026-01-05": [usage_row(336_630, **KEYS)]}, read_at=NOON)
    assert select(db, TOKENS) == [("2026-01-05", 336_630)]
    made.usage({"2026-01-05": [usage_row(777_076)]}, read_at=NEXT, group_by=())
    assert select(db, TOKENS) == [("2026-01-05", 777_076)]
    assert as_of(db, NOON) == [("2026-01-05", 336_630)]
    assert as_of(db, NEXT) == [("2026-01-05", 777_076)]
    made.usage({"2026-01-05": [usage_row(777_076, **KEYS)]}, read_at=LATER)
    with open_archive_reader(db) as reader:
        assert reader.connection.execute("SELECT group_by FROM day_series").fetchall() == [(",".join(FINEST_USAGE),)]
    with open_archive_reader(db, seconds(NEXT)) as reader:
        assert reader.connection.execute("SELECT group_by FROM day_series").fetchall() == [("",)]
    assert verify_archive(db) == []


def test_of_two_readings_of_a_day_in_progress_the_later_is_used(db: Path) -> None:
    made = Handmade(db)
    made.usage({"2026-01-05": [usage_row(10, **KEYS)]}, read_at="2026-01-05T08:00:00")
    made.usage({"2026-01-05": [usage_row(30)]}, read_at="2026-01-05T18:00:00", group_by=())
    assert select(db, TOKENS) == [("2026-01-05", 30)]
    made.usage({"2026-01-05": [usage_row(31, **KEYS)]}, read_at="2026-01-05T18:20:00")
    assert select(db, TOKENS) == [("2026-01-05", 31)]  # of the same hour: the finer


def test_a_settled_reading_ranks_before_a_finer_one_that_may_still_change(db: Path) -> None:
    made = Handmade(db)
    made.usage({"2026-01-05": [usage_row(777_070, **KEYS)]}, read_at=NEXT)
    made.usage({"2026-01-05": [usage_row(777_076)]}, read_at="2026-03-01T03:00:00", group_by=())
    assert select(db, TOKENS) == [("2026-01-05", 777_076)]
    assert select(db, "SELECT group_by, state FROM day_series") == [("", "settled")]
    assert as_of(db, LATER) == [("2026-01-05", 777_070)]


def test_a_damaged_day_is_taken_out_of_views_and_reports(db: Path) -> None:
    made = Handmade(db)
    made.cost({day: [cost_row("10000", description="x")] for day in days("2026-01-01", "2026-01-03")}, read_at=LATER)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE _cost_fact SET amount = '100000000', amount_microcents = 100000000000000"
                           " WHERE bucket_start = ?", (seconds("2026-01-02"),))  # fmt: skip
    assert archiver("verify", "--db", str(db)).returncode == 8
    assert select(db, "SELECT date, amount FROM daily_cost ORDER BY 1") == [
        ("2026-01-01", "10000"),
        ("2026-01-03", "10000"),
    ]
    done = run("report", "spend", "--by", "month", "--json", "--db", str(db))
    assert [row["amount_usd"] for row in done.rows()] == ["200.00"]
    assert "1 of 3 days from 2026-01-01 to 2026-01-03 is not archived" in done.stderr
    made.cost({"2026-01-02": [cost_row("10000", description="x")]}, read_at="2026-01-08T03:00:00")
    assert verify_archive(db) == []
    assert [row["amount_usd"] for row in run("report", "spend", "--by", "month", "--json", "--db", str(db)).rows()] == [
        "300.00"
    ]


def test_a_grouping_in_which_a_settled_day_is_empty_is_a_difference_and_is_named(db: Path) -> None:
    made = Handmade(db)
    late = "2026-06-01T03:00:00"
    for group_by in ((), ("model",), ("workspace_id",)):
        rows = [] if group_by == ("model",) else [usage_row(5, workspace_id="w" if group_by else None)]
        made.usage({"2026-01-05": rows}, read_at=late, group_by=group_by)
    (finding,) = verify_archive(db)
    assert finding.check == "sums"
    assert finding.message == "the sums of 2026-01-05 differ: usage 1d by model against 2 others"


def test_of_two_series_that_differ_both_are_named(db: Path) -> None:
    made = Handmade(db)
    for group_by, tokens in (((), 5), (("model",), 6)):
        made.usage({"2026-01-05": [usage_row(tokens)]}, read_at="2026-06-01T03:00:00", group_by=group_by)
    (finding,) = verify_archive(db)
    assert finding.message == "the sums of 2026-01-05 differ: between usage 1d by nothing and usage 1d by model"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE _usage_key SET model = CAST(x'ff' AS TEXT)",
        "UPDATE _series SET report = 'usagf'",
        "UPDATE _series SET bucket_width = '1q'",
        "UPDATE _span SET state = 'settlfd'",
        "UPDATE _usage_key SET key = CAST(x'ff' AS TEXT)",
        "UPDATE _name SET name = CAST(x'ff' AS TEXT)",
        "UPDATE _usage_fact SET output_tokens = 9223372036854775807",
        "UPDATE _organization SET name = CAST(x'ff' AS TEXT)",
    ],
)
@pytest.mark.parametrize("command", [("verify",), ("status",), ("report", "tokens"), ("report", "spend")])
def test_whatever_is_damaged_no_command_ends_as_a_bug(db: Path, damage: str, command: tuple[str, ...]) -> None:
    made = Handmade(db)
    made.usage({day: [usage_row(5, **KEYS)] for day in days("2026-01-01", "2026-01-03")}, read_at=LATER)
    made.names(NameKind.WORKSPACE, {"w": "Team"}, read_at=LATER)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(damage)
    done = run(*command, "--db", str(db))
    assert done.code != 1, done.stderr


def test_changes_between_two_nights(db: Path) -> None:
    made = Handmade(db)
    of = {"workspace_id": "w", "model": "m", "description": "d"}
    first = days("2026-01-01", "2026-01-04")
    made.cost({day: [cost_row("1000", **of)] for day in first}, read_at="2026-01-05T03:00:00")
    used = {day: [usage_row(100, workspace_id="w", model="m")] for day in first}
    made.usage(used, read_at="2026-01-05T03:00:00", group_by=("workspace_id", "model"))
    then = {day: [cost_row("1250.5" if day == "2026-01-03" else "1000", **of)] for day in [*first, "2026-01-05"]}
    made.cost(then, read_at="2026-01-06T03:00:00")
    asked = ("report", "changes", "--json", "--db", str(db))
    done = run(*asked, "--since", "2026-01-05T12:00:00Z")
    assert done.code == 0, done.stderr
    names = ("month", "workspace", "model", "days", "was_usd", "now_usd", "change_usd", "change_tokens")
    assert [tuple(row[name] for name in names) for row in done.rows()] == [
        ("2026-01", "w", "m", "changed", "40.00", "42.505", "2.505", 0),
        ("2026-01", "w", "m", "new", None, "10.00", "10.00", None),
    ]
    by_day = run(*asked, "--since", "2026-01-05T12:00:00Z", "--by", "day").rows()
    assert [(row["date"], row["days"], row["change_usd"]) for row in by_day] == [
        ("2026-01-03", "changed", "2.505"),
        ("2026-01-05", "new", "10.00"),
    ]
    nothing = run(*asked, "--since", "2026-01-06T12:00:00Z")
    assert nothing.rows() == []
    assert "nothing changed" in nothing.stderr
    assert run(*asked, "--since", "2026-01-01").code == 3
