"""A proxy of the simulator that changes its responses."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archiver.simulator import Simulator

    Spoil = Callable[[str, int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]


@contextmanager
def spoiling(api: Simulator, spoil: Spoil) -> Iterator[str]:
    """Forward requests, and pass every response through a function of path, status, headers and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = {name: value for name, value in self.headers.items() if name.lower().startswith(("x-api", "anth"))}
            forwarded = urllib.request.Request(api.url + self.path, headers=sent)  # noqa: S310  # the simulator
            try:
                with urllib.request.urlopen(forwarded) as response:  # noqa: S310  # the same
                    status, headers, body = response.status, dict(response.headers), response.read()
            except urllib.error.HTTPError as error:
                status, headers, body = error.code, dict(error.headers), error.read()
            kept = {name: value for name, value in headers.items() if name.lower() not in {"server", "content-length"}}
            status, kept, body = spoil(self.path, status, kept, body)
            self.send_response_only(status)
            for name, value in {**kept, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
