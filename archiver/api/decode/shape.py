"""Find the fields of a page's rows, and build msgspec types for them.

The documented fields are the first guess. When rows differ from it, because the API has a new field, their fields are
surveyed and a type is built for them. It decodes nearly as fast as that of the documented fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from archiver.api.decode.extra import ExtraTexts, Path
from archiver.reports import SPECS
from archiver.reports.spec import JsonNumber

if TYPE_CHECKING:
    from archiver.model import Report
    from archiver.reports import ReportSpec

RawRow = Mapping[str, Raw]


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of some rows.

    Attributes:
        names: The fields that at least one row has.
        required: The fields that every row has.
        untyped: The documented fields with a value of another type than documented in some row.
        nested: The shapes of the fields that are documented as objects.
    """

    names: frozenset[str]
    required: frozenset[str]
    untyped: frozenset[str] = frozenset()
    nested: tuple[tuple[str, Shape], ...] = ()

    def merge(self, other: Shape) -> Shape:
        """Return the shape of the rows of both shapes together."""
        theirs = dict(other.nested)
        nested = {name: one.merge(theirs[name]) if name in theirs else one for name, one in self.nested}
        return Shape(
            self.names | other.names,
            self.required & other.required,
            self.untyped | other.untyped,
            tuple(sorted((theirs | nested).items(), key=lambda item: item[0])),
        )


def documented(report: Report, group_by: tuple[str, ...]) -> Shape:
    """Return the shape of rows as documented: every field in every row."""
    spec = SPECS[report]
    shown = {name for name in spec.group_by if name in group_by or name not in spec.only_when_asked}
    names = frozenset({*shown, *spec.parsed, *spec.wire_measures})
    nested = {name: frozenset(_fields(kind)) for name, kind in _structs(spec)}
    return Shape(names, names, nested=tuple((name, Shape(one, one)) for name, one in sorted(nested.items())))


def survey(report: Report, group_by: tuple[str, ...], rows: Sequence[RawRow]) -> Shape:
    """Return the shape of some rows."""
    spec = SPECS[report]
    outer = _survey_names(rows)
    # Untyped are a dimension with a value although it was not requested, and an amount that is a number in JSON.
    untyped = {n for n in _not_requested(spec, group_by) if any(bytes(row.get(n, b"null")) != b"null" for row in rows)}
    untyped |= {name for name in spec.texts if any(bytes(row.get(name, b'"'))[:1] != b'"' for row in rows)}
    nested = []
    for name, _ in sorted(_structs(spec)):
        inner = [msgspec.json.decode(row[name], type=dict[str, Raw]) for row in rows if name in row]
        nested.append((name, _survey_names(inner)))
    return Shape(outer.names, outer.required, frozenset(untyped & outer.names), tuple(nested))


def _survey_names(rows: Sequence[RawRow]) -> Shape:
    names: frozenset[str] = frozenset().union(*rows)
    return Shape(names, names.intersection(*rows) if rows else names)


def _structs(spec: ReportSpec) -> list[tuple[str, type[msgspec.Struct]]]:
    """Return the documented fields that are objects, with their types."""
    # The other measures are counts, which are annotated types and no classes, and text.
    return [(n, kind) for n, kind in spec.wire_measures.items() if isinstance(kind, type) and kind is not str]


def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {one.name: one.type for one in msgspec.structs.fields(kind)}


def _not_requested(spec: ReportSpec, group_by: tuple[str, ...]) -> list[str]:
    return [name for name in spec.group_by if name not in group_by and name not in spec.parsed]


