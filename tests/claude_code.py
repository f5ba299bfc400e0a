"""The Claude Code report: an archive's rows and those of the simulator, in one form."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from archiver.reports.claude_code import COLUMNS, COUNTS
from archiver.reports.people import pseudonym
from tests.support import select

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archiver.simulator import Simulator
    from tests.support import Row


def archived(db: Path, first: date, last: date) -> list[Row]:
    """Return the rows of some days, in a fixed order."""
    columns = ", ".join(("date", *COLUMNS, *COUNTS, "amount"))
    rows = select(
        db,
        f"SELECT {columns} FROM claude_code WHERE date BETWEEN ? AND ?",  # noqa: S608  # names of columns
        f"{first}",
        f"{last}",
    )
    return sorted(rows, key=repr)


def truth(api: Simulator, first: date, last: date) -> list[Row]:
    """Return the same of the simulator."""
    rows = []
    for number in range((last - first).days + 1):
        for record in api.claude_code_truth(first + timedelta(days=number)):
            rows += rows_of(record)
    return sorted(rows, key=repr)


def rows_of(record: Mapping[str, Any]) -> list[Row]:
    """Return the rows that a record becomes."""
    actor, core = record["actor"], record["core_metrics"]
    lines = core["lines_of_code"]
    columns = {
        "date": record["date"][:10],
        "actor_type": actor["type"],
        "actor_id": pseudonym(actor["email_address"]) if "email_address" in actor else actor["api_key_name"],
        **{name: record[name] for name in ("organization_id", "customer_type", "subscription_type", "terminal_type")},
        "is_remote": "true" if record["is_remote"] else "false",
    }
    rows = [
        {
            "sessions": core["num_sessions"],
            "lines_added": lines["added"],
            "lines_removed": lines["removed"],
            "commits": core["commits_by_claude_code"],
            "pull_requests": core["pull_requests_by_claude_code"],
        },
        *({"tool": tool, **actions} for tool, actions in record["tool_actions"].items()),
        *(
            {
                "model": one["model"],
                **{f"{kind}_tokens": count for kind, count in one["tokens"].items()},
                "currency": one["estimated_cost"]["currency"],
                "amount": str(one["estimated_cost"]["amount"]),
            }
            for one in record["model_breakdown"]
        ),
    ]
    empty = dict.fromkeys(("date", *COLUMNS)) | dict.fromkeys(COUNTS, 0) | {"amount": None}
    return [tuple((empty | columns | row).values()) for row in rows]
