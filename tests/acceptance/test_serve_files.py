"""CSV files of the served archive: whole, of any size, and like the page that they are downloaded from."""

from __future__ import annotations

import csv
import http.client
import io
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from archiver.errors import TimeLimitError
from archiver.plan.scope import Scope
from archiver.simulator import background
from archiver.web.jobs import csv_pieces
from tests.serving import Server, serving
from tests.support import SMALL, day, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMULA = "=HYPERLINK(1)"
NUMBERS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {}) SELECT x FROM n"
FAILING = (
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 10000) "
    "SELECT iif(x < 5000, x, abs(-9223372036854775807 - 1)) AS x FROM n"
)
ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive a few days; a workspace has the name of a formula."""
    db = tmp_path_factory.mktemp("files") / "archive.db"
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2026-01-05")))
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(
            "UPDATE _name SET name = ? WHERE id = (SELECT min(id) FROM _name WHERE kind = 'workspace')", (FORMULA,)
        )
        connection.commit()
    return db


@pytest.fixture(scope="module")
def server(archive: Path) -> Iterator[Server]:
    with serving(archive) as one:
        yield one


def test_a_csv_does_nothing_to_a_spreadsheet(server: Server) -> None:
    text = server.get("/archive/workspace.csv").text
    assert "'" + FORMULA in text
    assert "\n" + FORMULA not in text
    assert ",=" not in text


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 300_000])
def test_a_csv_has_every_row_and_one_header(server: Server, count: int) -> None:
    whole = server.query(NUMBERS.format(count), ".csv")
    assert whole.text.splitlines() == ["x", *(str(x) for x in range(1, count + 1))]
    assert whole.headers["content-disposition"] == 'attachment; filename="archive.csv"'


def test_a_csv_that_is_left_ends_its_query(server: Server) -> None:
    for _ in range(5):  # more than are sent at a time
        with closing(socket.create_connection(("127.0.0.1", server.port), 30)) as client:
            query = urlencode({"sql": NUMBERS.format(10**9)})
            client.sendall(f"GET /archive.csv?{query} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            assert client.recv(15) == b"HTTP/1.1 200 OK"
    assert server.get("/archive/workspace.csv").status == 200
    assert server.get("/archive/workspace.csv", method="HEAD").text == ""


def test_a_csv_that_fails_after_its_first_rows_is_seen_to_be_incomplete(server: Server) -> None:
    with pytest.raises(http.client.IncompleteRead):
        server.query(FAILING, ".csv")


def test_a_csv_of_a_view_has_the_filters_columns_and_order_of_its_page(server: Server, archive: Path) -> None:
    address = (
        "daily_cost.csv?date=2026-01-06&model__notnull=1&_sort_desc=amount_usd&_col=date&_col=amount&_col=amount_usd"
    )
    rows = list(csv.reader(io.StringIO(server.get(f"/archive/{address}").text)))
    expected = select(
        archive,
        "SELECT date, amount_usd, amount FROM daily_cost WHERE date = '2026-01-06' AND model IS NOT NULL "
        "ORDER BY amount_usd DESC",
    )
    assert rows[0] == ["date", "amount_usd", "amount"]
    assert [row[2] for row in rows[1:]] == [amount for _, _, amount in expected]
    assert len(rows) > 5
    assert server.get("/archive/daily_cost.csv?_sort=nope").status == 400
    for kind in ("", ".csv", ".json"):
        for wrong in ("workspce=workspce", "workspce__contains=a"):
            refused = server.get(f"/archive/daily_cost{kind}?{wrong}")
            assert (refused.status, "has no column" in refused.text) == (400, True)
    assert server.get("/archive/none.csv").status == 404
    assert "date" not in server.get("/archive/daily_cost.csv?_nocol=date").text.splitlines()[0].split(",")
    assert len(server.get("/archive/daily_cost.csv?_where=0").text.splitlines()) == 1


def test_a_page_of_a_view_as_csv_is_all_of_the_view(server: Server, archive: Path) -> None:
    ((count,),) = select(archive, "SELECT count(*) FROM usage")
    assert count > 100
    for more in ("", "?_size=10", "?_next=20", "?_stream=on"):
        rows = list(csv.reader(io.StringIO(server.get(f"/archive/usage.csv{more}").text)))
        assert len(rows) == count + 1


@pytest.mark.parametrize("sql", ["SELECT nope", "", "DELETE FROM cost", "SELECT :missing"])
def test_a_csv_of_an_error_is_an_error(server: Server, sql: str) -> None:
    assert server.query(sql, ".csv").status == 400


def test_a_csv_without_rows_for_long_is_an_error(archive: Path) -> None:
    with pytest.raises(TimeLimitError):
        next(csv_pieces(str(archive), ENDLESS, {}, 0.1))
