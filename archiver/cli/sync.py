"""`archiver sync`."""

from __future__ import annotations

import json
import shlex
import signal
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archiver.api.rate_limit import Rate
from archiver.api.url import check_api_url
from archiver.cli.command import Command
from archiver.cli.credentials import find_key
from archiver.cli.logs import Log, show_requests
from archiver.cli.options import Duration, Time, config_option, connect_options, db_option, option
from archiver.cli.profiles import run_children
from archiver.cli.progress import choose_progress
from archiver.cli.settings import Settings
from archiver.cli.talk import print_money, print_request_plan, print_summary, print_warnings
from archiver.crawl.summary import Summary
from archiver.errors import ArchiverError, ConfigurationError, InterruptedRunError, StorageError
from archiver.model import DEFAULT_REPORTS, BucketWidth, Report, make_filters
from archiver.plan.groupings import DEFAULT_CAP, parse_group_by
from archiver.plan.scope import DEFAULT_REFRESH_DAYS, Scope
from archiver.reports import ANALYTICS_COST, SPECS, USAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEFAULT_CONCURRENCY = 4
_MOST_CONCURRENCY = 64
# First the filters of the usage report, then those that only the analytics reports have. `dict.fromkeys` drops repeats.
_FILTERS = tuple(dict.fromkeys((*USAGE.filters, *ANALYTICS_COST.filters)))


def _filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    # Decorators apply from the bottom up, so the last option is added first.
    for dimension in reversed(_FILTERS):
        name = f"--{dimension.replace('_', '-')}"
        command = option(name, multiple=True, help=f"Fetch only usage with this {dimension} (repeatable).")(command)
    return command


@click.command(
    cls=Command,
    several=run_children,
    examples=[
        "archiver sync --dry-run  # the number of requests, without fetching anything",
        "archiver sync  # all history in the first run, new data in later runs",
        "archiver sync --quiet --max-runtime 1h  # every night, from cron",
        "archiver sync --since 2026-01-01 --bucket-width 1h --report usage  # usage by hour",
        "archiver sync --group-by none --group-by workspace_id,model,speed  # other groupings",
    ],
)
@option(
    "--since",
    type=Time(auto=True),
    metavar="DATE|auto",
    help="Archive from this day on; auto is the whole history.  [default: as in the first run, else auto]",
)
@option("--until", type=Time(), metavar="DATE", help="Archive up to this day, exclusive.  [default: now]")
@option(
    "--report",
    multiple=True,
    type=click.Choice([*(r.value for r in Report), "all"]),
    help="Archive this report (repeatable).  [default: usage and cost]",
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
@option("--focus", is_flag=True, help="Archive usage by region too, which export focus needs for exact quantities.")
@_filter_options
@option(
    "--refresh",
    type=click.IntRange(min=0, max=36500),
    default=DEFAULT_REFRESH_DAYS,
    show_default=True,
    metavar="DAYS",
    help="Fetch the last N days again.",
)
@option(
    "--concurrency",
    type=click.IntRange(1, _MOST_CONCURRENCY),
    default=DEFAULT_CONCURRENCY,
    show_default=True,
    help="Send at most N requests at a time.",
)
@option("--max-runtime", type=Duration(), help="Stop after this time, for example 1h; what was done is kept.")
@option("--wait", type=Duration(), default=0.0, help="Wait up to this time for another run to end, for example 10m.")
@option(
    "--accept-restatements",
    is_flag=True,
    help="Accept a drop of more than half in a settled bucket without a second confirmation.",
)
@option(
    "--no-people",
    is_flag=True,
    help="Do not archive names and e-mail addresses of people, only their ids.",
)
@option(
    "--dry-run", is_flag=True, help="Show the plan, the number of requests and how long they take; archive nothing."
)
@option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@option("--quiet", "-q", is_flag=True, help="Print only errors, failed windows and suspicious data.")
@option("--verbose", "-v", is_flag=True, help="Show every request.")
@option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Write every line of the run to stderr as text, or as JSON objects.",
)
@connect_options
@db_option
@config_option
@click.pass_context
def sync(ctx: click.Context, /, **options: Any) -> int:
    """Bring the archive up to date from the API.

    The first run archives all history, newest months first. Later runs archive new data and what earlier runs left
    out, and fetch the last days again (--refresh).
    """
    log = Log(as_json=options["log_format"] == "json")
    if options["verbose"]:
        show_requests(options["log_format"])
    summary = Summary()
    try:
        settings = _settings(options, ctx.meta.get("archiver.config", {}))
        settings.scope.check()  # before the slow imports of a run, so that an error is shown at once
        if options["dry_run"]:
            return _show_request_plan(settings, log, as_json=options["as_json"], quiet=options["quiet"])
        _run(settings, summary, log, quiet=options["quiet"])
    except ArchiverError as error:
        summary.stopped = error
    except KeyboardInterrupt:
        summary.stopped = InterruptedRunError("stopped by SIGINT", signal_number=signal.SIGINT)
    except OSError as error:
        # Only limits of the system come here, because errors of files and sockets are translated where they occur.
        reason = error.strerror or type(error).__name__
        summary.stopped = StorageError(f"cannot run: {reason}", hint="check the limits of the system: ulimit -a")
    except Exception as error:  # noqa: BLE001  # with --json, a run prints its summary after a bug too
        log.write_bug(error)
        summary.stopped = ArchiverError(f"a bug: {type(error).__name__}")
    _print_end(ctx, options, summary, log)
    return summary.exit_code


