"""Serving the pages until a signal: one address, one process, and the children it asks."""

from __future__ import annotations

import importlib.metadata
import socket
import threading
import webbrowser
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.offline.schema import VIEWS
from archiver.store.migrate import columns_of_views
from archiver.store.read.reader import open_reader
from archiver.web.children import Children

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_LINE = "0.65."
_BACKLOG = 64
_LONGEST_REQUEST = 256 * 1024
_FAREWELL_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and where; `names` are other names by which the server is asked."""

    db: Path
    queries: Path
    host: str
    port: int
    names: tuple[str, ...] = ()


def serve(served: Served, ready: Callable[[str, bool], None], *, browse: bool) -> None:
    """Serve until SIGINT or SIGTERM, which are raised again at the end; `ready` is told where.

    That is its address, and whether other machines reach it.

    Raises:
        ConfigurationError: Datasette is not there, there is no archive, or nobody can listen there.
        DamagedError, NewerError, StorageError: As the file is.
    """
    _check_datasette()
    with open_reader(served.db):
        pass  # what is wrong with the file is said before anything is served
    from archiver.web.asking import WORKS  # noqa: PLC0415  # it needs what comes with Datasette

    with (
        closing(Children(WORKS)) as children,  # first of all: later there are threads
        _listening(served.host, served.port) as listener,
    ):
        address, port = listener.getsockname()[:2]
        url = f"http://{_in_url(address)}:{port}/"
        ready(url, not ip_address(address.partition("%")[0]).is_loopback)
        if browse:
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
        _run(served, children, listener, _hosts(served, address, port))


def _check_datasette() -> None:
    hint = "pip install 'claude-usage-archiver[web]'"
    try:
        version = importlib.metadata.version("datasette")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError("archiver serve needs Datasette, which is not installed", hint=hint) from None
    if not version.startswith(_LINE):
        raise ConfigurationError(f"archiver serve needs Datasette {_LINE}x; here is {version}", hint=hint)


def _listening(host: str, port: int) -> socket.socket:
    """Listen on an address of a host.

    Raises:
        ConfigurationError: There is none, or it is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {reason}", hint="--port 0 takes a free port"
        ) from None


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _hosts(served: Served, address: str, port: int) -> set[str]:
    """Name the values of `Host` by which this server is meant: anything else may be a page that pretends to be us."""
    names = {_in_url(address), _in_url(served.host), "localhost", "127.0.0.1", "[::1]", *served.names}
    with_port = {f"{name}:{port}" for name in names}
    return with_port | set(served.names) | (names if port == 80 else set())  # noqa: PLR2004  # which is not written


def _run(served: Served, children: Children, listener: socket.socket, hosts: Sequence[str] | set[str]) -> None:
    import uvicorn  # noqa: PLC0415  # after the fork, and only to serve

    from archiver.web.guard import Guard  # noqa: PLC0415  # the same
    from archiver.web.site import Site  # noqa: PLC0415  # the same

    site = Site(served.db, served.queries, columns_of_views(list(VIEWS)), children)
    config = uvicorn.Config(
        Guard(site.app(), hosts),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=_LONGEST_REQUEST,
        limit_concurrency=_BACKLOG,
        timeout_graceful_shutdown=_FAREWELL_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
