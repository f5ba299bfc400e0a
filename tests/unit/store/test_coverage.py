"""Coverage of a window after a response or a failure."""

from __future__ import annotations

from archiver.model import DAY, BucketWidth, Report, Series, Span, State, Window
from archiver.store.coverage import after_answer, after_failure, merge
from archiver.store.history import AnswerTime

WINDOW = Window(Series(Report.USAGE, BucketWidth.DAY), 10 * DAY, 14 * DAY)
NOW = 13 * DAY + 5
SETTLED, PROVISIONAL, MISSING, FAILED = State


def days(*spans: tuple[int, int, State, int | None]) -> list[Span]:
    return [Span(start * DAY, end * DAY, state, at) for start, end, state, at in spans]


def test_listed_buckets_are_settled_or_provisional_by_their_end() -> None:
    present = [day * DAY for day in (10, 11, 12, 13)]
    assert after_answer(WINDOW, [], present, AnswerTime(NOW, 12 * DAY)) == days(
        (10, 12, SETTLED, NOW), (12, 14, PROVISIONAL, NOW)
    )


def test_a_bucket_that_ended_and_was_left_out_is_missing_and_one_in_progress_is_not() -> None:
    assert after_answer(WINDOW, [], [10 * DAY, 12 * DAY], AnswerTime(NOW, 0)) == days(
        (10, 11, PROVISIONAL, NOW), (11, 12, MISSING, NOW), (12, 13, PROVISIONAL, NOW)
    )


def test_a_bucket_that_is_left_out_keeps_the_coverage_of_an_earlier_response() -> None:
    before = days((8, 16, SETTLED, 7))
    after = after_answer(WINDOW, before, [10 * DAY], AnswerTime(NOW, 11 * DAY))
    assert after == days((8, 10, SETTLED, 7), (10, 11, SETTLED, NOW), (11, 16, SETTLED, 7))


def test_coverage_outside_the_window_stays() -> None:
    before = days((8, 11, PROVISIONAL, 7), (13, 20, MISSING, None))
    after = after_answer(WINDOW, before, range(10 * DAY, 14 * DAY, DAY), AnswerTime(NOW, 0))
    assert after == days((8, 10, PROVISIONAL, 7), (10, 14, PROVISIONAL, NOW), (14, 20, MISSING, None))


def test_a_settled_bucket_stays_settled() -> None:
    before = days((10, 11, SETTLED, 7))
    assert after_answer(WINDOW, before, [10 * DAY], AnswerTime(NOW, 0))[0] == Span(10 * DAY, 11 * DAY, SETTLED, NOW)


def test_a_failure_marks_only_what_is_not_covered_and_had_ended() -> None:
    before = days((10, 11, SETTLED, 7), (11, 12, MISSING, None))
    assert after_failure(WINDOW, before, NOW) == days((10, 11, SETTLED, 7), (11, 13, FAILED, NOW))


def test_neighbouring_spans_of_one_state_and_time_are_merged() -> None:
    assert merge(days((1, 2, SETTLED, 7), (2, 3, SETTLED, 7), (4, 5, SETTLED, 7))) == days(
        (1, 3, SETTLED, 7), (4, 5, SETTLED, 7)
    )