def _focus_groupings(is_wanted: bool) -> tuple[str, ...]:  # noqa: FBT001  # an option's value
    """Return the value of --group-by that --focus adds, if it is given.

    It is the grouping of usage from which `export focus` computes exact quantities. The cost report lacks most of these
    dimensions, so the grouping does not apply to it.
    """
    from archiver.offline.export.focus.quantities import NEEDED  # noqa: PLC0415  # only where it is wanted

    return (",".join(NEEDED),) if is_wanted else ()


def _run(settings: Settings, summary: Summary, log: Log, *, quiet: bool) -> None:
    from archiver.cli.run import synchronise  # noqa: PLC0415  # aiohttp takes a third of a second to import

    per_second = settings.rate.per_second
    with choose_progress(quiet=quiet, log=log, per_minute=per_second and per_second * 60) as progress:
        synchronise(settings, progress, summary)


def _print_end(ctx: click.Context, options: dict[str, Any], summary: Summary, log: Log) -> None:
    if options["as_json"]:
        click.echo(json.dumps(summary.to_json(), indent=2))
    if summary.stopped is not None:
        log.write_error(summary.stopped)
    print_summary(summary, log, quiet=options["quiet"])
    if not options["quiet"]:
        print_money(options["db"], summary, log)
        if not summary.exit_code:
            _print_next(ctx, options["db"], log)


def _print_next(ctx: click.Context, db: Path, log: Log) -> None:
    """Suggest a report on the archive that was just synced."""
    is_default = ctx.get_parameter_source("db") is ParameterSource.DEFAULT
    command = shlex.join(["archiver", "report", "spend", *([] if is_default else ["--db", str(db)])])
    log.write("info", f"next: {command}")


def _settings(options: dict[str, Any], config: dict[str, Any]) -> Settings:
    """Return the settings from options and configuration.

    Raises:
        ConfigurationError: A value is invalid, or there is no key.
    """
    dimensions = tuple(config.get("dimensions", ())) or None
    valid = {dimension for spec in SPECS.values() for dimension in spec.group_by}
    for dimension in dimensions or ():
        if dimension not in valid:
            raise ConfigurationError(
                f"`dimensions` in the configuration has {dimension!r}, which no report has",
                hint=f"the dimensions are {', '.join(sorted(valid))}",
            )
    since = options["since"]
    return Settings(
        db=options["db"],
        api_url=check_api_url(options["api_url"]),
        key=find_key(options["admin_key_file"], options["admin_key_command"]),
        scope=Scope(
            reports=_reports(options["report"]),
            bucket_widths=tuple(dict.fromkeys(BucketWidth(w) for w in options["bucket_width"])),
            group_by=tuple(
                parse_group_by(text) for text in (*options["group_by"], *_focus_groupings(options["focus"]))
            ),
            filters=make_filters({dimension: options[dimension] for dimension in _FILTERS}),
            since=None if since == "auto" else since,
            whole_history=since == "auto",
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
        people=not options["no_people"],
    )


def _reports(names: tuple[str, ...]) -> tuple[Report, ...]:
    if "all" in names:
        return tuple(Report)
    return tuple(dict.fromkeys(Report(name) for name in names)) or DEFAULT_REPORTS


def _show_request_plan(settings: Settings, log: Log, *, as_json: bool, quiet: bool) -> int:
    from archiver.cli.run import plan_requests  # noqa: PLC0415  # aiohttp takes a third of a second to import

    plan = plan_requests(settings)
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=2))
    elif not quiet:
        print_warnings(plan.warnings, log)
        print_request_plan(plan, settings.rate)
    return 0
