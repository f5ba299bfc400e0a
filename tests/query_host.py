"""Runs `archiver query` again and again in forks of one process, which has imported everything already.

Each line of standard input is a JSON object with `arguments` and `sql`; each line of standard output says how it went.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from typing import Any, NoReturn

import archiver.cli.query  # noqa: F401  # so that no run has to
from archiver.cli import main


def _be_the_program(asked: dict[str, Any], output: int, errors: int) -> NoReturn:
    code = 70
    try:
        os.dup2(output, 1)
        os.dup2(errors, 2)
        sys.stdin = io.StringIO(asked["sql"])
        sys.argv = ["archiver", *asked["arguments"]]
        main()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 71
    finally:
        sys.stdout.flush()
        os._exit(code)


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _be_the_program(asked, output.fileno(), errors.fileno())
        _, status, used = os.wait4(child, 0)
        output.seek(0)
        errors.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "stdout": output.read(100_000).decode("utf-8", "replace"),
            "stderr": errors.read(100_000).decode("utf-8", "replace"),
            "seconds": time.monotonic() - began,
            "mebibytes": used.ru_maxrss // 1024,
        }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)  # noqa: T201  # that is how it answers