@dataclass(frozen=True, slots=True)
class RowType:
    """The functions that decode rows of one shape.

    Attributes:
        shape: The fields of the rows.
        decode: Decodes the JSON of a list of rows to structs.
        read_named: Returns the values of the dimensions that a struct has.
        columns: The position in the result of `read_named` for each column of the report; None for a column that rows
            do not have.
        unknown: The names of the fields that go to `extra`.
        count_keys: Returns the number of colons behind and within the keys of some structs.
        extras: Returns a new builder of `extra`; None where rows have no unknown fields.
    """

    shape: Shape
    decode: Callable[[Raw], list[Any]]
    read_named: Callable[[Any], tuple[str | None, ...]]
    columns: tuple[int | None, ...]
    unknown: tuple[str, ...]
    count_keys: Callable[[Sequence[Any]], int]
    extras: Callable[[], ExtraTexts] | None


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a type.

    Attributes:
        name: The name in JSON.
        attribute: The name of the attribute of the struct, which has to be an identifier.
        required: Whether every row has it.
        unknown: Whether it goes to `extra`.
        drops_null: Whether a null is left out of `extra`.
        default: The value of the attribute where a row does not have the field.
        nested: The fields of its object; empty for a field that is no object.
    """

    name: str
    attribute: str
    required: bool
    unknown: bool = False
    drops_null: bool = False
    default: Any = UNSET
    nested: tuple[_Field, ...] = ()

    @property
    def weight(self) -> int:
        """The number of colons behind the key and within it."""
        return 1 + self.name.count(":")


@lru_cache(64)
def build(report: Report, group_by: tuple[str, ...], shape: Shape) -> RowType:
    """Build the type of rows of a shape."""
    spec = SPECS[report]
    fields: list[_Field] = []
    members: list[Any] = []
    for name in sorted(shape.names | spec.wire_measures.keys() | set(group_by)):
        one, member = _member(spec, group_by, shape, name, len(fields))
        fields.append(one)
        members.append(member)
    rename = {one.attribute: one.name for one in fields}
    row = msgspec.defstruct("Row", _defaults_last(members), rename=rename, forbid_unknown_fields=True, gc=False)
    named = [column for column in spec.columns if column in rename and column not in _not_requested(spec, group_by)]
    optional = any(not one.required for one in fields if one.name in named)
    unknown = _unknown_paths(fields)
    return RowType(
        shape,
        msgspec.json.Decoder(list[row], float_hook=JsonNumber).decode,  # type: ignore[valid-type]
        _tuple_of(named, optional=optional),
        tuple(named.index(column) if column in named else None for column in spec.columns),
        tuple(sorted({path.parent or path.name for path in unknown})),
        _key_counter(fields),
        partial(ExtraTexts, tuple(unknown), tuple(unknown.values())) if unknown else None,
    )


def _member(spec: ReportSpec, group_by: tuple[str, ...], shape: Shape, name: str, number: int) -> tuple[_Field, Any]:
    """Return one field of a row, and its definition for `msgspec.defstruct`.

    A field of an unknown name or type becomes an unknown field, with a number in place of its name.
    """
    required = name in shape.required
    optional = [] if required else [UNSET]
    if name in spec.wire_measures:
        return _measure(spec, shape, name, required=required)
    if name in group_by:  # a row without a requested dimension is refused
        return _Field(name, name, required=True), (name, str | None)
    if name in spec.parsed:
        return _Field(name, name, required), (name, str | None if required else str | None | UnsetType, *optional)
    if name in spec.group_by and name not in shape.untyped:
        return _Field(name, name, required), (name, None if required else None | UnsetType, *optional)
    drops_null = name in spec.group_by
    one = _Field(name, f"unknown_{number}", required, unknown=True, drops_null=drops_null)
    return one, (one.attribute, Any) if required else (one.attribute, Any, UNSET)


def _measure(spec: ReportSpec, shape: Shape, name: str, *, required: bool) -> tuple[_Field, Any]:
    """Return a field that is no dimension, and its definition for msgspec."""
    kind: Any = Any if name in shape.untyped else spec.wire_measures[name]
    # An object gets a type of its own, because it may have unknown fields too.
    inner = dict(shape.nested).get(name)
    fields: list[_Field] = []
    if inner is not None:
        known = _fields(kind)
        fields = [_Field(one, one, required=True) for one in sorted(known)]
        names = sorted(inner.names - known.keys())
        fields += [_Field(n, f"unknown_{i}", n in inner.required, unknown=True) for i, n in enumerate(names)]
        members: list[Any] = [(one.attribute, known[one.name]) for one in fields if not one.unknown]
        members += [(f.attribute, Any) if f.required else (f.attribute, Any, UNSET) for f in fields if f.unknown]
        rename = {one.attribute: one.name for one in fields}
        kind = msgspec.defstruct(
            "Inner", _defaults_last(members), rename=rename, forbid_unknown_fields=True, frozen=True, gc=False
        )
    if required or name not in spec.absent:
        return _Field(name, name, required=True, nested=tuple(fields)), (name, kind)
    unknown = {one.attribute: UNSET for one in fields if one.unknown}
    default = kind(**msgspec.structs.asdict(spec.absent[name]), **unknown)
    return _Field(name, name, required=False, default=default, nested=tuple(fields)), (name, kind, default)


def _defaults_last(members: Sequence[Any]) -> list[Any]:
    # Definitions with a default have three parts, and msgspec requires them to be last.
    return sorted(members, key=len)


def _tuple_of(names: Sequence[str], *, optional: bool) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that reads attributes as a tuple, of any length."""
    # `attrgetter` of one name returns no tuple, and it would return UNSET for an absent value.
    if len(names) > 1 and not optional:
        return attrgetter(*names)
    return lambda row: tuple(None if (value := getattr(row, name)) is UNSET else value for name in names)


def _unknown_paths(fields: Sequence[_Field]) -> dict[Path, Callable[[Any], Any]]:
    """Return the paths of unknown fields, each with a function to read it.

    The paths are in canonical order, that of `to_json`.
    """
    found: dict[Path, Callable[[Any], Any]] = {}
    for one in sorted(fields, key=lambda field: field.name):
        if one.unknown:
            found[Path(None, one.name, one.drops_null)] = attrgetter(one.attribute)
        for inner in sorted((field for field in one.nested if field.unknown), key=lambda field: field.name):
            found[Path(one.name, inner.name, drops_null=False)] = attrgetter(f"{one.attribute}.{inner.attribute}")
    return found


def _key_counter(fields: Sequence[_Field]) -> Callable[[Sequence[Any]], int]:
    """Return a function that counts the colons of the keys of rows."""
    # Where all fields are required, every row has the same number.
    if all(one.required and all(inner.required for inner in one.nested) for one in fields):
        constant = sum(one.weight + sum(inner.weight for inner in one.nested) for one in fields)
        return lambda rows: constant * len(rows)
    return lambda rows: sum(_count_keys(row, fields) for row in rows)


def _count_keys(row: Any, fields: Sequence[_Field]) -> int:
    count = 0
    for one in fields:
        value = getattr(row, one.attribute)
        if value is not one.default:
            count += one.weight + (_count_keys(value, one.nested) if one.nested else 0)
    return count
