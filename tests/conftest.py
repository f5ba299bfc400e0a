"""Fixtures for every test."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import pytest

from archiver.simulator import background
from tests.support import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archiver.simulator import Simulator


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the machine's own configuration, data and keys out of every test."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    for name in ("ANTHROPIC_ADMIN_API_KEY", "ANTHROPIC_ADMIN_KEY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _aioresponses_on_new_aiohttp() -> Iterator[None]:
    """Pass the stream writer that aiohttp >= 3.14 needs and aioresponses 0.7.9 does not pass."""
    original = aiohttp.ClientResponse.__init__
    if "stream_writer" not in inspect.signature(original).parameters:
        yield
        return

    def patched(self: aiohttp.ClientResponse, *arguments: Any, **named: Any) -> None:
        named.setdefault("stream_writer", Mock())
        original(self, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientResponse, "__init__", patched)
        yield


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Return the path of an archive that does not exist yet."""
    return tmp_path / "archive.db"


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Run the simulator with ten weeks of a small organisation and a frozen clock."""
    with background(SMALL) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def shared_api() -> Iterator[Simulator]:
    """Run the same simulator for all tests of a module, which must not change it."""
    with background(SMALL) as simulator:
        yield simulator
