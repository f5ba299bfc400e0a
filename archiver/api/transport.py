"""Send one HTTP request and read its whole response.

This is the only file in `archiver.api` that uses aiohttp.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, cast

import aiohttp
from yarl import URL

from archiver import __version__
from archiver.api.response import LARGEST_BODY, Response, TransportError, TransportErrorKind, too_large
from archiver.errors import ConfigurationError, excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_CHUNK = 256 * 1024
# The API can take minutes to return a month of rows. A connection without data for two minutes counts as dead.
TIMEOUTS = aiohttp.ClientTimeout(total=300, sock_connect=30, sock_read=120)
_PACKAGE = "claude-usage-archiver"


def user_agent(metadata: Message) -> str:
    """Return the `User-Agent` header: name, version and the project's address.

    The address is the first project URL in the package's metadata. It is left out where the metadata has no URL.
    """
    # A field has the form "Homepage, https://…".
    urls = [value.partition(",")[2].strip() for value in metadata.get_all("Project-URL", [])]
    return f"{_PACKAGE}/{__version__}" + (f" ({urls[0]})" if urls else "")


def _own_metadata() -> Message:
    """Return the metadata of this package, empty if it is not installed."""
    try:
        return cast("Message", distribution(_PACKAGE).metadata)
    except PackageNotFoundError:  # the program runs from a checkout that is not installed
        return Message()


USER_AGENT = user_agent(_own_metadata())


@asynccontextmanager
async def open_session(
    api_url: str, timeouts: aiohttp.ClientTimeout = TIMEOUTS
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session without cookies.

    Proxies from the environment are used for https only. Plain http goes to the loopback address only, and such a
    request has to stay on this machine.
    """
    async with aiohttp.ClientSession(
        auto_decompress=False,  # `Response` inflates the body on use, with a limit
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeouts,
        trust_env=api_url.startswith("https:"),
    ) as session:
        # aiohttp repeats a GET by itself when a connection that it kept open turns out to be closed. The rate limiter
        # would not see such a request, and it would not be counted.
        session._retry_connection = False  # noqa: SLF001  # there is no public option; a test checks the effect
        yield session


async def exchange(
    session: aiohttp.ClientSession, url: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> Response:
    """Send one GET and read the whole response; redirects are not followed.

    Raises:
        ConfigurationError: The server's certificate cannot be verified.
        TransportError: The network failed, there was no answer in time, or the body is too large.
    """
    try:
        async with session.get(URL(url).with_query(query), headers=headers, allow_redirects=False) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            body = await _read(response, received.get("request-id"))
    except aiohttp.ClientPayloadError:
        raise TransportError(TransportErrorKind.NETWORK, "the connection broke in the middle of an answer") from None
    except TimeoutError:
        raise TransportError(TransportErrorKind.TIMEOUT, "the API did not answer in time") from None
    except aiohttp.ClientConnectorCertificateError as error:
        # A retry cannot help, and the key must not be sent. This machine or the server is not configured correctly.
        reason = getattr(error.certificate_error, "verify_message", None) or type(error.certificate_error).__name__
        raise ConfigurationError(
            f"the TLS certificate of {URL(url).host} cannot be verified: {excerpt(reason)}",
            hint="set SSL_CERT_FILE to the PEM file of your network's certificate authority, or check --api-url",
        ) from None
    except aiohttp.ClientConnectorSSLError as error:
        reason = excerpt(getattr(error.os_error, "reason", None) or type(error.os_error).__name__)
        raise TransportError(
            TransportErrorKind.NETWORK, f"the TLS handshake with {URL(url).host} failed: {reason}"
        ) from None
    except aiohttp.ClientConnectorError as error:
        # A failed look-up of the host has no positive error number.
        errno = error.os_error.errno
        reason = os.strerror(errno) if errno is not None and errno > 0 else "the host name cannot be resolved"
        raise TransportError(TransportErrorKind.NETWORK, f"no connection to {URL(url).host}: {reason}") from None
    except aiohttp.ServerDisconnectedError:
        raise TransportError(TransportErrorKind.NETWORK, "the API closed the connection without an answer") from None
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(TransportErrorKind.NETWORK, f"the connection failed ({type(error).__name__})") from None
    return Response(response.status, received, body)


async def _read(response: aiohttp.ClientResponse, request_id: str | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > LARGEST_BODY:
            raise TransportError(TransportErrorKind.TOO_LARGE, too_large(), request_id)
        chunks.append(chunk)
    return b"".join(chunks)
