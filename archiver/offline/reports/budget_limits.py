"""The limits of `report budget`, of the configuration and of the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archiver.errors import ConfigurationError
from archiver.model import DAY, Report
from archiver.offline.tables.money import from_dollars
from archiver.offline.teams.rules import NO_TEAM
from archiver.reports.dimensions import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archiver.model import SpendLimit
    from archiver.offline.periods import Period
    from archiver.offline.reports.request import Budget, ReportRequest
    from archiver.offline.tables.table import Row
    from archiver.store.read.reader import ArchiveReader

_DEFAULT_WORKSPACE = BY_NAME["workspace"].null_label
_Names = dict[str, list[str | None]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the cost of a period.

    Attributes:
        amount: The limit in 1e-18 cents of a US dollar.
        unit: month, quarter or year.
        dimension: The word of `--by` that its groups are read by; "" for all cost.
        is_of: Returns whether a group counts, by its values.
        identity: The name or id in the configuration or the API, which no other limit of a period has.
        is_configured: Whether it is of the configuration, and not of the API.
    """

    name: str
    amount: int
    unit: str
    dimension: str
    is_of: Callable[[Row], bool]
    identity: tuple[str | None, ...]
    is_configured: bool = True


def limits_of(reader: ArchiveReader, request: ReportRequest, month: Period) -> tuple[list[Limit], int]:
    """Return all limits, and how many of the API are of another kind.

    Raises:
        ConfigurationError: A budget is of a name that is not in the archive.
    """
    of_api = reader.spend_limits()
    monthly = [one for one in of_api if _is_comparable(one)]
    names: dict[str, _Names] = {}
    limits = [_of_budget(reader, request, one, names) for one in request.budgets]
    limits += [_of_api(reader, one, month) for one in monthly]
    return limits, len(of_api) - len(monthly)


def _of_budget(reader: ArchiveReader, request: ReportRequest, one: Budget, known: dict[str, _Names]) -> Limit:
    amount = from_dollars(one.amount)
    if not one.dimension:
        return Limit(one.name, amount, one.unit, "", lambda _: True, (one.unit,))
    if one.dimension not in known:
        known[one.dimension] = _known_names(reader, request, one.dimension)
    ids = _ids(one.name, one.dimension, known[one.dimension])
    column = BY_NAME[one.dimension].column if one.dimension in BY_NAME else one.dimension
    return Limit(
        one.name,
        amount,
        one.unit,
        one.dimension,
        lambda values: values[column] in ids,
        (one.unit, one.dimension, one.name),
    )


def _known_names(reader: ArchiveReader, request: ReportRequest, dimension: str) -> _Names:
    """Return the names that each value of a dimension has or had, the newest last."""
    if dimension == "workspace":
        return {**reader.workspaces()}
    if dimension == "team":
        if request.teams is None:
            raise ConfigurationError("there is a budget of a team, and there are no teams", hint="give --teams FILE")
        return {team: [team] for team in (*request.teams.names, NO_TEAM)}
    if dimension == "model":
        lines = reader.lines(Report.COST, ("model",), reader.days(Report.COST))
        return {line.values["model"]: [line.values["model"]] for line in lines if isinstance(line.values["model"], str)}
    last = max((day.start for day in reader.days(Report.COST)), default=0)
    found: dict[str, Any] = {}
    for key in reader.api_keys():
        found[key.id] = [reader.with_labels({"api_key_id": key.id}, last)["api_key"]]
    return found


def _ids(wanted: str, dimension: str, names: Mapping[str, list[str | None]]) -> set[str | None]:
    """Return the ids that a budget names.

    An id wins over a current name, and a current name over an earlier one.
    """
    if dimension == "workspace" and wanted == _DEFAULT_WORKSPACE:
        return {None}
    found = (
        {wanted} & names.keys()
        or {one for one, had in names.items() if had[-1] == wanted}
        or {one for one, had in names.items() if wanted in had}
    )
    if not found:
        what = BY_NAME[dimension].name.replace("_", " ") if dimension in BY_NAME else dimension
        default = f", or '{_DEFAULT_WORKSPACE}'" if dimension == "workspace" else ""
        raise ConfigurationError(
            f"there is a budget of {wanted!r}, and no {what} has or had that name",
            hint=f"in [budgets.{dimension}s], write a name, an id{default}".replace("api_keys", "keys"),
        )
    return {*found}


def _is_comparable(limit: SpendLimit) -> bool:
    """Return whether a limit of the API is a monthly one of the organisation or a workspace."""
    return (
        limit.is_enabled
        and limit.amount is not None
        and (limit.period, limit.currency) == ("monthly", "USD")
        and limit.scope in {"organization", "usage_tier", "workspace"}
    )


def _of_api(reader: ArchiveReader, limit: SpendLimit, period: Period) -> Limit:
    amount = from_dollars(Decimal(str(limit.amount)) / 100)
    if limit.scope != "workspace":
        name = f"API limit: {limit.scope.replace('_', ' ')}"
        return Limit(name, amount, "month", "", lambda _: True, ("API", limit.id), is_configured=False)
    # The name is that of the end of the month, as in other reports.
    end = int(datetime.combine(period.until, time.min, UTC).timestamp()) - DAY
    label = reader.with_labels({"workspace_id": limit.scope_id}, end)["workspace"]
    return Limit(
        f"API limit: {label}",
        amount,
        "month",
        "workspace",
        lambda values: values["workspace_id"] == limit.scope_id,
        ("API", limit.id),
        is_configured=False,
    )
