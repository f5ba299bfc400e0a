"""A dimension that is new in the API keeps rows apart, from the answer to the archive and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.spoiling import spoiling
from tests.support import archiver, printed_json, run_sync, select

if TYPE_CHECKING:
    from pathlib import Path

    from archiver.simulator import Simulator

OPTIONS = ("--json", "--since", "2025-12-01", "--group-by", "workspace_id")


def by_region(path: str, status: int, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Split every row in two that differ in an unknown field alone."""
    if "report" not in path:
        return status, headers, body
    page = json.loads(body)
    for bucket in page["data"]:
        bucket["results"] = [{**row, "region": region} for row in bucket["results"] for region in ("eu", "us")]
    return status, headers, json.dumps(page).encode()


def test_rows_of_an_unknown_dimension_are_all_archived(shared_api: Simulator, db: Path) -> None:
    with spoiling(shared_api, by_region) as url:
        first = run_sync(shared_api, db, *OPTIONS, "--api-url", url)
        assert first.returncode == 0, first.stderr
        again = printed_json(run_sync(shared_api, db, *OPTIONS, "--api-url", url))
        online = archiver(
            "verify", "--db", str(db), "--online", "5", "--rate", "none", "--api-url", url,
            ANTHROPIC_ADMIN_API_KEY=shared_api.key,
        )  # fmt: skip
    assert again["rows"]["inserted"] == again["rows"]["updated"] == again["rows"]["removed"] == 0
    assert online.returncode == 0, online.stdout + online.stderr
    for view in ("usage", "cost"):
        regions = select(db, f"SELECT extra ->> 'region', count(*) FROM {view} GROUP BY 1 ORDER BY 1")  # noqa: S608  # a name from above
        assert [name for name, _ in regions] == ["eu", "us"]
        assert regions[0][1] == regions[1][1] > 0
