"""The process of a local Prefect server for the lifetime of one command: started, monitored, stopped.

Owns its settings and socket. `local_api` chooses the folder and lets others find the server; `server_process` serves
the requests.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ..errors import StorageError
from ..secrecy import without_secrets
from . import server_files
from .addresses import listen
from .login import make_login

__all__ = ["GRACE_S", "LocalServer", "is_healthy"]

_START_S = 180.0
GRACE_S = 3.0
_RESTARTS = 3
#: Services for schedules, automations and remote workers, not needed by a server for one command.
_LASTING_SERVICES = (
    "SCHEDULER",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "FOREMAN",
    "REPOSSESSOR",
    "CLEANUP_RECONCILER",
    "TRIGGERS",
    "EVENT_PERSISTER",
)
#: States of task runs that are stored in one transaction, and the longest time that they wait for it. Prefect's own
#: default, one by one, takes twice the CPU time.
_STATES_AT_ONCE = 200
_STATES_WAIT_S = 1


class LocalServer:
    """One server process, restarted (on the same socket) if it dies unexpectedly.

    Parameters
    ----------
    folder : Path
        Private folder of this user for its database, log and login.
    host, port : str, int
        Address to listen on; port 0 takes a free one.
    lasting : bool
        Run the services for schedules and automations.
    on_restart : callable, optional
        Called with a message when the server has died and is restarted.

    Attributes
    ----------
    api_url : str
    login : str
        Its auth string, `user:password`.
    host : str
        Name of this machine in its address.
    """

    def __init__(
        self, folder: Path, host: str, port: int, *, lasting: bool, on_restart: Callable[[str], None] | None
    ) -> None:
        # the server inherits our socket: no other process can take the port, and requests wait
        # instead of being refused while the server restarts
        self._socket = listen(host, port)
        self.folder = folder
        self.database = folder / "prefect.db"
        self.log = folder / "server.log"
        self._version = folder / "prefect.db.version"
        self._lasting, self._on_restart = lasting, on_restart
        self.host = socket.gethostname() if host in ("0.0.0.0", "::") else host
        self.api_url = f"http://{self.host}:{self._socket.getsockname()[1]}/api"
        self.login = make_login(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._fresh = False

    def start(self) -> None:
        """Start the server; it responds some seconds later."""
        if not self.database.exists():
            self._fresh = not server_files.copy_template(self.database)
            if not self._fresh:
                self._version.write_text(_prefect_version())
        self._spawn()

    def _spawn(self) -> None:
        descriptor = self._socket.fileno()
        command = [
            sys.executable,
            "-m",
            "alchemiscale_lake.prefect_api.server_process",
            str(descriptor),
            str(os.getpid()),
        ]
        with self.log.open("ab") as log:
            # in a separate session: Ctrl-C in the terminal reaches the command, not its server
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # without logins to other servers and keys of buckets, which it does not need
                env={**without_secrets(os.environ), **self._settings()},
                pass_fds=[descriptor],
                start_new_session=True,
            )

    def _settings(self) -> dict[str, str]:
        migrated = self._version.exists() and self._version.read_text() == _prefect_version()
        settings = {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": server_files.database_url(self.database),
            "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false" if migrated else "true",
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(server_files.cache_dir() / "ui"),
            # pages call the server they came from, under any host name; other origins are refused
            "PREFECT_SERVER_UI_API_URL": "/api",
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": self.api_url.removesuffix("/api"),
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": str(_STATES_AT_ONCE),
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": str(_STATES_WAIT_S),
            "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        }
        if not self._lasting:
            settings |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _LASTING_SERVICES}
            settings |= {
                "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "false",
                "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
                # otherwise Prefect imports every installed collection, Kubernetes' too, to see whether blocks changed
                "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
            }
        return settings

    def wait_until_healthy(self) -> None:
        """Wait until the server responds.

        Raises
        ------
        StorageError
            If it exits or does not respond in time.
        """
        deadline = time.monotonic() + _START_S
        while not is_healthy(self.api_url, timeout_s=2.0):
            process = self._process
            if self._stopping.is_set() or (process is not None and process.poll() is not None):
                raise StorageError(
                    f"the local Prefect server exited during start-up; see its log {self.log}. "
                    f"{self.folder} has no results and may be deleted if the log reports a database error",
                    log=str(self.log),
                )
            if time.monotonic() > deadline:
                raise StorageError(
                    f"the local Prefect server did not respond within {_START_S:.0f} s; see its log {self.log}",
                    log=str(self.log),
                )
        self._version.write_text(_prefect_version())
        threading.Thread(target=self._guard, name="prefect-server-guard", daemon=True).start()
        if self._fresh:
            with contextlib.suppress(OSError):  # without the cache, the next start takes seconds longer
                server_files.keep_template(self.database)

    def _guard(self) -> None:
        for _ in range(_RESTARTS):
            process = self._process
            code = process.wait() if process is not None else None
            if self._stopping.is_set():
                return
            if self._on_restart is not None:
                self._on_restart(f"the local Prefect server exited ({_describe(code)}); restarting it")
            self._spawn()
            if self._stopping.is_set():  # stopped between the check and the start
                self._end()

    def stop(self) -> None:
        """Stop the server, without a restart."""
        self._stopping.set()
        self._end()
        self._socket.close()

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_healthy(api_url: str, *, timeout_s: float) -> bool:
    """Return whether a Prefect API responds at an address of this machine; no login is sent.

    Parameters
    ----------
    api_url : str
        URL of the API, ending in `/api`.
    timeout_s : float
        Time to wait for a response, s.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for local addresses
    try:
        with opener.open(f"{api_url}/health", timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        time.sleep(0.05)
        return False


def _prefect_version() -> str:
    return importlib.metadata.version("prefect")


def _describe(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
