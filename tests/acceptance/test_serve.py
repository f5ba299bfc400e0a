"""The served archive: which requests are accepted, what is shown, and that all of it only reads."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.errors import ConfigurationError
from archiver.offline import page
from archiver.offline.reports.request import ReportRequest
from archiver.offline.saved import saved_queries
from archiver.offline.schema import VIEWS
from archiver.plan.scope import Scope
from archiver.simulator import Simulator, background
from archiver.web.choices import ReportSettings
from archiver.web.navigation import NAVIGATION
from archiver.web.server import Served, serve
from tests.pages import Read
from tests.serving import Server, begin, serving
from tests.support import SMALL, archiver, day, run_sync, select, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "<script>document.title='owned'</script>"
FORMULA = "=HYPERLINK(1)"
NUMBERS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {}) SELECT x FROM n"
ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive a few days; two workspaces have hostile names."""
    db = tmp_path_factory.mktemp("served") / "archive.db"
    with background(SMALL) as api:
        sync(api, db, Scope(since=day("2026-01-05")))
    names = {"workspace": [HOSTILE, FORMULA]}
    with closing(sqlite3.connect(db)) as connection:
        for kind, hostile in names.items():
            ids = connection.execute("SELECT id FROM _name WHERE kind = ? ORDER BY id LIMIT 2", (kind,)).fetchall()
            for (identifier,), name in zip(ids, hostile, strict=True):
                connection.execute("UPDATE _name SET name = ? WHERE id = ?", (name, identifier))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    archiver("query", "--db", str(db), "SELECT 1")  # makes SQLite's own files next to it
    return db


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a configuration folder with a person's own queries."""
    home = tmp_path_factory.mktemp("config")
    folder = home / "archiver" / "queries"
    folder.mkdir(parents=True)
    (folder / "broken.sql").write_bytes(b"\xff")  # not UTF-8: it is left out, and takes no other with it
    (folder / "larger.sql").write_text(f"-- Mine {HOSTILE}.\nSELECT 30 > :limit AS larger, typeof(:limit) AS type")
    return home


@pytest.fixture(scope="module")
def server(archive: Path, queries: Path) -> Iterator[Server]:
    with serving(archive, XDG_CONFIG_HOME=str(queries)) as one:
        yield one


def test_the_first_page_is_the_overview_with_links_to_the_others(server: Server, archive: Path) -> None:
    first = server.get("/")
    assert first.status == 200
    read, made = Read(first.text), Read(page.overview(archive, ReportRequest()))
    assert read.tables == made.tables
    assert read.figures == made.figures
    links = [one.attributes["href"] for one in read.elements if one.name == "a"]
    # Then every month, workspace, model, key and person of its tables leads to a report.
    assert links[: len(NAVIGATION)] == [address for _, address in NAVIGATION]
    assert {str(address).partition("?")[0] for address in links[len(NAVIGATION) :]} == {
        "/report/spend",
        "/report/tokens",
    }
    for address in {*links[: len(NAVIGATION)], *links[-3:]}:
        assert server.get(str(address).partition("#")[0]).status == 200
    assert not [one for one in made.elements if one.name in {"a", "nav"}]


def test_the_former_address_of_the_charts_leads_to_the_first_page(server: Server) -> None:
    moved = server.get("/charts")
    assert (moved.status, moved.headers["location"]) == (301, "/")


def test_every_page_links_to_the_others(server: Server) -> None:
    for path in ("/", "/archive", "/archive/usage", "/archive/larger", "/archive/none"):
        text = server.get(path).text
        for _, address in NAVIGATION:
            assert f'href="{address}"' in text, path


def test_views_and_saved_queries_are_listed_on_the_first_start(server: Server, tmp_path: Path) -> None:
    text = server.get("/archive").text
    for view, what in VIEWS.items():
        assert f'href="/archive/{view}"' in text
        assert what in text
    for name, one in saved_queries(tmp_path).items():
        assert f'href="/archive/{name}"' in text
        assert one.what in text
    assert 'href="/archive/larger"' in text
    assert "broken" not in text
    for _, address in NAVIGATION:
        assert f'id="{address.partition("#")[2] or "sql-editor"}"' in text


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_a_page_with_all_of_its_rows_counted(server: Server, archive: Path, view: str) -> None:
    shown = server.get(f"/archive/{view}")
    ((count,),) = select(archive, f"SELECT count(*) FROM {view}")  # noqa: S608  # a name of ours
    assert shown.status == 200
    assert f"{count:,} row" in shown.text or count == 0


def test_a_saved_query_has_the_result_of_archiver_query(server: Server, archive: Path) -> None:
    rows = server.get("/archive/cost_by_day.csv").text
    assert rows.splitlines() == archiver("query", "cost_by_day", "--csv", "--db", str(archive)).stdout.splitlines()


