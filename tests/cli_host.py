"""Run the program many times, each in a fork of a process with all imports.

Each line of standard input is a JSON object with `arguments`, `stdin` and `variables`. Each line of standard output is
one with the exit code, both outputs, and the CPU seconds and memory of that run.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
import tempfile
from typing import Any, NoReturn

from archiver.cli import COMMANDS, main

_LONGEST_SECONDS = 120


def _run_in_child(asked: dict[str, Any], output: int, errors: int) -> NoReturn:
    code = 70
    try:
        signal.alarm(_LONGEST_SECONDS)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.environ.update(asked["variables"])
        sys.stdin = io.StringIO(asked["stdin"])
        sys.argv = ["archiver", *asked["arguments"]]
        main()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 71
    finally:
        sys.stdout.flush()
        os._exit(code)


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _run_in_child(asked, output.fileno(), errors.fileno())
        _, status, used = os.wait4(child, 0)
        output.seek(0)
        errors.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "stdout": output.read(100_000).decode("utf-8", "replace"),
            "stderr": errors.read(100_000).decode("utf-8", "replace"),
            "seconds": used.ru_utime + used.ru_stime,
            "mebibytes": used.ru_maxrss // 1024,
        }


if __name__ == "__main__":
    for module, _ in COMMANDS.values():
        importlib.import_module(module)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)  # noqa: T201  # that is how it answers
