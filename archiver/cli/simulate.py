"""`archiver simulate`: a local Admin API with invented data."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.command import Command
from archiver.cli.options import option

if TYPE_CHECKING:
    from archiver.simulator import Settings, Simulator

_DAY = click.DateTime(["%Y-%m-%d"])
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])
_CHANCE = click.FloatRange(0, 1)

_INTRODUCTION = """\
A simulated Admin API listens on {url}
All of its data is invented: the organisation, its usage and its prices

Archive it from another terminal:

  export ANTHROPIC_ADMIN_API_KEY={key}
  archiver sync --api-url {url} --db simulated.db

Stop it with Ctrl-C"""


def _list_faults(context: click.Context, _: click.Parameter, value: object) -> None:
    """Print all faults and exit, if `--list-faults` is given."""
    if not value:  # click also calls this without the option
        return
    from archiver.simulator import FAULTS  # noqa: PLC0415 - importing aiohttp takes long

    width = max(map(len, FAULTS))
    for name, description in FAULTS.items():
        click.echo(f"{name:{width}}  {description}")
    context.exit()


def _faults(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Return the chance of each fault by its name.

    Names and the range of chances are checked by `Simulator`.

    Raises:
        BadParameter: A value does not have the form NAME=CHANCE.
    """
    # ValueError: there is not exactly one `=`, or the chance is not a number.
    try:
        return {name: float(chance) for name, chance in (value.split("=") for value in values)}
    except ValueError:
        message = "expected NAME=CHANCE with a chance from 0 to 1\nhint: --list-faults shows the names"
        raise click.BadParameter(message, param=parameter) from None


@click.command(
    cls=Command,
    examples=[
        "archiver simulate --port 8765",
        "archiver simulate --rate-limit 60 --fault 500=0.05 --late 0.1",
    ],
)
@option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 uses a free port.")
@option("--seed", type=int, default=1, show_default=True, help="Seed that all data is drawn from.")
@option("--first-day", type=_DAY, metavar="DATE", help="First day with usage. [default: 13 months before now]")
@option(
    "--size", type=click.FloatRange(0.001, 1000), default=1.0, show_default=True, help="Factor for usage and API keys."
)
@option(
    "--now",
    type=_TIME,
    metavar="DATE",
    help="Freeze the clock at this time (UTC). [default: the real time]",
)
@option("--latency", type=click.FloatRange(0), default=0.0, help="Delay before every response, in milliseconds.")
@option("--rate-limit", type=click.IntRange(1), help="Requests per minute; further requests get a 429.")
@option(
    "--rate-headers/--no-rate-headers",
    default=False,
    help="Send the headers retry-after and anthropic-ratelimit-* with this 429.",
)
@option(
    "--fault",
    "faults",
    multiple=True,
    callback=_faults,
    metavar="NAME=CHANCE",
    help="Cause this fault in responses with a chance from 0 to 1; see --list-faults. Repeatable.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,  # parsed first, so that faulty values of other options do not prevent the list
    expose_value=False,
    callback=_list_faults,
    help="List all faults and exit.",
)
@option("--late", type=_CHANCE, default=0.0, help="Fraction of usage that the API returns late.")
@option("--late-hours", type=click.FloatRange(0), default=72.0, show_default=True, help="Longest delay of late usage.")
@option("--quiet-from", type=_DAY, metavar="DATE", help="First day of a range without usage; needs --quiet-to.")
@option("--quiet-to", type=_DAY, metavar="DATE", help="Last day of the range without usage; needs --quiet-from.")
def simulate(**options: Any) -> None:
    """Serve a local Admin API with invented data.

    The simulator responds like the real API. It listens on the loopback address only, until Ctrl-C stops it.
    """
    settings = _settings(options)
    from archiver.simulator import Simulator  # noqa: PLC0415 - importing aiohttp takes long

    try:
        simulator = Simulator(settings)
    except ValueError as error:  # an unknown fault, or a chance that is not from 0 to 1
        raise click.UsageError(f"{error}\nhint: --list-faults shows the names") from None
    try:
        asyncio.run(_serve(simulator))
    except OSError as error:
        message = f"cannot listen on port {settings.port}: {error.strerror}\nhint: --port 0 uses a free port"
        raise click.UsageError(message) from None


def _settings(options: dict[str, Any]) -> Settings:
    """Return the settings of the simulator.

    Options that need a conversion are removed from `options`.
    """
    from archiver.simulator import Settings  # noqa: PLC0415 - importing aiohttp takes long

    quiet = _quiet(options.pop("quiet_from"), options.pop("quiet_to"))
    first_day: datetime | None = options.pop("first_day")
    now: datetime | None = options.pop("now")
    return Settings(
        first_day=first_day.date() if first_day else None,
        now=now.replace(tzinfo=UTC) if now else None,  # click returns times without a timezone
        latency=options.pop("latency") / 1000,  # milliseconds to seconds
        late_by=timedelta(hours=options.pop("late_hours")),
        quiet=quiet,
        **options,  # the other options have the names and units of the settings
    )


def _quiet(first: datetime | None, last: datetime | None) -> tuple[date, date] | None:
    """Return the first and last day without usage; None if none is given.

    Raises:
        UsageError: One of the days is not given, or the last day is before the first.
    """
    if first is None and last is None:
        return None
    if first is None or last is None or last < first:
        raise click.UsageError("--quiet-to is needed with --quiet-from, and must not be before it")
    return first.date(), last.date()


async def _serve(simulator: Simulator) -> None:
    # Both signals are usual ways to stop a server: they close it properly, and the command exits with 0.
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stopped.set)
    async with simulator:
        click.echo(_INTRODUCTION.format(url=simulator.url, key=simulator.key), err=True)
        await stopped.wait()