def test_a_parameter_is_bound_as_archiver_query_binds_it(server: Server) -> None:
    assert server.get("/archive/larger.json?limit=4").json()["rows"] == [[1, "integer"]]
    assert server.get("/archive/larger.json?limit=x").json()["rows"] == [[0, "text"]]


def test_tables_behind_the_views_are_not_shown(server: Server) -> None:
    assert server.get("/archive/_usage_fact").status == 404
    assert "_usage_fact" not in server.get("/archive").text


def test_what_a_sync_brings_is_shown_at_once(shared_api: Simulator, db: Path) -> None:
    run_sync(shared_api, db, "--since", "2026-01-10", "--until", "2026-01-12")
    count = "SELECT count(DISTINCT date) FROM daily_cost"
    with serving(db) as server:
        assert server.query(count).json()["rows"] == [[2]]
        assert run_sync(shared_api, db, "--since", "2026-01-10", "--until", "2026-01-14").returncode == 0
        assert server.query(count).json()["rows"] == [[4]]
        assert "2026-01-13" in server.get("/archive/cost_by_day").text


def test_a_missing_file_is_an_error_until_it_is_there_again(archive: Path, db: Path) -> None:
    shutil.copy(archive, db)
    away = db.with_name("away.db")
    with serving(db) as server:
        db.rename(away)
        for path in ("/", "/archive", "/archive/usage"):
            shown = server.get(path)
            assert shown.status in {400, 503}
            assert "archive" in shown.text
        away.rename(db)
        assert [server.get(path).status for path in ("/", "/archive", "/archive/usage")] == [200, 200, 200]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
def test_requests_to_names_of_this_machine_are_served(server: Server, host: str) -> None:
    assert server.get("/archive", host=f"{host}:{server.port}").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "localhost", "localhost:1", "127.0.0.1.evil.example:{port}", ""]
)
def test_requests_to_another_name_are_refused(server: Server, host: str) -> None:
    reply = server.get("/archive", host=host.format(port=server.port))
    assert reply.status == 421
    assert "daily" not in reply.text


def test_requests_to_an_allowed_name_are_served(archive: Path) -> None:
    with serving(archive, "--allow-host", "usage.example", "--allow-host", "other.example") as server:
        for host in ("usage.example", f"usage.example:{server.port}", "other.example"):
            assert server.get("/archive", host=host).status == 200
        assert server.get("/archive", host="third.example").status == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/archive", "/archive/usage", "/archive/larger"])
def test_nothing_but_reading_is_a_method(server: Server, method: str, path: str) -> None:
    reply = server.get(path, method=method)
    assert reply.status == 405
    assert "access-control-allow-origin" not in reply.headers


def test_another_site_may_link_here_and_nothing_more(server: Server) -> None:
    image = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
    frame = {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert [server.get("/archive", **one).status for one in (image, frame, link)] == [403, 403, 200]


PATHS = [
    "/-/metadata.json",
    "/-/settings.json",
    "/-/databases.json",
    "/-/plugins.json",
    "/-/auth-token",
    "/-/messages",
    "/-/logout",
    "/-/static/../app.py",
    "/-/archiver/../site.py",
    "/-/archiver/..",
    "/_internal",
    "/_memory",
    "/archive.db",
    "/archive/usage/1",
    "/archive/",
    "//evil.example/",
    "/.json",
    "/%61rchive",
]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_page_of_the_archive_is_not_there(server: Server, path: str) -> None:
    reply = server.get(path)
    assert reply.status == 404
    assert "location" not in reply.headers


@pytest.mark.parametrize("path", ["/", "/archive", "/archive/usage", "/archive/usage.csv", "/archive/none", "/-/none"])
def test_every_response_has_its_security_headers(server: Server, path: str) -> None:
    headers = server.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "://" not in policy
    assert "script-src 'unsafe" not in policy
    assert path == "/-/none" or headers["cache-control"] == "no-store"


def test_a_page_has_no_script_without_the_mark_of_its_answer(server: Server) -> None:
    first, second = server.get("/archive/usage"), server.get("/archive/usage")
    nonces = {
        one.headers["content-security-policy"].partition("nonce-")[2].partition("'")[0] for one in (first, second)
    }
    assert len(nonces) == 2
    nonce = first.headers["content-security-policy"].partition("nonce-")[2].partition("'")[0]
    assert first.text.count("<script") == first.text.count(f'<script nonce="{nonce}"') > 0


@pytest.mark.parametrize(
    "path", ["/", "/archive", "/archive/workspace", "/archive/daily_cost?_facet=workspace_name", "/archive/larger"]
)
def test_hostile_names_are_text(server: Server, path: str) -> None:
    shown = server.get(path)
    assert shown.status == 200
    assert HOSTILE not in shown.text
    assert "&lt;script&gt;document.title" in shown.text


def test_text_that_looks_like_an_address_is_no_link(server: Server) -> None:
    shown = server.query("SELECT 'https://evil.example/' AS x, char(8238) || 'txt' AS y", "").text
    assert 'href="https://evil' not in shown
    assert "\\u202etxt" in shown


def test_a_view_opens_with_its_newest_day_and_the_money_in_sight(server: Server, archive: Path) -> None:
    ((newest,),) = select(archive, "SELECT max(date) FROM daily_cost")
    rows = server.get("/archive/daily_cost.json?_shape=array&_size=5").json()
    assert [row["date"] for row in rows] == [newest] * 5
    assert [*rows[0]][:3] == ["date", "amount_usd", "currency"]


def test_json_without_a_mark_for_more_is_whole_or_refused(server: Server) -> None:
    many = NUMBERS.format(1001)
    assert server.query(many).json()["truncated"] is True
    assert server.query(many, _shape="array").status == 400
    assert len(server.query(NUMBERS.format(1000), _shape="array").json()) == 1000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_exit_code(archive: Path, number: int, code: int) -> None:
    server = Server(begin(archive))
    assert server.get("/archive").status == 200
    ended, stderr = server.stop(number)
    assert ended == code
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("content", "code"), [(None, 2), (b"not a database", 8), (b"SQLite format 3\0" + bytes(100), 8)]
)
def test_what_is_no_archive_is_not_served(db: Path, content: bytes | None, code: int) -> None:
    if content is not None:
        db.write_bytes(content)
    done = archiver("serve", "--db", str(db), "--port", "0")
    assert done.returncode == code
    assert done.stderr.startswith("error: ")
    assert done.stdout == ""


