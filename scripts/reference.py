"""Generate docs/reference: commands, reports, configuration, exit codes, views."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver.cli import COMMANDS, cli
from archiver.cli.command import group_options, long_name
from archiver.cli.config import OPTION_KEYS
from archiver.errors import BUG_EXIT, PARTIAL_EXIT, ArchiverError
from archiver.offline.reports.registry import REPORTS
from archiver.offline.schema import VIEWS, as_markdown
from archiver.store.migrate import columns_of_views

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "Written by `scripts/reference` from the program; a test compares the two."

MEANINGS = {
    "ok": "success; also when there was nothing new",
    "bug": "a bug in archiver; what was archived before is safe",
    "usage": "an option, the configuration, a file or a key is not what it should be; nothing was done",
    "partial": "part of it could not be read or is not known: the rest is kept, and the same command goes on. Also: "
    "`status` found a gap or nothing archived, `report` had no data for the range or a budget is passed, `verify` "
    "found sums that differ, `migrate --check` found a migration to apply",
    "auth": "the key was refused (401, 403)",
    "temporary": "rate limit, server error or network: a later run will do",
    "contract": "a response broke the API's contract; nothing of it was archived",
    "storage": "disk full, no permission, or another I/O error",
    "damaged": "the file is damaged, or it is not an archive",
    "newer": "the file was written by a newer archiver",
    "time_limit": "`--max-runtime` was reached; what was done is kept",
    "locked": "another run holds the archive",
    "interrupted": "stopped by SIGINT (130) or SIGTERM (143); what was done is kept",
}
OWN_KEYS = {
    "dimensions": "list: the dimensions that the presets of `--group-by` range over; a list without `description` "
    "concerns usage alone",
    "group-by-cap": "whole number (5): how many dimensions one request may have",
    "budgets": "table: `total`, and tables `workspaces`, `keys`, `models` and `teams` with a limit for each, in "
    "dollars a month, for `report budget`; the same below `quarter` and `year`",
    "check": "table: `rules`, and a table of settings for each rule of `archiver check`, see the guide",
    "teams": "path of the file with the rules of teams; default: `teams.toml` next to the configuration",
}


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {
        "commands.md": commands_page(),
        "reports.md": reports_page(),
        "configuration.md": configuration_page(),
        "exit-codes.md": exit_codes_page(),
        "views.md": as_markdown(columns_of_views(list(VIEWS))),
    }


def command_of(name: str) -> tuple[click.Command, click.Context]:
    """Return a command, and a context for its help."""
    root = click.Context(cli, info_name="archiver")
    command = cli.get_command(root, name)
    assert command is not None
    return command, click.Context(command, parent=root, info_name=name)


def commands_page() -> str:
    """Return the page of commands, with options, variables, defaults and examples."""
    lines = ["# Commands", "", NOTE, ""]
    lines += [
        "An option is read from the command line, else from its environment variable, else from the",
        "[configuration](configuration.md). The variable of a repeatable option holds values separated by spaces.",
        "",
        "| command | |",
        "|---|---|",
        *(f"| [`archiver {name}`](#archiver-{name}) | {sentence} |" for name, (_, sentence) in COMMANDS.items()),
        "",
    ]
    for name in COMMANDS:
        lines += section_of(name)
    return "\n".join(lines)


def report_options() -> list[click.Parameter]:
    """Return the options of all reports, without duplicates."""
    group, ctx = command_of("report")
    assert isinstance(group, click.Group)
    found: dict[str | None, click.Parameter] = {}
    for name in REPORTS:
        command = group.get_command(ctx, name)
        assert command is not None
        found |= {param.name: param for param in command.get_params(ctx)}
    return list(found.values())


def section_of(name: str) -> list[str]:
    """Return the lines about one command, and about its subcommands. Reports have a page of their own."""
    command, ctx = command_of(name)
    lines = about(f"archiver {name}", command, ctx, "##", report_options() if name == "report" else None)
    if isinstance(command, click.Group) and name != "report":
        for word in command.list_commands(ctx):
            one = command.get_command(ctx, word)
            assert one is not None
            lines += about(f"archiver {name} {word}", one, click.Context(one, info_name=word, parent=ctx), "###")
    return lines


def about(
    title: str, command: click.Command, ctx: click.Context, level: str, params: list[click.Parameter] | None = None
) -> list[str]:
    """Return the heading, usage, help, options and examples of a command."""
    usage = " ".join(command.collect_usage_pieces(ctx))
    lines = [f"{level} {title}", "", f"`{title} {usage}`", "", *paragraphs(command.help or ""), ""]
    options = group_options(params or command.get_params(ctx))
    options.pop("Other")  # it has --help alone, because a test requires a named group for every other option
    if options:
        lines += ["| | option | default | variable | meaning |", "|---|---|---|---|---|"]
    for heading, of_heading in options.items():
        for number, param in enumerate(of_heading):
            assert isinstance(param, click.Option)
            lines.append(f"| {'' if number else heading} | {' | '.join(row_of(param, ctx))} |")
    return [*lines, "", "```sh", *getattr(command, "examples", ()), "```", ""]


def row_of(param: click.Option, ctx: click.Context) -> tuple[str, str, str, str]:
    """Return an option's name, default, variable and meaning."""
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    metavar = "" if param.is_flag else f" `{param.make_metavar(ctx)}`".replace("|", "\\|")
    variable = f"`{param.envvar}`" if isinstance(param.envvar, str) else ""
    meaning, _, default = (param.help or "").partition("  [default: ")
    return names + metavar, default.rstrip("]") or default_of(param), variable, meaning.replace("|", "\\|")


