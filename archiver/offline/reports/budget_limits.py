"""The limits for `report budget`: from the configuration and from the API."""

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
"""Id → the names that it has or had, the newest last; None stands for having no name."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on the cost of a period.

    Attributes:
        name: The name to show.
        amount: The limit in 1e-18 cents of a US dollar.
        unit: The length of the period: month, quarter or year.
        dimension: The dimension of `--by` that cost is grouped by, to select the cost that counts; "" for all cost.
        is_of: Returns whether a group of cost counts toward the limit. Its argument is the group's values by column.
        identity: The texts that distinguish the limit from all other limits on the same period.
        is_configured: Whether the limit is from the configuration; otherwise it is from the API.
    """

    name: str
    amount: int
    unit: str
    dimension: str
    is_of: Callable[[Row], bool]
    identity: tuple[str | None, ...]
    is_configured: bool = True


def limits_of(reader: ArchiveReader, request: ReportRequest, month: Period) -> tuple[list[Limit], int]:
    """Return limits to compare cost with, and the number of other API limits.

    Limits from the configuration come first. `month` is the month of the report.

    Raises:
        ConfigurationError: A budget names something that is not in the archive, or a team while there are no teams.
    """
    api_limits = reader.spend_limits()
    comparable = [limit for limit in api_limits if _is_comparable(limit)]
    names_by_dimension: dict[str, _Names] = {}
    limits = [_limit_from_budget(reader, request, budget, names_by_dimension) for budget in request.budgets]
    limits += [_limit_from_api(reader, limit, month) for limit in comparable]
    return limits, len(api_limits) - len(comparable)


def _limit_from_budget(
    reader: ArchiveReader, request: ReportRequest, budget: Budget, names_by_dimension: dict[str, _Names]
) -> Limit:
    """Return the limit for a configured budget.

    `names_by_dimension` keeps the names that were read, so that several budgets by one dimension read them once.
    """
    amount, dimension = from_dollars(budget.amount), budget.dimension
    if not dimension:
        return Limit(budget.name, amount, budget.unit, "", lambda _: True, (budget.unit,))
    if dimension not in names_by_dimension:
        names_by_dimension[dimension] = _names_by_id(reader, request, dimension)
    ids = _ids(budget.name, dimension, names_by_dimension[dimension])
    # Only `team` is not in BY_NAME, because teams are not stored: the column has the same name.
    column = BY_NAME[dimension].column if dimension in BY_NAME else dimension
    return Limit(
        budget.name,
        amount,
        budget.unit,
        dimension,
        lambda values: values[column] in ids,
        (budget.unit, dimension, budget.name),
    )


def _names_by_id(reader: ArchiveReader, request: ReportRequest, dimension: str) -> _Names:
    """Return the names of each value of a dimension, the newest last.

    Workspaces have their earlier names too, and API keys only one name. A team and a model are their own names.

    Raises:
        ConfigurationError: The dimension is `team`, and there are no teams.
    """
    if dimension == "workspace":
        return {**reader.workspaces()}
    if dimension == "team":
        if request.teams is None:
            raise ConfigurationError("there is a budget for a team, but there are no teams", hint="give --teams FILE")
        return {team: [team] for team in (*request.teams.names, NO_TEAM)}
    if dimension == "model":
        lines = reader.lines(Report.COST, ("model",), reader.days(Report.COST))
        # Only texts are names: the model is None where the API sent none, and a Label on days not grouped by model.
        return {line.values["model"]: [line.values["model"]] for line in lines if isinstance(line.values["model"], str)}
    # The dimension is `api_key`.
    last_day = max((day.start for day in reader.days(Report.COST)), default=0)
    names: dict[str, Any] = {}
    for key in reader.api_keys():
        names[key.id] = [reader.with_labels({"api_key_id": key.id}, last_day)["api_key"]]
    return names


def _ids(wanted: str, dimension: str, names: Mapping[str, list[str | None]]) -> set[str | None]:
    """Return the ids that a budget means with its name or id, `wanted`.

    If `wanted` is an id, only this id is returned. Otherwise all ids with this current name are returned, or if there
    are none, all ids with this earlier name.

    Raises:
        ConfigurationError: No id has or had that name.
    """
    if dimension == "workspace" and wanted == _DEFAULT_WORKSPACE:
        return {None}  # cost in the default workspace has no workspace id
    found = (
        {wanted} & names.keys()
        or {identity for identity, its_names in names.items() if its_names[-1] == wanted}
        or {identity for identity, its_names in names.items() if wanted in its_names}
    )
    if not found:
        noun = BY_NAME[dimension].name.replace("_", " ") if dimension in BY_NAME else dimension
        default = f", or '{_DEFAULT_WORKSPACE}'" if dimension == "workspace" else ""
        raise ConfigurationError(
            f"there is a budget for {wanted!r}, but no {noun} has or had that name",
            # The table in the configuration is [budgets.keys], although the dimension is `api_key`.
            hint=f"in [budgets.{dimension}s], write a name, an id{default}".replace("api_keys", "keys"),
        )
    return {*found}


def _is_comparable(limit: SpendLimit) -> bool:
    """Return whether an API limit can be compared with cost.

    It has to be an enabled monthly limit with an amount in US dollars, on the organisation, its usage tier or a
    workspace.
    """
    return (
        limit.is_enabled
        and limit.amount is not None
        and (limit.period, limit.currency) == ("monthly", "USD")
        and limit.scope in {"organization", "usage_tier", "workspace"}
    )


def _limit_from_api(reader: ArchiveReader, limit: SpendLimit, month: Period) -> Limit:
    amount = from_dollars(Decimal(str(limit.amount)) / 100)  # the API sends cents
    if limit.scope != "workspace":
        name = f"API limit: {limit.scope.replace('_', ' ')}"
        return Limit(name, amount, "month", "", lambda _: True, ("API", limit.id), is_configured=False)
    # As in other reports, the name is the one at the end of the month: `with_labels` expects the start of its last day.
    last_day = int(datetime.combine(month.until, time.min, UTC).timestamp()) - DAY
    label = reader.with_labels({"workspace_id": limit.scope_id}, last_day)["workspace"]
    return Limit(
        f"API limit: {label}",
        amount,
        "month",
        "workspace",
        lambda values: values["workspace_id"] == limit.scope_id,
        ("API", limit.id),
        is_configured=False,
    )
