"""Saved queries run by their names; a person's own come from the configuration folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.offline.saved import saved_queries
from archiver.plan.scope import Scope
from tests.support import archiver, day, environment, select, sync

if TYPE_CHECKING:
    from archiver.simulator import Simulator


@pytest.fixture
def filled(shared_api: Simulator, db: Path) -> Path:
    sync(shared_api, db, Scope(since=day("2026-01-01")))
    return db


def test_every_shipped_query_has_a_sentence_and_runs(filled: Path, tmp_path: Path) -> None:
    found = saved_queries(tmp_path / "none")
    assert len(found) >= 5
    for name, one in found.items():
        assert one.what.endswith(".")
        done = archiver("query", name, "--db", str(filled), "--json")
        assert done.returncode == 0, (name, done.stderr)
        json.loads(done.stdout)


def test_ones_own_query_is_listed_and_wins(filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archiver" / "queries"
    folder.mkdir(parents=True)
    (folder / "cost_by_day.sql").write_text("-- Mine.\nSELECT 42 AS answer")
    (folder / "with-param.sql").write_text("SELECT :x AS x")
    listed = json.loads(archiver("query", "--list", "--json", XDG_CONFIG_HOME=str(tmp_path)).stdout)
    assert {(one["name"], one["from"], one["what"]) for one in listed} >= {("cost_by_day", "your own", "Mine.")}
    done = archiver("query", "cost_by_day", "--csv", "--db", str(filled), XDG_CONFIG_HOME=str(tmp_path))
    assert done.stdout == "answer\n42\n"
    assert (
        archiver(
            "query", "with-param", "--param", "x=7", "--csv", "--db", str(filled), XDG_CONFIG_HOME=str(tmp_path)
        ).stdout
        == "x\n7\n"
    )


def test_one_that_cannot_be_read_takes_no_other_with_it(filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archiver" / "queries"
    folder.mkdir(parents=True)
    (folder / "cost_by_day.sql").write_bytes(b"SELECT '\xff'")
    (folder / "folder.sql").mkdir()
    (folder / "mine.sql").write_text("SELECT 42 AS answer")
    home = str(tmp_path)
    done = archiver("query", "--list", "--json", XDG_CONFIG_HOME=home)
    assert done.returncode == 0
    assert {one["name"] for one in json.loads(done.stdout)} >= {"mine"}
    assert {one["name"] for one in json.loads(done.stdout)}.isdisjoint({"cost_by_day", "folder"})
    assert "cost_by_day.sql" in done.stderr
    assert archiver("query", "mine", "--csv", "--db", str(filled), XDG_CONFIG_HOME=home).stdout == "answer\n42\n"
    done = archiver("query", "cost_by_day", "--db", str(filled), XDG_CONFIG_HOME=home)
    assert done.returncode == 2
    assert "cost_by_day.sql" in done.stderr
    assert "UTF-8" in done.stderr


def test_keys_without_use_are_reported_only_over_days_that_are_grouped_by_key(shared_api: Simulator, db: Path) -> None:
    """Usage that is not grouped by key would make every key look unused."""
    sync(shared_api, db, Scope(since=day("2026-01-01"), group_by=(("model",),)))
    rows = json.loads(archiver("query", "keys_without_use", "--json", "--db", str(db)).stdout)
    assert rows == []
    sync(
        shared_api,
        db,
        Scope(since=day("2026-01-10"), until=day("2026-01-12"), group_by=(("api_key_id", "workspace_id"),)),
    )
    rows = json.loads(archiver("query", "keys_without_use", "--json", "--db", str(db)).stdout)
    assert {(row["known_from"], row["known_to"], row["known_days"]) for row in rows} == {
        ("2026-01-10", "2026-01-11", 2)
    }
    used = {row[0] for row in select(db, "SELECT DISTINCT api_key_id FROM daily_tokens")}
    assert used.isdisjoint({row["id"] for row in rows})


def test_a_name_that_is_not_saved_is_an_error(filled: Path) -> None:
    done = archiver("query", "no_such_query", "--db", str(filled))
    assert done.returncode == 2
    assert "--list" in done.stderr


def test_a_query_without_sql_is_an_error() -> None:
    done = archiver("query")
    assert done.returncode == 2
    assert "--list" in done.stderr


COMPLETED = {"archiver rep": "report", "archiver report bud": "budget", "archiver query cost_": "cost_by_day"}


@pytest.mark.parametrize("words", COMPLETED)
def test_a_shell_completes_names(words: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("archiver")],
        env=environment(_ARCHIVER_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"plain,{COMPLETED[words]}" in done.stdout
