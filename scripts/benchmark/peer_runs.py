"""Runs of other programs, set up as a good engineer would, in their own environment."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmark.running import run

if TYPE_CHECKING:
    from collections.abc import Sequence

PEER_PYTHON = Path(".venv-peers/bin/python")
_SCRIPTS = Path(__file__).parent / "peers"
# The script of each peer and its first arguments.
PEERS = {
    "plain": ("plain.py", "{url}", "{folder}/peer.db"),
    "pandas": ("with_pandas.py", "{url}", "{folder}/peer.db"),
    "dlt, its fastest": ("with_dlt.py", "fastest", "{url}", "{folder}"),
    "dlt": ("with_dlt.py", "default", "{url}", "{folder}"),
}


def measure_peer(peer: str, arguments: Sequence[str], url: str, folder: Path, runs: int = 3) -> dict[str, float]:
    """Measure another program; returns the median `seconds`, `peak_mib`, and the `bytes` of its database."""
    script, *first = PEERS[peer]
    results = []
    target = folder / "peer"
    for _ in range(runs):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        filled = [argument.format(url=url, folder=target) for argument in first]
        results.append(run([str(PEER_PYTHON), str(_SCRIPTS / script), *filled, *arguments]))
    return {
        "seconds": statistics.median(one.seconds for one in results),
        "peak_mib": max(one.peak for one in results),
        "bytes": sum(file.stat().st_size for file in target.glob("peer*") if "staging" not in file.name),
    }
