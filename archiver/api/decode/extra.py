"""Build `extra`, the JSON text of a row's unknown fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET

from archiver.api.decode.jsontext import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Path(NamedTuple):
    """The path of an unknown field.

    The field is within the object `parent`, or directly in the row where `parent` is None. With `drops_null`, which is
    set for dimensions, a null is left out of `extra`.
    """

    parent: str | None
    name: str
    drops_null: bool


class ExtraTexts:
    """Builds the `extra` of rows from the values of their unknown fields."""

    def __init__(self, paths: Sequence[Path], getters: Sequence[Callable[[Any], Any]]) -> None:
        """Prepare for the unknown fields at `paths`, in canonical order.

        `getters` has a function for each path that reads the field from a row.
        """
        self._paths = paths
        self._getters = getters
        self._strings = _Strings()
        # For a row that has a value for every path, as nearly all rows have, the text is made by one replacement.
        self._template = _compose(dict.fromkeys(paths, "%s"), escape=True)

    def of(self, results: Sequence[Any]) -> tuple[dict[int, str], int]:
        """Return the texts of rows by row number, and the number of colons.

        Colons are counted in the values of unknown fields, in all rows.
        """
        columns = []
        complete = True
        for path, get in zip(self._paths, self._getters, strict=True):
            values = list(map(get, results))
            texts = self._column(values, path)
            complete = complete and None not in texts
            columns.append(texts)
        colons = sum("".join(filter(None, texts)).count(":") for texts in columns)
        rows = zip(*columns, strict=True)
        if complete:
            return dict(enumerate(map(self._template.__mod__, rows))), colons
        return {number: text for number, row in enumerate(rows) if (text := self._of_some(row))}, colons

    def _column(self, values: Sequence[Any], path: Path) -> Sequence[str | None]:
        """Return the values of one field as JSON; None for one that is left out."""
        # Most fields have values of one plain type, which need no encoder for each.
        types = set(map(type, values))
        if types == {str}:
            return list(map(self._strings.__getitem__, values))
        if types == {int}:
            return list(map(str, values))
        if types == {type(None)} and not path.drops_null:
            return ["null"] * len(values)
        return [_text_or_none(value, path) for value in values]

    def _of_some(self, row: Sequence[str | None]) -> str | None:
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
    """Join JSON texts to one object.

    `texts` are by path, in canonical order. `escape` doubles percent signs in names, for a template.
    """
    parts: dict[str, str] = {}
    for path, text in texts.items():
        key = to_json(path.name).replace("%", "%%") if escape else to_json(path.name)
        if path.parent is None:
            parts[path.name] = f"{key}:{text}"
        else:  # the parent is a documented field, so it needs no escaping
            before = parts[path.parent][:-1] + "," if path.parent in parts else f'"{path.parent}":{{'
            parts[path.parent] = f"{before}{key}:{text}}}"
    return "{" + ",".join(parts.values()) + "}"
