"""Pages in a real browser: charts, tooltips and controls, without console messages and requests."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from archiver.offline import page
from archiver.offline.reports.registry import REPORTS
from archiver.offline.reports.request import Budget, ReportRequest
from archiver.offline.teams.rules import Rule, Teams
from tests.bills import billed, billed_by, bills, exactly
from tests.pages import HOSTILE
from tests.support import select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bills import Bill
    from tests.browser.browsing import Seen
    from tests.browser.conftest import Opener

EVERYTHING = ReportRequest(
    today=date(2026, 1, 15),
    first_seen=("2026-01-01T00:00:00Z", None),
    budgets=(Budget(Decimal(1)),),
    teams=Teams((Rule(1, {"A": 1}),)),
)
A_DAY = "2025-12-10"
NARROW = """new Promise((done) => {
  const look = () => {
    const chart = document.querySelector("#spend .chart svg");
    if (chart && chart.getBoundingClientRect().width < 600) done(); else requestAnimationFrame(look);
  };
  look();
})"""


@pytest.fixture(scope="module")
def overview(archive: Path) -> str:
    """Make the page of everything, once."""
    return page.overview(archive, EVERYTHING)


def amount(of: Callable[[Bill], bool] = lambda _: True) -> str:
    """Return what was billed, exactly, as a page shows it."""
    return exactly(billed(of))


def is_alone_and_silent(seen: Seen) -> None:
    assert seen.messages == []
    assert seen.asked == []


def widths(seen: Seen) -> Any:
    return seen.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")


def colour(seen: Seen, selector: str, name: str) -> str:
    return str(seen.page.eval_on_selector(selector, f"(e) => getComputedStyle(e)['{name}']"))


def test_every_chart_is_drawn_without_console_messages_or_requests(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    for chart in ("spend", "tokens"):
        assert seen.page.locator(f"#{chart} .chart svg .mark-rect path").count() > 50, chart
    assert seen.page.locator("#cache .chart svg .mark-line path").count() >= 3
    assert seen.page.locator("#keys .chart svg .mark-rect path").count() == 8
    assert seen.page.locator("#coverage .chart svg .mark-rect path").count() >= 3
    assert "No settled amount" in seen.text("#restatements .empty")
    is_alone_and_silent(seen)


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "overview"])
def test_the_page_of_every_report_opens_silently(archive: Path, opened: Opener, name: str) -> None:
    seen = opened(page.of_report(archive, name, EVERYTHING)[0])
    first = seen.page.locator("section table, section .description:has-text(': no ')").first
    assert first.is_visible(), name
    is_alone_and_silent(seen)


def test_a_period_without_days_still_shows_what_is_archived(archive: Path, opened: Opener) -> None:
    seen = opened(
        page.overview(archive, ReportRequest(since=date(2020, 1, 1), until=date(2020, 2, 1), today=date(2026, 1, 15)))
    )
    assert "nothing of this period is archived" in seen.text("body")
    assert seen.page.locator("#coverage .chart svg .mark-rect path").count() >= 3
    is_alone_and_silent(seen)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_tooltip_has_the_exact_amount_of_a_utc_day_anywhere(overview: str, opened: Opener, zone: str) -> None:
    seen = opened(overview, timezone_id=zone)
    seen.choose(A_DAY, A_DAY)
    tooltip = seen.hover("spend")
    assert tooltip.startswith(A_DAY)
    assert "10 Dec" in seen.page.locator("#spend .chart svg .role-axis-label text").all_text_contents()
    total = next(line for line in tooltip.splitlines() if line.startswith("total"))
    assert total.split("\t")[-1].strip() == amount(lambda bill: bill.day == A_DAY)
    of_the_day = [bill for bill in bills() if bill.day == A_DAY]
    for name, microcents in billed_by(lambda bill: bill.workspace, of_the_day).items():
        line = next(line for line in tooltip.splitlines() if line.startswith(name))
        assert line.split("\t")[-1].strip().rstrip("0") == exactly(microcents).rstrip("0")
    is_alone_and_silent(seen)


def test_a_number_that_no_float_holds_is_shown_to_its_last_digit(archive: Path, tmp_path: Path, opened: Opener) -> None:
    odd = 2**53 + 1
    large = shutil.copy(archive, tmp_path / "large.db")
    (first,) = select(archive, "SELECT min(bucket_start) FROM _usage_fact")[0]
    with closing(sqlite3.connect(large)) as connection, connection:
        connection.execute("DELETE FROM _usage_fact WHERE bucket_start <> ?", (first,))
        connection.execute(
            "UPDATE _usage_fact SET uncached_input_tokens = 0, cache_creation_1h_input_tokens = 0, "
            "cache_creation_5m_input_tokens = 0, cache_read_input_tokens = 0, output_tokens = 0"
        )
        connection.execute(
            "UPDATE _usage_fact SET output_tokens = ? WHERE key_id = (SELECT min(key_id) FROM _usage_fact)", (odd,)
        )
    seen = opened(page.of_report(tmp_path / "large.db", "tokens", EVERYTHING)[0])
    assert f"{odd:,} tokens" in seen.text("#tokens .shown")
    first_day = datetime.fromtimestamp(first, UTC).date().isoformat()
    seen.choose(first_day, first_day)
    assert f"{odd:,}" in seen.hover("tokens")


def test_the_legend_takes_a_line_out_and_puts_it_back(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    bars = seen.page.locator("#spend .chart svg .mark-rect path")
    whole = seen.text("#spend .shown b")
    assert whole == f"{amount()} USD"
    before = bars.count()
    button = seen.page.locator("#spend .legend button").first
    gone = button.get_attribute("data-line")
    button.click()
    seen.settle()
    assert seen.page.locator("#spend .legend button").first.get_attribute("aria-pressed") == "false"
    left = amount(lambda bill: bill.workspace != gone)
    assert seen.text("#spend .shown b") == f"{left} USD"
    assert bars.count() < before
    assert str(gone) not in seen.hover("spend")
    seen.page.locator("#spend .legend button").first.click()
    seen.settle()
    assert seen.text("#spend .shown b") == whole
    assert bars.count() == before
    is_alone_and_silent(seen)


def test_the_keyboard_reaches_a_line_and_keeps_its_place(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    seen.page.locator("#spend .legend button").nth(1).focus()
    name = seen.page.evaluate("document.activeElement.dataset.line")
    seen.page.keyboard.press("Enter")
    seen.settle()
    assert seen.page.evaluate("document.activeElement.dataset.line") == name
    assert seen.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "false"


def test_chosen_days_change_charts_and_figures_and_not_the_other_tables(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    table = seen.page.locator("#spend table").first.text_content()
    assert seen.page.locator("details.chosen").count() == 0
    assert seen.page.locator("#narrowed").is_hidden()
    seen.choose("2025-12-01", "2025-12-31")
    december = amount(lambda bill: bill.day.startswith("2025-12-"))
    assert seen.text("#spend .shown") == f"{december} USD, 2025-12-01 to 2025-12-31"
    assert seen.text("#keys .shown") == f"{december} USD, 2025-12-01 to 2025-12-31"
    assert seen.text('[data-live="spend"] .figure').startswith(f"{float(december.replace(',', '')):,.2f}")
    assert seen.page.locator("#spend details:not(.chosen) table").first.text_content() == table
    assert "other tables always show" in seen.text("#narrowed")
    seen.choose("2025-12-31", "2025-12-01")  # the wrong way round
    assert seen.text("#spend .shown").endswith("2025-12-01 to 2025-12-31")
    seen.page.locator("#last button", has_text="All").click()
    seen.settle()
    assert seen.text("#spend .shown b") == f"{amount()} USD"
    is_alone_and_silent(seen)


def test_weeks_and_months_add_up_their_days(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    seen.page.locator("#grain button", has_text="Month").click()
    seen.settle()
    seen.choose("2025-12-01", "2025-12-31")
    assert amount(lambda bill: bill.day.startswith("2025-12-")) in seen.hover("spend")
    assert "2025-12-01 to 2025-12-31" in seen.text("#tip")
    seen.page.locator("#grain button", has_text="Week").click()
    seen.settle()
    seen.choose("2025-12-08", "2025-12-14")
    assert amount(lambda bill: "2025-12-08" <= bill.day <= "2025-12-14") in seen.hover("spend")


def test_another_dimension_has_the_same_sum(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    whole = seen.text("#tokens .shown b")
    for name in ("workspace", "kind"):
        seen.page.locator("#tokens .choice button", has_text=name).click()
        seen.settle()
        assert seen.text("#tokens .shown b") == whole
    assert "read from the cache" in seen.text("#tokens .legend")


def test_a_gap_is_shaded_and_named_in_the_tooltip(gaping: Path, opened: Opener) -> None:
    seen = opened(page.overview(gaping, EVERYTHING))
    tooltip = seen.hover("spend", across=0.5, down=0.3)
    assert "not archived" in tooltip
    assert "total" not in tooltip
    assert "6 days missing" in seen.text(".card.warn")
    seen.page.locator("#grain button", has_text="Month").click()
    seen.settle()
    assert "6 of 10 days are not archived" in seen.hover("spend", down=0.3)
    is_alone_and_silent(seen)


def test_days_that_are_all_missing_are_shaded_silently(gaping: Path, opened: Opener) -> None:
    seen = opened(page.overview(gaping, EVERYTHING))
    seen.choose("2025-11-13", "2025-11-16")
    assert "not archived" in seen.hover("spend")
    assert "not archived" in seen.hover("cache")
    assert seen.text("#spend .shown b") == "not archived"
    assert seen.text('[data-live="spend"] .figure') == seen.text('[data-live="tokens"] .figure') == "\u2013"
    is_alone_and_silent(seen)


def test_hostile_names_are_shown_and_do_nothing(archive: Path, tmp_path: Path, opened: Opener) -> None:
    hostile = tmp_path / "hostile.db"
    shutil.copy(archive, hostile)
    with closing(sqlite3.connect(hostile)) as connection, connection:
        for table, column in (("_name", "name"), ("_cost_key", "model"), ("_usage_key", "model")):
            values = connection.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} NOT NULL").fetchall()  # noqa: S608
            for number, (value,) in enumerate(values):
                name = f"{HOSTILE[number % len(HOSTILE)]}{number if number >= len(HOSTILE) else ''}"
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (name, value))  # noqa: S608
    seen = opened(page.overview(hostile, EVERYTHING))
    for chart in ("spend", "tokens", "cache"):
        assert any(name.strip() in seen.hover(chart) for name in HOSTILE[:3])
    seen.page.locator("#keys .chart svg .mark-rect path").first.hover()
    assert "USD" in seen.text("#tip")
    for number in range(seen.page.locator("#spend .legend button").count()):
        seen.page.locator("#spend .legend button").nth(number).click()
    assert any("<img src=x" in name for name in seen.page.locator(".legend .name").all_inner_texts())
    assert any("<img src=x" in name for name in seen.page.locator("#keys svg text").all_text_contents())
    assert seen.page.locator("img, main svg svg, iframe, object").count() == 0
    assert seen.page.locator("script").count() == 4
    is_alone_and_silent(seen)


def test_an_injected_script_or_eval_is_refused(overview: str, opened: Opener) -> None:
    seen = opened(overview.replace("</main>", "<script>document.title = 'run'</script></main>"))
    assert seen.page.title() != "run"
    assert any("Content Security Policy" in one for one in seen.messages)
    refused = "() => { try { return Function('return 1')(); } catch (error) { return error.name; } }"
    assert seen.page.evaluate(f"({refused})()") in {"EvalError", 1}  # the debugger itself may be let through
    assert "'unsafe-eval'" not in overview.partition("</head>")[0][:2000]


def test_dark_and_light_follow_the_system_and_the_button(overview: str, opened: Opener) -> None:
    dark = opened(overview, color_scheme="dark")
    paper, ink = colour(dark, "body", "backgroundColor"), colour(dark, "#spend svg text", "fill")
    dark.page.locator("#theme").click()
    assert colour(dark, "body", "backgroundColor") != paper
    assert colour(dark, "#spend svg text", "fill") != ink
    assert dark.text("#theme") == "Dark"
    light = opened(overview, color_scheme="light")
    assert colour(light, "body", "backgroundColor") == colour(dark, "body", "backgroundColor")
    light.page.locator("#theme").click()
    assert colour(light, "body", "backgroundColor") == paper


def test_a_phone_shows_it_without_scrolling_sideways(overview: str, opened: Opener) -> None:
    seen = opened(overview, viewport={"width": 360, "height": 740}, has_touch=True)
    assert widths(seen) == [360, 360]
    seen.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert widths(seen) == [360, 360]
    box = seen.page.locator("#spend .chart svg").bounding_box()
    assert box is not None
    assert box["width"] <= 340
    is_alone_and_silent(seen)


def test_a_finger_gets_the_tooltip_and_takes_it_away(overview: str, opened: Opener) -> None:
    seen = opened(overview, viewport={"width": 360, "height": 740}, has_touch=True)
    seen.choose(A_DAY, A_DAY)
    place = seen.page.locator("#spend .chart svg")
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    seen.page.touchscreen.tap(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    seen.page.locator("#tip").wait_for(state="visible")
    assert amount(lambda bill: bill.day == A_DAY) in seen.text("#tip")
    tip = seen.page.locator("#tip").bounding_box()
    assert tip is not None
    assert tip["x"] >= 0
    assert tip["x"] + tip["width"] <= 360
    seen.page.locator("#spend h2").tap()
    assert seen.page.locator("#tip").is_hidden()
    is_alone_and_silent(seen)


def test_a_narrower_window_draws_narrower_charts(overview: str, opened: Opener) -> None:
    seen = opened(overview)
    seen.page.set_viewport_size({"width": 600, "height": 900})
    seen.page.evaluate(NARROW)
    assert widths(seen) == [600, 600]


def test_print_has_the_tables_and_no_controls(overview: str, opened: Opener) -> None:
    seen = opened(overview, color_scheme="dark")
    made = seen.page.pdf(format="A4")
    assert made.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", made)) > 5
    seen.page.emulate_media(media="print")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert colour(seen, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert seen.page.locator(".controls").is_hidden()
    assert seen.page.locator("#theme").is_hidden()
    assert all(seen.page.locator("section table").nth(n).is_visible() for n in range(3))
    seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
    seen.page.emulate_media(media="screen")
    assert not seen.page.locator("section table").first.is_visible()
    is_alone_and_silent(seen)


def test_without_scripts_the_tables_are_shown_with_a_notice(overview: str, opened: Opener) -> None:
    seen = opened(overview, java_script_enabled=False)
    assert "charts need JavaScript" in seen.text("noscript")
    tables = seen.page.locator("section table")
    assert tables.count() >= 7
    assert all(tables.nth(n).is_visible() for n in range(tables.count()))
    assert seen.page.locator(".controls").is_hidden()
    assert seen.asked == []