def default_of(param: click.Option) -> str:
    """Return an option's default as Markdown, empty without one."""
    # The path depends on the machine that writes the page, so it is described in words.
    if param.name == "db" and callable(param.default):
        return "`archive.db` in the platform's data folder"
    if isinstance(param.show_default, str):
        return f"`{param.show_default}`"
    shown = param.show_default and not param.is_flag and not callable(param.default)
    return f"`{param.default}`" if shown else ""


def paragraphs(text: str) -> list[str]:
    """Return a help text with each paragraph on one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).split("\n")


def reports_page() -> str:
    """Return the page of reports."""
    lines = ["# Reports", "", NOTE, ""]
    lines += [
        "Every report takes `--db`, `--config`, `--html` and the [output formats](output.md); the others are its own,",
        "and an option that it does not take is refused.",
        "",
        "| report | | options | `--by` |",
        "|---|---|---|---|",
    ]
    for one in REPORTS.values():
        options = ", ".join(f"`--{name.replace('_', '-')}`" for name in one.options)
        lines.append(f"| `{one.name}` | {one.help} | {options} | {', '.join(one.dimensions)} |")
    lines += ["", "```sh", *(f"archiver report {one.name} {one.example}" for one in REPORTS.values()), "```", ""]
    return "\n".join(lines)


def configuration_page() -> str:
    """Return the page of configuration keys."""
    lines = [
        "# Configuration",
        "",
        NOTE,
        "",
        "A TOML file: the one that `--config` names, else `archiver/config.toml` in the platform's configuration",
        "folder (`~/.config` on Linux). Keys are names of options; a key that a command does not take is for others.",
        "",
        "```toml",
        'db = "/srv/usage/archive.db"',
        'rate = "30/min"',
        'group-by = ["finest", "none"]',
        'dimensions = ["workspace_id", "api_key_id", "model", "service_tier", "context_window", "inference_geo"]',
        "",
        "[budgets]",
        "total = 5000",
        "",
        "[budgets.workspaces]",
        '"Research" = 1000',
        "",
        "[budgets.quarter]",
        "total = 14000",
        "```",
        "",
        "| key | commands | meaning |",
        "|---|---|---|",
        *(f"| `{key}` | {', '.join(users)} | {meaning} |" for key, users, meaning in keys()),
        *(f"| `{key}` | | {meaning} |" for key, meaning in OWN_KEYS.items()),
        "",
    ]
    return "\n".join(lines)


def keys() -> Iterator[tuple[str, list[str], str]]:
    """Yield each key that is an option, the commands that take it, and its meaning."""
    found: dict[str, tuple[list[str], str]] = {}
    for name in COMMANDS:
        command, ctx = command_of(name)
        of_command = report_options() if name == "report" else command.get_params(ctx)
        params = {param.name: param for param in of_command if isinstance(param, click.Option)}
        for param in params.values():
            # In the file, `since` and `until` are for syncs: `report` takes them from the command line alone.
            synced_only = name == "report" and param.name in {"since", "until"}
            if "config" in params and param.name in OPTION_KEYS and not synced_only:
                meaning = (param.help or "").partition("  [default: ")[0].replace("|", "\\|")
                found.setdefault(long_name(param), ([], meaning))[0].append(name)
    return ((key, *found[key]) for key in sorted(found))


def exit_codes_page() -> str:
    """Return the page of exit codes, with the outcomes of `sync --json`."""
    codes = {"ok": "0", "partial": str(PARTIAL_EXIT), "bug": str(BUG_EXIT), "interrupted": "130, 143"}
    for error in descendants(ArchiverError):
        codes.setdefault(error.outcome, str(error.exit_code))
    lines = [
        "# Exit codes",
        "",
        NOTE,
        "",
        "| code | outcome | meaning |",
        "|---|---|---|",
        *(
            f"| {code} | `{outcome}` | {MEANINGS[outcome]} |"
            for outcome, code in sorted(codes.items(), key=lambda pair: int(pair[1].split(",")[0]))
        ),
        "",
        "When windows of a sync failed for several reasons, 4, 7, 8 and 9 win; then it is 3 if anything was archived,",
        "else the reason of the failures. What to alert on: [cron](../guides/cron.md#alert-by-exit-code).",
        "",
    ]
    return "\n".join(lines)


def descendants(base: type[ArchiverError]) -> Iterator[type[ArchiverError]]:
    """Yield all subclasses of an error, direct and indirect."""
    for one in base.__subclasses__():
        yield one
        yield from descendants(one)


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
        print(f"wrote docs/reference/{name}")


if __name__ == "__main__":
    main()
