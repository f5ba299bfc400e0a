"""Answers of the live API and of its documentation, replayed where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archiver.api.classify import classify
from archiver.api.client import AdminClient
from archiver.api.decode.page import RowPageReader, read_page
from archiver.api.endpoints import fetch_window
from archiver.api.key import AdminKey
from archiver.api.lists import fetch_names, fetch_organization
from archiver.api.rate_limit import Rate, RateLimiter
from archiver.api.response import Response
from archiver.api.retry import RetryPolicy
from archiver.errors import ContractError, GroupByCapError, KeyRefusedError, NotReadyError
from archiver.model import DAY, BucketWidth, NameKind, Report, Series, Window
from archiver.plan.calendar import parse_time
from archiver.reports import SPECS
from tests.support import INVENTED_KEY
from tests.unit.api.virtual import NOW, Virtual

FOLDER: Path = Path(__file__).parents[2] / "../shared/fixtures"
MANIFEST = FOLDER / "MANIFEST.json"
ENTRIES: list[dict[str, Any]] = json.loads(MANIFEST.read_text("utf-8")) if MANIFEST.exists() else []
REPORTS = {"usage_report/messages": Report.USAGE, "cost_report": Report.COST}

# What is expected of answers that the index leaves open, or that were refused when it was written.
ACCEPTED_NOW = {"focus-exporter__usage.json", "token-reporting__usage_no_tools.json"}
REASONS = {
    "not-a-number": "Expected a decimal amount of cents",
    "a measure is missing": "missing required field cache_",
    "not one whole bucket": "not one whole 1d",
    "currency missing": "missing required field currency",
    "ending_at missing": "missing required field ending_at",
}

PAGES = [pytest.param(e, id=e["file"]) for e in ENTRIES if e["endpoint"] in REPORTS and e["status"] == 200]
ERRORS = [pytest.param(e, id=e["file"]) for e in ENTRIES if e["status"] != 200]

pytestmark = pytest.mark.skipif(not ENTRIES, reason="the recorded answers are not here")


def body_of(entry: dict[str, Any]) -> bytes:
    return (FOLDER / str(entry["file"])).read_bytes()


def window_of(entry: dict[str, Any], body: bytes) -> Window:
    series = Series(REPORTS[entry["endpoint"]], BucketWidth(entry["bucket_width"]), tuple(entry["group_by"] or ()))
    first = int(parse_time(json.loads(body)["data"][0]["starting_at"]).timestamp())
    limit = SPECS[series.report].limits[series.bucket_width]
    return Window(series, first, first + limit * series.bucket_width.seconds)


@pytest.mark.parametrize("entry", PAGES)
def test_a_recorded_page_is_accepted_or_refused_as_the_index_has_it(entry: dict[str, Any]) -> None:
    body, expected = body_of(entry), entry["expect"] or "accept"
    window = window_of(entry, body)
    if expected.startswith("accept") or entry["file"] in ACCEPTED_NOW:
        page = read_page(body, window, after=window.start)
        assert page.buckets is not None
        assert page.buckets.rows == sum(len(bucket["results"]) for bucket in json.loads(body)["data"])
        assert (page.next_page is not None) is json.loads(body).get("has_more", False)
        return
    reason = next(text for words, text in REASONS.items() if words in expected)
    with pytest.raises(ContractError, match=reason):
        read_page(body, window, after=window.start)


def client_of(status: int, headers: dict[str, str], body: bytes) -> AdminClient:
    async def exchange(*_: Any) -> Response:
        return Response(status, headers, body)

    clock = Virtual().clock()
    limiter = RateLimiter(Rate(None), 1, clock)
    policy = RetryPolicy(limiter, clock)
    return AdminClient(None, "http://x", AdminKey(INVENTED_KEY, "a test"), limiter, clock, policy, exchange)


@pytest.mark.parametrize("entry", ERRORS)
async def test_a_recorded_error_is_classified_as_the_index_has_it(entry: dict[str, Any]) -> None:
    status, headers = entry["status"], {name.lower(): value for name, value in entry["headers"].items()}
    failure = classify(Response(status, headers, body_of(entry)), NOW)
    assert failure is not None
    assert json.loads(body_of(entry))["error"]["message"][:60] in failure.error.message
    expected = entry["expect"] or ""
    if "Cap" in expected:
        assert isinstance(failure.error, GroupByCapError)
        assert failure.error.cap == 5
    elif "end the run" in expected:
        assert failure.error.ends_run
        assert not failure.again
    elif "minute scale" in expected or "no advice" in expected:
        assert failure.again
        assert failure.gate
        assert failure.retry_after is None
    elif expected == "NotReady":
        start = int(NOW) - int(NOW) % DAY
        date = {"date": "Thu, 15 Jan 2026 12:30:00 GMT"}
        today = Window(Series(Report.COST, BucketWidth.DAY), start, start + DAY)
        with pytest.raises(NotReadyError):
            await fetch_window(client_of(status, headers | date, body_of(entry)), today)
    assert isinstance(failure.error, KeyRefusedError) is (status in {401, 403})


LISTS = {
    "platform-docs__workspaces_list_2026-08.json": NameKind.WORKSPACE,
    "sdk__workspaces_include_default.json": NameKind.WORKSPACE,
    "platform-docs__api_keys_list_2026-08.json": NameKind.API_KEY,
    "sdk__api_keys_2026-10-21.json": NameKind.API_KEY,
    "platform-docs__users_list_2026-08.json": NameKind.USER,
    "platform-docs__service_accounts_list_2026-08.json": NameKind.SERVICE_ACCOUNT,
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_recorded_list_is_read(name: str) -> None:
    raw = json.loads((FOLDER / name).read_text("utf-8"))
    raw["next_page"] = None  # the example's own token would be followed for ever
    raw |= {"has_more": False} if "has_more" in raw else {}
    names = await fetch_names(client_of(200, {}, json.dumps(raw).encode()), LISTS[name])
    assert [one.id for one in names] == [one["id"] for one in raw["data"]]
    if LISTS[name] is NameKind.API_KEY:
        assert all("workspace_id" in json.loads(one.details) for one in names)


async def test_the_recorded_organisation_is_read() -> None:
    body = (FOLDER / "platform-docs__organizations_me_2026-08.json").read_bytes()
    assert (await fetch_organization(client_of(200, {}, body))).id == json.loads(body)["id"]


CLAUDE_CODE = [pytest.param(e, id=e["file"]) for e in ENTRIES if e["endpoint"] == "usage_report/claude_code"]


@pytest.mark.parametrize("entry", CLAUDE_CODE)
def test_a_recorded_page_of_claude_code_is_read_or_refused(entry: dict[str, Any]) -> None:
    body = body_of(entry)
    raw = json.loads(body)
    date = raw["data"][0]["date"] if raw["data"] else "2026-01-24T00:00:00Z"
    first = int(parse_time(date).timestamp())
    read = RowPageReader(Window(Series(Report.CLAUDE_CODE, BucketWidth.DAY), first, first + DAY))
    response = Response(200, {}, body)
    if "has_more" not in raw:  # an invented server, which leaves out what every page of the API has
        with pytest.raises(ContractError, match="Expected true or false"):
            read(response)
        return
    page = read(response)
    rows = [
        part
        for record in raw["data"]
        for part in (record["core_metrics"], *record["tool_actions"], *record["model_breakdown"])
    ]
    assert len(page.rows) == len(rows)
    sessions = sum(record["core_metrics"]["num_sessions"] for record in raw["data"])
    assert sum(row.values[0] for row in page.rows) == sessions
    cents = sum(one["estimated_cost"]["amount"] for record in raw["data"] for one in record["model_breakdown"])
    assert sum(row.values[-2] or 0 for row in page.rows) == cents * 10**6
    assert page.warnings == ()
