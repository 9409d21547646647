"""The process of a local Prefect server: serves on an inherited socket, and never outlives its parent.

Started by `flows._api` as `python -m flows._server SOCKET_FD PARENT_PID`. All settings come from the
environment.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time

__all__ = ["main"]

_LOOK_S = 0.25


def main(argv: list[str]) -> None:
    """Serve until told to stop (SIGTERM) or left alone."""
    listening, parent = socket.socket(fileno=int(argv[0])), int(argv[1])
    # Ctrl-C is for the command that started us; it stops us when it is ready to
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(final=True), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


def _end_with(parent: int) -> None:
    # polling the parent's id works for every way a parent can end, SIGKILL included, and on every Unix
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
