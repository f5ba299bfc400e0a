"""The work of a sync by stage, in one process: the profiler sees no other.

The profiler slows Python down, so the shares are rough.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archiver.simulator import INVENTED_KEY
from scripts.benchmark.running import serving, sync_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmark.workloads import Workload

BY_FUNCTION = {
    "poll": "wait",
    "get": "wait",
    "recv": "receive",
    "decompress": "inflate",
    "decode": "decode",
    "count": "check",
    "execute": "write",
    "executemany": "write",
    "encode": "digest",
    "digest": "digest",
}
BY_FILE = {
    "fast.py": "check",
    "strict.py": "check",
    "page.py": "check",
    "interval.py": "check",
    "transport.py": "receive",
    "client_proto.py": "receive",
    "diff.py": "digest",
    "keys.py": "encode",
    "answer.py": "encode",
    "writer.py": "encode",
    "statements.py": "encode",
    "coverage.py": "encode",
}


def stage_of(file: str, function: str) -> str:
    """Return the stage of a function of the profile."""
    word = next((name for name in BY_FUNCTION if f"'{name}'" in function), None)
    return BY_FUNCTION[word] if word else BY_FILE.get(Path(file).name, "other")


def profile(workload: Workload) -> dict[str, float]:
    """Run a sync under a profiler; returns the share of each stage, without waiting."""
    from archiver.cli import cli  # noqa: PLC0415  # only where it is measured

    profiles = [cProfile.Profile()]
    inner = threading.Thread.run

    def outer(thread: threading.Thread) -> None:
        profiles.append(cProfile.Profile())
        profiles[-1].runcall(inner, thread)

    with serving(workload.shape) as url, tempfile.TemporaryDirectory() as folder, _patched(outer), _alone():
        arguments = sync_command(url, Path(folder) / "warm.db", workload.arguments())[3:]
        options = [*arguments, "--admin-key-command", f"echo {INVENTED_KEY}"]
        cli.main(options, standalone_mode=False)
        del profiles[1:]
        options[options.index("--db") + 1] = f"{folder}/archive.db"
        profiles[0].runcall(cli.main, options, standalone_mode=False)
    spent: Counter[str] = Counter()
    for one in profiles:
        for (file, _, function), (_, _, own, _, _) in pstats.Stats(one).stats.items():  # type: ignore[attr-defined]
            spent[stage_of(file, function)] += own
    del spent["wait"]
    whole = sum(spent.values())
    return {stage: seconds / whole for stage, seconds in spent.most_common()}


@contextmanager
def _alone() -> Iterator[None]:
    """Pretend that there is one processor, so that no second process starts."""
    count = os.cpu_count
    os.cpu_count = lambda: 1
    try:
        yield
    finally:
        os.cpu_count = count


class _patched:  # noqa: N801  # used as a context
    """Replace how threads run, for as long as the context is open."""

    def __init__(self, run: object) -> None:
        self._run = run
        self._before = threading.Thread.run

    def __enter__(self) -> None:
        threading.Thread.run = self._run  # type: ignore[method-assign,assignment]  # for the profiler alone

    def __exit__(self, *_: object) -> None:
        threading.Thread.run = self._before  # type: ignore[method-assign]  # back again
        sys.setprofile(None)
