"""The process of a Prefect server, with authentication and protection against other pages of a browser.

Started by `prefect_api.local_api` as `python -m alchemiscale_lake.prefect_api.server_process SOCKET_FD PARENT_PID`, it
serves on an inherited socket, reads its login from the file in PREFECT_HOME, and never outlives its parent. In a
container it is `python -m alchemiscale_lake.prefect_api.server_process --host HOST --port PORT`, with its login in
PREFECT_SERVER_API_AUTH_STRING. All other settings come from the environment.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import LakeError
from ..secrecy import forbid_reading
from .login import read_login

__all__ = ["main"]

_LOOK_S = 0.25
_LOGIN = "PREFECT_SERVER_API_AUTH_STRING"


def main(argv: list[str]) -> None:
    """Serve until SIGTERM or the end of the parent process."""
    asked = _arguments(argv)
    if asked.host is None:
        _serve_parent(asked.descriptor, asked.parent)
    else:
        _serve_address(asked.host, asked.port)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m alchemiscale_lake.prefect_api.server_process", description="Run a Prefect server."
    )
    parser.add_argument("descriptor", type=int, nargs="?", help="inherited listening socket")
    parser.add_argument("parent", type=int, nargs="?", help="parent process; the server ends with it")
    parser.add_argument("--host", help="address to listen on, instead of an inherited socket")
    parser.add_argument("--port", type=int, default=4200)
    asked = parser.parse_args(argv)
    if (asked.host is None) == (asked.parent is None):
        parser.error("give either SOCKET_FD and PARENT_PID, or --host")
    return asked


def _serve_parent(descriptor: int, parent: int) -> None:
    listening = socket.socket(fileno=descriptor)
    # Ctrl-C is handled by the command that started this server, which then stops it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    forbid_reading()
    try:
        os.environ[_LOGIN] = read_login(Path(os.environ["PREFECT_HOME"]))
    except LakeError as e:
        sys.exit(f"the Prefect server does not start without a login: {e}")
    _serve([listening], grace_s=1)


def _serve_address(host: str, port: int) -> None:
    if not os.environ.get(_LOGIN):
        sys.exit(
            f"the Prefect server does not start without a login: set {_LOGIN} to user:password "
            "(for example lake:$(openssl rand -hex 24)), from a Secret or an env file"
        )
    defaults = {
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        # pages call the server they came from, at any address: no other origin needs access
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    _serve([socket.create_server((host, port), backlog=512)], grace_s=10)


def _serve(listening: list[socket.socket], *, grace_s: int) -> None:
    with _nothing_collected():
        import uvicorn
        from prefect.server.api.server import create_app

        from .browser_headers import BrowserPolicy

        app = BrowserPolicy(create_app(final=True))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=grace_s)
    uvicorn.Server(config).run(sockets=listening)


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Collect no garbage within the block, and later none of what it leaves: that took a fifth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _end_with(parent: int) -> None:
    # polling the parent's id works for every end of the parent, including SIGKILL, and on every Unix
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
