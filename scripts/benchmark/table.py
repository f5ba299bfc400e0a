"""Printing of the measurements as tables."""

from __future__ import annotations

from typing import Any


def show(result: dict[str, Any]) -> None:
    """Print everything as tables."""
    print(result["machine"])
    if result["workloads"]:
        print(f"{'workload':48} {'rows':>9} {'seconds':>8} {'rows/s':>8} of floor  MiB  B/row  second")
    for one in result["workloads"]:
        _show_workload(one)
    sections = {
        "growth": _show_growth,
        "first_sync": _show_first_sync,
        "drift": _show_drift,
        "nightly": _show_nightly,
        "engines": _show_engines,
    }
    for key, section in sections.items():
        if key in result:
            section(result[key])
    for command, seconds in result.get("starts", {}).items():
        print(f"archiver {command}: {seconds:.3f} s")
    if "profile" in result:
        print("the work of A by stage, without waiting:")
    for stage, share in result.get("profile", {}).items():
        print(f"  {stage:10} {share:6.1%}")


def _show_workload(one: dict[str, Any]) -> None:
    counts = (
        f"{one['workload']} {one['title']:46} {one['rows']:9,} {one['seconds']:8.2f} {one['rows_per_second']:8,.0f}"
    )
    sizes = f"{one['of_the_floor']:8.0%} {one['peak_mib']:4.0f} {one['bytes_per_row']:6.1f}"
    print(f"{counts} {sizes} {one['second_of_first']:7.0%}")
    if one["latency_bound"]:
        ratio = one["seconds"] / one["latency_bound"]
        print(f"  {one['requests']} requests: {ratio:.2f} times the bound of latency and concurrency, start included")
    for peer, result in one["peers"].items():
        ratio, size = result["seconds"] / one["seconds"], result["bytes"] / one["rows"]
        print(f"  {peer:20} {result['seconds']:8.2f} s, {ratio:.1f} x, {result['peak_mib']:.0f} MiB, {size:.0f} B/row")


def _show_growth(growth: dict[str, Any]) -> None:
    sizes = f"{growth['peak_mib']:.0f} MiB, {growth['bytes_per_row']:.1f} B/row"
    print(f"E {growth['rows']:,} rows in {growth['seconds']:.1f} s, {sizes}")
    print(f"  the last tenth took {growth['last_of_first_part']:.2f} times the time of the first")
    ratio = growth["one_day_on_a_year"] / growth["one_day_on_nothing"]
    print(f"  one day more: {growth['one_day_on_nothing']:.2f} s on nothing, {ratio:.2f} times that on a year")
    for query, seconds in growth["queries"].items():
        print(f"  {query}: {seconds:.2f} s")


def _show_first_sync(first: dict[str, Any]) -> None:
    month = "no month" if first["month"] is None else f"the first month after {first['month']:.1f} s"
    counts = f"{first['requests']} requests, {first['retries']} retries"
    print(f"F first sync of {first['days']} days, both reports: {counts}, {month}, all after {first['all']:.1f} s")
    for peer, seconds in first["peers"].items():
        print(f"  {peer:20} {seconds:8.1f} s, the usage report alone")


def _show_drift(drift: dict[str, Any]) -> None:
    print(f"G A with a new field in every row: {drift['seconds']:.2f} s, {drift['ratio']:.2f} times A")


def _show_nightly(night: dict[str, Any]) -> None:
    words = f"{night['requests']} requests, {night['seconds']:.2f} s, {night['bytes'] / 1024:,.0f} KiB written"
    print(f"nightly, {night['days']} days settled, nothing new: {words}")


def _show_engines(engines: dict[str, Any]) -> None:
    sizes = f"{engines['bytes'] / 1e6:,.0f} MB, {engines['export_peak_mib']:.0f} MiB of memory"
    print(f"export parquet --series: {engines['export']:.1f} s, {sizes}; again {engines['export_again']:.1f} s")
    for engine, seconds in engines["engines"].items():
        print(f"  tokens by month and workspace, {engine}: {seconds:.2f} s")