def test_a_port_that_is_taken_is_exit_2(archive: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        done = archiver("serve", "--db", str(archive), "--port", str(other.getsockname()[1]))
    assert done.returncode == 2
    assert "hint: --port 0" in done.stderr


def test_a_host_that_is_not_there_is_exit_2(archive: Path) -> None:
    assert archiver("serve", "--db", str(archive), "--port", "0", "--host", "no.such.invalid").returncode == 2


def test_listening_to_other_machines_is_asked_for_and_warned_of(archive: Path) -> None:
    server = Server(begin(archive, "--host", "0.0.0.0"))  # noqa: S104  # what this is about
    assert server.get("/archive", host=f"localhost:{server.port}").status == 200
    assert "warning: other machines" in server.stop()[1]
    server = Server(begin(archive))
    assert server.url.startswith("http://127.0.0.1:")
    assert "warning" not in server.stop()[1]


def test_a_browser_is_opened_when_asked_for(archive: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    with serving(archive, "--open", BROWSER=f"{browser} %s") as server:
        deadline = time.monotonic() + 20
        while not opened.exists() and time.monotonic() < deadline:
            server.get("/archive")
        assert opened.read_text() == server.url


def test_an_installed_plugin_of_someone_else_has_no_part(archive: Path, tmp_path: Path) -> None:
    info = tmp_path / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[datasette]\nevil = evil\n")
    (tmp_path / "evil.py").write_text(
        "from datasette import hookimpl\n@hookimpl\ndef extra_js_urls():\n    return ['https://evil.example/x.js']\n"
    )
    with serving(archive, PYTHONPATH=str(tmp_path)) as server:
        assert "evil" not in server.get("/archive/usage").text


MODULES = ("json", "socket", "signal", "selectors", "multiprocessing", "msgspec", "sqlite3", "jinja2", "archiver")


def test_modules_of_the_current_folder_are_not_run(archive: Path, tmp_path: Path) -> None:
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'a').write({name!r})\n")
    program = str(Path(sys.executable).with_name("archiver"))  # `python -m` would have the folder in its own path
    with serving(archive, program=(program,), cwd=tmp_path) as server:
        assert server.query("SELECT 1 AS x").json()["rows"] == [[1]]
        assert server.get("/").status == 200
    assert not (tmp_path / "run").exists()


def test_nothing_of_it_is_imported_before_it_is_needed() -> None:
    program = "import sys, archiver.cli.serve, archiver.web.server; print({'datasette', 'uvicorn'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(("version", "sentence"), [(None, "not installed"), ("1.0a41", "not 1.0a41")])
def test_a_missing_or_wrong_datasette_is_an_error_with_a_message(
    archive: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, sentence: str
) -> None:
    def found(_: str) -> str:
        if version is None:
            raise PackageNotFoundError
        return version

    monkeypatch.setattr("importlib.metadata.version", found)
    with pytest.raises(ConfigurationError, match=sentence) as raised:
        serve(Served(archive, archive.parent, "127.0.0.1", 0, ReportSettings()), lambda *_: None, browse=False)
    assert raised.value.hint == "pip install 'claude-usage-archiver[web]'"
