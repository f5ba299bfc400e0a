"""What a build adds to the wheel: the chart runtime of the HTML pages, taken from a locked package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RUNTIME = "archiver/offline/page/vega.js"
VEGA_LITE = "6.4"
SHA256 = "3425bd951a44d478d0505c6b5d1e8d57656b6e9a4da7bfe88a718ce61d76e572"
"""Of Vega 6.2.0, Vega-Lite 6.4.1 and Vega-Embed 7.0.2, as vl-convert-python 1.9.0.post1 bundles them."""


class RuntimeHook(BuildHookInterface[Any]):
    """Makes the chart runtime where it is not there yet, in the source tree, from where the wheel takes it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Make it, offline, and see that it is the one that was tested.

        Raises:
            RuntimeError: It is another one.
        """
        target = Path(self.root) / RUNTIME
        if not (target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == SHA256):
            target.write_bytes(_bundle())


def _bundle() -> bytes:
    import vl_convert  # noqa: PLC0415  # only needed where the runtime is not there yet

    made = vl_convert.javascript_bundle(vl_version=VEGA_LITE).encode()  # type: ignore[call-arg]  # its stub has no default
    found = hashlib.sha256(made).hexdigest()
    if found != SHA256:
        message = f"the chart runtime that vl-convert-python bundles is not the tested one: its SHA-256 is {found}"
        raise RuntimeError(message)
    return made
