"""Find the fields of a page's rows, and build msgspec types for them.

A page is first decoded with a type of the documented fields. If its rows do not fit, for example because the API has a
new field, `survey` finds the fields that they have and `build` makes a type for these, which decodes nearly as fast.

Fields that are not documented are called unknown here. Their values are kept in `extra`, a JSON text of the row.

Some functions count colons. The caller `fast` compares the colons of a page with those of the decoded content, to find
repeated keys: a JSON text has one colon behind each key, and possibly more within keys and strings.
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
    """The fields that a set of rows has.

    Attributes:
        names: The fields that at least one row has.
        required: The fields that every row has.
        untyped: The documented fields that in at least one row have a value of another type than documented.
        nested: For each field that is documented as an object, its name and the shape of its objects.
    """

    names: frozenset[str]
    required: frozenset[str]
    untyped: frozenset[str] = frozenset()
    nested: tuple[tuple[str, Shape], ...] = ()

    def merge(self, other: Shape) -> Shape:
        """Return the shape of all rows that have one of the two shapes."""
        nested = dict(other.nested)
        for name, shape in self.nested:
            nested[name] = shape.merge(nested[name]) if name in nested else shape
        return Shape(
            self.names | other.names,
            self.required & other.required,
            self.untyped | other.untyped,
            tuple(sorted(nested.items(), key=lambda item: item[0])),  # by name: shapes have no order
        )


def documented(report: Report, group_by: tuple[str, ...]) -> Shape:
    """Return the documented shape of rows, in which every row has every field."""
    spec = SPECS[report]
    # The API sends also dimensions that were not requested, as null, except for those of `only_when_asked`.
    dimensions = {name for name in spec.group_by if name in group_by or name not in spec.only_when_asked}
    names = frozenset({*dimensions, *spec.parsed, *spec.wire_measures})
    nested = {name: frozenset(_field_types(struct)) for name, struct in _object_fields(spec)}
    return Shape(names, names, nested=tuple((name, Shape(inner, inner)) for name, inner in sorted(nested.items())))


def survey(report: Report, group_by: tuple[str, ...], rows: Sequence[RawRow]) -> Shape:
    """Return the shape of rows that a response has.

    Raises:
        msgspec.MsgspecError: A field that is documented as an object is not one.
    """
    spec = SPECS[report]
    outer = _survey_names(rows)
    # Two kinds of fields can be untyped. The first is a dimension that was not requested, with a value instead of null.
    # An absent field is no difference: the defaults, here and below, are as documented.
    not_null = {
        name for name in _not_requested(spec, group_by) if any(bytes(row.get(name, b"null")) != b"null" for row in rows)
    }
    # The second is an amount that is a JSON number and not a string, so that its text does not begin with a quote.
    not_string = {name for name in spec.texts if any(bytes(row.get(name, b'"'))[:1] != b'"' for row in rows)}
    nested = []
    for name, _ in sorted(_object_fields(spec)):
        objects = [msgspec.json.decode(row[name], type=dict[str, Raw]) for row in rows if name in row]
        nested.append((name, _survey_names(objects)))
    untyped = (not_null | not_string) & outer.names
    return Shape(outer.names, outer.required, frozenset(untyped), tuple(nested))


def _survey_names(rows: Sequence[RawRow]) -> Shape:
    names: frozenset[str] = frozenset().union(*rows)
    return Shape(names, names.intersection(*rows) if rows else names)


def _object_fields(spec: ReportSpec) -> list[tuple[str, type[msgspec.Struct]]]:
    """Return the documented fields that are objects, with their types."""
    # The other measures are text (`str`) or counts. `Count` is an annotated type, which is not a class.
    return [(name, kind) for name, kind in spec.wire_measures.items() if isinstance(kind, type) and kind is not str]


def _field_types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def _not_requested(spec: ReportSpec, group_by: tuple[str, ...]) -> list[str]:
    """Return the dimensions for which the API sends null, if it sends them."""
    # The API derives `parsed` columns from a dimension, so they can have values.
    return [name for name in spec.group_by if name not in group_by and name not in spec.parsed]


@dataclass(frozen=True, slots=True)
class RowType:
    """The functions that decode rows of one shape.

    Attributes:
        shape: The fields of the rows.
        decode: Decodes the JSON of a list of rows, each to a struct.
        read_named: Returns the values of the dimensions that a struct has.
        columns: For each column of the report, its position in the result of `read_named`; None for a column that rows
            of this shape do not have.
        unknown: The names of the fields that go to `extra`. An object with unknown fields is named itself.
        count_keys: Returns the number of colons behind and within all keys of a list of structs.
        extras: Returns a new builder of `extra`; None if no row has unknown fields.
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
    """One field of a row, or of an object in a row.

    Attributes:
        name: The name in JSON.
        attribute: The name of the struct's attribute. It differs from `name` for an unknown field, because a name in
            JSON need not be an identifier.
        required: Whether every row has the field.
        unknown: Whether the field goes to `extra`.
        drops_null: Whether a null is left out of `extra`.
        default: The value of the attribute if a row does not have the field.
        nested: The fields of its object; empty for a field that is not an object.
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
        """The number of colons that the key brings: one behind it, others in it."""
        return 1 + self.name.count(":")


@lru_cache(64)
def build(report: Report, group_by: tuple[str, ...], shape: Shape) -> RowType:
    """Build the type of rows that have a shape."""
    spec = SPECS[report]
    fields: list[_Field] = []
    definitions: list[Any] = []
    # Measures and requested dimensions are added even if no row has them, so that rows without them are refused or get
    # a default.
    for name in sorted(shape.names | spec.wire_measures.keys() | set(group_by)):
        field, definition = _define(spec, group_by, shape, name, len(fields))
        fields.append(field)
        definitions.append(definition)
    rename = {field.attribute: field.name for field in fields}
    # A field outside the shape is an error, so that the caller surveys again. `gc=False` decodes many rows faster: rows
    # of plain values need no garbage collector.
    row = msgspec.defstruct("Row", _defaults_last(definitions), rename=rename, forbid_unknown_fields=True, gc=False)
    named = [column for column in spec.columns if column in rename and column not in _not_requested(spec, group_by)]
    has_optional = any(not field.required for field in fields if field.name in named)
    unknown = _unknown_paths(fields)
    return RowType(
        shape,
        # `float_hook` keeps the text of a number, which a float would round.
        msgspec.json.Decoder(list[row], float_hook=JsonNumber).decode,  # type: ignore[valid-type]
        _attributes_getter(named, has_optional=has_optional),
        tuple(named.index(column) if column in named else None for column in spec.columns),
        tuple(sorted({path.parent or path.name for path in unknown})),
        _key_counter(fields),
        partial(ExtraTexts, tuple(unknown), tuple(unknown.values())) if unknown else None,
    )


def _define(spec: ReportSpec, group_by: tuple[str, ...], shape: Shape, name: str, number: int) -> tuple[_Field, Any]:
    """Return one field of a row, and its definition for `msgspec.defstruct`.

    A definition is (attribute, type), with a default as a third part if rows may lack the field. An attribute of an
    unknown field is called `unknown_` and `number`.
    """
    required = name in shape.required
    # UNSET marks an absent field, because None is the JSON null.
    default = [] if required else [UNSET]
    if name in spec.wire_measures:
        return _define_measure(spec, shape, name, required=required)
    if name in group_by:  # a row without a requested dimension is refused
        return _Field(name, name, required=True), (name, str | None)
    if name in spec.parsed:
        return _Field(name, name, required), (name, str | None if required else str | None | UnsetType, *default)
    if name in spec.group_by and name not in shape.untyped:  # not requested, so that null is the only value
        return _Field(name, name, required), (name, None if required else None | UnsetType, *default)
    # A null of a dimension that was not requested is as documented, and is left out of `extra`.
    drops_null = name in spec.group_by
    field = _Field(name, f"unknown_{number}", required, unknown=True, drops_null=drops_null)
    return field, (field.attribute, Any, *default)


def _define_measure(spec: ReportSpec, shape: Shape, name: str, *, required: bool) -> tuple[_Field, Any]:
    """Return a field of `wire_measures`, and its definition as in `_define`."""
    kind: Any = Any if name in shape.untyped else spec.wire_measures[name]
    inner = dict(shape.nested).get(name)
    inner_fields: list[_Field] = []
    if inner is not None:
        kind, inner_fields = _build_object(kind, inner)
    # Only a field of `spec.absent` has a default: the value that stands for it in rows of an older API. Rows without
    # another measure are refused.
    if required or name not in spec.absent:
        return _Field(name, name, required=True, nested=tuple(inner_fields)), (name, kind)
    unset = {field.attribute: UNSET for field in inner_fields if field.unknown}
    default = kind(**msgspec.structs.asdict(spec.absent[name]), **unset)
    return _Field(name, name, required=False, default=default, nested=tuple(inner_fields)), (name, kind, default)


def _build_object(struct: type[msgspec.Struct], shape: Shape) -> tuple[type[msgspec.Struct], list[_Field]]:
    """Build the type of an object in a row, and return it with its fields.

    `struct` is the documented type. The new type also has the unknown fields of `shape`.
    """
    types = _field_types(struct)
    fields = [_Field(name, name, required=True) for name in sorted(types)]
    definitions: list[Any] = [(name, types[name]) for name in sorted(types)]
    for number, name in enumerate(sorted(shape.names - types.keys())):
        field = _Field(name, f"unknown_{number}", name in shape.required, unknown=True)
        fields.append(field)
        definitions.append((field.attribute, Any) if field.required else (field.attribute, Any, UNSET))
    rename = {field.attribute: field.name for field in fields}
    # Frozen, because msgspec accepts no mutable struct as a default value.
    built = msgspec.defstruct(
        "Inner", _defaults_last(definitions), rename=rename, forbid_unknown_fields=True, frozen=True, gc=False
    )
    return built, fields


def _defaults_last(definitions: Sequence[Any]) -> list[Any]:
    # Definitions with a default have three parts, and msgspec requires them to be last.
    return sorted(definitions, key=len)


def _attributes_getter(names: Sequence[str], *, has_optional: bool) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that reads attributes of a row as a tuple.

    An absent value is None in the tuple. `has_optional` is whether rows can lack one of the attributes.
    """
    # `attrgetter` is faster, but it needs several names to return a tuple, and returns UNSET for an absent value.
    if len(names) > 1 and not has_optional:
        return attrgetter(*names)
    return lambda row: tuple(None if (value := getattr(row, name)) is UNSET else value for name in names)


