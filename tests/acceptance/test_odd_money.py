"""Money of odd data: names that are shared, two currencies, a change of grouping, a day in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archiver.model import NameKind, SpendLimit
from tests.handmade import Handmade, cost_row, days, run, usage_row

if TYPE_CHECKING:
    from pathlib import Path

READ_AT = "2026-04-01T03:00:00"
KINDS = {"context_window": "0-200k", "service_tier": "standard"}
OUTPUT = {"cost_type": "tokens", "token_type": "output_tokens", "model": "m", "description": "m", **KINDS}
MILLION = 1_000_000
Rows = dict[str, list[Any]]


def backtest(db: Path, tmp_path: Path, config: str, length: str = "30d") -> list[dict[str, Any]]:
    path = tmp_path / "config.toml"
    path.write_text(config, encoding="utf-8")
    done = run("check", "--backtest", length, "--config", str(path), "--json", "--db", str(db))
    assert done.code == 0, done.stderr
    rows: list[dict[str, Any]] = done.rows()
    return rows


def test_subjects_of_one_name_are_two_findings(db: Path, tmp_path: Path) -> None:
    # w1 and w2 have one name, and cost ten times as much on two days that follow each other; so has w2 in euros.
    cost: Rows = {}
    for day in days("2026-01-01", "2026-03-31"):
        one, other = (10 if day == jump else 1 for jump in ("2026-03-20", "2026-03-21"))
        cost[day] = [
            cost_row(f"{5000 * one}", workspace_id="w1", **OUTPUT),
            cost_row(f"{5000 * other}", workspace_id="w2", **OUTPUT),
            cost_row(f"{5000 * other}", workspace_id="w2", currency="EUR", **OUTPUT),
        ]
    handmade = Handmade(db)
    handmade.cost(cost, read_at=READ_AT)
    handmade.names(NameKind.WORKSPACE, {"w1": "Api", "w2": "Api"}, read_at="2026-01-01T00:00:00")
    found = backtest(db, tmp_path, '[check]\nrules = ["jump"]\n[check.jump]\nby = ["workspace"]\n')
    assert [(one["subject"], one["first_day"], one["last_day"], one["currency"]) for one in found] == [
        ("workspace Api (w1)", "2026-03-20", "2026-03-20", "USD"),
        ("workspace Api (w2)", "2026-03-21", "2026-03-21", "EUR"),
        ("workspace Api (w2)", "2026-03-21", "2026-03-21", "USD"),
    ]


def test_limits_of_workspaces_of_one_name_are_two_findings(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    rows = [cost_row("1000", workspace_id="w1", **OUTPUT), cost_row("5000", workspace_id="w2", **OUTPUT)]
    handmade.cost(dict.fromkeys(days("2026-03-01", "2026-03-31"), rows), read_at=READ_AT)
    handmade.names(NameKind.WORKSPACE, {"w1": "Api", "w2": "Api"}, read_at="2026-01-01T00:00:00")
    limits = [SpendLimit(f"spl_{n}", "workspace", f"w{n}", "20000", "USD", "monthly", is_enabled=True) for n in (1, 2)]
    handmade.spend_limits(*limits, read_at=READ_AT)
    found = backtest(db, tmp_path, '[check]\nrules = ["limit"]\n')
    # 90 % of 200 USD: on the 18th day of 10 USD, and on the 4th of 50 USD.
    assert [(one["subject"], one["first_day"]) for one in found] == [
        ("API limit: Api in 2026-03", "2026-03-04"),
        ("API limit: Api in 2026-03", "2026-03-18"),
    ]


def test_what_starts_small_is_new_once_it_costs_enough(db: Path, tmp_path: Path) -> None:
    cost: Rows = {}
    for day in days("2026-01-01", "2026-03-31"):
        cost[day] = [cost_row("5000", workspace_id="w1", **OUTPUT)]
        if day >= "2026-03-10":
            cents = "10" if day < "2026-03-12" else "2500"
            cost[day] += [cost_row(cents, workspace_id="w2", **OUTPUT)]
    Handmade(db).cost(cost, read_at=READ_AT)
    (found,) = backtest(db, tmp_path, '[check]\nrules = ["new"]\n[check.new]\nby = ["workspace"]\n')
    assert (found["first_day"], found["amount_usd"]) == ("2026-03-12", "25.00")
    assert found["text"] == "workspace w2 is new: 25.00 USD on 2026-03-12, first on 2026-03-10"


def change_of_grouping(db: Path) -> None:
    """Write 70 days without workspaces, and then 20 with them, of the same cost."""
    handmade = Handmade(db)
    before = [cost_row("5000", **OUTPUT)]
    handmade.cost(dict.fromkeys(days("2026-01-01", "2026-03-11"), before), read_at=READ_AT, group_by=("description",))
    after = [cost_row("3000", workspace_id="w1", **OUTPUT), cost_row("2000", workspace_id="w2", **OUTPUT)]
    handmade.cost(dict.fromkeys(days("2026-03-12", "2026-03-31"), after), read_at=READ_AT)


def test_a_change_of_grouping_makes_nothing_new(db: Path, tmp_path: Path) -> None:
    change_of_grouping(db)
    assert backtest(db, tmp_path, '[check]\nrules = ["new", "jump"]\n') == []


def test_a_change_of_grouping_is_no_growth(db: Path) -> None:
    change_of_grouping(db)
    done = run("report", "growth", "--by", "workspace", "--json", "--db", str(db))
    by_workspace = {row["workspace_id"]: row for row in done.rows()}
    # The week before the last one is of the new grouping; of the four weeks before the last four, no day is.
    assert (by_workspace["w1"]["week_now_usd"], by_workspace["w1"]["week_change_usd"]) == ("210.00", "0.00")
    assert [by_workspace[one]["four_weeks_change_usd"] for one in ("w1", "w2")] == [None, None]
    assert "four weeks: no day is archived by workspace in both periods" in done.stderr


def test_why_has_no_parts_by_what_the_days_before_do_not_have(db: Path) -> None:
    change_of_grouping(db)
    done = run("report", "why", "--day", "2026-03-31", "--json", "--db", str(db))
    assert {row["part"] for row in done.rows()} & {"workspace", "model"} == {"model"}
    assert "no parts by workspace" in done.stderr


def test_why_takes_no_usage_of_a_day_in_progress(db: Path) -> None:
    handmade = Handmade(db)
    rows = [cost_row("1500", workspace_id="w", **OUTPUT)]
    used = [usage_row(0, 0, 0, 0, MILLION, model="m", workspace_id="w", api_key_id="k", **KINDS)]
    dates = days("2026-03-01", "2026-03-31")
    handmade.cost(dict.fromkeys(dates, rows), read_at=READ_AT)
    handmade.usage(dict.fromkeys(dates[:-1], used), read_at=READ_AT)
    half = [usage_row(0, 0, 0, 0, MILLION // 2, model="m", workspace_id="w", api_key_id="k", **KINDS)]
    handmade.usage({dates[-1]: half}, read_at="2026-03-31T12:00:00")
    done = run("report", "why", "--day", "2026-03-31", "--by", "driver", "--json", "--db", str(db))
    assert [row["part"] for row in done.rows()] == ["total"]
    assert "no drivers" in done.stderr


def two_currencies(db: Path) -> None:
    """Write January in dollars, and from February on in euros; of March usage alone."""
    handmade = Handmade(db)
    input_too = OUTPUT | {"token_type": "cache_read_input_tokens"}, OUTPUT | {"token_type": "uncached_input_tokens"}
    for currency, first, last in (("USD", "2026-01-01", "2026-01-31"), ("EUR", "2026-02-01", "2026-02-28")):
        # A million read from the cache costs 1, and a million not read from it 3.
        rows = [cost_row(cents, currency=currency, workspace_id="w", **kind)
                for cents, kind in zip(("100", "300"), input_too, strict=True)]  # fmt: skip
        handmade.cost(dict.fromkeys(days(first, last), rows), read_at=READ_AT)
    used = [usage_row(MILLION, 0, 0, MILLION, 0, 5, model="m", workspace_id="w", api_key_id="k", **KINDS)]
    handmade.usage(dict.fromkeys(days("2026-01-01", "2026-03-31"), used), read_at=READ_AT)


def test_savings_of_days_without_bills_are_in_the_currency_of_the_newest(db: Path) -> None:
    two_currencies(db)
    of_march = run("report", "savings", "--since", "2026-03-01", "--json", "--db", str(db))
    assert [(one["currency"], one["saved_eur"]) for one in of_march.rows()] == [("EUR", "62.00")]
    of_january = run("report", "savings", "--until", "2026-02-01", "--json", "--db", str(db))
    assert [(one["currency"], one["saved_usd"]) for one in of_january.rows()] == [("USD", "62.00")]
    of_both = run("report", "savings", "--json", "--db", str(db))
    assert (of_both.code, "several currencies" in of_both.stderr) == (2, True)


def test_today_takes_prices_in_the_newest_currency(db: Path) -> None:
    two_currencies(db)
    done = run("report", "today", "--day", "2026-03-31", "--json", "--db", str(db))
    assert [(one["currency"], one["estimate_eur"]) for one in done.rows()] == [("EUR", "4.00")]
    assert "5 web searches without a known price: not in these numbers" in done.stderr
    early = run("report", "today", "--day", "2026-02-03", "--json", "--db", str(db))
    assert [one["currency"] for one in early.rows()] == ["EUR"]


def test_restated_cost_is_counted_by_currency_and_once(db: Path, tmp_path: Path) -> None:
    handmade = Handmade(db)
    dates = days("2026-01-01", "2026-03-31")
    for currency_of_more, read_at in (("", READ_AT), ("more", "2026-04-02T03:00:00")):
        more = 250 if currency_of_more else 0
        rows = [cost_row(f"{1000 + more}", workspace_id="w", **OUTPUT),
                cost_row(f"{1000 + 2 * more}", workspace_id="w", currency="EUR", **OUTPUT)]  # fmt: skip
        changed = ["2026-01-10"] if more else dates
        handmade.cost(dict.fromkeys(changed, rows), read_at=read_at)
        without = [cost_row(amount, **{**kind, "workspace_id": None}) for amount, kind in rows]
        handmade.cost(dict.fromkeys(changed, without), read_at=read_at, group_by=("description",))
    handmade.cost({"2026-04-01": rows}, read_at="2026-04-02T03:00:00")
    handmade.cost({"2026-04-02": rows, "2026-04-03": rows}, read_at="2026-04-04T03:00:00")
    found = backtest(db, tmp_path, '[check]\nrules = ["restated"]\n')
    assert [(one["currency"], one["text"]) for one in found] == [
        ("EUR", "settled cost changed, first seen on 2026-04-02: 5.00 EUR more and 0.00 EUR less"),
        ("USD", "settled cost changed, first seen on 2026-04-02: 2.50 USD more and 0.00 USD less"),
    ]
    report = run("report", "restatements", "--json", "--db", str(db)).rows()
    assert {(one["currency"], one["change"]) for one in report} == {("EUR", "500"), ("USD", "250")}
