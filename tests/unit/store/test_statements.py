"""Named statements and scripts."""

from __future__ import annotations

import pytest

from archiver.store.statements import parse_statements, script, sql


def test_a_statement_follows_its_name() -> None:
    found = parse_statements({"one": "-- A comment.\n\n-- name: a\n-- First.\nSELECT 1;\n\n-- name: b\nSELECT 2;\n"})
    assert found == {"a": "-- First.\nSELECT 1;", "b": "SELECT 2;"}


def test_two_statements_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two\.sql: a second statement named a"):
        parse_statements({"one": "-- name: a\nSELECT 1;\n", "two": "-- name: a\nSELECT 2;\n"})


def test_a_script_has_no_named_statements() -> None:
    assert parse_statements({"as_of": script("as_of")}) == {}


@pytest.mark.parametrize("load", [sql, script])
def test_a_name_that_does_not_exist_is_an_error(load: object) -> None:
    assert callable(load)
    with pytest.raises(KeyError):
        load("no such name")
