"""Commands with grouped options and examples in help, and usage errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from archiver.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEADINGS: Final = {
    "What": "report bucket-width group-by focus api-key-id workspace-id actor-id product model service-tier "
    "context-window inference-geo speed account-id service-account-id by against tolerance sort top list "
    "param online check accept-restatements no-people dry-run warn teams backtest all notify state "
    "quantities split install series corrections-since tags",
    "When": "since until days day month period with at as-of refresh max-age",
    "How fast": "rate concurrency max-runtime wait timeout max-memory",
    "Output": "offline json csv tsv nl markdown xlsx parquet html raw no-pager unit timezone quiet verbose "
    "log-format open",
    "API": "admin-key-file admin-key-command api-url",
    "Server": "host port allow-host latency rate-limit rate-headers fault list-faults",
    "Invented organisation": "seed first-day size now late late-hours quiet-from quiet-to",
    "Archive and configuration": "db config profile all-profiles",
}
"""Heading in the help → long names of its options.

One table serves all commands, because an option means the same in each.
"""
_HEADING_BY_OPTION: Final = {name: heading for heading, names in _HEADINGS.items() for name in names.split()}


OfSeveral = Callable[[click.Context, Sequence[str]], int]
"""A function that runs a command for several profiles, and returns the worst exit code."""


def in_one_call(_ctx: click.Context, _names: Sequence[str]) -> int:
    """Mark a command that handles several profiles in its own function.

    Such a command looks up the profiles itself. This function is only a marker, and is never called.
    """
    raise NotImplementedError


def several_profiles(ctx: click.Context) -> Sequence[str]:
    """Return the profiles if the call is for several, else ().

    A call with --all-profiles is always for several, even if the configuration has only one profile. So the form of the
    output does not change when a second profile is added.
    """
    names: Sequence[str] = ctx.meta.get("archiver.profiles", ())
    # "archiver.profile" is the one profile that `run_each` is running the command for.
    is_for_several = len(names) > 1 or (ctx.meta.get("archiver.all") and "archiver.profile" not in ctx.meta)
    return names if is_for_several else ()


class Command(click.Command):
    """A command with grouped options and examples in its help."""

    def __init__(
        self, *arguments: Any, examples: Sequence[str] = (), several: OfSeveral | None = None, **settings: Any
    ) -> None:
        """Initialise the command.

        Each example is one line, `archiver … # comment`. `several` runs the command for several profiles; without it,
        several profiles are a usage error.
        """
        super().__init__(*arguments, **settings)
        self.examples = examples
        self._several = several

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and keep them for `run_each` to parse again."""
        ctx.meta["archiver.own_arguments"] = [*args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command for one profile or for several.

        Raises:
            UsageError: Several profiles are given, and the command can run for only one.
        """
        names = several_profiles(ctx)
        if names:
            if self._several is None:
                raise click.UsageError(f"several profiles are given: {', '.join(names)}\nhint: give one --profile", ctx)
            if self._several is not in_one_call:
                return self._several(ctx, names)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups, then the examples."""
        format_help_sections(ctx, formatter, group_options(self.get_params(ctx)), self.examples)


class Group(click.Group):
    """A group of commands with examples in its help."""

    examples: Sequence[str] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, the options in groups, then the examples."""
        self.format_commands(ctx, formatter)
        format_help_sections(ctx, formatter, group_options(self.get_params(ctx)), self.examples)


def group_options(params: Iterable[click.Parameter]) -> dict[str, list[click.Parameter]]:
    """Return the options by heading.

    Options that are not in the table of headings are under `Other`. A heading without options is left out.
    """
    groups: dict[str, list[click.Parameter]] = {heading: [] for heading in (*_HEADINGS, "Other")}
    for param in params:
        if isinstance(param, click.Option):
            groups[_HEADING_BY_OPTION.get(long_name(param), "Other")].append(param)
    return {heading: options for heading, options in groups.items() if options}


def long_name(param: click.Option) -> str:
    """Return an option's long name without its dashes, such as `max-runtime`."""
    return next(name for name in param.opts if name.startswith("--")).removeprefix("--")


def format_help_sections(
    ctx: click.Context,
    formatter: click.HelpFormatter,
    groups: Mapping[str, Sequence[click.Parameter]],
    examples: Sequence[str],
) -> None:
    """Write one section for each group of options, and one for the examples."""
    for heading, params in groups.items():
        records = [record for param in params if (record := param.get_help_record(ctx))]
        if records:
            with formatter.section(heading):
                formatter.write_dl(records)
    if examples:
        with formatter.section("Examples"):
            # Written without click's wrapping, because a command on two lines could not be copied.
            for example in examples:
                # An empty string, padded to the indent.
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Choice(click.Choice[str]):
    """A choice of fixed words, with an error that suggests the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message for a word that is not one of the choices."""
        _ = ctx  # a part of click's signature
        return f"{str(value)!r} is not one of {', '.join(self.choices)}{suggest(str(value), self.choices)}"


def suggest(word: str, valid: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or "" if no valid word is similar."""
    from difflib import get_close_matches  # noqa: PLC0415  # only needed for a wrong word

    similar = get_close_matches(word, valid, n=1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def no_such_command(name: str, commands: Iterable[str], ctx: click.Context) -> click.UsageError:
    """Return the error for a command that does not exist."""
    return click.UsageError(f"no such command: {name!r}{suggest(name, commands)}", ctx)


def translate(error: click.ClickException) -> ConfigurationError:
    """Return an error from click as a ConfigurationError with a hint.

    A command can put a hint into the second line of a usage error, `hint: …`. All other errors get the hint to read
    --help.
    """
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    hint = ""
    if isinstance(error, click.NoSuchOption):
        names = [name for param in ctx.command.get_params(ctx) for name in param.opts] if ctx else []
        message = f"no such option: {error.option_name!r}{suggest(error.option_name, names)}"
    else:
        message, _, hint = error.format_message().partition("\nhint: ")
        # A message from click is a sentence, perhaps on several lines. A message here is one line without a full stop.
        message = " ".join(message.split()).removesuffix(".")
        message = message[:1].lower() + message[1:]
    return ConfigurationError(message, hint=hint or f"see {ctx.command_path if ctx else 'archiver'} --help")
