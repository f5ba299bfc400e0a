"""A wrong address costs a handful of requests, not one for every window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.spoiling import spoiling
from tests.support import printed_json, run_sync

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator


def test_a_host_that_answers_404_to_everything_ends_the_run(shared_api: Simulator, db: Path) -> None:
    asked: list[str] = []

    def nothing(path: str, _: int, headers: dict[str, str], __: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(path)
        return 404, headers, b"not here"

    with spoiling(shared_api, nothing) as url:
        done = run_sync(shared_api, db, "--json", "--since", "2024-01-01", "--api-url", url)
    assert done.returncode == 6, done.stderr
    assert len(asked) <= 12
    assert printed_json(done)["requests"] == len(asked)