def _unknown_paths(fields: Sequence[_Field]) -> dict[Path, Callable[[Any], Any]]:
    """Return the paths of unknown fields, each with its getter.

    A getter reads the value from a row. The paths are in canonical order, in which `to_json` writes fields: by name.
    """
    getters: dict[Path, Callable[[Any], Any]] = {}
    for field in sorted(fields, key=lambda field: field.name):
        if field.unknown:
            getters[Path(None, field.name, field.drops_null)] = attrgetter(field.attribute)
        for inner in sorted((inner for inner in field.nested if inner.unknown), key=lambda inner: inner.name):
            getters[Path(field.name, inner.name, drops_null=False)] = attrgetter(f"{field.attribute}.{inner.attribute}")
    return getters


def _key_counter(fields: Sequence[_Field]) -> Callable[[Sequence[Any]], int]:
    """Return a function that counts the colons behind and within keys of rows."""
    # If all fields are required, every row has the same keys, and no row has to be looked at.
    if all(field.required and all(inner.required for inner in field.nested) for field in fields):
        colons_per_row = sum(field.weight + sum(inner.weight for inner in field.nested) for field in fields)
        return lambda rows: colons_per_row * len(rows)
    return lambda rows: sum(_count_keys(row, fields) for row in rows)


def _count_keys(row: Any, fields: Sequence[_Field]) -> int:
    count = 0
    for field in fields:
        value = getattr(row, field.attribute)
        # An absent field has the default object itself. An equal value that was sent is another object, and counts.
        if value is not field.default:
            count += field.weight + (_count_keys(value, field.nested) if field.nested else 0)
    return count
