"""Properties of pure functions, checked on random input."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archiver.api.decode import fast as wire
from archiver.api.decode.strict import read_strict
from archiver.model import COVERED, DAY, BucketWidth, Report, Series, Span, State, Window
from archiver.plan.windows import cut
from archiver.plan.work import needed
from archiver.reports.cost import REMAINDER_UNITS_PER_MICROCENT, split_amount
from archiver.store.coverage import after_answer
from archiver.store.diff import compare
from archiver.store.history import AnswerTime
from tests.unit.api.test_decode import START, page, usage_row

SERIES = Series(Report.USAGE, BucketWidth.DAY, ("model",))
starts = st.integers(0, 30_000)
lengths = st.integers(1, 4000)


@given(starts, lengths, st.integers(1, 200))
def test_windows_tile_their_range_and_are_as_few_as_can_be(start: int, length: int, limit: int) -> None:
    windows = cut(start * DAY, (start + length) * DAY, DAY, limit)
    edges = [start * DAY, *(end for _, end in windows)]
    assert [begin for begin, _ in windows] == edges[:-1]
    assert edges[-1] == (start + length) * DAY
    assert max(end - begin for begin, end in windows) <= limit * DAY
    assert len(windows) == -(-length // limit)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(State)), max_size=12), st.integers(0, 60), st.data())
def test_what_is_needed_is_exactly_what_is_not_settled_or_young(
    pieces: list[tuple[int, State]], refresh_from: int, data: st.DataObject
) -> None:
    spans, at = [], data.draw(st.integers(0, 5))
    for length, state in pieces:
        spans.append(Span(at, at + length, state))
        at += length + data.draw(st.integers(0, 2))
    start = data.draw(st.integers(0, 40))
    end = data.draw(st.integers(start, 60))
    asked = {second for begin, stop in needed(start, end, spans, refresh_from) for second in range(begin, stop)}
    settled = {s for span in spans if span.state is State.SETTLED for s in range(span.start, span.end)}
    assert asked == {s for s in range(start, end) if s not in settled or s >= refresh_from}


@given(st.decimals(-(10**11), 10**11, places=6))
def test_six_fractional_digits_are_exact(amount: Decimal) -> None:
    assert split_amount(f"{amount:f}") == (int(amount * 10**6), 0)


@given(st.decimals(-(10**6), 10**6, allow_nan=False, places=15))
def test_further_digits_are_rounded_half_to_even(amount: Decimal) -> None:
    expected = (amount * 10**6).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert split_amount(f"{amount:f}")[0] == int(expected)


@given(st.decimals(-(10**6), 10**6, allow_nan=False, places=18), st.integers(-18, 6))
def test_eighteen_fractional_digits_are_exact_with_the_remainder(amount: Decimal, exponent: int) -> None:
    microcents, remainder = split_amount(f"{amount:f}")
    assert microcents * REMAINDER_UNITS_PER_MICROCENT + remainder == int(amount * 10**18)
    text = f"{int(amount)}e{exponent}"
    microcents, remainder = split_amount(text)
    assert microcents * REMAINDER_UNITS_PER_MICROCENT + remainder == int(Decimal(text) * 10**18)


counts = st.integers(0, 2**52)


@given(st.lists(st.tuples(st.text(max_size=20), counts), max_size=6, unique_by=lambda row: row[0]))
def test_the_fast_and_the_strict_decoder_read_the_same(rows: list[tuple[str, int]]) -> None:
    window = Window(SERIES, START, START + 2 * DAY)
    raw = page(*(usage_row(model=model, output_tokens=count) for model, count in rows))
    body = json.dumps(raw, ensure_ascii=False).encode("utf-8", "surrogatepass")
    quick = wire.read_fast(body, window, window.start)
    careful = read_strict(body, window, window.start).buckets
    assert careful is not None
    if quick is not None:
        assert quick.buckets is not None
        assert list(quick.buckets) == list(careful)
    assert [(dimensions[2], values[4]) for dimensions, values in careful[0].rows.items()] == rows


@given(
    st.lists(st.sampled_from([None, *State]), min_size=6, max_size=6),
    st.sets(st.integers(1, 4)),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_an_answer_changes_coverage_bucket_by_bucket(
    known: list[State | None], present: set[int], now: int, settled_until: int
) -> None:
    """Days 0 and 5 lie outside of the window from 1 to 5."""
    before = [Span(day * DAY, (day + 1) * DAY, state, 1) for day, state in enumerate(known) if state is not None]
    window = Window(SERIES, DAY, 5 * DAY)
    touching = [span for span in before if span.end > window.start and span.start < window.end]
    after = after_answer(window, touching, {day * DAY for day in present}, AnswerTime(now * DAY, settled_until * DAY))
    states = {span.start // DAY + n: span.state for span in after for n in range((span.end - span.start) // DAY)}
    for day in range(1, 5):
        ended = day + 1 <= now
        if day in present:
            settled = day + 1 <= settled_until or known[day] is State.SETTLED
            assert states[day] is (State.SETTLED if settled else State.PROVISIONAL)
        elif known[day] in COVERED:
            assert states[day] is known[day]
        else:
            assert states.get(day) is (State.MISSING if ended else None)
    assert all(one.end <= two.start for one, two in pairwise(after))


facts = st.dictionaries(st.integers(1, 6), st.tuples(st.integers(0, 2), st.none()), max_size=6)


@given(facts, facts)
def test_a_difference_leads_from_one_answer_to_the_other(
    was: dict[int, tuple[int, None]], now: dict[int, tuple[int, None]]
) -> None:
    difference = compare(dict(was), dict(now))
    replayed: dict[int, object] = dict(was)
    for key, (_, after) in difference.changes.items():
        if after is None:
            del replayed[key]
        else:
            replayed[key] = after
    assert replayed == now
    assert difference.counts.inserted + difference.counts.updated + difference.counts.unchanged == len(now)
    assert difference.counts.removed + difference.counts.updated + difference.counts.unchanged == len(was)
