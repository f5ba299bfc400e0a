"""Build hook: add the chart runtime of the HTML pages from a locked package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RUNTIME = "archiver/offline/page/vega.js"
VEGA_LITE = "6.4"
SHA256 = "3425bd951a44d478d0505c6b5d1e8d57656b6e9a4da7bfe88a718ce61d76e572"
"""The digest of Vega 6.2.0, Vega-Lite 6.4.1 and Vega-Embed 7.0.2 as vl-convert-python 1.9.0.post1 bundles them."""


class RuntimeHook(BuildHookInterface[Any]):
    """Write the chart runtime into the source tree, from which the wheel takes it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Write the chart runtime, unless the file exists with the tested digest. No network is used.

        Raises:
            RuntimeError: The package bundles another runtime than the tested one.
        """
        target = Path(self.root) / RUNTIME
        if not (target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == SHA256):
            target.write_bytes(_bundle())


def _bundle() -> bytes:
    import vl_convert  # noqa: PLC0415  # only needed where the runtime does not exist yet

    made = vl_convert.javascript_bundle(vl_version=VEGA_LITE).encode()  # type: ignore[call-arg]  # its stub lacks the default values
    found = hashlib.sha256(made).hexdigest()
    if found != SHA256:
        message = f"the chart runtime that vl-convert-python bundles is not the tested one: its SHA-256 is {found}"
        raise RuntimeError(message)
    return made
