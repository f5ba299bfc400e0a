"""`archiver serve` as a process, and asking it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.support import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 60.0


@dataclass
class Response:
    """What the server said."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        """Read it."""
        return json.loads(self.text)


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait for its address."""
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()
        if not self.url:
            raise AssertionError(process.communicate(timeout=PATIENCE)[1])
        self.host = urlsplit(self.url).netloc
        self.port = int(self.host.rpartition(":")[2])

    def ask(self, path: str, *, method: str = "GET", host: str | None = None, **headers: str) -> Response:
        """Ask for a page, under any name; `sec_fetch_site` is the header `sec-fetch-site`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host if host is None else host)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return Response(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read().decode())
        finally:
            connection.close()

    def query(self, sql: str, form: str = ".json", **more: str) -> Response:
        """Ask a statement of one's own."""
        return self.ask(f"/archive{form}?{urlencode({'sql': sql, **more})}")

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Stop it; answer its exit code, and what it said."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, said


def begin(db: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start the program on a free port."""
    return subprocess.Popen(
        [sys.executable, "-m", "archiver", "serve", "--db", str(db), "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(PYTHONWARNINGS="error,ignore::ResourceWarning", **variables),  # Datasette forgets to close one
    )


@contextmanager
def serving(db: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """Serve an archive while the context lasts; nothing may go wrong that is only said on stderr."""
    server = Server(begin(db, *arguments, **variables))
    try:
        yield server
    finally:
        code, said = server.end() if server.process.poll() is None else (server.process.returncode, "")
    assert code in {128 + signal.SIGINT, 128 + signal.SIGTERM}, said
    assert "Traceback" not in said
    assert "bug" not in said
    assert "failed" not in said
