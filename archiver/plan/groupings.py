"""Expand `--group-by`, a preset or a list of dimensions, into groupings.

A grouping is the set of dimensions of one series. The API refuses more than five dimensions in one request (reported by
users in March and July 2026, not documented), so the size of a grouping has a cap.
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

    Each grouping has as many dimensions as the cap allows. Without dimensions, the only grouping is the total.
    """
    passes = []  # a pass is one grouping, with which the whole report is fetched once
    for start in range(0, len(dimensions), cap) if dimensions else ():
        chosen = list(dimensions[start : start + cap])
        # The last pass may have fewer dimensions than the cap. It is filled up with the coarsest dimensions, which are
        # the first, so that `verify` can compare the sums of the passes by these dimensions.
        chosen += [name for name in dimensions if name not in chosen][: cap - len(chosen)]
        passes.append(tuple(sorted(chosen)))
    return passes or [()]


def each(dimensions: Sequence[str]) -> list[Grouping]:
    """Return the total, then one grouping for each dimension."""
    return [(), *((dimension,) for dimension in dimensions)]


def every_subset(dimensions: Sequence[str], cap: int) -> list[Grouping]:
    """Return every subset up to the cap, including the empty set (the total)."""
    sizes = range(min(cap, len(dimensions)) + 1)
    return [tuple(sorted(subset)) for size in sizes for subset in combinations(dimensions, size)]


def parse_group_by(text: str) -> str | Grouping:
    """Parse one `--group-by`: a preset, or dimensions separated by commas.

    A list is returned sorted and without repeats. Its dimensions are not checked here.

    Raises:
        ConfigurationError: The text names no dimension.
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
    """Return the groupings of a report for one `--group-by`.

    `dimensions` are the dimensions that a preset combines. A list that does not fit the report has no grouping.
    """
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
    # The total stays without dimensions.
    return [tuple(sorted({*grouping, *spec.always_grouped})) if grouping else () for grouping in passes]


def groupings(
    wanted: Iterable[str | Grouping],
    specs: Sequence[ReportSpec],
    dimensions: Sequence[str] | None = None,
    cap: int = DEFAULT_CAP,
) -> dict[Report, list[Grouping]]:
    """Return the groupings of each report, in order, without repeats.

    `dimensions` are the dimensions that the presets combine; None stands for each report's defaults.

    Raises:
        ConfigurationError: A list fits no selected report, or is longer than the cap.
    """
    chosen: dict[Report, list[Grouping]] = {spec.report: [] for spec in specs}
    for group_by in wanted:
        if isinstance(group_by, tuple):
            _check_list(group_by, specs, cap)
        for spec in specs:
            for grouping in _expand(group_by, spec, _preset_dimensions(spec, dimensions), cap):
                if grouping not in chosen[spec.report]:
                    chosen[spec.report].append(grouping)
    return chosen


def _preset_dimensions(spec: ReportSpec, dimensions: Sequence[str] | None) -> tuple[str, ...]:
    """Return the dimensions of a report that the presets combine."""
    configured = dict.fromkeys(dimensions or ())  # without repeats, in order
    usable = tuple(name for name in configured if name in spec.group_by and name not in spec.always_grouped)
    # A configured list applies to usage. It applies to another report only if it contains the dimension that usage does
    # not have: `description` for cost, `actor` for the analytics reports. Without this rule, a list for usage that
    # contains `workspace_id` would archive cost without descriptions, and analytics reports without people.
    applies = spec.report is Report.USAGE or ("actor" if spec.rows else "description") in usable
    return usable if usable and applies else spec.default_dimensions


def _check_list(wanted: Grouping, specs: Sequence[ReportSpec], cap: int) -> None:
    """Check that a list of dimensions fits at least one report, and the cap."""
    fitting = [spec for spec in specs if set(wanted) <= set(spec.group_by)]
    if not fitting:
        dimensions = "; ".join(f"{spec.report}: {' '.join(sorted(spec.group_by))}" for spec in specs)
        raise ConfigurationError(
            f"no selected report can be grouped by {','.join(wanted)}", hint=f"the dimensions are {dimensions}"
        )
    size = min(spec.counted(wanted) for spec in fitting)
    if size > cap:
        raise ConfigurationError(
            f"--group-by {','.join(wanted)} has {size} dimensions; one request may ask for {cap}",
            hint="set `dimensions` in the configuration file and use --group-by finest, which takes several passes",
        )
