"""The archive for Python programs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

import archiver
from archiver.errors import ConfigurationError
from tests.handmade import Handmade, cost_row, days, run
from tests.support import environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def two_months(db: Path) -> Path:
    rows = [
        cost_row("100", workspace_id="a", model="m", description="m"),
        cost_row("250", workspace_id="b", model="n", description="n"),
    ]
    dates = days("2026-01-01", "2026-02-28")
    Handmade(db).cost(dict.fromkeys(dates, rows), read_at="2026-04-30T03:00:00")
    return db


def test_rows_are_those_of_the_command(two_months: Path) -> None:
    with archiver.open(two_months) as archive:
        found = archive.report("spend", by=["month", "model"], since=date(2026, 2, 1))
        assert [(row["month"], row["model"], row["amount_usd"]) for row in found] == [
            ("2026-02", "m", "28.00"),
            ("2026-02", "n", "70.00"),
        ]
        assert found.is_known
        assert "not the invoice" in found.notes[0]
        for arguments, options in (
            (("models", "--period", "2026-01"), {"period": "2026-01"}),
            (("compare", "--period", "2026-02", "--by", "model"), {"period": "2026-02", "by": ["model"]}),
            (("why", "--month", "2026-02"), {"period": "2026-02"}),
            (("workspaces", "--top", "1", "--unit", "cents"), {"top": 1, "unit": "cents"}),
        ):
            done = run("report", *arguments, "--json", "--db", str(two_months))
            assert archive.report(arguments[0], **options).rows == json.loads(done.stdout)


def test_a_query_and_an_earlier_time(two_months: Path) -> None:
    with archiver.open(str(two_months)) as archive:
        (row,) = archive.query(
            "SELECT count(*) AS days FROM (SELECT DISTINCT date FROM daily_cost WHERE date >= :day)",
            {"day": "2026-02-01"},
        )
        assert row == {"days": 28}
        with pytest.raises(ConfigurationError, match="read"):
            list(archive.query("DELETE FROM daily_cost"))
    with archiver.open(two_months, as_of=datetime(2026, 1, 1, tzinfo=UTC)) as archive:
        found = archive.report("spend")
        assert (found.rows, found.is_known) == ([], False)
        assert "was archived" in found.notes[0]


def test_mistakes_are_clear(two_months: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no archive"), archiver.open(tmp_path / "none.db"):
        pass
    archive = archiver.open(two_months)
    with pytest.raises(ConfigurationError, match="is closed"):
        archive.report("spend")
    with archive, pytest.raises(ConfigurationError, match="no report 'spent'"):
        archive.report("spent")
    with archive, pytest.raises(ConfigurationError, match="cannot group"):
        archive.report("spend", by=["colour"])


def test_importing_it_is_light(two_months: Path) -> None:
    code = "import sys, archiver; print(sorted(name for name in sys.modules if name.startswith('archiver')))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['archiver']"
    assert two_months.exists()
