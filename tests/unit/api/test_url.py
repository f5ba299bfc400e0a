"""The addresses that the admin key may be sent to."""

from __future__ import annotations

import pytest

from archiver.api.url import check_api_url
from archiver.errors import ConfigurationError


@pytest.mark.parametrize(
    "url", ["https://api.example.com", "http://127.0.0.1:8080/", "http://localhost:1", "http://[::1]:1"]
)
def test_a_url_for_the_key_is_https_or_this_machine(url: str) -> None:
    assert check_api_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "ftp://x",
        "x",
        "",
        "https://",
        "https://user:pw@x",
        "https://x?y=1",
        "http://10.0.0.1",
        "https://x:port",
    ],
)
def test_a_url_that_would_reveal_the_key_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        check_api_url(url)
