"""HTTPS: a certificate that cannot be verified is a matter of configuration, and a CA or a proxy can be named."""

from __future__ import annotations

import select
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.support import INVENTED_KEY, archiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def https_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run a server on the loopback address with a certificate that no CA has signed."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Tunnelling(BaseHTTPRequestHandler):
    """A proxy that connects to the host of a CONNECT request, and keeps what the client asked for."""

    asked: ClassVar[list[str]] = []

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as target:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: target, target: self.connection}
            while True:
                for ready in select.select(list(ends), [], [], 10)[0]:
                    if not (data := ready.recv(65536)):
                        return
                    ends[ready].sendall(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def proxy() -> Iterator[str]:
    """Run the proxy on the loopback address."""
    Tunnelling.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tunnelling)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_requests_go_through_the_proxy_of_the_environment_and_it_never_sees_the_key(tmp_path: Path) -> None:
    with https_server(tmp_path) as (url, certificate), proxy() as address:
        command = ["sync", "--db", str(tmp_path / "archive.db"), "--api-url", url]
        variables: dict[str, Any] = {
            "ANTHROPIC_ADMIN_API_KEY": INVENTED_KEY,
            "SSL_CERT_FILE": str(certificate),
            "HTTPS_PROXY": address,
        }
        through = archiver(*command, **variables)
        asked = list(Tunnelling.asked)
        past = archiver(*command, **variables, NO_PROXY="localhost")
    assert through.returncode == 4, through.stderr
    assert set(asked) == {url.removeprefix("https://")}  # the host and port alone: all else is encrypted
    assert past.returncode == 4, past.stderr
    assert Tunnelling.asked == asked


def test_an_unknown_certificate_is_exit_2_and_a_named_one_is_believed(tmp_path: Path) -> None:
    db = tmp_path / "archive.db"
    with https_server(tmp_path) as (url, certificate):
        command = ["sync", "--db", str(db), "--api-url", url]
        refused = archiver(*command, "-v", ANTHROPIC_ADMIN_API_KEY=INVENTED_KEY)
        believed = archiver(*command, ANTHROPIC_ADMIN_API_KEY=INVENTED_KEY, SSL_CERT_FILE=str(certificate))
    assert refused.returncode == 2, refused.stderr
    assert "certificate" in refused.stderr
    assert "hint: set SSL_CERT_FILE" in refused.stderr
    assert believed.returncode == 4, believed.stderr
