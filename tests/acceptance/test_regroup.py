"""An answer added up from a finer one is SQLite's, row for row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from archiver.offline.breakdowns import OF_COST, OF_USAGE, columns_of
from archiver.simulator import background
from archiver.store import reader
from archiver.store.reader import one_moment, read_grouped
from archiver.store.regroup import Grouped, regrouped
from tests.support import SMALL, sync

if TYPE_CHECKING:
    from pathlib import Path

COARSE = {
    "cost": [by for n in range(4) for by in combinations(OF_COST[:6], n)],
    "usage": [by for n in range(5) for by in combinations(OF_USAGE[:5], n)],
}
FINE = {"cost": OF_COST, "usage": OF_USAGE}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive the invented organisation, with a workspace that was renamed in between."""
    made = tmp_path_factory.mktemp("regroup") / "archive.db"
    with background(SMALL) as api:
        sync(api, made)
    with closing(sqlite3.connect(made)) as connection, connection:
        connection.execute(
            "INSERT INTO name SELECT kind, id, 1765000000, 'Ärger', details FROM name WHERE kind = 'workspace' LIMIT 1"
        )
        connection.execute("UPDATE cost_key SET currency = 'EUR' WHERE token_type = 'output_tokens'")
    return made


@pytest.mark.parametrize("report", ["cost", "usage"])
def test_every_coarse_question_is_answered_as_sqlite_would(archive: Path, report: str) -> None:
    fine = tuple(one for one in FINE[report] if one != "month")  # months are found from days
    columns = (*columns_of(fine), *(["currency"] if report == "cost" else []))
    finer = Grouped(frozenset(fine), columns, read_grouped(archive, report, columns_of(fine), fine, None, None))
    assert len(finer.rows) > 1000
    for by in COARSE[report]:
        found = regrouped(finer, frozenset(by), columns_of(by))
        assert found is not None, by
        assert found.rows == read_grouped(archive, report, columns_of(by), by, None, None), by


def test_within_a_moment_a_finer_answer_serves(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = read_grouped(archive, "cost", ["month"], ["month"], None, None)
    with one_moment(archive):
        read_grouped(archive, "cost", ["date"], ["day"], None, None)
        monkeypatch.setattr(reader, "_ask_grouped", None)
        assert read_grouped(archive, "cost", ["month"], ["month"], None, None) == alone


def test_a_finer_answer_is_used_for_its_own_days_alone(archive: Path) -> None:
    with one_moment(archive):
        read_grouped(archive, "cost", ["date"], ["day"], None, None)
        december = read_grouped(archive, "cost", ["date"], ["day"], "2025-12-01", "2026-01-01")
    assert december == read_grouped(archive, "cost", ["date"], ["day"], "2025-12-01", "2026-01-01")
    assert {row[0][:7] for row in december} == {"2025-12"}


def test_what_a_finer_answer_does_not_tell_is_not_made_up() -> None:
    finer = Grouped(frozenset({"model"}), ("model",), [("a", 1)])
    assert regrouped(finer, frozenset({"month"}), ["month"]) is None
    assert regrouped(finer, frozenset({"model", "day"}), ["date", "model"]) is None
    assert regrouped(finer, frozenset({"model"}), []) is None  # rows that nobody could tell apart
    assert regrouped(finer, frozenset(), []) == Grouped(frozenset(), (), [(1,)])
    unfit = Grouped(frozenset({"model"}), ("model",), [("a", 1), ("b", None)])
    assert regrouped(unfit, frozenset(), []) is None
