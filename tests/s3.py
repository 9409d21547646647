"""A local S3 server for the tests, and a proxy that can be made to misbehave.

The server is moto's. Between it and the client is a small HTTP proxy that counts requests and, on request, answers
503, stalls, or cuts the connection: before the server has acted, or after.

Import the fixtures in `tests/conftest.py` only: a second import makes a second fixture, with a server of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest

from tests.bucket_policy import Policy

SECRET = "a-very-secret-key"
TOKEN = "a-very-secret-session-token"

#: What the proxy does instead of passing a request on.
#: `unavailable`: 503. `stall`: no answer. `cut`: closed halfway through the request, the server sees nothing.
#: `lost`: the server acts, the answer never arrives. `half`: the answer stops halfway.
Fault = Literal["unavailable", "stall", "cut", "lost", "half"]

_UNAVAILABLE = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_FORBIDDEN = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@dataclass
class Rule:
    """Apply `fault` to the next `times` requests of `method` whose path contains `path`."""

    fault: Fault
    method: str = ""
    path: str = ""
    times: int = 1
    #: Number of matching requests that are passed first.
    after: int = 0
    #: How often it was applied.
    applied: int = 0

    def applies(self, method: str, path: str) -> bool:
        if self.applied >= self.times or self.method not in ("", method) or self.path not in path:
            return False
        if self.after:
            self.after -= 1
            return False
        self.applied += 1
        return True


@dataclass
class Way:
    """The proxy: rules for future requests, and a record of past ones."""

    endpoint: str
    rules: list[Rule] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    #: Allowed requests, None for everything; and the rejected ones.
    policy: Policy | None = None
    refused: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def misbehave(self, fault: Fault, *, method: str = "", path: str = "", times: int = 1, after: int = 0) -> Rule:
        rule = Rule(fault, method, path, times, after)
        with self._lock:
            self.rules.append(rule)
        return rule

    def behave(self) -> None:
        with self._lock:
            self.rules.clear()

    @contextlib.contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Yield a list that contains, after the block, the requests made within."""
        start, seen = len(self.requests), list[str]()
        yield seen
        seen.extend(self.requests[start:])

    def draw(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.requests.append(f"{method} {path}")
            return next((rule.fault for rule in self.rules if rule.applies(method, path)), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def _pass(self) -> None:
        fault = self.server.way.draw(self.command, unquote(self.path))
        length = int(self.headers.get("Content-Length") or 0)
        if fault == "cut":
            self.rfile.read(length // 2)
            return self._hang_up()
        body = self.rfile.read(length)
        if fault == "stall":
            self.server.way._closing.wait(60.0)
            return self._hang_up()
        policy = self.server.way.policy
        if policy is not None and not policy.allows(self.command, self.path, body):
            self.server.way.refused.append(f"{self.command} {unquote(self.path)}")
            return self._answer(403, {"Content-Type": "application/xml"}, _FORBIDDEN)
        if fault == "unavailable":
            return self._answer(503, {"Content-Type": "application/xml"}, _UNAVAILABLE)
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body=body or None, headers=dict(self.headers))
            response = upstream.getresponse()
            data = response.read()
        finally:
            upstream.close()
        if policy is not None and response.status == 404 and not policy.tells_what_is_missing(self.path):
            return self._answer(403, {"Content-Type": "application/xml"}, _FORBIDDEN)
        if fault == "lost":
            return self._hang_up()
        return self._answer(response.status, dict(response.getheaders()), data, half=fault == "half")

    def _answer(self, status: int, headers: dict[str, str], data: bytes, *, half: bool = False) -> None:
        self.send_response_only(status)
        dropped = {"connection", "transfer-encoding", "content-length"}
        for name, value in headers.items():
            if name.lower() not in dropped:
                self.send_header(name, value)
        length = headers.get("Content-Length", len(data)) if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if half else data)
        if half:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Do not log: the rules' own record is enough."""


for _method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
    setattr(_Handler, f"do_{_method}", _Handler._pass)


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: str, way: Way) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.way = upstream, way
        way.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that closed the connection."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run a moto server; yield its endpoint."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=120).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, "the S3 server did not start"
                assert server.poll() is None, "the S3 server ended"
                time.sleep(0.1)
        yield endpoint
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def way_to(endpoint: str) -> Iterator[Way]:
    """Run a proxy before an S3 server."""
    way = Way("")
    proxy = _Proxy(urlsplit(endpoint).netloc, way)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield way
    finally:
        way._closing.set()
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def s3_environment(endpoint: str) -> dict[str, str]:
    """Return the environment that a process needs to reach buckets there."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def set_environment(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set endpoint and credentials in the environment, without the user's own."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "ALCHEMISCALE_LAKE_S3_"))]:
        monkeypatch.delenv(name)
    for name, value in s3_environment(endpoint).items():
        monkeypatch.setenv(name, value)


def new_bucket(endpoint: str) -> str:
    """Create a bucket; return the URL of a location in it."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=120).close()
    return f"s3://{name}/a/prefix"


def upload(folder: Path, url: str) -> None:
    """Copy a lake from a folder into a bucket; a Delta table does not contain its location, so it may move."""
    import obstore
    from obstore.store import from_url

    store = from_url(url, client_options={"allow_http": True})
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        obstore.put(store, path.relative_to(folder).as_posix(), path.read_bytes())


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Return the endpoint of one S3 server for all the tests of this process."""
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a place in a fresh bucket; endpoint and credentials are in the environment, and only there."""
    set_environment(monkeypatch, s3)
    return new_bucket(s3)


@pytest.fixture
def way(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """The way to the server, in the environment instead of the server itself; impatient clients."""
    with way_to(s3) as found:
        set_environment(monkeypatch, found.endpoint)
        monkeypatch.setenv("ALCHEMISCALE_LAKE_S3_TIMEOUT_S", "1")
        monkeypatch.setenv("ALCHEMISCALE_LAKE_S3_RETRY_FOR_S", "2")
        yield found


@pytest.fixture
def bucket_lake(s3: str, way: Way, empty_lake_folder: Path) -> str:
    """URL of an empty lake behind the way."""
    url = new_bucket(s3)
    upload(empty_lake_folder, url)
    way.requests.clear()
    return url


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, empty_lake_folder: Path) -> str:
    """URL of an empty lake: in a folder, and in a bucket."""
    import shutil

    if request.param == "folder":
        shutil.copytree(empty_lake_folder, tmp_path / "lake")
        return (tmp_path / "lake").as_uri()
    url: str = request.getfixturevalue("bucket")
    upload(empty_lake_folder, url)
    return url
