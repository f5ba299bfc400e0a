"""Profiles: several organisations in one call, each with its own archive and key, whatever happens to the others."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from archiver.simulator import background
from tests.support import SMALL, archiver, environment, select

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator

SINCE = "2025-11-01"


@pytest.fixture(scope="module")
def apis() -> Iterator[list[Simulator]]:
    """Serve two invented organisations of different use."""
    with background(SMALL) as first, background(replace(SMALL, seed=7, size=0.3)) as second:
        yield [first, second]


def write_config(folder: Path, apis: list[Simulator], more: str = "") -> Path:
    """Write a configuration with a profile for each API, and what is common to them."""
    lines = ['rate = "none"', f'since = "{SINCE}"', more]
    for name, api in zip(("research", "products"), apis, strict=True):
        (folder / f"{name}.key").write_text(api.key, encoding="utf-8")
        lines += [
            f"[profiles.{name}]",
            f'db = "{folder / name}.db"',
            f'admin-key-file = "{folder / name}.key"',
            f'api-url = "{api.url}"',
        ]
    path = folder / "config.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, apis: list[Simulator]) -> Path:
    """Sync both organisations in one call."""
    path = write_config(tmp_path_factory.mktemp("profiles"), apis)
    done = archiver("sync", "--all-profiles", "--config", str(path))
    assert done.returncode == 0, done.stderr
    lines = [line.partition(": ")[0] for line in done.stderr.splitlines()]
    assert set(lines) == {"research", "products"}
    return path


def rows(config: Path, *arguments: str, code: int = 0) -> Any:
    done = archiver(*arguments, "--json", "--config", str(config))
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_each_organisation_is_in_its_own_archive(config: Path) -> None:
    alone = {name: rows(config, "status", "--profile", name) for name in ("research", "products")}
    assert {name: one["database"] for name, one in alone.items()} == {
        name: str(config.parent / f"{name}.db") for name in alone
    }
    assert rows(config, "status", "--all-profiles").keys() == alone.keys()
    sums = {select(config.parent / f"{name}.db", "SELECT sum(output_tokens) FROM daily_tokens")[0] for name in alone}
    assert len(sums) == 2


def test_a_report_has_the_rows_of_each_with_its_name(config: Path) -> None:
    alone = {name: rows(config, "report", "spend", "--profile", name) for name in ("research", "products")}
    joined = rows(config, "report", "spend", "--profile", "research", "--profile", "products")
    assert joined == [{"profile": name} | row for name, of in alone.items() for row in of]
    table = archiver("report", "spend", "--by", "month", "--csv", "--all-profiles", "--config", str(config)).stdout
    assert table.splitlines()[0] == "profile,month,currency,amount_usd,amount_microcents"
    shown = archiver("report", "spend", "--by", "month", "--all-profiles", "--config", str(config)).stdout
    whole = sum(Decimal(row["amount_usd"]) for row in joined)
    assert shown.splitlines()[-1].split() == ["total", f"{whole:,.2f}"]


def test_an_export_has_a_partition_of_each(config: Path, tmp_path: Path) -> None:
    done = archiver("export", "parquet", str(tmp_path / "set"), "--all-profiles", "--config", str(config))
    assert done.returncode == 0, done.stderr
    with duckdb.connect() as engine:
        found = engine.sql(
            f"FROM read_parquet('{tmp_path}/set/*/daily_cost/*/*.parquet', hive_partitioning = true) "
            "SELECT profile, sum(amount_usd) GROUP BY ALL"
        ).fetchall()
    reported = rows(config, "report", "spend", "--all-profiles")
    names = {row["profile"] for row in reported}
    expected = {name: sum(Decimal(row["amount_usd"]) for row in reported if row["profile"] == name) for name in names}
    assert dict(found) == expected


def test_one_that_fails_does_not_stop_the_others_and_its_code_wins(tmp_path: Path, apis: list[Simulator]) -> None:
    config = write_config(tmp_path, apis)
    (tmp_path / "research.key").write_text("sk-ant-admin01-invented-and-wrong", encoding="utf-8")
    done = archiver("sync", "--all-profiles", "--config", str(config), "--json")
    summaries = json.loads(done.stdout)
    assert {name: one["exit_code"] for name, one in summaries.items()} == {"research": 4, "products": 0}
    assert done.returncode == 4
    assert "research: error: " in done.stderr
    at = ("report", "spend", "--all-profiles", "--json", "--config", str(config))
    empty = archiver(*at)
    assert empty.returncode == 3
    assert "note: research: " in empty.stderr
    (tmp_path / "research.db").unlink()
    missing = archiver(*at)
    assert missing.returncode == 2
    assert "error: research: " in missing.stderr
    assert {row["profile"] for row in json.loads(missing.stdout)} == {"products"}


def test_all_profiles_of_one_are_shaped_as_of_several(config: Path, tmp_path: Path) -> None:
    alone = tmp_path / "config.toml"
    alone.write_text(f'[profiles.research]\ndb = "{config.parent}/research.db"\n', encoding="utf-8")
    assert [*rows(alone, "status", "--all-profiles")] == ["research"]
    assert {row["profile"] for row in rows(alone, "report", "spend", "--all-profiles")} == {"research"}
    done = archiver("export", "parquet", str(tmp_path / "set"), "--all-profiles", "--config", str(alone))
    assert done.returncode == 0, done.stderr
    assert [one.name for one in (tmp_path / "set").iterdir()] == ["profile=research"]


def test_what_is_not_archived_of_one_is_said_with_its_name(config: Path) -> None:
    done = archiver("report", "keys", "--all-profiles", "--config", str(config), "--since", "2031-01-01")
    assert done.returncode == 3
    assert "is archived" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "SELECT 1", "--all-profiles"), "several profiles are given: research, products"),
        (("report", "spend", "--profile", "reserch"), "did you mean 'research'?"),
        (("report", "spend", "--all-profiles", "--db", "x.db"), "--db and several profiles are both given"),
        (("sync", "--all-profiles", "--db", "x.db"), "--db and several profiles are both given"),
        (("report", "spend", "--all-profiles", "--html", "x.html"), "--html and several profiles are both given"),
    ],
)
def test_a_wrong_choice_is_a_clear_error(config: Path, arguments: tuple[str, ...], said: str) -> None:
    done = archiver(*arguments, "--config", str(config))
    assert done.returncode == 2
    assert said in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[profiles.a]\nquiet = true", "[profiles.a] in {path} has no `db`"),
        ("profiles = 1", "`profiles` in {path} is not as expected"),
        ("[profiles.a]\ndb = 'a'\nwidth = 1", "has an unknown key 'width'"),
        ("quiet = true", "the configuration has no profiles"),
        ('[profiles."../a"]\ndb = "a"', "cannot name a profile"),
        ('[profiles.""]\ndb = "a"', "cannot name a profile"),
        ("[profiles.a]\ndb = 'a'\n[profiles.b]\ndb = 'a'", "have the same `db`"),
    ],
)
def test_a_faulty_configuration_is_a_clear_error(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    done = archiver("status", "--all-profiles", "--config", str(path))
    assert done.returncode == 2
    assert said.format(path=path) in done.stderr


def test_a_profile_of_the_environment_and_its_own_options(tmp_path: Path, config: Path, apis: list[Simulator]) -> None:
    path = write_config(tmp_path, apis, "[budgets]\ntotal = 1\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n[profiles.products.budgets]\ntotal = 12345\n")
    for name in ("research", "products"):
        (tmp_path / f"{name}.db").write_bytes((config.parent / f"{name}.db").read_bytes())
    at = ("report", "budget", "--json", "--config", str(path))
    limits = {
        name: json.loads(archiver(*at, ARCHIVER_PROFILE=name).stdout)[0]["limit_usd"]
        for name in ("research", "products")
    }
    assert limits == {"research": "1.00", "products": "12345.00"}


def test_the_children_end_with_the_call(tmp_path: Path, apis: list[Simulator]) -> None:
    config = write_config(tmp_path, apis)
    config.write_text(config.read_text("utf-8").replace('rate = "none"', 'rate = "6/min"'), encoding="utf-8")
    command = [sys.executable, "-m", "archiver", "sync", "--all-profiles", "--config", str(config)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 30
        while not all((tmp_path / f"{name}.db").exists() for name in ("research", "products")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        child.send_signal(signal.SIGTERM)
        _, stderr = child.communicate(timeout=30)  # which waits for the pipes of the children too
    assert child.returncode == 128 + signal.SIGTERM
    assert "research: error: stopped by SIGTERM" in stderr
    assert "products: error: stopped by SIGTERM" in stderr
    again = archiver("sync", "--all-profiles", "--rate", "none", "--config", str(config))
    assert again.returncode == 0, again.stderr
