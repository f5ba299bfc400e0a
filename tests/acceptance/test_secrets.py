"""The admin key is only in requests to the API: in no output, file or list of processes, and at no other host."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.simulator import Settings, background
from tests.runners import hosted
from tests.spoiling import spoiling
from tests.support import FIRST_DAY, NOW, SMALL, archiver, environment, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archiver.simulator import Simulator
    from tests.runners import Host
    from tests.spoiling import Spoil

KEY = "sk-ant-admin01-invented-only-for-the-test-of-secrets-0123456789"
SHORTEST_PART = 12


@pytest.fixture(scope="module")
def keyed_api() -> Iterator[Simulator]:
    with background(Settings(first_day=FIRST_DAY, now=NOW, size=SMALL.size, key=KEY)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with hosted(tmp_path_factory.mktemp("host")) as running:
        yield running


def common(url: str, db: Path, *more: str) -> list[str]:
    return ["sync", "--api-url", url, "--db", str(db), "--rate", "none", "--since", "2026-01-13", *more]


def parts_of_the_key(text: str | bytes) -> list[str]:
    """List the parts of the key that a text contains, without the prefix that all keys share."""
    own = KEY.removeprefix("sk-ant-admin01-")
    parts = [own[i : i + SHORTEST_PART] for i in range(len(own) - SHORTEST_PART + 1)]
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return [part for part in parts if part in text]


def check_hidden(output: str, folder: Path) -> None:
    assert parts_of_the_key(output) == []
    for file in folder.rglob("*"):
        assert file.is_dir() or parts_of_the_key(file.read_bytes()) == [], file.name


LOUD: dict[str, tuple[list[str], dict[str, str]]] = {
    "as it is": ([], {}),
    "verbose": (["-v"], {}),
    "as JSON": (["-v", "--log-format", "json", "--json"], {}),
    "with a fault handler": (["-v"], {"PYTHONFAULTHANDLER": "1"}),
    "in development": (["-v"], {"PYTHONDEVMODE": "1", "PYTHONTRACEMALLOC": "1"}),
}


@pytest.mark.parametrize(
    ("given", "name"),
    [("right", name) for name in LOUD] + [("refused", "verbose"), ("offline", "verbose"), ("offline", "as JSON")],
)
def test_a_sync_does_not_show_the_key(keyed_api: Simulator, db: Path, given: str, name: str) -> None:
    arguments, variables = LOUD[name]
    url = "http://127.0.0.1:9" if given == "offline" else keyed_api.url
    key = f"{KEY}-of-another" if given == "refused" else KEY
    command = [
        sys.executable,
        "-m",
        "archiver",
        *common(url, db, "--max-runtime", "2s" if given == "offline" else "2m", *arguments),
    ]
    done = subprocess.run(
        command,
        env=environment(ANTHROPIC_ADMIN_API_KEY=key, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {"right": {0}, "refused": {4}, "offline": {5, 10}}[given], done.stderr
    check_hidden(done.stdout + done.stderr, db.parent)


BUG = """
import sys
from archiver.api import client
from archiver.cli import main
def broken(session, url, query, headers):
    secret = headers["x-api-key"]
    raise {error}
client.AdminClient.__dataclass_fields__  # the class is there
original = client.AdminClient.__init__
def wrapped(self, *arguments, **named):
    original(self, *arguments, **named)
    self.exchange = broken
client.AdminClient.__init__ = wrapped
main()
"""


@pytest.mark.parametrize("flags", [[], ["-X", "dev", "-X", "faulthandler"]], ids=["plain", "in development"])
@pytest.mark.parametrize(
    "error", ["RuntimeError(secret, headers)", "KeyError(secret)", "ExceptionGroup(secret, [ValueError(secret)])"]
)
def test_a_bug_with_the_key_at_hand_does_not_show_it(db: Path, flags: list[str], error: str) -> None:
    done = subprocess.run(
        [sys.executable, *flags, "-c", BUG.format(error=error), *common("http://127.0.0.1:9", db, "-v", "--json")],
        env=environment(ANTHROPIC_ADMIN_API_KEY=KEY),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "this is a bug" in done.stderr
    check_hidden(done.stdout + done.stderr, db.parent)


# While a sync runs --------------------------------------------------------------------------------------------------


def command_lines() -> str:
    """Read what every process of this machine was called with."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(lines)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system shows no processes as files")
