"""A Prefect API for one command: the user's own, or a local server that comes and goes with it.

Owns the environment that Prefect reads, and how a server is found. Import nothing of Prefect before
`local_api` has been entered: Prefect reads its settings once, when first imported. What the server
stores is a view for people; the lake never depends on it, and its folder may be deleted at any time.
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

from alchemiscale_lake.errors import SettingsError, StorageError

from ._addresses import bypass_proxies, is_here
from ._closing import Closing, forgiving
from ._local_server import GRACE_S, LocalServer, is_healthy
from ._login import login_file, make_private, read_login, read_own

__all__ = ["Api", "local_api", "quiet_environment"]

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


@dataclass(frozen=True, slots=True)
class Api:
    """Where the Prefect API of this command is.

    Attributes
    ----------
    api_url, ui_url : str
        Addresses of the API and of the pages for people.
    ours : bool
        Whether this process started it and will stop it.
    login : Path or None
        The file with what people are asked for on the pages; None for a server of the user's own.
    kept : bool
        Whether what a server of ours shows is there for the next one.
    """

    api_url: str
    ui_url: str
    ours: bool
    login: Path | None = None
    kept: bool = True


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
        # the server needs seconds of one core to start; our own imports fit into them
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
    """Yield `state_dir`, locked; if another process has it, a throw-away folder."""
    with contextlib.ExitStack() as stack:
        if make_private(state_dir) and _lock(stack.enter_context((state_dir / "lock").open("a"))):
            # of a server that was killed: whoever has its port now is not to be sent the login
            (state_dir / "server.json").unlink(missing_ok=True)
            yield state_dir
            return
        if lasting:
            raise SettingsError(
                f"another command runs a Prefect server in {state_dir}, or the folder is not yours; "
                "stop that command (or let it end) first",
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
    """Return the address of the server that `up` runs for this lake here, if it answers.

    Its login will be sent there, so it has to be this user's, on this machine, and still be running:
    once it has ended, another user could have its port.
    """
    try:
        said: dict[str, Any] = json.loads(read_own(folder / "server.json") or "")
        url = str(said["api_url"])
        host = urlsplit(url).hostname
    except (ValueError, KeyError, TypeError):
        return None
    if said.get("host") != socket.gethostname() or not host or not is_here(host) or not _in_use(folder):
        return None
    try:
        read_login(folder)
    except StorageError:
        return None
    bypass_proxies(host)
    # one that is no more refuses at once, one that is busy takes its time
    return url if is_healthy(url, timeout_s=10.0) else None


def _in_use(folder: Path) -> bool:
    try:
        with (folder / "lock").open("a") as lock:
            return not _lock(lock)
    except OSError:
        return False


# --- what Prefect reads ---------------------------------------------------------------------------


@contextlib.contextmanager
def _connected(api_url: str, login: str, **variables: str) -> Iterator[None]:
    """Have this process speak to a server of ours.

    The login stays out of the environment: children would inherit it, and Protocol code run by them could
    read it. Prefect's own children get it from Prefect.
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
    """Set variables for as long as this is entered."""
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
    """Set the same for a Prefect that this process had imported before; one that is to come reads the environment."""
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
        # the user's, read again: what Prefect holds may be of a server of ours, and that is not for another
        theirs = Settings().api.auth_string
        new: dict[Any, Any] = {PREFECT_API_AUTH_STRING: theirs and theirs.get_secret_value()}
    else:
        new = {PREFECT_API_AUTH_STRING: login, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: True}
    new |= {PREFECT_API_URL: api_url}
    with temporary_settings(new):
        yield


def _flush() -> None:
    with forgiving("Prefect's view of what ran"):
        _flush_prefect()


def _flush_prefect() -> None:
    """Let the events and logs that Prefect sends in the background arrive before the server stops."""
    from prefect._internal.concurrency.services import QueueService
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    services: tuple[type[QueueService[Any]], ...] = (EventsWorker, APILogWorker)
    for service in services:
        service.drain_all(timeout=GRACE_S, at_exit=False)
