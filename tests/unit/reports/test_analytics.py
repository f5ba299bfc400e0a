"""Ids of actors, from the JSON of a response."""

from __future__ import annotations

import pytest

from archiver.api.decode.jsontext import read_json
from archiver.reports.analytics import read_actor


@pytest.mark.parametrize("number", ["0.50", "1e3", "12345678901234567890123"])
def test_the_id_of_an_actor_of_a_new_type_is_the_same_each_time(number: str) -> None:
    """Numbers that Python could change stand as their text, and never as an address in memory."""
    text = f'{{"type": "robot_actor", "weight": {number}, "serial": "r2", "name": "Invented"}}'.encode()
    first, second = (read_actor(read_json(text)) for _ in range(2))
    assert first == second == ("robot_actor", f'{{"serial":"r2","weight":"{number}"}}')
