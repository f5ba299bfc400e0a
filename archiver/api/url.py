"""Check the API's address, so that the key is never sent unencrypted."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from archiver.errors import ConfigurationError


def check_api_url(text: str) -> str:
    """Return an API URL without trailing slashes, after checking it.

    Allowed are https, and plain http to the loopback address, without user name, query and fragment.

    Raises:
        ConfigurationError: The text is not such a URL.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port  # reading a port that is not a number raises ValueError
    except ValueError:
        raise ConfigurationError(f"--api-url {text!r} is not a URL") from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(f"--api-url {text!r} is not a plain https URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(
            f"--api-url {text!r} would send the key unencrypted", hint="plain http is for this machine only"
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
