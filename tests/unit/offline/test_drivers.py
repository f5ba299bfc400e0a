"""What drove a change, on round numbers and on random ones."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from archiver.offline.reports.drivers import DRIVERS, Kind, Used, drivers
from archiver.offline.reports.expected import divided, rounded

IN, READ, OUT = "uncached_input_tokens", "cache_read_input_tokens", "output_tokens"


def used(*parts: tuple[str, str, int, int], other: int = 0) -> Used:
    """Return tokens and their cost, of (model, token type, tokens, price)."""
    made = Used(other=Fraction(other))
    for model, token_type, tokens, price in parts:
        kind = Kind(model, "standard", "0-200k", token_type)
        made.tokens[kind] += tokens
        made.amounts[kind] += tokens * price
    return made


def test_twice_the_tokens_is_volume() -> None:
    found = drivers(used(("a", IN, 100, 3), ("a", OUT, 10, 15)), used(("a", IN, 200, 3), ("a", OUT, 20, 15)))
    assert found == {"volume": 450, "mix": 0, "cache": 0, "price": 0, "other": 0}


def test_another_price_is_price() -> None:
    found = drivers(used(("a", IN, 100, 3)), used(("a", IN, 100, 5)))
    assert found == {"volume": 0, "mix": 0, "cache": 0, "price": 200, "other": 0}


def test_what_was_free_and_is_no_more_is_price() -> None:
    found = drivers(used(("a", IN, 100, 0), ("a", OUT, 100, 1)), used(("a", IN, 100, 2), ("a", OUT, 100, 1)))
    assert found == {"volume": 0, "mix": 0, "cache": 0, "price": 200, "other": 0}


def test_a_move_to_a_cheaper_model_is_mix() -> None:
    # 100 tokens at 3 and 100 at 1 cost 400; 200 at 1 cost 200. The average price of 2 makes 400 of the same volume.
    found = drivers(used(("a", IN, 100, 3), ("b", IN, 100, 1)), used(("b", IN, 200, 1)))
    assert found == {"volume": 0, "mix": -200, "cache": 0, "price": 0, "other": 0}


def test_a_new_model_is_mix_and_no_price() -> None:
    found = drivers(used(("a", IN, 100, 3)), used(("new", IN, 100, 10)))
    assert found == {"volume": 0, "mix": 700, "cache": 0, "price": 0, "other": 0}


def test_a_cache_that_is_read_no_more_is_cache() -> None:
    # 50 tokens at 10 and 50 at 1 cost 550; 100 at 10 cost 1000, of the same volume and the same cell.
    found = drivers(used(("a", IN, 50, 10), ("a", READ, 50, 1)), used(("a", IN, 100, 10)))
    assert found == {"volume": 0, "mix": 0, "cache": 450, "price": 0, "other": 0}


def test_longer_answers_are_mix() -> None:
    # Input and output cost 100 * 1 + 100 * 5 = 600, at 3 a token; now 50 + 150 * 5 = 800 for as many tokens.
    found = drivers(used(("a", IN, 100, 1), ("a", OUT, 100, 5)), used(("a", IN, 50, 1), ("a", OUT, 150, 5)))
    assert found == {"volume": 0, "mix": 200, "cache": 0, "price": 0, "other": 0}


def test_all_four_and_other_at_once() -> None:
    before = used(("a", IN, 100, 2), ("a", READ, 100, 1), other=7)
    now = used(("a", IN, 100, 3), ("b", OUT, 100, 10), other=2)
    # Before: 200 tokens cost 300, 1.5 each. Now: 200 tokens at 1.5 are 300, so there is no volume.
    # Cells: 100 input at 1.5 and 100 of a new cell at 10 are 1150: mix 850. Each type at its price: 200 + 1000 = 1200:
    # cache 50. Now: 300 + 1000 = 1300: price 100. Other: 2 - 7.
    assert drivers(before, now) == {"volume": 0, "mix": 850, "cache": 50, "price": 100, "other": -5}


def test_tokens_that_are_never_billed_drive_nothing() -> None:
    priority = Kind("a", "priority", "0-200k", IN)
    before, now = used(("a", IN, 100, 3)), used(("a", IN, 100, 3))
    now.tokens[priority] += 10**9
    assert set(drivers(before, now).values()) == {0}
    # A cost without tokens, such as that of a web search, is no cost of tokens.
    now.amounts[Kind("a", "standard", "0-200k", OUT)] += 40
    assert drivers(before, now)["other"] == 40


def test_from_nothing_and_to_nothing_is_volume() -> None:
    some = used(("a", IN, 100, 3), ("a", READ, 100, 1))
    assert drivers(Used(), some) == {"volume": 400, "mix": 0, "cache": 0, "price": 0, "other": 0}
    assert drivers(some, Used()) == {"volume": -400, "mix": 0, "cache": 0, "price": 0, "other": 0}
    assert set(drivers(Used(), Used()).values()) == {0}


_PART = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.sampled_from([IN, READ, OUT]), st.integers(0, 50), st.integers(0, 9)
)


@given(st.lists(_PART, max_size=6), st.lists(_PART, max_size=6), st.integers(-9, 9), st.integers(1, 4))
def test_the_parts_add_up_to_the_change(
    before: list[tuple[str, str, int, int]], now: list[tuple[str, str, int, int]], other: int, divisor: int
) -> None:
    one, two = used(*before, other=other), used(*now)
    for kind in [*one.tokens]:
        one.tokens[kind] /= divisor
        one.amounts[kind] /= divisor
    found = drivers(one, two)
    assert tuple(found) == DRIVERS
    change = two.total() - one.total()
    assert sum(found.values()) == change
    whole = change.numerator // change.denominator
    parts = rounded(found, whole)
    assert sum(parts.values()) == whole
    assert all(abs(parts[name] - found[name]) <= 1 for name in found)


@given(st.dictionaries(st.text(max_size=3), st.integers(-(10**30), 10**30), max_size=9), st.integers(1, 7))
def test_divided_amounts_add_up(amounts: dict[str, int], divisor: int) -> None:
    found = divided(amounts, divisor)
    assert sum(found.values()) == sum(amounts.values()) // divisor
    assert all(abs(found[key] - Fraction(amount, divisor)) < 1 for key, amount in amounts.items())
