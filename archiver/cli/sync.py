"""`archiver sync`."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from archiver.api.client import AdminClient
from archiver.api.endurance import Endurance
from archiver.api.pace import Pace, Rate
from archiver.api.transport import check_api_url, open_session
from archiver.cli import fail, show_bug
from archiver.cli.credentials import find_key
from archiver.cli.logs import show_requests
from archiver.cli.options import Duration, Time, api_url_option, config_option, db_option, option
from archiver.cli.progress import choose_progress
from archiver.cli.talk import say_forecast, say_summary
from archiver.clock import Clock
from archiver.dry_run import Forecast, forecast
from archiver.errors import ArchiverError, ConfigurationError, InterruptedRunError
from archiver.model import BucketWidth, Report, make_filters
from archiver.plan.groupings import DEFAULT_CAP, parse_group_by
from archiver.plan.scope import DEFAULT_REFRESH_DAYS, Scope
from archiver.reports import SPECS, USAGE
from archiver.store.archive import held_archive, open_archive
from archiver.store.files import check_file
from archiver.store.reader import ReadOnlyArchive, open_reader
from archiver.summary import Summary
from archiver.sync import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archiver.api.key import AdminKey
    from archiver.recording import Progress

DEFAULT_CONCURRENCY = 4
_MOST_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """What one `sync` was asked to do."""

    db: Path
    api_url: str
    key: AdminKey
    scope: Scope
    rate: Rate
    concurrency: int
    max_runtime: float | None
    wait: float
    accept_restatements: bool = False

    def client(self, session: Any, clock: Clock) -> AdminClient:
        """Make the client of one run."""
        pace = Pace(self.rate, self.concurrency, clock)
        return AdminClient(session, self.api_url, self.key, pace, clock, Endurance(pace, clock))


def _filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for dimension in reversed(tuple(USAGE.filters)):
        name = f"--{dimension.replace('_', '-')}"
        command = option(name, multiple=True, help=f"Usage of this {dimension} only (repeatable).")(command)
    return command


@click.command
@option(
    "--since",
    type=Time(auto=True),
    default="auto",
    show_default=True,
    metavar="DATE|auto",
    help="Archive from this day on.",
)
@option("--until", type=Time(), metavar="DATE", help="Archive up to this day, exclusive.  [default: now]")
@option(
    "--report",
    multiple=True,
    type=click.Choice([r.value for r in Report]),
    help="Which report (repeatable).  [default: both]",
)
@option(
    "--bucket-width",
    multiple=True,
    type=click.Choice([w.value for w in reversed(BucketWidth)]),
    default=["1d"],
    show_default="1d",
    help="Width of usage buckets (repeatable).",
)
@option(
    "--group-by",
    multiple=True,
    default=["finest"],
    show_default="finest",
    metavar="LIST|PRESET",
    help="A comma list of dimensions, or none, finest, each, all (repeatable).",
)
@_filter_options
@option(
    "--refresh",
    type=click.IntRange(min=0, max=36500),
    default=DEFAULT_REFRESH_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Ask again for so many trailing days.",
)
@option("--rate", default="50/min", show_default=True, help="Never ask faster: 50/min, 5/s, 3000/h or none.")
@option(
    "--concurrency",
    type=click.IntRange(1, _MOST_CONCURRENCY),
    default=DEFAULT_CONCURRENCY,
    show_default=True,
    help="Requests at one time.",
)
@option("--max-runtime", type=Duration(), help="Stop after so long, as in 1h; what was done is kept.")
@option("--wait", type=Duration(), default=0.0, help="Wait so long for another run to end, as in 10m.")
@option(
    "--accept-restatements",
    is_flag=True,
    help="Take over settled buckets that lost more than half, without waiting for the API to say so twice.",
)
@option("--dry-run", is_flag=True, help="Show the plan and the number of requests; archive nothing.")
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@option("--verbose", "-v", is_flag=True, help="Show every request.")
@option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How --verbose is written.",
)
@option("--admin-key-file", metavar="FILE|-", help="Read the admin key from a file or standard input.")
@option("--admin-key-command", metavar="CMD", help="Run a command that prints the admin key.")
@db_option
@api_url_option
@config_option
@click.pass_context
def sync(ctx: click.Context, /, **options: Any) -> int:
    """Bring the archive up to date from the API.

    The first run archives all history; later runs what is new, what was left undone, and the trailing days again.
    """
    if options["verbose"]:
        show_requests(options["log_format"])
    as_json, quiet = options["as_json"], options["quiet"]
    summary = Summary()
    try:
        settings = _settings(options, ctx.meta.get("archiver.config", {}))
        if options["dry_run"]:
            return _show_forecast(_run_async(_forecast, settings), as_json=as_json, quiet=quiet)
        with choose_progress(quiet=quiet) as progress:
            synchronise(settings, progress, summary)
    except ArchiverError as error:
        summary.stopped = error
    except KeyboardInterrupt:
        summary.stopped = InterruptedRunError("stopped by SIGINT", signal_number=signal.SIGINT)
    except Exception as error:  # noqa: BLE001  # a bug is told as one, and with --json in its object too
        show_bug(error)
        summary.stopped = ArchiverError(f"a bug: {type(error).__name__}")
    if as_json:
        click.echo(json.dumps(summary.to_json(), indent=2))
    if summary.stopped is not None:
        fail(summary.stopped)
    if not quiet:
        say_summary(summary)
    return summary.exit_code


def _settings(options: dict[str, Any], config: dict[str, Any]) -> Settings:
    dimensions = tuple(config.get("dimensions", ())) or None
    known = {dimension for spec in SPECS.values() for dimension in spec.group_by}
    for dimension in dimensions or ():
        if dimension not in known:
            raise ConfigurationError(
                f"`dimensions` names {dimension!r}, which no report has", hint=f"the dimensions are {sorted(known)}"
            )
    since = options["since"]
    return Settings(
        db=options["db"],
        api_url=check_api_url(options["api_url"]),
        key=find_key(options["admin_key_file"], options["admin_key_command"]),
        scope=Scope(
            reports=tuple(dict.fromkeys(Report(r) for r in options["report"])) or tuple(Report),
            bucket_widths=tuple(dict.fromkeys(BucketWidth(w) for w in options["bucket_width"])),
            group_by=tuple(parse_group_by(text) for text in options["group_by"]),
            filters=make_filters({dimension: options[dimension] for dimension in USAGE.filters}),
            since=None if since == "auto" else since,
            until=options["until"],
            refresh_days=options["refresh"],
            dimensions=dimensions,
            group_by_cap=config.get("group_by_cap", DEFAULT_CAP),
        ),
        rate=Rate.parse(options["rate"]),
        concurrency=options["concurrency"],
        max_runtime=options["max_runtime"],
        wait=options["wait"],
        accept_restatements=options["accept_restatements"],
    )


def _run_async(function: Callable[..., Any], *arguments: Any) -> Any:
    import anyio  # noqa: PLC0415  # only a run needs an event loop

    return anyio.run(function, *arguments)


def synchronise(settings: Settings, progress: Progress, summary: Summary) -> None:
    """Hold the archive and run; `summary` is filled in while it goes on.

    Raises:
        ArchiverError: What ended the run before its plan did.
    """
    settings.scope.series()  # what cannot be asked is said before anything is made
    with held_archive(settings.db, now=int(time.time()), wait=settings.wait):
        _run_async(_sync, settings, progress, summary)


async def _sync(settings: Settings, progress: Progress, summary: Summary) -> None:
    clock = Clock()
    async with open_session(settings.api_url) as session, open_archive(settings.db) as archive:
        run = Run(
            archive,
            settings.client(session, clock),
            settings.scope,
            clock,
            concurrency=settings.concurrency,
            max_runtime=settings.max_runtime,
            accept_restatements=settings.accept_restatements,
            progress=progress,
            summary=summary,
        )
        await run.execute()


async def _forecast(settings: Settings) -> Forecast:
    clock = Clock()
    with ExitStack() as stack:
        there = check_file(settings.db)
        known = ReadOnlyArchive(stack.enter_context(open_reader(settings.db) if there else nullcontext(None)))
        async with open_session(settings.api_url) as session:
            return await forecast(known, settings.client(session, clock), settings.scope, clock)


def _show_forecast(plan: Forecast, *, as_json: bool, quiet: bool) -> int:
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=2))
    elif not quiet:
        say_forecast(plan)
    return 0
