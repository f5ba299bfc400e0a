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
All of its data is invented: organisation, use and prices

Archive it from another terminal:

  export ANTHROPIC_ADMIN_API_KEY={key}
  archiver sync --api-url {url} --db simulated.db

Stop it with Ctrl-C"""


def _list_faults(context: click.Context, _: click.Parameter, value: object) -> None:
    if not value:
        return
    from archiver.simulator import FAULTS  # noqa: PLC0415 - importing aiohttp takes long

    width = max(map(len, FAULTS))
    for name, description in FAULTS.items():
        click.echo(f"{name:{width}}  {description}")
    context.exit()


def _faults(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    # A missing `=` and a chance that is no number both raise ValueError.
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
@option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 for a free one.")
@option("--seed", type=int, default=1, show_default=True, help="Seed of the invented organisation.")
@option("--first-day", type=_DAY, metavar="DATE", help="First day with use. [default: 13 months before now]")
@option("--size", type=click.FloatRange(0.001, 1000), default=1.0, show_default=True, help="Amount of use.")
@option(
    "--now",
    type=_TIME,
    metavar="DATE",
    help="Freeze the clock at this time (UTC). [default: the real time]",
)
@option("--latency", type=click.FloatRange(0), default=0.0, help="Delay of every response, in milliseconds.")
@option("--rate-limit", type=click.IntRange(1), help="Requests a minute; faster ones get a 429.")
@option("--rate-headers/--no-rate-headers", default=False, help="Send retry-after with a 429.")
@option(
    "--fault",
    "faults",
    multiple=True,
    callback=_faults,
    metavar="NAME=CHANCE",
    help="Fault of responses, see --list-faults. Repeatable.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,  # it exits before other options are checked
    expose_value=False,
    callback=_list_faults,
    help="List all faults and exit.",
)
@option("--late", type=_CHANCE, default=0.0, help="Fraction of the use that becomes visible late.")
@option("--late-hours", type=click.FloatRange(0), default=72.0, show_default=True, help="Longest delay of late use.")
@option("--quiet-from", type=_DAY, metavar="DATE", help="First day of a stretch without any use.")
@option("--quiet-to", type=_DAY, metavar="DATE", help="Last day of that stretch.")
def simulate(**options: Any) -> None:
    """Serve a local Admin API with invented data.

    It responds like the real one, on the loopback address only, until it is interrupted (Ctrl-C).
    """
    settings = _settings(options)
    from archiver.simulator import Simulator  # noqa: PLC0415 - importing aiohttp takes long

    try:
        simulator = Simulator(settings)
    except ValueError as error:
        raise click.UsageError(f"{error}\nhint: --list-faults shows the names") from None
    try:
        asyncio.run(_serve(simulator))
    except OSError as error:
        message = f"cannot listen on port {settings.port}: {error.strerror}\nhint: --port 0 uses a free port"
        raise click.UsageError(message) from None


def _settings(options: dict[str, Any]) -> Settings:
    from archiver.simulator import Settings  # noqa: PLC0415 - importing aiohttp takes long

    quiet = _quiet(options.pop("quiet_from"), options.pop("quiet_to"))
    first_day: datetime | None = options.pop("first_day")
    now: datetime | None = options.pop("now")
    return Settings(
        first_day=first_day.date() if first_day else None,
        now=now.replace(tzinfo=UTC) if now else None,
        latency=options.pop("latency") / 1000,
        late_by=timedelta(hours=options.pop("late_hours")),
        quiet=quiet,
        **options,
    )


def _quiet(first: datetime | None, last: datetime | None) -> tuple[date, date] | None:
    if first is None and last is None:
        return None
    if first is None or last is None or last < first:
        raise click.UsageError("--quiet-from and --quiet-to need each other, in this order")
    return first.date(), last.date()


async def _serve(simulator: Simulator) -> None:
    # Either signal is the usual way to stop the server, so it is closed in order and is no error.
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with simulator:
        click.echo(_INTRODUCTION.format(url=simulator.url, key=simulator.key), err=True)
        await stopped.wait()
