"""Help and usage errors have one form in every command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
import pytest

from archiver.cli import COMMANDS, cli
from archiver.cli.command import Choice, Command, Group, group_options, suggest, translate

if TYPE_CHECKING:
    from pathlib import Path


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_a_named_group(name: str) -> None:
    ctx = click.Context(command(name), info_name=name)
    rest = group_options(ctx.command.get_params(ctx)).get("Other", [])
    assert [param.opts[-1] for param in rest] == ["--help"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_can_be_parsed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("[profiles.a]\ndb = 'a.db'\n", encoding="utf-8")
    monkeypatch.setenv("ARCHIVER_CONFIG", str(tmp_path / "config.toml"))
    found = command(name)
    assert isinstance(found, (Command, Group))
    assert found.examples
    for example in found.examples:
        if example.startswith("archiver "):
            # What follows a pipe or a redirection is for a shell.
            words = shlex.split(example.split(" | ")[0].split(" > ")[0], comments=True)
            assert words[:2] == ["archiver", name]
            found.make_context(name, words[2:])


def test_an_example_is_never_wrapped() -> None:
    long = "archiver long " + "word " * 40
    made = Command("long", examples=[long])
    assert long in made.get_help(click.Context(made, info_name="long"))


@pytest.mark.parametrize(("word", "expected"), [("stats", "; did you mean 'status'?"), ("xyzzy", "")])
def test_the_nearest_known_word_is_suggested(word: str, expected: str) -> None:
    assert suggest(word, COMMANDS) == expected


def test_a_word_out_of_a_list_is_suggested_too() -> None:
    with pytest.raises(click.BadParameter, match="did you mean 'spend'"):
        Choice(["spend", "tokens"]).convert("spned", None, None)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (click.UsageError("Missing argument 'FILE'."), "missing argument 'FILE'"),
        (click.UsageError("Choose from:\n\ta,\n\tb"), "choose from: a, b"),
        (click.NoSuchOption("--colour"), "no such option: '--colour'"),
    ],
)
def test_a_usage_error_of_click_is_printed_as_one_line(error: click.ClickException, message: str) -> None:
    ours = translate(error)
    assert (ours.message, ours.hint, ours.exit_code) == (message, "see archiver --help", 2)


def test_a_usage_error_can_have_its_own_hint() -> None:
    ours = translate(click.UsageError("the port is in use\nhint: --port 0 uses a free one"))
    assert (ours.message, ours.hint) == ("the port is in use", "--port 0 uses a free one")


def test_the_default_of_db_is_the_path_that_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = command("status")

    def shown() -> str:
        text = status.get_help(click.Context(status, info_name="status", terminal_width=300, max_content_width=300))
        return next(line for line in text.splitlines() if "--db" in line)

    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert f"[default: {tmp_path}/archiver/archive.db]" in shown()
    (tmp_path / "archiver").mkdir()
    (tmp_path / "archiver" / "config.toml").write_text('db = "/srv/usage.db"')
    assert "[default: /srv/usage.db]" in shown()
    monkeypatch.setenv("ARCHIVER_DB", "/elsewhere.db")
    assert "[default: /elsewhere.db]" in shown()
