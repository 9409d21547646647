"""A Prefect API for one command: the user's own, or a local server that comes and goes with it.

Owns the environment that Prefect reads and the server's process. Import nothing of Prefect before
`local_api` has been entered: Prefect reads its settings once, when first imported. What the server
stores is a view for people; the lake never depends on it, and its folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from alchemiscale_lake.errors import SettingsError, StorageError

from . import _state

__all__ = ["Api", "local_api", "quiet_environment"]

_START_S = 180.0
_GRACE_S = 3.0
_RESTARTS = 3
_LOOPBACK = "127.0.0.1"

#: What no user asked for: reports to others, advertisements, logs on the terminal, long waits for a dead server.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_DEBUG_LEVEL": "CRITICAL",
    "DASK_LOGGING__DISTRIBUTED": "critical",
}
#: Services for schedules, automations and remote workers: of no use to a server that lives for one command.
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


@dataclass(frozen=True, slots=True)
class Api:
    """Where the Prefect API of this command is.

    Attributes
    ----------
    api_url, ui_url : str
        Addresses of the API and of the pages for people.
    ours : bool
        Whether this process started it and will stop it.
    """

    api_url: str
    ui_url: str
    ours: bool


def quiet_environment(*, verbose: bool = False) -> None:
    """Set what keeps Prefect and Dask quiet, where the user has not set it, for this process and its children."""
    for name, value in _QUIET.items():
        if verbose and "LOGGING" in name:
            continue
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def local_api(
    state_dir: Path,
    *,
    host: str = _LOOPBACK,
    port: int = 0,
    lasting: bool = False,
    verbose: bool = False,
    on_restart: Callable[[str], None] | None = None,
) -> Iterator[Api]:
    """Make sure that this process has a Prefect API.

    With `PREFECT_API_URL` set, that one is used. Otherwise, if `alchemiscale-lake up` serves this lake
    on this machine, its server is. Otherwise a server is started and, at the end, stopped.

    Parameters
    ----------
    state_dir : Path
        Folder for the server's database and log.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    lasting : bool
        Run the services that schedules and automations need, and let other commands find this server.
    verbose : bool
        Leave Prefect's logs on the terminal.
    on_restart : callable, optional
        Told, in words, when the server had died and is started again.

    Raises
    ------
    StorageError
        If the server does not answer in time.
    SettingsError
        If the address cannot be listened on, or `lasting` and another server has this folder.
    """
    quiet_environment(verbose=verbose)
    given = os.environ.get("PREFECT_API_URL")
    found = given or (None if lasting else _find_lasting(state_dir))
    if found:
        with _environment({"PREFECT_API_URL": found}):
            yield Api(found, found.removesuffix("/api"), ours=False)
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_claim_folder(state_dir, lasting=lasting))
        server = _Server(folder, host, port, lasting=lasting, on_restart=on_restart)
        stack.callback(server.stop)
        server.start()
        stack.enter_context(_environment({"PREFECT_API_URL": server.api_url, "PREFECT_HOME": str(folder)}))
        server.wait_until_healthy()
        if lasting:
            stack.enter_context(_announce(folder, server.api_url))
        stack.callback(_flush_prefect)
        yield Api(server.api_url, server.api_url.removesuffix("/api"), ours=True)


class _Server:
    """One server process, started again (on the same socket) if it dies unasked."""

    def __init__(
        self, folder: Path, host: str, port: int, *, lasting: bool, on_restart: Callable[[str], None] | None
    ) -> None:
        try:
            # our socket, handed down: nobody can take the port in between, and while a server that
            # died starts again, requests wait instead of being refused
            self._socket = socket.create_server((host, port), backlog=512)
        except OSError as e:
            raise SettingsError(
                f"cannot listen on {host}:{port} ({e.strerror}); give another --port", host=host, port=port
            ) from e
        self.folder = folder
        self.database = folder / "prefect.db"
        self.log = folder / "server.log"
        self._version = folder / "prefect.db.version"
        self._lasting, self._on_restart = lasting, on_restart
        visible = socket.gethostname() if host in ("0.0.0.0", "::") else host
        self.api_url = f"http://{visible}:{self._socket.getsockname()[1]}/api"
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._fresh = False

    def start(self) -> None:
        if not self.database.exists():
            self._fresh = not _state.copy_template(self.database)
            if not self._fresh:
                self._version.write_text(_prefect_version())
        self._spawn()

    def _spawn(self) -> None:
        descriptor = self._socket.fileno()
        command = [sys.executable, "-m", "flows._server", str(descriptor), str(os.getpid())]
        with self.log.open("ab") as log:
            # its own session: Ctrl-C in the terminal reaches the command, not its server
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._settings()},
                pass_fds=[descriptor],
                start_new_session=True,
            )

    def _settings(self) -> dict[str, str]:
        migrated = self._version.exists() and self._version.read_text() == _prefect_version()
        settings = {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.database}",
            "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false" if migrated else "true",
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(_state.cache_dir() / "ui"),
            "PREFECT_SERVER_UI_API_URL": self.api_url,
            "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        }
        if not self._lasting:
            settings |= {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _LASTING_SERVICES}
            settings |= {
                "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "false",
                "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
            }
        return settings

    def wait_until_healthy(self) -> None:
        # the server needs seconds of one core to start; our own imports fit into them
        importlib.import_module("prefect")
        deadline = time.monotonic() + _START_S
        while not _healthy(self.api_url, timeout_s=2.0):
            process = self._process
            if self._stopping.is_set() or (process is not None and process.poll() is not None):
                raise StorageError(
                    f"the local Prefect server ended while it started; its log is {self.log}. "
                    f"{self.folder} holds no results and may be deleted if the log speaks of the database",
                    log=str(self.log),
                )
            if time.monotonic() > deadline:
                raise StorageError(
                    f"the local Prefect server did not answer within {_START_S:.0f} s; its log is {self.log}",
                    log=str(self.log),
                )
        self._version.write_text(_prefect_version())
        threading.Thread(target=self._guard, name="prefect-server-guard", daemon=True).start()
        if self._fresh:
            with contextlib.suppress(OSError):  # a cache that cannot be written costs seconds next time, no more
                _state.keep_template(self.database)

    def _guard(self) -> None:
        for _ in range(_RESTARTS):
            process = self._process
            code = process.wait() if process is not None else None
            if self._stopping.is_set():
                return
            if self._on_restart is not None:
                self._on_restart(f"the local Prefect server ended ({_describe(code)}); starting it again")
            self._spawn()
            if self._stopping.is_set():  # stopped between the look and the start
                self._end()

    def stop(self) -> None:
        self._stopping.set()
        self._end()
        self._socket.close()

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- one folder, one server ---------------------------------------------------------------------


@contextlib.contextmanager
def _claim_folder(state_dir: Path, *, lasting: bool) -> Iterator[Path]:
    """Yield `state_dir`, locked; if another process has it, a throw-away folder."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("a") as lock:
        if _lock(lock):
            yield state_dir
            return
        if lasting:
            raise SettingsError(
                f"another command runs a Prefect server in {state_dir}; stop it (or let it end) first",
                folder=str(state_dir),
            )
        with tempfile.TemporaryDirectory(prefix="alchemiscale-lake-prefect-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _announce(folder: Path, api_url: str) -> Iterator[None]:
    path = folder / "server.json"
    path.write_text(json.dumps({"api_url": api_url, "pid": os.getpid(), "host": socket.gethostname()}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _find_lasting(folder: Path) -> str | None:
    """Return the address of the server that `up` runs for this lake here, if it answers."""
    try:
        said: dict[str, Any] = json.loads((folder / "server.json").read_text())
        url = str(said["api_url"])
    except (OSError, ValueError, KeyError):
        return None
    if said.get("host") != socket.gethostname():
        return None
    # one that is no more refuses at once, one that is busy takes its time
    return url if _healthy(url, timeout_s=10.0) else None


def _healthy(api_url: str, *, timeout_s: float) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
    try:
        with opener.open(f"{api_url}/health", timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        time.sleep(0.05)
        return False


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables, also for a Prefect that this process had imported before."""
    before = {name: os.environ.get(name) for name in values}
    already = "prefect" in sys.modules
    os.environ.update(values)
    try:
        with _prefect_settings(values) if already else contextlib.nullcontext():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _prefect_settings(values: dict[str, str]) -> Iterator[None]:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: values["PREFECT_API_URL"]}):
        yield


def _flush_prefect() -> None:
    """Let the events and logs that Prefect sends in the background arrive before the server stops."""
    from prefect._internal.concurrency.services import QueueService
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    services: tuple[type[QueueService[Any]], ...] = (EventsWorker, APILogWorker)
    for service in services:
        service.drain_all(timeout=_GRACE_S, at_exit=False)


def _prefect_version() -> str:
    return importlib.metadata.version("prefect")


def _describe(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
