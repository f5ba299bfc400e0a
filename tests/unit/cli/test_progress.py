"""The progress of a run: minutes, a wait that counts down, and one line for the waits of all workers."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from rich.console import Console

from archiver.api.rate_limit import Rate
from archiver.cli.logs import Log
from archiver.cli.progress import LiveDisplay, PlainProgress, Tally
from archiver.cli.talk import duration, request_seconds
from archiver.model import DAY, BucketWidth, Report, RowCounts, Series, Window
from archiver.plan.work import SeriesPlan

SERIES = Series(Report.USAGE, BucketWidth.DAY, ("model",))


@dataclass
class Time:
    """A clock that a test moves."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def plan(windows: int) -> SeriesPlan:
    cut = tuple(Window(SERIES, number * DAY, (number + 1) * DAY) for number in range(windows))
    return SeriesPlan(SERIES, 0, windows * DAY, ((0, windows * DAY),), cut)


def shown(display: LiveDisplay) -> str:
    console = Console(width=140, no_color=True)
    with console.capture() as capture:
        console.print(display)
    return capture.get()


def test_a_wait_counts_down_and_ends() -> None:
    time = Time()
    display = LiveDisplay(time)
    display.planned([plan(3)])
    display.waiting(40.0, "rate limit (429)")
    assert "waiting 40 s: rate limit (429)" in shown(display)
    time.now += 25
    assert "waiting 15 s" in shown(display)
    time.now += 15
    assert "waiting" not in shown(display)


def test_the_waits_of_all_workers_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    progress = PlainProgress(time)
    progress.planned([plan(3)])
    for seconds in (30.0, 31.0, 29.0, 30.5):
        progress.waiting(seconds, "rate limit (429)")
    assert capsys.readouterr().err.count("waiting") == 1
    assert progress.wait_text() == "waiting 31 s: rate limit (429)"
    time.now += 31
    progress.waiting(60.0, "server error (503)")
    assert "waiting 60 s: server error (503); 0 of 3 windows" in capsys.readouterr().err


def test_the_coarse_pass_has_a_bar() -> None:
    display = LiveDisplay(Time())
    display.probing(Report.COST, 2, 6)
    text = shown(display)
    assert "older history" in text
    assert "2/6 requests" in text


def test_the_time_left_keeps_to_the_rate_and_not_to_the_burst() -> None:
    time = Time()
    tally = Tally(time, per_minute=60.0)
    tally.planned([plan(130)])
    for number in range(10):
        tally.done(Window(SERIES, number * DAY, (number + 1) * DAY), RowCounts(inserted=7))
    time.now += 1
    assert tally.seconds_left() == 120.0
    assert tally.sentence().endswith("about 2 min left")


def test_a_further_plan_adds_to_what_is_finished() -> None:
    tally = Tally(Time())
    tally.planned([plan(2)])
    tally.done(plan(2).windows[0], RowCounts())
    tally.planned([plan(3)])
    assert (tally.lines[SERIES].finished, tally.lines[SERIES].planned) == (1, 4)


def test_plain_lines_come_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    progress = PlainProgress(time, log=Log(as_json=True))
    progress.planned([plan(3)])
    window = plan(3).windows[0]
    progress.done(window, RowCounts())
    assert capsys.readouterr().err == ""
    time.now += 30
    progress.done(window, RowCounts())
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["windows_finished"], line["windows_planned"]) == ("info", 2, 3)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (89, "89 s"), (125, "2 min"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_a_length_of_time_is_rough(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_requests_take_time_after_the_burst() -> None:
    assert request_seconds(70, Rate.parse("60/min")) == 60.0
    assert request_seconds(3, Rate.parse("60/min")) == 0
    assert request_seconds(70, Rate.parse("none")) is None
