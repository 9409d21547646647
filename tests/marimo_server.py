"""A notebook served by marimo on a free port, as read by an analyst."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from .browser import Page

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@contextmanager
def served(notebook: Path, lake: Path, folder: Path) -> Iterator[str]:
    """Serve a notebook as an app; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = [sys.executable, "-m", "marimo", "-q", "run", str(notebook), "--headless", "--no-token", "--port", str(port)]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "marimo.log").open("w") as log:
        process = subprocess.Popen(
            [*run, "--", "--lake", str(lake)], stdout=log, stderr=log, env=environment, cwd=folder
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/health", process, folder / "marimo.log")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=300)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with urlopen(url, timeout=120):
                return
        except OSError:
            time.sleep(0.2)


#: All readable text, including the shadow trees of marimo's elements.
_TEXT = """(function text(node) {
    const inside = node.shadowRoot ? text(node.shadowRoot) : "";
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    return inside + [...node.childNodes].map(text).join(" ");
})(document.body)"""


def read_until(page: Page, *words: str) -> str:
    """Wait until all of these texts appear; return the text."""
    for word in words:
        page.wait(f"({_TEXT}).includes({word!r})", seconds=120)
    return str(page.evaluate(_TEXT))
