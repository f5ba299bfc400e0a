"""One table of several profiles: every column of each, and totals that are added up only where that is known."""

from __future__ import annotations

from archiver.offline.tables.display import to_export
from archiver.offline.tables.joined import join
from archiver.offline.tables.money import ATTOCENTS, Estimate
from archiver.offline.tables.table import Column, Kind, Table, counts, money, plain
from archiver.reports.dimensions import Label

CENT = ATTOCENTS


def table(*rows: dict[str, object], total: dict[str, object] | None = None, notes: tuple[str, ...] = ()) -> Table:
    columns = [*plain("name", "currency"), *money("amount"), *counts("tokens"), Column("share", Kind.SHARE)]
    return Table(columns, rows, total, notes)


def row(currency: str, amount: int, tokens: int) -> dict[str, object]:
    return {"name": "n", "currency": currency, "amount": amount, "tokens": tokens, "share": 1.0}


def total(amount: object, tokens: int | None) -> dict[str, object]:
    return {"name": Label.TOTAL, "currency": None, "amount": amount, "tokens": tokens, "share": 1.0}


def test_rows_have_the_columns_of_all_tables() -> None:
    other = Table(plain("colour"), [{"colour": "red"}])
    names, rows = to_export(join({"a": table(row("USD", CENT, 1)), "b": other}), "usd")
    assert names[0] == "profile"
    found = [dict(zip(names, one, strict=True)) for one in rows]
    assert [(one["profile"], one["amount_usd"], one["colour"]) for one in found] == [
        ("a", "0.01", None),
        ("b", None, "red"),
    ]


def test_totals_are_added_by_currency_and_shares_are_not() -> None:
    first = table(row("USD", CENT, 1), total=total({"USD": CENT, "EUR": 2 * CENT}, 1))
    second = table(row("USD", 4 * CENT, 2), total=total({"USD": Estimate(4 * CENT)}, 2))
    joined = join({"a": first, "b": second}).total
    assert joined is not None
    assert joined["amount"] == {"USD": 5 * CENT, "EUR": 2 * CENT}
    assert [type(one) for one in joined["amount"].values()] == [Estimate, int]
    assert (joined["profile"], joined["tokens"], joined["share"]) == (Label.TOTAL, 3, None)
    unknown = table(row("USD", CENT, 1), total=total({"USD": CENT}, None))
    without = join({"a": first, "b": unknown}).total
    assert without is not None
    assert without["tokens"] is None
    assert join({"a": first, "b": table(row("USD", CENT, 1))}).total is None


def test_one_without_numbers_needs_attention_and_is_named() -> None:
    joined = join(
        {"a": table(row("USD", CENT, 1), notes=("all",)), "b": Table([], [], notes=("none", "all"), is_known=False)}
    )
    assert (joined.is_known, joined.needs_attention) == (True, True)
    assert list(joined.notes) == ["all", "b: none"]
    assert not join({"b": Table([], [], is_known=False)}).is_known
