"""`archiver sync`."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import click

from archiver.api.rate_limit import Rate
from archiver.api.url import check_api_url
from archiver.cli import fail, show_bug
from archiver.cli.credentials import find_key
from archiver.cli.logs import show_requests
from archiver.cli.options import Duration, Time, config_option, connect_options, db_option, option
from archiver.cli.progress import choose_progress
from archiver.cli.settings import Settings
from archiver.cli.talk import say_forecast, say_summary
from archiver.crawl.summary import Summary
from archiver.errors import ArchiverError, ConfigurationError, InterruptedRunError, StorageError
from archiver.model import BucketWidth, Report, make_filters
from archiver.plan.groupings import DEFAULT_CAP, parse_group_by
from archiver.plan.scope import DEFAULT_REFRESH_DAYS, Scope
from archiver.reports import SPECS, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.crawl.request_plan import RequestPlan

DEFAULT_CONCURRENCY = 4
_MOST_CONCURRENCY = 64


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
@connect_options
@db_option
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
            return _show_forecast(_foresee(settings), as_json=as_json, quiet=quiet)
        settings.scope.series()  # what cannot be asked is said before anything is made, or imported
        from archiver.cli.run import synchronise  # noqa: PLC0415  # the imports of a run are for a run

        with choose_progress(quiet=quiet) as progress:
            synchronise(settings, progress, summary)
    except ArchiverError as error:
        summary.stopped = error
    except KeyboardInterrupt:
        summary.stopped = InterruptedRunError("stopped by SIGINT", signal_number=signal.SIGINT)
    except OSError as error:  # the limits of the system: the rest was translated where it came up
        reason = error.strerror or type(error).__name__
        summary.stopped = StorageError(f"the system refuses: {reason}", hint="check its limits, as with ulimit -n")
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


def _foresee(settings: Settings) -> RequestPlan:
    from archiver.cli.run import plan_requests  # noqa: PLC0415  # the imports of a run are for a run

    return plan_requests(settings)


def _show_forecast(plan: RequestPlan, *, as_json: bool, quiet: bool) -> int:
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=2))
    elif not quiet:
        say_forecast(plan)
    return 0
