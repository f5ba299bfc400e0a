"""A sync under strace, which counts system calls on the archive's files and can make one of them fail or kill.

strace counts in each thread separately, and the program writes from two: migrations run in the main thread, the sync in
that of aiosqlite.
"""

from __future__ import annotations

import functools
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import environment
from tests.witness import GROUPS, SINCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archiver.simulator import Simulator

LOGGED_SYNC = Path(__file__).with_name("logged_sync.py")
SUFFIXES = ("", "-wal", "-journal", "-shm")
PATIENCE = 120.0
FAST = "--seccomp-bpf"
"""Traces the selected calls only, which is much faster; strace cannot inject a signal with it."""


@functools.cache
def why_not() -> str | None:
    """Return why strace cannot be used on this system; None if it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    probe = [strace, "-f", FAST, "-o", os.devnull, "-e", "trace=?openat", "-e", "inject=openat:error=EIO:when=65535"]
    try:
        tried = subprocess.run([*probe, sys.executable, "-S", "-c", ""], capture_output=True, timeout=60, check=False)
    except OSError as error:
        return f"strace cannot be run: {error}"
    return None if tried.returncode == 0 else "ptrace is not allowed, or this strace has no fault injection"


needs_strace = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code and output of a traced sync, the windows that it reported as archived, and strace's lines."""

    code: int
    output: str
    reported: list[str]
    lines: list[str]

    @property
    def injected(self) -> bool:
        """Whether the fault happened."""
        return any(line.endswith("(INJECTED)") for line in self.lines)


def traced(
    api: Simulator, db: Path, options: Sequence[str], *, since: str = SINCE, files: Sequence[Path] = (), **wishes: Any
) -> Outcome:
    """Run a sync under strace, which traces calls on `files` only; by default those of the archive."""
    reported, log = db.with_name("reported"), db.with_name("strace.log")
    for file in (reported, log):
        file.unlink(missing_ok=True)
    paths = [word for file in (files or [Path(f"{db}{s}") for s in SUFFIXES]) for word in ("-P", str(file))]
    command = [shutil.which("strace") or "strace", "-f", "-o", str(log), *paths, *options]
    command += [sys.executable, str(LOGGED_SYNC), str(reported), json.dumps(wishes)]
    command += [
        "sync",
        "--api-url",
        api.url,
        "--db",
        str(db),
        "--rate",
        "none",
        "--since",
        since,
        "--quiet",
        "--report",
        "all",
    ]
    run = subprocess.run(
        command + [word for group in GROUPS for word in ("--group-by", group)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(ANTHROPIC_ADMIN_API_KEY=api.key, XDG_CONFIG_HOME=str(db.parent)),
        check=False,
    )
    return Outcome(run.returncode, run.stdout + run.stderr, _lines(reported), _lines(log))


def _lines(file: Path) -> list[str]:
    return file.read_text("ascii").splitlines() if file.exists() else []


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The nth call of one kind on one of the archive's files, in the first thread that makes so many."""

    call: str
    suffix: str
    nth: int

    def reached(self, api: Simulator, db: Path, what: str, *options: str) -> Outcome:
        """Run a sync with a fault injected into this call; a `+` at the end of `what` adds all later calls."""
        fault, on = what.removesuffix("+"), "+" if what.endswith("+") else ""
        injection = f"inject={self.call}:{fault}:when={self.nth}{on}"
        return traced(
            api, db, [*options, "-e", f"trace={self.call}", "-e", injection], files=[Path(f"{db}{self.suffix}")]
        )

    def __str__(self) -> str:
        """Describe the point in a test's report."""
        return f"{self.call} {self.nth} of archive.db{self.suffix}"


_CALL = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\(.*?/archive\.db(?P<suffix>|-wal|-journal|-shm)[\">]")


def points(api: Simulator, db: Path, calls: Sequence[str]) -> list[Point]:
    """List every point of a sync, from one that runs to its end."""
    wanted = ",".join(f"?{call}" for call in calls)
    whole = traced(api, db, [FAST, "-y", "-s", "0", "-e", f"trace={wanted}"])
    assert whole.code == 0, whole.output
    seen = Counter(match.group("thread", "call", "suffix") for line in whole.lines if (match := _CALL.match(line)))
    most: dict[tuple[str, str], int] = {}
    for (_, call, suffix), times in seen.items():
        most[call, suffix] = max(times, most.get((call, suffix), 0))
    return sorted(Point(*kind, nth) for kind, times in most.items() for nth in range(1, times + 1))


def sample(every: Sequence[Point], chosen: str, share: int) -> list[Point]:
    """Choose points with a fixed seed, spread over the kinds of call; `chosen` is `all` or a number."""
    if chosen == "all":
        return list(every)
    chance = random.Random(share)  # noqa: S311  # repeatable chance
    kinds: dict[str, list[Point]] = {}
    for point in chance.sample(every, len(every)):
        kinds.setdefault(point.call, []).append(point)
    dealt = chain.from_iterable(zip_longest(*kinds.values()))
    return [point for point in dealt if point is not None][: max(1, int(chosen) // share)]
