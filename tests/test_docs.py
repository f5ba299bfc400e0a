"""Documents agree with the program: reference pages, commands and their outputs."""

from __future__ import annotations

import re
import shlex
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from archiver import __version__
from archiver.cli import COMMANDS, cli
from archiver.cli.config import OPTION_KEYS
from archiver.errors import BUG_EXIT, PARTIAL_EXIT, ArchiverError
from archiver.offline.schema import COLUMNS, VIEWS
from archiver.simulator import background
from archiver.store.migrate import columns_of_views, shipped_migrations
from scripts.outputs import INVENTED, PAGES, refreshed
from scripts.reference import pages
from tests.support import archiver, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text("utf-8")
START = (TOP / "docs" / "start.md").read_text("utf-8")
DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").rglob("*.md"))]


def options_of(command: str) -> dict[str, click.Option]:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return {param.opts[0]: param for param in found.params if isinstance(param, click.Option)}


@pytest.mark.parametrize("name", pages())
def test_the_reference_is_what_the_program_has(name: str) -> None:
    """`scripts/reference` writes it anew."""
    assert (TOP / "docs" / "reference" / name).read_text("utf-8") == pages()[name]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_help(command: str) -> None:
    for name, option in options_of(command).items():
        assert option.help, f"{command} {name}"


def test_the_configuration_knows_every_option_that_is_worth_keeping() -> None:
    once = {
        "as_json",
        "dry_run",
        "verbose",
        "config",
        "how",
        "raw",
        "no_pager",
        "day",
        "xlsx",
        "parquet",
        "show_list",
        "param",
        "check",
        "log_format",
        "as_of",
        "accept_restatements",
        "browse",
        "online",
        "profile",
        "all_profiles",
    }
    named = {o.name for c in ("sync", "status", "query", "migrate", "serve") for o in options_of(c).values()}
    assert named - once == OPTION_KEYS


def errors(base: type[ArchiverError]) -> Iterator[type[ArchiverError]]:
    for one in base.__subclasses__():
        yield one
        yield from errors(one)


def test_the_exit_codes_of_the_reference_are_those_of_the_errors() -> None:
    page = (TOP / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    listed = {
        (int(code), outcome)
        for codes, outcome in re.findall(r"^\| ([0-9, ]+) \| `(\w+)` \|", page, re.MULTILINE)
        for code in codes.split(",")
    }
    # An interrupted run ends with 128 and the number of its signal: SIGINT or SIGTERM.
    signals = {(128 + 2, "interrupted"), (128 + 15, "interrupted")}
    raised = {(error.exit_code, error.outcome) for error in errors(ArchiverError) if error.outcome != "interrupted"}
    raised -= {(ArchiverError.exit_code, ArchiverError.outcome)}  # a base of others, which is never raised itself
    assert listed == raised | signals | {(0, "ok"), (BUG_EXIT, "bug"), (PARTIAL_EXIT, "partial")}


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {__version__} " in (TOP / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_run_as_written_and_print_what_is_shown(path: Path, tmp_path: Path) -> None:
    """`scripts/reference` writes the outputs anew."""
    assert len(re.findall(r"^archiver ", path.read_text("utf-8"), re.MULTILINE)) >= 8
    with background(INVENTED) as api:
        assert refreshed(path, tmp_path, api) == path.read_text("utf-8")


def blocks(page: str, language: str = "sh") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_tutorial_works_typed_in_two_terminals(tmp_path: Path) -> None:
    """The first terminal runs the simulator; all that follows is typed into the second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    first, *second = (block.replace("8765", port) for block in blocks(START))
    (tmp_path / ".venv-start" / "bin").mkdir(parents=True)
    (tmp_path / ".venv-start" / "bin" / "activate").write_text(f"PATH={Path(sys.executable).parent}:$PATH", "utf-8")
    variables = environment(PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin")
    server = subprocess.Popen(shlex.split(first), cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        printed = "".join(iter(server.stderr.readline, "Stop it with Ctrl-C\n"))
        key = re.search(r"ANTHROPIC_ADMIN_API_KEY=(\S+)", printed)
        assert key is not None
        assert key[1] in START
        typed = ["sh", "-e", "-c", "\n".join(second)]
        subprocess.run(typed, cwd=tmp_path, env=environment(), check=True, capture_output=True, timeout=120)
    finally:
        server.terminate()
        server.communicate()
    assert (tmp_path / "overview.html").read_text("utf-8").startswith("<!doctype html>")


def commands() -> list[tuple[str, str]]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        for block in [*blocks(text), *blocks(text, "crontab"), *blocks(text, "console")]:
            lines = re.findall(r"(?:^|[\s;&|])(archiver (?!/).*)", block)
            found += [(path.name, re.split(r" (?:\||\|\||&&|>|>>|>/dev/null) ?", line)[0]) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_in_a_document_can_be_parsed(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[profiles.research]\ndb = 'a'\n[profiles.products]\ndb = 'b'\n", encoding="utf-8")
    monkeypatch.setenv("ARCHIVER_CONFIG", str(config))
    words = shlex.split(re.sub(r"\$\(.*?\)", "x", line), comments=True)[1:]  # what a shell puts in is not known
    found = cli.get_command(click.Context(cli), words[0])
    assert found is not None, page
    if "--config" not in words:  # it would be read, and is not on this machine
        found.make_context(words[0], words[1:])


def statements() -> list[tuple[str, str]]:
    """Return the SQL of the guides that the archive's own SQLite runs: DuckDB's and ATTACH are for other programs."""
    return [
        (path.name, re.sub(r"\$__(from|to)", "1767225600000", block))
        for path in DOCUMENTS
        for block in blocks(path.read_text("utf-8"), "sql")
        if "ATTACH" not in block and ".csv'" not in block
    ]


@pytest.mark.parametrize(("page", "sql"), statements())
def test_every_statement_in_a_guide_fits_the_views(page: str, sql: str) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in shipped_migrations():
            connection.executescript(migration.script)
        assert connection.execute(f"EXPLAIN {sql}", {"month": "2025-12"}).fetchall(), page


def test_links_between_documents_lead_somewhere() -> None:
    for page in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text("utf-8")):
            file = (page.parent / target) if target else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
                assert anchor in anchors, f"{page.name}: {target}#{anchor}"


def test_every_document_is_in_the_index() -> None:
    index = (TOP / "docs" / "README.md").read_text("utf-8")
    for folder in ("guides", "reference", "concepts"):
        for page in (TOP / "docs" / folder).glob("*.md"):
            assert f"({folder}/{page.name})" in index, page.name


def test_every_column_of_a_view_has_a_meaning() -> None:
    columns = columns_of_views(list(VIEWS))
    used = {column for names in columns.values() for column in names}
    assert used == COLUMNS.keys()


def test_one_view_is_shown_alone() -> None:
    done = archiver("schema", "coverage")
    assert done.stdout.startswith("coverage: ")
    assert "daily_cost" not in done.stdout
