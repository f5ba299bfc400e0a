"""Docs cannot drift: every command and option is in them, and the README's commands run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from archiver import __version__
from archiver.cli import COMMANDS, cli
from archiver.cli.config import OPTION_KEYS
from archiver.errors import ArchiverError
from archiver.offline.schema import COLUMNS, VIEWS
from archiver.store.migrate import columns_of_views
from tests.support import archiver

if TYPE_CHECKING:
    from archiver.simulator import Simulator

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text("utf-8")
REFERENCE = (TOP / "docs" / "reference.md").read_text("utf-8")


def options_of(command: str) -> dict[str, click.Option]:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return {param.opts[0]: param for param in found.params if isinstance(param, click.Option)}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_in_the_reference(command: str) -> None:
    assert f"`archiver {command}" in REFERENCE
    for name in options_of(command):
        assert re.search(rf"`{re.escape(name)}\b", REFERENCE), f"{command} {name}"


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
        "xlsx",
        "show_list",
        "param",
        "check",
        "log_format",
        "as_of",
        "accept_restatements",
        "browse",
    }
    named = {o.name for c in ("sync", "status", "query", "migrate", "serve") for o in options_of(c).values()}
    assert named - once == OPTION_KEYS


def errors(base: type[ArchiverError]) -> set[type[ArchiverError]]:
    return {base}.union(*(errors(one) for one in base.__subclasses__()))


def test_every_exit_code_is_in_the_reference() -> None:
    for error in errors(ArchiverError):
        assert re.search(
            rf"^\|.*\b{error.exit_code}\b.*\| `{error.outcome}`|`{error.outcome}`", REFERENCE, re.MULTILINE
        )


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"\n## {__version__} " in (TOP / "CHANGELOG.md").read_text("utf-8")


def readme_commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("archiver ")]


def test_the_readmes_commands_run_as_written(api: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    (budgets,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    Path("budgets.toml").write_text(budgets, "utf-8")
    commands = readme_commands()
    assert len(commands) >= 4
    for command in commands:
        done = archiver(
            *shlex.split(command)[1:],
            ANTHROPIC_ADMIN_API_KEY=api.key,
            ARCHIVER_API_URL=api.url,
            ARCHIVER_DB=str(tmp_path / "usage.db"),
            ARCHIVER_RATE="none",
        )
        assert done.returncode == 0, done.stderr


def test_links_between_documents_lead_somewhere() -> None:
    for page in [TOP / "README.md", TOP / "CONTRIBUTING.md", *(TOP / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_column_of_a_view_has_a_meaning_and_the_page_says_the_same() -> None:
    columns = columns_of_views(list(VIEWS))
    used = {column for names in columns.values() for column in names}
    assert used == COLUMNS.keys()
    assert (TOP / "docs" / "schema.md").read_text("utf-8") == archiver("schema", "--markdown").stdout


def test_one_view_is_shown_alone() -> None:
    done = archiver("schema", "coverage")
    assert done.stdout.startswith("coverage: ")
    assert "daily_cost" not in done.stdout
