"""The files of `export focus`: the same twice, in parts, exact, and `--check` of any."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from contextlib import nullcontext
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from archiver.errors import StorageError
from archiver.model import NameKind
from archiver.offline.export.focus.columns import COLUMNS
from archiver.offline.export.focus.files import write_files
from tests.focus import READ_AT, Rows, exported, make_small
from tests.handmade import Handmade, cost_row
from tests.support import archiver, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def small(db: Path) -> Path:
    """Return January of two rows of tokens, a credit, searches and code execution, and usage by region."""
    return make_small(db)


def test_twice_is_the_same_file_and_parquet_has_the_same_rows(small: Path, tmp_path: Path) -> None:
    rows, _ = exported(small, tmp_path / "a.csv", "--month", "2026-01")
    exported(small, tmp_path / "b.csv", "--month", "2026-01")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    exported(small, tmp_path / "c.parquet", "--month", "2026-01")
    table = pq.read_table(tmp_path / "c.parquet")
    assert table.num_rows == len(rows)
    for row, other in zip(rows, table.to_pylist(), strict=True):
        assert Decimal(row["BilledCost"]) == other["BilledCost"]
        assert (row["ConsumedQuantity"] or None) is None or Decimal(row["ConsumedQuantity"]) == other[
            "ConsumedQuantity"
        ]
        assert other["InvoiceId"] is None
        assert f"{other['ChargePeriodStart']:%Y-%m-%dT%H:%M:%SZ}" == row["ChargePeriodStart"]


def test_files_of_so_many_rows(small: Path, tmp_path: Path) -> None:
    whole_rows, _ = exported(small, tmp_path / "all.csv", "--month", "2026-01")
    exported(small, tmp_path / "part.csv", "--month", "2026-01", "--split", "7")
    mine = {"part-of-mine.csv", "part-2026.csv", "part-202601.csv"}
    for name in mine:
        (tmp_path / name).write_text("kept", encoding="utf-8")
    _, said = exported(small, tmp_path / "part.csv", "--month", "2026-01", "--split", "60")
    assert said.count("wrote ") == 3
    found: Rows = []
    for n in (1, 2, 3):
        with (tmp_path / f"part-{n:03d}.csv").open(encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    assert found == whole_rows
    # Parts of an earlier delivery would be added to this one.
    names = {"part-001.csv", "part-002.csv", "part-003.csv"}
    assert {one.name for one in tmp_path.glob("part*.csv")} == names | mine
    exported(small, tmp_path / "part.csv", "--month", "2026-01")
    assert {one.name for one in tmp_path.glob("part*.csv")} == {"part.csv"} | mine
    metadata = tmp_path / "part.metadata.json"
    metadata.write_text('{"x_Files": ["../secret.csv", "part-2026.csv.bak", 7, "part-of-mine.csv"]}', encoding="utf-8")
    exported(small, tmp_path / "part.csv", "--month", "2026-01")
    assert {one.name for one in tmp_path.glob("part*.csv")} == {"part.csv"} | mine


def test_no_part_is_replaced_before_all_are_made(tmp_path: Path) -> None:
    columns = {"ChargeDescription": COLUMNS["ChargeDescription"]}
    target, archive = tmp_path / "cost.csv", tmp_path / "archive.db"
    for texts, error in (("abcde", None), ("vwxyz", OSError(28, "No space left on device"))):

        def rows(texts: str = texts, error: OSError | None = error) -> Iterator[dict[str, str]]:
            yield from ({"ChargeDescription": text} for text in texts)
            if error is not None:
                raise error

        with pytest.raises(StorageError) if error else nullcontext():
            write_files(target, rows(), columns, 2, archive)
    assert {path.name: path.read_text("utf-8").split()[1:] for path in tmp_path.glob("*.csv")} == {
        "cost-001.csv": ["a", "b"],
        "cost-002.csv": ["c", "d"],
        "cost-003.csv": ["e"],
    }


def test_parts_of_earlier_deliveries_never_stay_next_to_new_ones(small: Path, tmp_path: Path) -> None:
    """Also with a delivery in the other format in between, and after one that was killed before its metadata."""
    target, arguments = tmp_path / "s.csv", ("--month", "2026-01")
    exported(small, target, *arguments, "--split", "50")
    exported(small, tmp_path / "s.parquet", *arguments)
    exported(small, target, *arguments, "--split", "100")
    assert [path.name for path in sorted(tmp_path.glob("s-*"))] == ["s-001.csv", "s-002.csv"]
    assert (tmp_path / "s.parquet").exists()
    kill = "import os; from archiver.offline.export.focus import export; export.write_metadata = lambda *_: os._exit(9)"
    command = f"{kill}; from archiver.cli import main; main()"
    words = ["export", "focus", str(target), *arguments, "--split", "30", "--db", str(small)]
    done = subprocess.run([sys.executable, "-c", command, *words], env=environment(), check=False)
    assert (done.returncode, len(list(tmp_path.glob("s-*")))) == (9, 6)
    exported(small, target, *arguments, "--split", "100")
    assert [path.name for path in sorted(tmp_path.glob("s-*"))] == ["s-001.csv", "s-002.csv"]
    exported(small, tmp_path / "s.parquet", *arguments, "--split", "100")
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["s-001.parquet", "s-002.parquet"]


def test_amounts_of_any_length_are_exact_in_csv_and_rounded_in_parquet(db: Path, tmp_path: Path) -> None:
    amounts = ["12345678901.000000000000000001", "0.000000000000000001", "1e-19", "1e-900", f"1.{'0' * 55}", "1e-7"]
    rows = [cost_row(amount, description=f"{i}") for i, amount in enumerate(amounts)]
    Handmade(db).cost({"2026-01-01": rows}, read_at=READ_AT)
    found, _ = exported(db, tmp_path / "cost.csv", "--month", "2026-01", code=3)
    with localcontext(prec=1100):
        whole = sum(map(Decimal, amounts)) / 100
        assert sum(Decimal(row["BilledCost"]) for row in found) == whole
        metadata = json.loads((tmp_path / "cost.metadata.json").read_text("utf-8"))
        assert Decimal(metadata["x_BilledCost"]["USD"]) == whole
    assert archiver("export", "focus", str(tmp_path / "cost.csv"), "--check").returncode == 0
    exported(db, tmp_path / "cost.parquet", "--month", "2026-01", code=3)
    costs = pq.read_table(tmp_path / "cost.parquet").column("BilledCost").to_pylist()
    assert sorted(costs)[:3] == [0, 0, Decimal("1e-20")]
    for arguments in ((), ("--series", "1")):
        done = archiver("export", "parquet", str(tmp_path / "set"), *arguments, "--db", str(db))
        assert done.returncode == 0, done.stderr
    series = pq.read_table(tmp_path / "set" / "cost_series_1" / "month=2026-01" / "data.parquet", partitioning=None)
    assert Decimal("12345678901.000000000000000001") in series.column("amount_cents").to_pylist()


def test_names_with_any_character_are_one_cell(db: Path, tmp_path: Path) -> None:
    names = {"w": "A\rB", "v": "(not grouped)", "u": 'C\n"D",\r\nE'}
    Handmade(db).names(NameKind.WORKSPACE, names, read_at="2026-01-01T00:00:00")
    rows = [cost_row("1", description="d", workspace_id=one) for one in names]
    Handmade(db).cost({"2026-01-01": rows}, read_at=READ_AT)
    found, _ = exported(db, tmp_path / "cost.csv", "--month", "2026-01", code=3)
    assert {row["SubAccountId"]: row["SubAccountName"] for row in found} == names
    assert (
        "3 rows, BilledCost 0.03 USD; 0 faults"
        in archiver("export", "focus", str(tmp_path / "cost.csv"), "--check").stderr
    )


BROKEN = {
    "BilledCost": ("", "it is empty"),
    "ListCost": ("much", "'much' is no number"),
    "ChargeCategory": ("Token", "'Token' is none of"),
    "ChargePeriodStart": ("2026-01-01", "is no time"),
    "BillingCurrency": ("usd", "'usd' is no currency"),
    "ConsumedQuantity": ("", "it is empty in a row of usage"),
    "ListUnitPrice": ("5.0", "ListUnitPrice times PricingQuantity is not ListCost"),
    "SkuId": ("other", "has the SKUs"),
    "SubAccountType": ("", "or the other way round"),
    "Tags": ("[]", "'[]' is no JSON object"),
    "BillingPeriodEnd": ("2026-01-01T00:00:00Z", "not within the billing period"),
}


@pytest.mark.parametrize("column", BROKEN)
def test_the_check_finds_a_broken_row(small: Path, tmp_path: Path, column: str) -> None:
    rows, _ = exported(small, tmp_path / "cost.csv", "--month", "2026-01")
    sound = archiver("export", "focus", str(tmp_path / "cost.csv"), "--check")
    assert sound.returncode == 0, sound.stdout
    assert "155 rows, BilledCost 80.44500031 USD; 0 faults" in sound.stderr
    value, said = BROKEN[column]
    place = next(i for i, row in enumerate(rows) if row["ChargeDescription"] == "in" and i > 5)
    rows[place][column] = value
    with (tmp_path / "broken.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    done = archiver("export", "focus", str(tmp_path / "broken.csv"), "--check")
    assert done.returncode == 3
    assert said in done.stdout


def test_the_check_finds_columns_that_are_missing_or_not_of_the_specification(small: Path, tmp_path: Path) -> None:
    exported(small, tmp_path / "cost.csv", "--month", "2026-01")
    text = (tmp_path / "cost.csv").read_text("utf-8")
    (tmp_path / "broken.csv").write_text(text.replace("BilledCost,", "Model,", 1), encoding="utf-8")
    done = archiver("export", "focus", str(tmp_path / "broken.csv"), "--check")
    assert "line 1, BilledCost: the column is missing" in done.stdout
    assert "line 1, Model: a column of one's own begins with x_" in done.stdout
    assert archiver("export", "focus", str(tmp_path / "no.csv"), "--check").returncode == 2
