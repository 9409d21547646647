"""A Prefect API for one command: the user's server, or a local server that lives as long as the command.

Owns the environment that Prefect reads, and the discovery of a server. Do not import Prefect before entering
`local_api`: Prefect reads its settings once, on first import. The server stores only a view for people; the lake
never depends on it, and its folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ..errors import SettingsError, StorageError
from .addresses import bypass_proxies, is_here
from .closing import Closing, ignoring_errors
from .local_server import GRACE_S, LocalServer, is_healthy
from .login import login_file, make_private, read_login, read_own

__all__ = ["Api", "local_api", "quiet_environment"]

_LOOPBACK = "127.0.0.1"

#: Disables telemetry, promotional content, logs on the terminal, and long waits for a dead server.
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


@dataclass(frozen=True, slots=True)
class Api:
    """Address of the Prefect API of this command.

    Attributes
    ----------
    api_url, ui_url : str
        Addresses of the API and the UI.
    ours : bool
        Whether this process started the server and will stop it.
    login : Path or None
        File with the login of the UI; None if the user runs the server.
    kept : bool
        Whether the history of a server started by us is kept for the next one.
    """

    api_url: str
    ui_url: str
    ours: bool
    login: Path | None = None
    kept: bool = True


def quiet_environment(*, verbose: bool = False) -> None:
    """Set the environment variables that silence Prefect and Dask, unless the user has set them."""
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
    """Provide a Prefect API for this process.

    If `PREFECT_API_URL` is set, that API is used. Otherwise, if `alchemiscale-lake up` serves this lake
    on this machine, its server is used. Otherwise a server is started, and stopped at the end.

    Parameters
    ----------
    state_dir : Path
        Folder for the server's database and log.
    host, port : str, int
        Address to listen on; port 0 takes a free one.
    lasting : bool
        Run the services for schedules and automations, and let other commands find this server.
    verbose : bool
        Show Prefect's logs on the terminal.
    on_restart : callable, optional
        Called with a message when the server has died and is restarted.

    Raises
    ------
    StorageError
        If the server does not answer in time.
    SettingsError
        If the address is not available, or with `lasting` if another server uses this folder.
    """
    quiet_environment(verbose=verbose)
    bypass_proxies()
    if given := os.environ.get("PREFECT_API_URL"):
        with _environment({"PREFECT_API_URL": given}), _prefect_settings(given):
            yield Api(given, given.removesuffix("/api"), ours=False)
        return
    if not lasting and (found := _find_lasting(state_dir)):
        with _connected(found, read_login(state_dir)):
            yield Api(found, found.removesuffix("/api"), ours=False, login=login_file(state_dir))
        return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_claim_folder(state_dir, lasting=lasting))
        server = LocalServer(folder, host, port, lasting=lasting, on_restart=on_restart)
        closing = stack.enter_context(Closing("the local Prefect server"))
        closing.callback(server.stop)
        server.start()
        # the server takes seconds to start; meanwhile this process does its imports
        stack.enter_context(_connected(server.api_url, server.login, PREFECT_HOME=str(folder)))
        server.wait_until_healthy()
        if lasting:
            stack.enter_context(_announce(folder, server.api_url))
        stack.callback(_flush)
        ui_url, kept = server.api_url.removesuffix("/api"), folder == state_dir
        yield Api(server.api_url, ui_url, ours=True, login=login_file(folder), kept=kept)


# --- one folder, one server ---------------------------------------------------------------------


@contextlib.contextmanager
def _claim_folder(state_dir: Path, *, lasting: bool) -> Iterator[Path]:
    """Yield `state_dir`, locked; a temporary folder if another process has locked it."""
    with contextlib.ExitStack() as stack:
        if make_private(state_dir) and _lock(stack.enter_context((state_dir / "lock").open("a"))):
            # left by a killed server: the process that has its port now must not get the login
            (state_dir / "server.json").unlink(missing_ok=True)
            yield state_dir
            return
        if lasting:
            raise SettingsError(
                f"another command runs a Prefect server in {state_dir}, or the folder belongs to another user; "
                "stop that command or wait until it ends",
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
    path.touch(mode=0o600)
    path.write_text(json.dumps({"api_url": api_url, "pid": os.getpid(), "host": socket.gethostname()}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _find_lasting(folder: Path) -> str | None:
    """Return the address of the server that `up` runs for this lake on this machine, if it responds.

    The login is sent there, so the server must be this user's, on this machine, and running: after it has
    ended, another user could have its port.
    """
    try:
        known: dict[str, Any] = json.loads(read_own(folder / "server.json") or "")
        url = str(known["api_url"])
        host = urlsplit(url).hostname
    except (ValueError, KeyError, TypeError):
        return None
    if known.get("host") != socket.gethostname() or not host or not is_here(host) or not _in_use(folder):
        return None
    try:
        read_login(folder)
    except StorageError:
        return None
    bypass_proxies(host)
    # a stopped server refuses at once; a busy one takes time
    return url if is_healthy(url, timeout_s=10.0) else None


def _in_use(folder: Path) -> bool:
    try:
        with (folder / "lock").open("a") as lock:
            return not _lock(lock)
    except OSError:
        return False


# --- Prefect's settings -----------------------------------------------------------------------------


@contextlib.contextmanager
def _connected(api_url: str, login: str, **variables: str) -> Iterator[None]:
    """Connect this process to a server started by us.

    The login is kept out of the environment: child processes would inherit it, and Protocol code in them could
    read it. Prefect's own child processes get it from Prefect.
    """
    bypass_proxies(urlsplit(api_url).hostname or _LOOPBACK)
    with _environment({"PREFECT_API_URL": api_url, **variables}):
        if "prefect" not in sys.modules:
            with _environment({"PREFECT_API_AUTH_STRING": login, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true"}):
                importlib.import_module("prefect")
        with _prefect_settings(api_url, login):
            yield


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _prefect_settings(api_url: str, login: str | None = None) -> Iterator[None]:
    """Apply the settings to Prefect if it is already imported; otherwise it will read the environment."""
    if "prefect" not in sys.modules:
        yield
        return
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
        Settings,
        temporary_settings,
    )

    if login is None:
        # read the user's login again: the current one may be of our server and must not go to another
        theirs = Settings().api.auth_string
        new: dict[Any, Any] = {PREFECT_API_AUTH_STRING: theirs and theirs.get_secret_value()}
    else:
        new = {PREFECT_API_AUTH_STRING: login, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: True}
    new |= {PREFECT_API_URL: api_url}
    with temporary_settings(new):
        yield


def _flush() -> None:
    with ignoring_errors("Prefect's record of the run"):
        _flush_prefect()


def _flush_prefect() -> None:
    """Wait until Prefect's background threads have sent their events and logs, before the server stops."""
    from prefect._internal.concurrency.services import QueueService
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    services: tuple[type[QueueService[Any]], ...] = (EventsWorker, APILogWorker)
    for service in services:
        service.drain_all(timeout=GRACE_S, at_exit=False)
