"""The User-Agent of the client."""

from __future__ import annotations

from email.message import Message

import pytest

from archiver import __version__
from archiver.api.transport import user_agent


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ([], f"claude-usage-archiver/{__version__}"),
        (["Homepage, https://example.com/x"], f"claude-usage-archiver/{__version__} (https://example.com/x)"),
        (
            ["Docs, https://d.example", "Source, https://s.example"],
            f"claude-usage-archiver/{__version__} (https://d.example)",
        ),
    ],
)
def test_the_user_agent_has_the_version_and_the_address_of_the_project(urls: list[str], expected: str) -> None:
    metadata = Message()
    for url in urls:
        metadata["Project-URL"] = url
    assert user_agent(metadata) == expected
