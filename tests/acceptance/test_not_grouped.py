"""Days that were asked differently: nobody, and what was not asked for, are told apart, and are never in one line."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import Report
from archiver.plan.scope import Scope
from archiver.store.chosen import NOT_GROUPED
from tests.support import NOW, archiver, day, select, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

TOTALS, KNOWN = "2026-01-01", "2026-01-08"  # totals alone up to the second day, everything from then on
NO_WORKSPACE, NO_KEY, UNKNOWN = "(default workspace)", "(no API key: Console)", "(not grouped)"


@pytest.fixture(scope="module")
def mixed(shared_api: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("mixed") / "archive.db"
    sync(shared_api, db, Scope(group_by=("none",), since=day(TOTALS), until=day(KNOWN)))
    sync(shared_api, db, Scope(group_by=("finest",), since=day(KNOWN)))
    return db


def report(db: Path, *arguments: str) -> Any:
    done = archiver("report", *arguments, "--json", "--db", str(db))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def billed(api: Simulator, since: str, until: str | None = None) -> dict[Any, int]:
    sums: dict[Any, int] = defaultdict(int)
    for row in truth(api, "cost", "1d", ("workspace_id",), day(since), day(until) if until else None):
        sums[row[2]] += int(row[-1].replace(".", ""))
    return sums


@pytest.mark.parametrize("name", ["workspaces", "spend"])
def test_money_of_days_that_were_not_grouped_has_a_line_of_its_own(
    shared_api: Simulator, mixed: Path, name: str
) -> None:
    told = {row["workspace_id"]: row["amount_microcents"] for row in report(mixed, name)}
    expected = billed(shared_api, KNOWN)
    assert None in expected
    assert told == {**expected, UNKNOWN: sum(billed(shared_api, TOTALS, KNOWN).values())}


@pytest.mark.parametrize("how", [(), ("--markdown",)])
def test_people_see_who_is_nobody_and_what_was_not_asked(mixed: Path, how: tuple[str, ...]) -> None:
    said = archiver("report", "tokens", "--by", "workspace", "--by", "api_key", *how, "--db", str(mixed)).stdout
    labels = [label if not how else label.replace("_", "\\_") for label in (NO_WORKSPACE, NO_KEY, UNKNOWN)]
    assert all(label in said for label in labels)
    (line,) = [line for line in said.splitlines() if UNKNOWN in line]
    assert line.count(UNKNOWN) == 2
    assert NO_WORKSPACE not in line


def test_tokens_of_days_that_were_not_grouped_are_not_those_of_the_console(shared_api: Simulator, mixed: Path) -> None:
    told = {row["api_key_id"]: row["output_tokens"] for row in report(mixed, "tokens", "--by", "api_key")}
    expected: dict[Any, int] = defaultdict(int)
    for row in truth(shared_api, "usage", "1d", ("api_key_id",), day(KNOWN)):
        expected[row[3]] += row[-2]
    for row in truth(shared_api, "usage", "1d", (), day(TOTALS), day(KNOWN)):
        expected[UNKNOWN] += row[-2]
    assert told == expected


def test_money_of_days_that_were_not_grouped_is_not_shared_out(shared_api: Simulator, mixed: Path) -> None:
    whole, alone = ({row["api_key_id"]: row["amount_microcents"] for row in report(mixed, "keys", *since)} for since in
                    ((), ("--since", KNOWN)))  # fmt: skip
    left = "(not allocated)"
    more = sum(billed(shared_api, TOTALS, KNOWN).values())
    assert whole == {**alone, left: alone[left] + more}


def test_the_use_of_a_day_that_was_not_grouped_by_key_is_nobodys(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day(KNOWN)))
    by = ("workspace_id", "model", "service_tier", "context_window")
    sync(shared_api, db, Scope((Report.USAGE,), group_by=(by,), since=day(KNOWN)))
    told = {row["api_key_id"]: row["amount_microcents"] for row in report(db, "keys")}
    assert told.keys() == {UNKNOWN, "(not allocated)"}
    assert sum(told.values()) == sum(billed(shared_api, KNOWN).values())


def test_a_name_that_reads_as_our_label_has_its_id_beside_it(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.COST,), since=day(KNOWN)))
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE name SET name = ? WHERE kind = 'workspace'", (NO_WORKSPACE,))
    said = archiver("report", "workspaces", "--db", str(db)).stdout
    lines = [line for line in said.splitlines() if line.startswith(NO_WORKSPACE)]
    assert sum(line.startswith(f"{NO_WORKSPACE} wrkspc_") for line in lines) == len(lines) - 1


def test_a_text_of_the_api_never_is_our_label() -> None:
    assert NOT_GROUPED != UNKNOWN
    assert len({NOT_GROUPED, UNKNOWN}) == 2
    assert json.dumps([NOT_GROUPED]) == f'["{UNKNOWN}"]'


def test_monthly_views_keep_days_that_were_asked_differently_apart(shared_api: Simulator, mixed: Path) -> None:
    rows = select(
        mixed,
        "SELECT group_by, sum(amount_microcents) FROM monthly_cost WHERE workspace_id IS NULL AND month = '2026-01' "
        "GROUP BY group_by",
    )
    default = billed(shared_api, KNOWN)[None]
    assert rows == [("", sum(billed(shared_api, TOTALS, KNOWN).values())), ("description,workspace_id", default)]
    assert NOW.month == 1


def test_status_says_what_was_not_grouped(mixed: Path) -> None:
    assert f"cost 1d {UNKNOWN}" in archiver("status", "--db", str(mixed)).stdout
