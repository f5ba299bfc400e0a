"""Read a page of an analytics report, which is a list of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archiver.answer import Row, RowPage
from archiver.api.decode.interval import read_interval, read_time
from archiver.api.decode.jsontext import to_json
from archiver.api.decode.structs import convert, number_text, read_envelope, split_struct
from archiver.api.decode.warn import unknown_in_rows, unknown_values
from archiver.errors import ContractError
from archiver.reports import SPECS
from archiver.reports.analytics import KNOWN_PRODUCTS, read_actor, read_person, without_person

if TYPE_CHECKING:
    from archiver.model import NamedObject, Window
    from archiver.reports import ReportSpec
    from archiver.reports.spec import RowPaging

_ENVELOPE = ("data", "has_more", "next_page", "data_refreshed_at")


@dataclass(slots=True)
class _Draft:
    """The warnings and the people that are collected while a page is read.

    Attributes:
        window: The window that was requested.
        spec: The report of the window.
        paging: The `rows` of `spec`, which is not None here.
        warnings: The sentences about new fields and values. The keys of a dict keep their order and do not repeat.
        people: Id → person. One person can have several rows.
    """

    window: Window
    spec: ReportSpec
    paging: RowPaging
    warnings: dict[str, None] = field(default_factory=dict)
    people: dict[str, NamedObject] = field(default_factory=dict)


def read_analytics_page(raw: Any, window: Window) -> RowPage:
    """Read a page of the answer to `window` from its JSON.

    Unknown fields of rows are kept as `extra`.

    Raises:
        ContractError: The page breaks the contract.
    """
    spec = SPECS[window.series.report]
    assert spec.rows is not None
    draft = _Draft(window, spec, spec.rows)
    data, next_page, fields = read_envelope(raw, _ENVELOPE, draft.warnings)
    refreshed = fields.get("data_refreshed_at")
    refreshed_at = read_time(refreshed) if isinstance(refreshed, str) else None
    if refreshed is not None and refreshed_at is None:
        raise ContractError("Expected a time with an offset, or null", place="data_refreshed_at")
    rows = [_read_row(row, f"data[{i}]", draft) for i, row in enumerate(data)]
    return RowPage(
        rows,
        next_page,
        # Rounded down to a whole second, so that no use after the refresh counts as known.
        None if refreshed_at is None else int(refreshed_at.timestamp() // 1),
        tuple(draft.warnings),
        tuple(draft.people.values()),
    )


def _read_row(raw: Any, place: str, draft: _Draft) -> Row:
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place=place)
    metrics = draft.paging.metrics
    times = [raw.get(name) for name in ("starting_at", "ending_at")]
    if not all(isinstance(time, str) for time in times):
        raise ContractError("Expected the times of a bucket", place=place)
    start = read_interval(str(times[0]), str(times[1]), draft.window, draft.window.start, place)
    for name in ("group", metrics):
        if not isinstance(raw.get(name), dict):
            raise ContractError("Expected an object", place=f"{place}.{name}")
    # In `extra`, unknown fields stand at the same level as in the row: on top, or within the group or the metrics.
    extra = {name: v for name, v in raw.items() if name not in {"starting_at", "ending_at", "group", metrics}}
    dimensions, unknown = _read_group(raw["group"], f"{place}.group", draft)
    extra |= {"group": unknown} if unknown else {}
    values, currency, unknown = _read_metrics(raw[metrics], f"{place}.{metrics}", draft)
    extra |= {metrics: unknown} if unknown else {}
    if extra:
        names = [*(extra.keys() - {"group", metrics}), *extra.get("group", ()), *extra.get(metrics, ())]
        draft.warnings[unknown_in_rows(names)] = None
    columns = {**dimensions, "currency": currency}
    key = tuple(columns.get(name) for name in draft.spec.columns)
    return Row(start, key, values, to_json(extra) if extra else None)


def _read_group(raw: dict[str, Any], place: str, draft: _Draft) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Return the dimensions of a row by column, and its other fields."""
    group_by = draft.window.series.group_by
    columns: dict[str, str | None] = {}
    for name in group_by:
        if name not in raw:
            raise ContractError(f"Object missing required field {name}", place=place)
        value = raw[name]
        if name == "actor":
            columns |= _read_actor(value, f"{place}.actor", draft)
        elif not isinstance(value, str | None):
            raise ContractError("Expected a string or null", place=f"{place}.{name}")
        # `actor_type` may already be set by the actor, and a null must not replace it.
        elif value is not None or name not in columns:
            columns[name] = value
    product = columns.get("product")
    if product is not None and product not in KNOWN_PRODUCTS:
        draft.warnings[unknown_values("product", [product])] = None
    # The API sends null for a dimension that was not requested. Any other value is kept, but without what identifies a
    # person.
    others = {name: value for name, value in raw.items() if name not in group_by and value is not None}
    if "actor" in others:
        others["actor"] = without_person(others["actor"])
    return columns, others


def _read_actor(value: Any, place: str, draft: _Draft) -> dict[str, str | None]:
    if value is None:
        return {"actor_type": None, "actor_id": None}
    if not isinstance(value, dict):
        raise ContractError("Expected an object or null", place=place)
    try:
        kind, identity = read_actor(value)
    except ValueError as error:
        raise ContractError(str(error), place=place) from None
    if person := read_person(value):
        draft.people[person.id] = person
    return {"actor_type": kind, "actor_id": identity}


def _read_metrics(raw: dict[str, Any], place: str, draft: _Draft) -> tuple[tuple[Any, ...], str | None, dict[str, Any]]:
    """Return the measures of a row, its currency, and its other fields."""
    known, extra = split_struct(raw, draft.paging.metrics_type)
    # An amount may be a number in JSON instead of a text. Its digits are kept as they were sent.
    known |= {name: number_text(known[name]) for name in draft.spec.texts if name in known}
    metrics: Any = convert(known, draft.paging.metrics_type, place)
    try:
        values = tuple(read(metrics) for read in draft.spec.read_measures)
    except ValueError as error:
        raise ContractError(str(error), place=place) from None
    if not draft.spec.is_money and metrics.total_tokens != sum(values[:5]):
        # The first five measures are the token counts. Another total means that there are tokens of a new kind.
        extra["total_tokens"] = metrics.total_tokens
    return values, getattr(metrics, "currency", None), extra
