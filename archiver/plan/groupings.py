"""Expand `--group-by` into groupings: presets, and lists of dimensions.

A grouping is the set of dimensions of one series. The API refuses more than five dimensions in one request (reported by
users in March and July 2026, not documented), so groupings have a cap.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.model import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archiver.reports import ReportSpec

PRESETS = ("none", "finest", "each", "all")
DEFAULT_CAP = 5

Grouping = tuple[str, ...]


def finest(dimensions: Sequence[str], cap: int) -> list[Grouping]:
    """Return the fewest groupings that together cover all dimensions.

    Each has as many dimensions as the cap allows.
    """
    passes = []
    for start in range(0, len(dimensions), cap) if dimensions else ():
        chosen = list(dimensions[start : start + cap])
        # A last grouping with room left also gets the coarsest dimensions, which are the first, so that `verify` can
        # compare the sums of the passes by them.
        chosen += [d for d in dimensions if d not in chosen][: cap - len(chosen)]
        passes.append(tuple(sorted(chosen)))
    return passes or [()]


def each(dimensions: Sequence[str]) -> list[Grouping]:
    """Return the total, then one grouping for each dimension."""
    return [(), *((dimension,) for dimension in dimensions)]


def every_subset(dimensions: Sequence[str], cap: int) -> list[Grouping]:
    """Return every subset up to the cap, with the empty one (the total)."""
    sizes = range(min(cap, len(dimensions)) + 1)
    return [tuple(sorted(subset)) for size in sizes for subset in combinations(dimensions, size)]


def parse_group_by(text: str) -> str | Grouping:
    """Parse one `--group-by`: a preset, or a comma list of dimensions.

    A list is returned sorted and without repeats.

    Raises:
        ConfigurationError: The list is empty.
    """
    if text.strip() in PRESETS:
        return text.strip()
    names = tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))
    if not names:
        raise ConfigurationError(
            f"--group-by {text!r} names no dimension", hint=f"use {', '.join(PRESETS)}, or a comma list of dimensions"
        )
    return names


def _expand(wanted: str | Grouping, spec: ReportSpec, dimensions: Sequence[str], cap: int) -> list[Grouping]:
    if isinstance(wanted, tuple):
        return [wanted] if set(wanted) <= set(spec.group_by) else []
    if wanted == "none":
        return [()]
    if wanted == "finest":
        passes = finest(dimensions, cap)
    elif wanted == "each":
        passes = each(dimensions)
    else:
        passes = every_subset(dimensions, cap)
    return [tuple(sorted({*one, *spec.always_grouped})) if one else () for one in passes]


def groupings(
    wanted: Iterable[str | Grouping],
    specs: Sequence[ReportSpec],
    dimensions: Sequence[str] | None = None,
    cap: int = DEFAULT_CAP,
) -> dict[Report, list[Grouping]]:
    """Return the groupings of each report, in order, without repeats.

    `dimensions` are those that the presets range over; None stands for each report's defaults.

    Raises:
        ConfigurationError: A list fits no selected report, or is longer than the cap.
    """
    chosen: dict[Report, list[Grouping]] = {spec.report: [] for spec in specs}
    for one in wanted:
        if isinstance(one, tuple):
            _check_list(one, specs, cap)
        for spec in specs:
            for grouping in _expand(one, spec, _ranged_over(spec, dimensions), cap):
                if grouping not in chosen[spec.report]:
                    chosen[spec.report].append(grouping)
    return chosen


def _ranged_over(spec: ReportSpec, dimensions: Sequence[str] | None) -> tuple[str, ...]:
    """Return the dimensions of a report that the presets range over."""
    # A configured list applies to usage, and to another report only when it contains the dimension that only that one
    # has. Without this rule a list for usage that contains `workspace_id` would lead to a cost archive without
    # descriptions, and to one of the analytics reports without people.
    named = tuple(d for d in dict.fromkeys(dimensions or ()) if d in spec.group_by and d not in spec.always_grouped)
    applies = spec.report is Report.USAGE or ("actor" if spec.rows else "description") in named
    return named if named and applies else spec.default_dimensions


def _check_list(wanted: Grouping, specs: Sequence[ReportSpec], cap: int) -> None:
    fitting = [spec for spec in specs if set(wanted) <= set(spec.group_by)]
    if not fitting:
        known = "; ".join(f"{spec.report}: {' '.join(sorted(spec.group_by))}" for spec in specs)
        raise ConfigurationError(
            f"no selected report can be grouped by {','.join(wanted)}", hint=f"the dimensions are {known}"
        )
    number = min(spec.counted(wanted) for spec in fitting)
    if number > cap:
        raise ConfigurationError(
            f"--group-by {','.join(wanted)} has {number} dimensions; one request may ask for {cap}",
            hint="set `dimensions` in the configuration file and use --group-by finest, which takes several passes",
        )
