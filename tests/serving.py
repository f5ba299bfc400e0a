"""`archiver serve` as a process, and requests to it."""

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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PATIENCE = 60.0


@dataclass
class Response:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.text)


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until the server prints its address."""
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()
        if not self.url:
            raise AssertionError(process.communicate(timeout=PATIENCE)[1])
        self.host = urlsplit(self.url).netloc
        self.port = int(self.host.rpartition(":")[2])

    def get(self, path: str, *, method: str = "GET", host: str | None = None, **headers: str) -> Response:
        """Send a request, with any host name; `sec_fetch_site` is the header `sec-fetch-site`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host if host is None else host)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            got = connection.getresponse()
            return Response(got.status, {n.lower(): v for n, v in got.getheaders()}, got.read().decode())
        finally:
            connection.close()

    def query(self, sql: str, form: str = ".json", **more: str) -> Response:
        """Request the result of a statement."""
        return self.get(f"/archive{form}?{urlencode({'sql': sql, **more})}")

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal, and return the exit code and stderr."""
        self.process.send_signal(number)
        stderr = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, stderr


PROGRAM = (sys.executable, "-m", "archiver")


def begin(
    db: Path, *arguments: str, program: Sequence[str] = PROGRAM, cwd: Path | None = None, **variables: str
) -> subprocess.Popen[str]:
    """Start the program on a free port."""
    return subprocess.Popen(
        [*program, "serve", "--db", str(db), "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(PYTHONWARNINGS="error,ignore::ResourceWarning", **variables),  # Datasette leaves a file open
    )


@contextmanager
def serving(db: Path, *arguments: str, **more: Any) -> Iterator[Server]:
    """Serve an archive while the context lasts; at the end no error may have been reported on stderr alone."""
    server = Server(begin(db, *arguments, **more))
    try:
        yield server
    finally:
        code, stderr = server.stop() if server.process.poll() is None else (server.process.returncode, "")
    assert code in {128 + signal.SIGINT, 128 + signal.SIGTERM}, stderr
    assert "Traceback" not in stderr
    assert "bug" not in stderr
    assert "failed" not in stderr
