"""Build `extra`, the JSON text of a row's unknown fields.

A field of a row is unknown if its name or the type of its value is not documented, for example because it is new in the
API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET

from archiver.api.decode.jsontext import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Path(NamedTuple):
    """The path of an unknown field.

    Attributes:
        parent: The name of the object in the row that contains the field; None if the row itself contains it.
        name: The name of the field.
        drops_null: Whether a null is left out of `extra`, as it is for dimensions.
    """

    parent: str | None
    name: str
    drops_null: bool


class ExtraTexts:
    """Builds the `extra` of rows from the values of their unknown fields."""

    def __init__(self, paths: Sequence[Path], getters: Sequence[Callable[[Any], Any]]) -> None:
        """Prepare for the unknown fields at `paths`.

        `paths` are in canonical order: sorted by name, as in the JSON of `to_json`. For each path, `getters` has a
        function that reads the field from a row.
        """
        self._paths = paths
        self._getters = getters
        self._strings = _Strings()
        # Nearly all rows have a value for every path. Their text is this template, with one value for each `%s`.
        self._template = _compose(dict.fromkeys(paths, "%s"), escape=True)

    def of(self, results: Sequence[Any]) -> tuple[dict[int, str], int]:
        """Return the texts by row number, and the number of colons in values.

        Row numbers begin with 0. Rows without a value for any path have no text. Colons are counted in the JSON of all
        values: `read_fast` compares their number with the response to find repeated keys.
        """
        columns = []
        complete = True
        for path, getter in zip(self._paths, self._getters, strict=True):
            values = list(map(getter, results))
            texts = self._column(values, path)
            complete = complete and None not in texts
            columns.append(texts)
        colons = sum("".join(filter(None, texts)).count(":") for texts in columns)
        rows = zip(*columns, strict=True)
        if complete:
            return dict(enumerate(map(self._template.__mod__, rows))), colons
        return {number: text for number, row in enumerate(rows) if (text := self._text_of_some(row))}, colons

    def _column(self, values: Sequence[Any], path: Path) -> Sequence[str | None]:
        """Return the JSON of one field in all rows; None where it is left out."""
        # Most fields have values of one plain type, which do not need the encoder for each value. Types are compared
        # exactly: a bool is an int in Python, but its `str` is not its JSON.
        types = set(map(type, values))
        if types == {str}:
            return list(map(self._strings.__getitem__, values))  # encodes a new string in `__missing__`
        if types == {int}:
            return list(map(str, values))
        if types == {type(None)} and not path.drops_null:
            return ["null"] * len(values)
        return [_text_or_none(value, path) for value in values]

    def _text_of_some(self, row: Sequence[str | None]) -> str | None:
        """Return the text of a row that may lack fields; None if it lacks all."""
        texts = {path: text for path, text in zip(self._paths, row, strict=True) if text is not None}
        return _compose(texts) if texts else None


class _Strings(dict[str, str]):
    """A map from strings to JSON that encodes each string once."""

    def __missing__(self, value: str) -> str:
        self[value] = text = to_json(value)
        return text


def _text_or_none(value: Any, path: Path) -> str | None:
    """Return a value as JSON; None for an absent value or a null dimension."""
    return None if value is UNSET or (value is None and path.drops_null) else to_json(value)


def _compose(texts: Mapping[Path, str], *, escape: bool = False) -> str:
    """Join the JSON texts of fields to the text of one JSON object.

    `texts` are by path, in canonical order. `escape` doubles the percent signs in names, because the result is a
    template for `%`.
    """
    # The name of a field of the row → its JSON, with the name. Fields with the same parent share one entry.
    parts: dict[str, str] = {}
    for path, text in texts.items():
        key = to_json(path.name).replace("%", "%%") if escape else to_json(path.name)
        if path.parent is None:
            parts[path.name] = f"{key}:{text}"
        else:  # a parent is a documented field, so that its name needs no escaping
            # The slice opens the object of the parent again: it cuts off the closing brace.
            before = parts[path.parent][:-1] + "," if path.parent in parts else f'"{path.parent}":{{'
            parts[path.parent] = f"{before}{key}:{text}}}"
    return "{" + ",".join(parts.values()) + "}"