@pytest.mark.parametrize("source", ["file", "stdin", "command", "environment"])
def test_no_list_of_processes_and_no_file_shows_the_key_while_a_sync_runs(
    keyed_api: Simulator, db: Path, tmp_path_factory: pytest.TempPathFactory, source: str
) -> None:
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_text(KEY + "\n")
    given = {
        "file": ["--admin-key-file", str(file)],
        "stdin": ["--admin-key-file", "-"],
        "command": ["--admin-key-command", f"cat '{file}'"],
        "environment": [],
    }[source]
    modes: dict[str, int] = {}
    seen: list[str] = []

    def spy(path: str, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if "usage_report" in path:
            seen.extend(parts_of_the_key(command_lines()))
            for one in db.parent.glob("archive.db*"):
                modes[one.name] = stat.S_IMODE(one.stat().st_mode)
                seen.extend(parts_of_the_key(one.read_bytes()))
        return status, headers, body

    with spoiling(keyed_api, spy) as url:
        done = subprocess.run(
            ["sh", "-c", 'umask 000; exec "$@"', "sh", sys.executable, "-m", "archiver", *common(url, db, *given)],
            env=environment(**({"ANTHROPIC_ADMIN_API_KEY": KEY} if source == "environment" else {})),
            input=KEY if source == "stdin" else "",
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert seen == []
    assert modes == dict.fromkeys(("archive.db", "archive.db-wal", "archive.db-shm", "archive.db.lock"), 0o600)
    check_hidden(done.stdout + done.stderr, db.parent)


def test_a_snapshot_is_its_owners_alone_whatever_the_umask_and_holds_no_key(keyed_api: Simulator, db: Path) -> None:
    assert archiver(*common(keyed_api.url, db), ANTHROPIC_ADMIN_API_KEY=KEY).returncode == 0
    copy = db.with_name("copy.db")
    program = [sys.executable, "-m", "archiver", "snapshot", str(copy), "--db", str(db)]
    subprocess.run(["sh", "-c", 'umask 000; exec "$@"', "sh", *program], env=environment(), check=True)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert parts_of_the_key(copy.read_bytes()) == []


# Servers that repeat it ---------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


def renamed(spelling: str) -> Spoil:
    """Return a change of lists that puts the key into each name and one more field."""

    def spoil(path: str, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        decoded = json.loads(body)
        if "report" not in path:
            for one in decoded.get("data", [decoded]):
                one["name"] = one["remark"] = "THE KEY"
        return status, headers, json.dumps(decoded).replace("THE KEY", spelling).encode()

    return spoil


@pytest.mark.parametrize(
    "spelling",
    [
        KEY,
        escaped(KEY),
    ],
    ids=["plain", "escaped"],
)
def test_lists_that_repeat_the_key_are_refused_and_never_edited(keyed_api: Simulator, db: Path, spelling: str) -> None:
    with spoiling(keyed_api, renamed(spelling)) as url:
        done = archiver(*common(url, db, "-v", "--json"), ANTHROPIC_ADMIN_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert "contains the admin key" in done.stderr
    assert select(db, "SELECT count(*) FROM workspace") == [(0,)]
    assert select(db, "SELECT count(*) > 0 FROM usage") == [(1,)]
    check_hidden(done.stdout + done.stderr, db.parent)


REFUSALS: dict[str, str] = {
    "plain": KEY,
    "within a word": f"key<{KEY}>is",
    "near the end of what is shown": "x" * 170 + KEY,
    "escaped": escaped(KEY),
    "escaped near the end of what is shown": "x" * 170 + escaped(KEY),
}


@pytest.mark.parametrize(
    "name",
    [
        *list(REFUSALS)[:-1],
        list(REFUSALS)[-1],
    ],
)
@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_refusal_that_repeats_the_key_is_shown_without_it(
    keyed_api: Simulator, host: Host, db: Path, name: str, code: int
) -> None:
    body = ('{"type": "error", "error": {"type": "x", "message": "%s"}}' % REFUSALS[name]).encode()  # noqa: UP031  # braces

    def spoil(path: str, status: int, headers: dict[str, str], good: bytes) -> tuple[int, dict[str, str], bytes]:
        return (
            (code, headers | {"x-repeated": KEY, "request-id": KEY}, body)
            if "report" in path
            else (status, headers, good)
        )

    with spoiling(keyed_api, spoil) as url:
        done = host.run(*common(url, db, "-v", "--json"), ANTHROPIC_ADMIN_API_KEY=KEY)
    assert done["code"] in {4, 6}
    check_hidden(done["stdout"] + done["stderr"], db.parent)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_other_host_sees_a_request(keyed_api: Simulator, host: Host, db: Path, code: int) -> None:
    asked: list[str] = []

    def note(path: str, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(path)
        return status, headers, body

    with spoiling(keyed_api, note) as other:
        place = f"{other}/{KEY}"
        with spoiling(keyed_api, lambda _p, _s, headers, body: (code, headers | {"location": place}, body)) as url:
            done = host.run(*common(url, db, "-v"), ANTHROPIC_ADMIN_API_KEY=KEY, HTTP_PROXY=other, http_proxy=other)
    assert done["code"] == 6, done["stderr"]
    assert asked == []
    check_hidden(done["stdout"] + done["stderr"], db.parent)


# Keys that are none -------------------------------------------------------------------------------------------------

MALFORMED = {
    "empty": "",
    "blank": " \n\t ",
    "two lines": f"{KEY}\n{KEY}",
    "a header more": f"{KEY}\r\nx-other: 1",
    "a space within": KEY[:20] + " " + KEY[20:],
    "not ASCII": KEY + "ä",
    "a byte order mark": "\ufeff" + KEY,
    "a control character": KEY + "\x7f" + KEY,
    "too long": KEY * 100,
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("source", ["file", "stdin", "command", "environment"])
def test_a_key_that_is_none_is_exit_2_and_not_shown(host: Host, tmp_path: Path, name: str, source: str) -> None:
    (tmp_path / "key").write_text(MALFORMED[name], encoding="utf-8", newline="")
    given = {"file": [f"--admin-key-file={tmp_path / 'key'}"], "stdin": ["--admin-key-file=-"]}
    given["command"] = [f"--admin-key-command=cat '{tmp_path / 'key'}'"]
    variables = {"ANTHROPIC_ADMIN_API_KEY": MALFORMED[name]} if source == "environment" else {}
    arguments = common("http://127.0.0.1:9", tmp_path / "archive.db", *given.get(source, []))
    done = host.run(*arguments, stdin=MALFORMED[name], **variables)
    assert done["code"] == 2, done
    assert done["stderr"].startswith("error: ")
    assert "key" in done["stderr"]
    assert parts_of_the_key(done["stdout"] + done["stderr"]) == []
    assert not (tmp_path / "archive.db").exists()


def test_a_key_that_is_given_in_place_of_its_file_is_not_shown(db: Path) -> None:
    done = archiver(*common("http://127.0.0.1:9", db), ARCHIVER_ADMIN_KEY_FILE=KEY)
    assert done.returncode == 2
    assert parts_of_the_key(done.stdout + done.stderr) == []
