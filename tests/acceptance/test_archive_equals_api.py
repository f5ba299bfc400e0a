"""Every archived row equals that of the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archiver.model import BucketWidth, Report, make_filters
from archiver.plan.groupings import parse_group_by
from archiver.plan.scope import Scope
from archiver.reports import COST, USAGE
from tests.support import archived, day, select, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

FIVE = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
GROUPINGS = [
    (),
    ("model",),
    ("workspace_id",),
    ("api_key_id", "model"),
    FIVE,
    ("account_id", "speed"),
    USAGE.columns[4:],
]
RANGES = {
    BucketWidth.DAY: (day("2025-10-20"), None),
    BucketWidth.HOUR: (day("2025-12-28"), None),
    BucketWidth.MINUTE: (day("2026-01-13"), None),
}


def usage(width: BucketWidth, *group_by: str, **more: object) -> Scope:
    since, until = RANGES[width]
    wanted = parse_group_by(",".join(group_by)) if group_by else "none"
    return Scope((Report.USAGE,), (width,), (wanted,), since=since, until=until, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", BucketWidth)
@pytest.mark.parametrize("group_by", GROUPINGS, ids=",".join)
def test_usage_is_the_apis(shared_api: Simulator, db: Path, width: BucketWidth, group_by: tuple[str, ...]) -> None:
    summary = sync(shared_api, db, usage(width, *group_by))
    expected = truth(shared_api, "usage", width, group_by, RANGES[width][0])
    assert summary.exit_code == 0
    assert expected
    assert archived(db, "usage", width, group_by) == expected


@pytest.mark.parametrize("group_by", [(), ("workspace_id",), ("description",), ("description", "workspace_id")])
def test_cost_is_the_apis(shared_api: Simulator, db: Path, group_by: tuple[str, ...]) -> None:
    wanted = parse_group_by(",".join(group_by)) if group_by else "none"
    sync(shared_api, db, Scope((Report.COST,), group_by=(wanted,), since=day("2025-10-20")))
    expected = truth(shared_api, "cost", "1d", group_by, day("2025-10-20"))
    assert expected
    assert archived(db, "cost", "1d", group_by) == expected


def test_finest_is_one_pass_over_the_five_default_dimensions_and_cost_by_both_of_its_own(
    shared_api: Simulator, db: Path
) -> None:
    sync(shared_api, db)
    assert archived(db, "usage", "1d", FIVE) == truth(shared_api, "usage", "1d", FIVE, day("2025-11-01"))
    assert archived(db, "cost", "1d", COST.group_by) == truth(
        shared_api, "cost", "1d", COST.group_by, day("2025-11-01")
    )
    assert select(db, "SELECT count(*) FROM _series") == [(2,)]


def test_finest_over_nine_dimensions_takes_two_passes_that_cover_all(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope((Report.USAGE,), since=day("2025-12-20"), dimensions=USAGE.group_by))
    passes = [tuple(text.split(",")) for (text,) in select(db, "SELECT group_by FROM _series ORDER BY id")]
    assert set().union(*passes) == set(USAGE.group_by)
    assert [len(one) for one in passes] == [5, 5]
    for group_by in passes:
        assert archived(db, "usage", "1d", group_by) == truth(shared_api, "usage", "1d", group_by, day("2025-12-20"))


def test_each_is_one_pass_a_dimension_and_the_total(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope(group_by=("each",), since=day("2025-12-20")))
    for group_by in [(), *((dimension,) for dimension in FIVE)]:
        assert archived(db, "usage", "1d", group_by) == truth(shared_api, "usage", "1d", group_by, day("2025-12-20"))
    for group_by in [(), ("workspace_id",), ("description",)]:
        assert archived(db, "cost", "1d", group_by) == truth(shared_api, "cost", "1d", group_by, day("2025-12-20"))
    assert select(db, "SELECT count(*) FROM _series") == [(9,)]


def test_all_is_every_subset_up_to_the_cap(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, Scope(group_by=("all",), since=day("2026-01-10")))
    assert select(db, "SELECT report, count(*) FROM _series GROUP BY report ORDER BY report") == [
        ("cost", 4),
        ("usage", 32),
    ]


@pytest.mark.parametrize(
    "filters",
    [{"service_tier": ("batch",)}, {"service_tier": ("batch", "standard"), "speed": ("fast",)}],
    ids=["one", "two"],
)
def test_a_filtered_series_holds_only_what_was_filtered(
    shared_api: Simulator, db: Path, filters: dict[str, tuple[str, ...]]
) -> None:
    scope = usage(BucketWidth.DAY, "model", filters=make_filters(filters))
    sync(shared_api, db, scope)
    expected = truth(shared_api, "usage", "1d", ("model",), RANGES[BucketWidth.DAY][0], filters=filters)
    assert expected
    assert archived(db, "usage", "1d", ("model",), scope.series()[0].filters_text) == expected


@pytest.mark.parametrize("dimension", USAGE.filters)
def test_every_filter_reaches_the_api_under_its_own_name(shared_api: Simulator, db: Path, dimension: str) -> None:
    rows = truth(shared_api, "usage", "1d", (dimension,), day("2025-12-20"))
    value = next(row[2 + USAGE.columns.index(dimension)] for row in rows if row[2 + USAGE.columns.index(dimension)])
    filters = make_filters({dimension: (value,)})
    sync(shared_api, db, Scope((Report.USAGE,), group_by=("none",), since=day("2025-12-20"), filters=filters))
    expected = truth(shared_api, "usage", "1d", (), day("2025-12-20"), filters={dimension: (value,)})
    assert expected
    assert archived(db, "usage", "1d", (), f"{dimension}={value}") == expected


def test_daily_views_sum_to_the_truth_whatever_else_is_archived(shared_api: Simulator, db: Path) -> None:
    scope = Scope(
        bucket_widths=(BucketWidth.DAY, BucketWidth.HOUR), group_by=("finest", "each"), since=day("2025-12-20")
    )
    sync(shared_api, db, scope)
    tokens = sum(row[-2] for row in truth(shared_api, "usage", "1d", (), day("2025-12-20")))
    assert select(db, "SELECT sum(output_tokens) FROM daily_tokens") == [(tokens,)]
    microcents = sum(int(row[-1].replace(".", "")) for row in truth(shared_api, "cost", "1d", (), day("2025-12-20")))
    assert select(db, "SELECT sum(amount_microcents) FROM daily_cost") == [(microcents,)]


def test_daily_tokens_are_sums_of_hours_where_no_days_are_archived(shared_api: Simulator, db: Path) -> None:
    sync(shared_api, db, usage(BucketWidth.HOUR, "model"))
    whole_days = list(truth(shared_api, "usage", "1d", ("model",), RANGES[BucketWidth.HOUR][0]))
    expected = {(row[0][:10], row[4]): row[-2] for row in whole_days if row[0][:10] != "2026-01-15"}
    found = select(db, "SELECT date, model, output_tokens FROM daily_tokens")
    assert {(d, m): tokens for d, m, tokens in found} == expected
