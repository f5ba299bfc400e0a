"""The options that only some reports have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archiver.cli.options import FILE, Percent, Time, option
from archiver.offline.periods import EXAMPLES
from archiver.offline.reports.idle import DEFAULT_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.offline.reports.registry import BuiltInReport

_PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "month": ("--month", {"metavar": "YYYY-MM", "help": "This month alone; also this-month, last-month."}),
    "day": ("--day", {"metavar": "DAY", "help": "This day alone, as 2026-10-05 or yesterday."}),
    "period": ("--period", {"metavar": "PERIOD", "help": f"This period alone: {EXAMPLES}."}),
    "with": ("--with", {"metavar": "PERIOD", "help": "Compare with this period.  [default: the one before]"}),
    "top": (
        "--top",
        {"type": click.IntRange(min=1), "metavar": "N", "help": "The N largest, and the others in one line."},
    ),
    "as_of": ("--as-of", {"type": Time(), "metavar": "TIME", "help": "As it was known at this time."}),
    "unit": (
        "--unit",
        {"type": click.Choice(["usd", "cents"]), "default": "usd", "show_default": True, "help": "Unit of amounts."},
    ),
    "days": (
        "--days",
        {
            "type": click.IntRange(1, 3660),
            "default": DEFAULT_DAYS,
            "show_default": True,
            "metavar": "N",
            "help": "Not used for N days.",
        },
    ),
    "timezone": (
        "--timezone",
        {"default": "UTC", "show_default": True, "metavar": "ZONE", "help": "Show hours in this timezone."},
    ),
    "teams": (
        "--teams",
        {"type": FILE, "metavar": "FILE", "help": "Rules of teams.  [default: teams.toml next to the configuration]"},
    ),
    "against": ("--against", {"type": FILE, "metavar": "FILE", "help": "Compare with this CSV log of a gateway."}),
    "tolerance": (
        "--tolerance",
        {
            "type": Percent(),
            "default": "1%",
            "show_default": True,
            "metavar": "PERCENT",
            "help": "Numbers match within this.",
        },
    ),
    "warn": ("--warn", {"is_flag": True, "help": "Exit 3 also when a limit is projected to be exceeded."}),
}


def option_of(name: str, of: BuiltInReport) -> Callable[[Any], Any]:
    """Return the decorator of an option, with the help for one report."""
    if name in _PLAIN:
        word, settings = _PLAIN[name]
        return option(word, **settings)
    metavar = "TIME" if of.by_time_seen else "DATE"
    if name == "since":
        text = "Changes first seen since this time." if of.by_time_seen else "From this day on."
        return option("--since", type=Time(auto=True), metavar=metavar, help=text, required=of.name == "changes")
    if name == "until":
        text = "Changes first seen before this time." if of.by_time_seen else "Up to this day, exclusive."
        return option("--until", type=Time(), metavar=metavar, help=text)
    if name == "sort":
        choice = click.Choice(of.sorts)
        return option(
            "--sort", type=choice, default=of.sorts[0], show_default=True, help="Largest of this column first."
        )
    assert name == "by"
    text = f"Group by this (repeatable): {', '.join(of.dimensions)}."
    return option("--by", multiple=True, metavar="DIMENSION", help=text)
