"""The simulator over HTTP: credentials, errors, the lists of names, the rate limit, the command."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from click.testing import CliRunner

from archiver.cli.simulate import simulate
from archiver.simulator import FAULTS, INVENTED_KEY, INVENTED_TOKEN, REFUSED_KEY, Settings, Simulator, background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
QUIET = Settings(first_day=date(2025, 11, 1), now=NOW)
ROOT = "/v1/organizations"
VERSION = {"anthropic-version": "2023-06-01"}
KEY = {**VERSION, "x-api-key": INVENTED_KEY}
TOKEN = {**VERSION, "authorization": f"Bearer {INVENTED_TOKEN}"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


async def ask(
    simulator: Simulator, path: str, *, headers: dict[str, str] = KEY, method: str = "GET", **query: str
) -> Answer:
    async with (
        ClientSession() as session,
        session.request(
            method, f"{simulator.url}{ROOT}{path}", params=query, headers=headers, allow_redirects=False
        ) as response,
    ):
        text = await response.text()
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, json.loads(text) if text else None)


@asynccontextmanager
async def running(settings: Settings = QUIET) -> AsyncIterator[Simulator]:
    async with Simulator(settings) as simulator:
        yield simulator


def kind(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["error"]["type"]


# Credentials and routes


@pytest.mark.parametrize(
    "credential",
    [
        {"x-api-key": INVENTED_KEY},
        {"authorization": f"Bearer {INVENTED_KEY}"},
        {"authorization": f"Bearer {INVENTED_TOKEN}"},
    ],
)
async def test_the_key_is_accepted_in_both_headers_and_the_token_as_bearer(credential: dict[str, str]) -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", headers={**VERSION, **credential})
    assert answer.status == 200
    assert answer.body == simulator.organization.me


@pytest.mark.parametrize(
    "credential",
    [{}, {"x-api-key": "sk-ant-admin01-wrong"}, {"x-api-key": INVENTED_TOKEN}, {"authorization": "Bearer no"}],
)
async def test_a_missing_or_wrong_key_or_a_token_in_place_of_one_is_a_401(credential: dict[str, str]) -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", headers={**VERSION, **credential})
    assert kind(answer) == (401, "authentication_error")


async def test_a_key_without_permission_is_a_403() -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", headers={**VERSION, "x-api-key": REFUSED_KEY})
    assert kind(answer) == (403, "permission_error")


async def test_a_request_without_a_version_is_a_400() -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", headers={"x-api-key": INVENTED_KEY})
    assert kind(answer) == (400, "invalid_request_error")
    assert "anthropic-version" in answer.body["error"]["message"]


@pytest.mark.parametrize("path", ["/nothing", "/usage_report", "/workspaces/a/members", "/../../etc/passwd"])
async def test_an_unknown_path_is_a_404(path: str) -> None:
    async with running() as simulator:
        assert kind(await ask(simulator, path)) == (404, "not_found_error")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_another_method_is_a_405(method: str) -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("credential", [INVENTED_KEY, INVENTED_TOKEN, REFUSED_KEY])
def test_invented_credentials_are_long_enough_and_look_invented(credential: str) -> None:
    assert len(credential) >= 20
    assert "invented" in credential


# Every response


async def test_a_refusal_is_the_documented_envelope_with_the_request_id_of_its_header() -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", headers=VERSION)
    assert set(answer.body) == {"type", "error", "request_id"}
    assert set(answer.body["error"]) == {"type", "message"}
    assert answer.body["type"] == "error"
    assert answer.body["request_id"] == answer.headers["request-id"]


async def test_every_answer_carries_the_documented_headers_and_the_simulated_date() -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me")
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["anthropic-organization-id"] == simulator.organization.id
    assert answer.headers["date"] == "Thu, 15 Jan 2026 12:30:00 GMT"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("identity", None)])
async def test_an_answer_is_compressed_only_when_that_is_accepted(accepted: str, encoding: str | None) -> None:
    async with running() as simulator:
        answer = await ask(simulator, "/me", headers={**KEY, "accept-encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding
    assert answer.body["type"] == "organization"


async def test_every_request_is_recorded_with_its_query_and_status() -> None:
    async with running() as simulator:
        await ask(simulator, "/users", limit="3")
        await ask(simulator, "/users", limit="none")
    first, second = simulator.requests
    assert (first.method, first.path, first.query) == ("GET", f"{ROOT}/users", (("limit", "3"),))
    assert (first.status, second.status) == (200, 400)
    assert first.headers["x-api-key"] == INVENTED_KEY


# The lists of names


@pytest.mark.parametrize("name", ["workspaces", "users", "api_keys"])
async def test_pages_of_a_list_together_are_the_whole_list(name: str) -> None:
    async with running() as simulator:
        found: list[Any] = []
        query = f"/{name}?limit=4&include_archived=true"
        page = (await ask(simulator, query)).body
        found += page["data"]
        while page["has_more"]:
            page = (await ask(simulator, f"{query}&after_id={page['last_id']}")).body
            assert page["first_id"] == page["data"][0]["id"]
            found += page["data"]
        assert page["last_id"] == found[-1]["id"]
        assert found == list(getattr(simulator.organization, name))


async def test_service_accounts_have_pages_by_token_without_has_more_or_ids() -> None:
    async with running() as simulator:
        found: list[Any] = []
        query = "/service_accounts?limit=2&include_archived=true"
        page = (await ask(simulator, query, headers=TOKEN)).body
        while True:
            assert set(page) == {"data", "next_page"}
            found += page["data"]
            if page["next_page"] is None:
                break
            page = (await ask(simulator, f"{query}&page={page['next_page']}", headers=TOKEN)).body
    assert found == list(simulator.organization.service_accounts)


@pytest.mark.parametrize("path", ["/service_accounts", "/service_accounts/svac_01unknown"])
async def test_an_admin_key_gets_a_403_for_service_accounts(path: str) -> None:
    async with running() as simulator:
        answer = await ask(simulator, path)
    assert kind(answer) == (403, "permission_error")
    assert "org:admin" in answer.body["error"]["message"]


@pytest.mark.parametrize("query", ["after_id=a", "page=nonsense", "limit=0"])
async def test_a_wrong_parameter_of_service_accounts_is_a_400(query: str) -> None:
    async with running() as simulator:
        answer = await ask(simulator, f"/service_accounts?{query}", headers=TOKEN)
    assert kind(answer) == (400, "invalid_request_error")


async def test_the_default_workspace_is_listed_only_when_it_is_included() -> None:
    async with running() as simulator:
        usual = (await ask(simulator, "/workspaces")).body["data"]
        wide = (await ask(simulator, "/workspaces", include_default="true")).body["data"]
        by_id = (await ask(simulator, f"/workspaces/{wide[0]['id']}")).body
    assert wide[1:] == usual
    assert wide[0] == by_id == simulator.organization.default_workspace
    assert (wide[0]["name"], wide[0]["archived_at"]) == ("Default", None)


async def test_an_older_api_refuses_to_include_the_default_workspace() -> None:
    async with running(Settings(now=NOW, include_default=False)) as simulator:
        answer = await ask(simulator, "/workspaces", include_default="true")
    assert kind(answer) == (400, "invalid_request_error")
    assert "include_default" in answer.body["error"]["message"]


async def test_api_keys_of_the_newer_version_have_a_scope_instead_of_a_workspace() -> None:
    async with running() as simulator:
        old = (await ask(simulator, "/api_keys", limit="100")).body["data"]
    async with running(Settings(first_day=QUIET.first_day, now=NOW, key_scope=True)) as simulator:
        new = (await ask(simulator, "/api_keys", limit="100")).body["data"]
        default = simulator.organization.default_workspace["id"]
        of_default = (await ask(simulator, "/api_keys", workspace_id=default)).body["data"]
    assert [key["scope"]["workspace_id"] for key in new] == [key["workspace_id"] or default for key in old]
    assert all("workspace_id" not in key and key["scope"]["type"] == "workspace" for key in new)
    assert of_default == [key for key in new if key["scope"]["workspace_id"] == default] != []


async def test_a_page_of_a_list_has_twenty_records_unless_asked_otherwise() -> None:
    async with running() as simulator:
        page = (await ask(simulator, "/api_keys")).body
    assert (len(page["data"]), page["has_more"]) == (20, True)


async def test_archived_workspaces_are_listed_only_when_asked_for() -> None:
    async with running() as simulator:
        some = (await ask(simulator, "/workspaces")).body["data"]
        every = (await ask(simulator, "/workspaces", include_archived="true")).body["data"]
    assert len(some) < len(every)
    assert all(workspace["archived_at"] is None for workspace in some)


async def test_an_empty_page_has_no_ids() -> None:
    async with running() as simulator:
        page = (await ask(simulator, "/users", email="unknown@invented.example")).body
    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


async def test_one_record_is_found_by_its_id_or_is_a_404() -> None:
    async with running() as simulator:
        user = simulator.organization.users[3]
        assert (await ask(simulator, f"/users/{user['id']}")).body == user
        assert (await ask(simulator, "/users/user_01unknown")).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=ten",
        "after_id=user_01x",
        "page=1",
        "include_archived=perhaps",
        "after_id=a&before_id=b",
    ],
)
async def test_a_wrong_parameter_of_a_list_is_a_400(query: str) -> None:
    async with running() as simulator:
        assert kind(await ask(simulator, f"/users?{query}")) == (400, "invalid_request_error")


# The rate limit


async def test_requests_over_the_limit_are_429_without_advice() -> None:
    async with running(Settings(now=NOW, rate_limit=60, rate_burst=2)) as simulator:
        simulator.clock.monotonic = lambda: 1e9
        answers = [await ask(simulator, "/me") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert kind(answers[2]) == (429, "rate_limit_error")
    assert not {name for name in answers[2].headers if "retry" in name or "ratelimit" in name}


async def test_the_limit_refills_with_time() -> None:
    async with running(Settings(now=NOW, rate_limit=60, rate_burst=1)) as simulator:
        moments = iter([1e9, 1e9, 1e9, 1e9, 1e9 + 1.5, 1e9 + 1.5])  # each request looks twice
        simulator.clock.monotonic = lambda: next(moments)
        assert [(await ask(simulator, "/me")).status for _ in range(3)] == [200, 429, 200]


async def test_a_429_has_advice_if_the_settings_want_it() -> None:
    async with running(Settings(now=NOW, rate_limit=6, rate_burst=1, rate_headers=True)) as simulator:
        simulator.clock.monotonic = lambda: 1e9
        await ask(simulator, "/me")
        answer = await ask(simulator, "/me")
    assert answer.headers["retry-after"] == "10"
    assert answer.headers["anthropic-ratelimit-requests-reset"] == "2026-01-15T12:30:10Z"


# The command, and the simulator in a thread


def test_a_simulator_in_the_background_answers_a_caller_that_blocks() -> None:
    with background(QUIET) as simulator:
        connection = HTTPConnection("127.0.0.1", simulator.port)
        connection.request("GET", f"{ROOT}/me", headers=KEY)
        assert json.load(connection.getresponse())["name"].startswith("Invented")
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_until_a_signal_and_ends_cleanly(number: int) -> None:
    code = "from archiver.cli.simulate import simulate; simulate()"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    printed = (await process.stderr.readuntil(b"Ctrl-C")).decode()
    process.send_signal(number)
    assert await process.stderr.read() == b"\n"
    assert await process.wait() == 0
    assert "http://127.0.0.1:" in printed
    assert INVENTED_KEY in printed
    assert "invented" in printed


def test_the_command_lists_every_fault_with_its_description() -> None:
    result = CliRunner().invoke(simulate, ["--list-faults"])
    assert result.exit_code == 0
    assert all(f"{name} " in result.output and words in result.output for name, words in FAULTS.items())


@pytest.mark.parametrize(
    "arguments",
    [
        "--fault nonsense=1",
        "--fault 500",
        "--fault 500=2",
        "--fault 500=x",
        "--port 70000",
        "--late 2",
        "--now yesterday",
        "--quiet-from 2025-01-01",
        "--quiet-from 2025-01-02 --quiet-to 2025-01-01",
    ],
)
def test_the_command_refuses_bad_values(arguments: str) -> None:
    result = CliRunner().invoke(simulate, arguments.split())
    assert result.exit_code == 2
    assert "Error:" in result.output


def test_the_command_fails_when_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(simulate, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2
    assert "cannot listen on port" in result.output


def test_every_option_of_the_command_has_help_and_a_variable() -> None:
    for option in simulate.params:
        assert getattr(option, "help", None)
        assert option.name == "list_faults" or str(option.envvar).startswith("ARCHIVER_")


def test_the_clock_can_be_moved() -> None:
    simulator = Simulator(QUIET)
    simulator.clock.advance(timedelta(hours=1))
    assert simulator.clock.now == NOW + timedelta(hours=1)
