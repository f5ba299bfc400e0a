"""Pages of the Claude Code report (documented), with invented people."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

from archiver.simulator.clock import DAY, HOUR, stamp
from archiver.simulator.errors import invalid_request
from archiver.simulator.query import parse_limit

if TYPE_CHECKING:
    from archiver.simulator.invented_data import InventedData
    from archiver.simulator.query import Pairs

Record = dict[str, Any]
_TERMINALS = ("vscode", "iTerm.app", "tmux", "cursor")
_TOOLS = ("edit_tool", "multi_edit_tool", "notebook_edit_tool", "write_tool")
_MODELS = ("claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929")
_PARAMETERS = {"starting_at", "limit", "page", "beta"}
_PREFIX = "page_"


class ClaudeCode:
    """Records of the Claude Code report in the API's shape.

    Everybody's sessions depend on the use of the day, so that an amended day has other records.
    """

    def __init__(self, data: InventedData) -> None:
        """Read everything from `data`."""
        self._data = data

    def page(self, pairs: Pairs) -> dict[str, Any]:
        """Return one page; raises a 400."""
        values: defaultdict[str, str] = defaultdict(str)
        for name, value in pairs:
            if name not in _PARAMETERS:
                raise invalid_request(f"{name}: Extra inputs are not permitted")
            values[name] = value
        records = self.records(_day(values["starting_at"]))
        limit = parse_limit([values["limit"]] if values["limit"] else [], 20, 1000)
        first = _first(values["page"])
        following = first + limit
        return {
            "data": records[first:following],
            "has_more": following < len(records),
            "next_page": f"{_PREFIX}{following}" if following < len(records) else None,
        }

    def records(self, day: int) -> list[Record]:
        """Return all records of a day that are older than an hour."""
        now = self._data.clock.seconds - HOUR
        events = self._data.visible(day, now)
        if not events or not self._data.amendments.keeps_charges(day):
            return []
        total = sum(sum(event.counts) for event in events)
        organization = self._data.organization
        people = [{"type": "user_actor", "email_address": user["email"]} for user in organization.users]
        keys = [{"type": "api_actor", "api_key_name": key["name"]} for key in organization.api_keys[:2]]
        records = []
        for number, actor in enumerate([*people, *keys]):
            rng = Random(f"{self._data.settings.seed}:{day}:{total}:{number}:claude-code")
            terminals = rng.sample(_TERMINALS, rng.randrange(3))
            records += [self._record(day, actor, terminal, rng) for terminal in terminals]
        return records

    def _record(self, day: int, actor: Record, terminal: str, rng: Random) -> Record:
        tools = rng.sample(_TOOLS, rng.randrange(len(_TOOLS) + 1))
        is_seat = actor["type"] == "user_actor" and rng.random() < 0.3
        return {
            "date": stamp(day * DAY),
            "actor": actor,
            "organization_id": self._data.organization.id,
            "customer_type": "subscription" if is_seat else "api",
            "subscription_type": "team" if is_seat else None,
            "terminal_type": terminal,
            "is_remote": rng.random() < 0.1,
            "core_metrics": {
                "num_sessions": 1 + rng.randrange(9),
                "lines_of_code": {"added": rng.randrange(900), "removed": rng.randrange(300)},
                "commits_by_claude_code": rng.randrange(7),
                "pull_requests_by_claude_code": rng.randrange(3),
            },
            "tool_actions": {
                tool: {"accepted": rng.randrange(50), "rejected": rng.randrange(9)} for tool in sorted(tools)
            },
            "model_breakdown": [_model(model, rng) for model in _MODELS[: 1 + rng.randrange(2)]],
        }


def _model(name: str, rng: Random) -> Record:
    counts = {kind: rng.randrange(90_000) for kind in ("input", "output", "cache_read", "cache_creation")}
    return {
        "model": name,
        "tokens": counts,
        "estimated_cost": {"amount": rng.randrange(900), "currency": "USD"},
    }


def _day(text: str) -> int:
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise invalid_request("starting_at: Input should be a date in the form YYYY-MM-DD") from None


def _first(text: str) -> int:
    number = text.removeprefix(_PREFIX) or "0"
    if not (number.isascii() and number.isdigit()):
        raise invalid_request("page: invalid page token")
    return int(number[:9])  # int() refuses thousands of digits
