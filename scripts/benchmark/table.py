"""Printing what was measured."""

from __future__ import annotations

from typing import Any


def show(result: dict[str, Any]) -> None:
    """Print everything as tables."""
    print(result["machine"])
    if result["workloads"]:
        print(f"{'workload':48} {'rows':>9} {'seconds':>8} {'rows/s':>8} of floor  MiB  B/row  second")
    for one in result["workloads"]:
        _show_workload(one)
    if "growth" in result:
        _show_growth(result["growth"])
    for what, seconds in result.get("starts", {}).items():
        print(f"archiver {what}: {seconds:.3f} s")
    if "profile" in result:
        print("where the time of A goes, waiting left out:")
    for stage, share in result.get("profile", {}).items():
        print(f"  {stage:10} {share:6.1%}")


def _show_workload(one: dict[str, Any]) -> None:
    counts = f"{one['workload']} {one['what']:46} {one['rows']:9,} {one['seconds']:8.2f} {one['rows_per_second']:8,.0f}"
    sizes = f"{one['of_the_floor']:8.0%} {one['peak_mib']:4.0f} {one['bytes_per_row']:6.1f}"
    print(f"{counts} {sizes} {one['second_of_first']:7.0%}")
    if one["latency_bound"]:
        ratio = one["seconds"] / one["latency_bound"]
        print(f"  {one['requests']} requests: {ratio:.2f} times the bound of latency and concurrency, start included")
    for peer, its in one["peers"].items():
        ratio, size = its["seconds"] / one["seconds"], its["bytes"] / one["rows"]
        print(f"  {peer:20} {its['seconds']:8.2f} s, {ratio:.1f} x, {its['peak_mib']:.0f} MiB, {size:.0f} B/row")


def _show_growth(growth: dict[str, Any]) -> None:
    print(f"E {growth['rows']:,} rows in {growth['seconds']:.1f} s, {growth['peak_mib']:.0f} MiB")
    ratio = growth["one_day_on_a_year"] / growth["one_day_on_nothing"]
    print(f"  one day more: {growth['one_day_on_nothing']:.2f} s on nothing, {ratio:.2f} times that on a year")
    for what, seconds in growth["asked"].items():
        print(f"  {what}: {seconds:.2f} s")
