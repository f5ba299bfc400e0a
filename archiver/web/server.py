"""Serving the site on one address, until a signal.

One process with threads serves it, and query workers run its statements.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import socket
import sys
import threading
import webbrowser
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from archiver.errors import ConfigurationError
from archiver.offline.schema import VIEWS
from archiver.store.migrate import columns_of_views
from archiver.store.read.reader import open_reader
from archiver.web.query_worker import QueryWorkers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from archiver.web.choices import ReportSettings

# The site replaces parts of Datasette that are not its public interface, so it needs this series.
_DATASETTE_SERIES = "0.65."
_BACKLOG = 64
_MAX_REQUEST_BYTES = 256 * 1024
_SHUTDOWN_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Served:
    """The settings of the server.

    `queries` is the folder of saved queries. `names` are further host names that are allowed.
    """

    db: Path
    queries: Path
    host: str
    port: int
    settings: ReportSettings
    names: tuple[str, ...] = ()


def serve(served: Served, ready: Callable[[str, bool], None], *, browse: bool) -> None:
    """Serve until SIGINT or SIGTERM, which are raised again at the end.

    `ready` is called once with the address, and whether other machines can reach it.

    Raises:
        ConfigurationError: Datasette is not installed, there is no archive, or the port cannot be used.
        DamagedError, NewerError, StorageError: The file is damaged, newer or cannot be read.
    """
    _check_datasette()
    with open_reader(served.db):
        pass  # a file that cannot be read is reported now, and not by the first page
    with _listening(served.host, served.port) as listener:
        # Importing modules once in the fork server saves each child some 100 ms. multiprocessing also imports the
        # program's main module in each child, which needs the modules of the command line.
        workers = QueryWorkers(["archiver.web.jobs", *(name for name in sys.modules if name.startswith("archiver."))])
        address, port = listener.getsockname()[:2]
        url = f"http://{_in_url(address)}:{port}/"
        ready(url, not ip_address(address.partition("%")[0]).is_loopback)
        if browse:
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
        _run(served, workers, listener, _hosts(served, address, port))


def _check_datasette() -> None:
    hint = "pip install 'claude-usage-archiver[web]'"
    try:
        version = importlib.metadata.version("datasette")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError("archiver serve needs Datasette, which is not installed", hint=hint) from None
    if not version.startswith(_DATASETTE_SERIES):
        raise ConfigurationError(f"archiver serve needs Datasette {_DATASETTE_SERIES}x, not {version}", hint=hint)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host's first address.

    Raises:
        ConfigurationError: The host has no address here, or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {reason}", hint="--port 0 uses a free port"
        ) from None


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _hosts(served: Served, address: str, port: int) -> set[str]:
    """Return the values of the `Host` header that are allowed."""
    names = {_in_url(address), _in_url(served.host), "localhost", "127.0.0.1", "[::1]", *served.names}
    with_port = {f"{name}:{port}" for name in names}
    return with_port | set(served.names) | (names if port == 80 else set())  # noqa: PLR2004  # the default port


def _run(served: Served, workers: QueryWorkers, listener: socket.socket, hosts: Sequence[str] | set[str]) -> None:
    import uvicorn  # noqa: PLC0415  # optional, and only to serve

    from archiver.web.guard import Guard  # noqa: PLC0415  # the same
    from archiver.web.site import Site  # noqa: PLC0415  # the same

    site = Site(served.db, served.queries, columns_of_views(list(VIEWS)), workers, served.settings)
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
        h11_max_incomplete_event_size=_MAX_REQUEST_BYTES,
        limit_concurrency=_BACKLOG,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )

    class Server(uvicorn.Server):
        """The server, with the task that makes pages ahead."""

        async def serve(self, sockets: list[socket.socket] | None = None) -> None:
            ahead = asyncio.create_task(site.make_pages_ahead())
            try:
                await super().serve(sockets)
            finally:
                ahead.cancel()

    Server(config).run(sockets=[listener])
