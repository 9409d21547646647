"""A headless Chromium controlled by tests, which can reach only this machine.

All requests of a page, and its console messages, are recorded. Chromium's own requests are not; no name is resolved,
so these get no answer.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from .debian import require

_HERE = ("127.0.0.1", "localhost")
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,CertificateTransparencyComponentUpdater",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)


@dataclass
class Page:
    """One tab, controlled over the DevTools protocol."""

    socket: ClientConnection
    session: str
    #: URLs requested by the page, its frames and workers.
    requests: list[str] = field(default_factory=list)
    #: Errors and warnings on the console, uncaught exceptions, violations of the content security policy.
    complaints: list[str] = field(default_factory=list)
    _number: int = 0

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, "sessionId": session or self.session}
        self.socket.send(json.dumps(message))
        number = self._number
        while True:
            answer = json.loads(self.socket.recv(timeout=300))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result
            self._hear(answer)

    def _hear(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:1000])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(
                json.dumps([arg.get("value", arg.get("description")) for arg in params["args"]])[:1000]
            )
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Target.attachedToTarget":
            self._listen(params["sessionId"])

    def _listen(self, session: str) -> None:
        """Attach to a frame or worker of the page too; it waits until this is done."""
        for command in ("Network.enable", "Runtime.enable", "Log.enable", "Runtime.runIfWaitingForDebugger"):
            self._number += 1
            message = {"id": self._number, "method": command, "params": {}, "sessionId": session}
            self.socket.send(json.dumps(message))

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str, *, seconds: float = 300.0) -> Any:
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + seconds
        while not (found := self.evaluate(expression)):
            assert time.monotonic() < deadline, (expression, self.complaints, self.evaluate("document.body.innerText"))
            time.sleep(0.1)
        return found

    def text(self, selector: str = "body") -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start, button="left", clickCount=1)
        for part in (0.3, 0.7, 1.0):
            x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)

    def middle_of(self, selector: str) -> tuple[float, float]:
        box = self.evaluate(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return float(box[0]), float(box[1])

    def dark(self, on: bool = True) -> None:
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def size(self, width: int, height: int) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, target: Path) -> None:
        shot = self.send("Page.captureScreenshot", format="png")
        target.write_bytes(base64.b64decode(shot["data"]))

    def elsewhere(self) -> list[str]:
        """Return requests other than to files, inline data and this machine."""
        inside = ("file", "data", "blob", "about")
        return [u for u in self.requests if (s := urlsplit(u)).scheme not in inside and s.hostname not in _HERE]


@contextmanager
def browser() -> Iterator[Callable[[], Page]]:
    """Start Chromium; yield a function that opens a new tab."""
    chromium = require(["chromium"], ["chromium"])["chromium"]
    # profiles need not be kept, and the paths of pytest's folders are too long for its sockets
    profile = Path(tempfile.mkdtemp(prefix="chromium-"))
    process = subprocess.Popen(
        [chromium, *_QUIET, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_address(profile, process), max_size=None) as socket:
            yield lambda: _tab(socket)
    finally:
        process.terminate()
        try:
            process.wait(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(profile, ignore_errors=True)


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    told = profile / "DevToolsActivePort"
    deadline = time.monotonic() + 300
    while not told.exists() or len(told.read_text().splitlines()) < 2:
        assert process.poll() is None, "Chromium ended at once"
        assert time.monotonic() < deadline, "Chromium does not answer"
        time.sleep(0.05)
    port, path = told.read_text().splitlines()
    return f"ws://127.0.0.1:{port}{path}"


def _tab(socket: ClientConnection) -> Page:
    page = Page(socket, "")
    target = _ask(socket, "Target.createTarget", url="about:blank")["targetId"]
    page.session = _ask(socket, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    page._number = 1000
    for command in ("Page.enable", "Network.enable", "Runtime.enable", "Log.enable"):
        page.send(command)
    page.send("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
    return page


def _ask(socket: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    socket.send(json.dumps({"id": 1, "method": method, "params": params}))
    while True:
        answer = json.loads(socket.recv(timeout=300))
        if answer.get("id") == 1:
            result: dict[str, Any] = answer["result"]
            return result
