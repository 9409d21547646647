"""Processes of steps as seen from the worker: start, wait, signal.

One fork server per worker process serves all its threads; if it dies, its steps end as lost and the next step starts
another. The fork server itself is in `fork_server`.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import ExecutionError, TransientError
from ..secrecy import forbid_reading, without_secrets
from .process_tree import MARK, kill_marked

__all__ = ["StepExit", "StepProcess", "StepServer", "close_step_server", "import_path", "step_server"]


@dataclass(frozen=True, slots=True)
class StepExit:
    """Exit of the process of a step.

    Parameters
    ----------
    exit_code : int or None
        -N if signal N ended it; None if its end was not observed.
    cpu_time_s : float or None
        Including the processes it waited for.
    peak_memory_bytes : int or None
        Peak resident memory.
    problem : str or None
        Why its end was not observed: the fork server died, or could not start it.
    unstarted : bool
        Whether this host could not start a process for it.
    """

    exit_code: int | None
    cpu_time_s: float | None = None
    peak_memory_bytes: int | None = None
    problem: str | None = None
    unstarted: bool = False

    @property
    def is_from_outside(self) -> bool:
        """Return whether it was ended from outside, or with the fork server, so that the step itself may be fine."""
        return self.exit_code in (-signal.SIGTERM, -signal.SIGKILL, None)


@dataclass(slots=True)
class StepProcess:
    """A running step. `ended` resolves to its `StepExit`.

    Attributes
    ----------
    number : int
        Number of the step at its fork server.
    ended : Future of StepExit
        Resolves when the process has ended.
    pid : int, optional
        Process id; None until it is known.
    """

    number: int
    _link: _Link
    ended: Future[StepExit] = field(default_factory=Future)
    pid: int | None = None

    @property
    def fork_server(self) -> str:
        """Return the unique token of its fork server."""
        return self._link.token

    def signal(self, signum: int) -> None:
        """Send a signal to the process group of the step; does nothing if it has ended."""
        if not self.ended.done():
            self._link.send({"id": self.number, "kill": signum})


class StepServer:
    """Starts steps, each in its own process forked from the fork server. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._link: _Link | None = None
        self._closed = False
        self._apart: weakref.WeakSet[StepServer] = weakref.WeakSet()

    def apart(self) -> StepServer:
        """Return a server with its own fork server for one attempt; it ends with this one at the latest."""
        server = StepServer()
        with self._lock:
            server._closed = self._closed
            self._apart.add(server)
        return server

    def start(self, request: Mapping[str, Any]) -> StepProcess:
        """Start a step; see `child.run` for the request. Returns at once.

        Raises
        ------
        ExecutionError
            If no fork server can be started.
        TransientError
            If this server is closed: the worker is shutting down, and the attempt must be repeated elsewhere.
        """
        with self._lock:
            if self._closed:
                raise TransientError("this worker is shutting down; the attempt must run elsewhere")
            for _ in range(3):
                if self._link is None or not self._link.alive:
                    # a fork server that died while importing may do so again: let each step import for itself
                    self._link = _Link(bare=self._link is not None and not self._link.served)
                process = StepProcess(next(self._numbers), self._link)
                if self._link.submit(process, {**request, "id": process.number}):
                    return process
        raise ExecutionError("cannot start a process for units; see the log for the error of its Python")

    @property
    def pid(self) -> int | None:
        """Return the process id of the fork server, None if there is none now."""
        link = self._link
        return link.pid if link is not None and link.alive else None

    def close(self) -> None:
        """Stop the fork server and everything below it, permanently."""
        with self._lock:
            link, self._link, self._closed = self._link, None, True
            apart = list(self._apart)
        for server in apart:
            server.close()
        if link is not None:
            link.close()


class _Link:
    """One instance of a fork server: its pipes and its running steps."""

    def __init__(self, *, bare: bool) -> None:
        self.alive, self.served = True, False
        self.token = uuid.uuid4().hex
        self._waiting: dict[int, StepProcess] = {}
        self._lock = threading.Lock()
        # a separate lock: a sender may have to wait until the reader has made room in the pipe
        self._writing = threading.Lock()
        # units can read every process of this user that does not forbid it, and this one has credentials
        forbid_reading()
        command = [sys.executable, "-P", "-m", "alchemiscale_lake.execution.fork_server", self.token]
        self._process = subprocess.Popen(
            [*command, *(["--bare"] if bare else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_fork_server_environment(self.token),
            # the supervisor handles a Ctrl-C at the terminal
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, name=f"fork server-{self.pid}", daemon=True)
        self._reader.start()

    def submit(self, process: StepProcess, request: Mapping[str, Any]) -> bool:
        """Pass a step to the fork server; return False if that is dead."""
        with self._lock:
            if not self.alive:
                return False
            self._waiting[process.number] = process
        if not self.send(request):
            with self._lock:
                # the reader may have marked it as lost already
                return self._waiting.pop(process.number, None) is None
        return True

    def send(self, message: Mapping[str, Any]) -> bool:
        stdin = cast(BinaryIO, self._process.stdin)
        with self._writing:
            try:
                stdin.write(json.dumps(message).encode() + b"\n")
                stdin.flush()
            except (BrokenPipeError, ValueError):
                return False
        return True

    def close(self) -> None:
        with self._writing:
            _close(cast(BinaryIO, self._process.stdin))
        self._reader.join(timeout=15.0)
        if self._reader.is_alive():
            self._process.kill()
            self._reader.join()

    def _read(self) -> None:
        stdout = cast(BinaryIO, self._process.stdout)
        for line in stdout:
            self._hear(json.loads(line))
        with self._lock:
            self.alive = False
            left = list(self._waiting.values())
            self._waiting.clear()
        with self._writing:
            _close(cast(BinaryIO, self._process.stdin))
        _close(stdout)
        code = self._process.wait()
        # its children die with it, but not their descendants
        kill_marked(self.token)
        for process in left:
            process.ended.set_result(StepExit(None, problem=f"the process that starts steps ended with code {code}"))

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            # not while it imports what a step needs
            self.served = message["ready"] is not None
            return
        number = message.pop("id")
        if "pid" in message:
            self._waiting[number].pid = message["pid"]
            return
        with self._lock:
            process = self._waiting.pop(number)
        if "error" in message:
            process.ended.set_result(StepExit(None, problem=message["error"], unstarted=True))
        else:
            process.ended.set_result(StepExit(**message))


def _close(pipe: BinaryIO) -> None:
    # its buffer may contain data for a dead fork server
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _fork_server_environment(token: str) -> dict[str, str]:
    # the fork server must be able to import what this process can, whose path may have grown since its start. All its
    # descendants can read its environment, so it gets no secrets
    return {**without_secrets(os.environ), "PYTHONPATH": os.pathsep.join(import_path()), MARK: f"{token}-0"}


def import_path() -> list[str]:
    """Return Python's import path in this process, with absolute entries."""
    return [entry if entry.startswith("/") else str(Path(entry).absolute()) for entry in sys.path]


_shared: dict[int, StepServer] = {}
_shared_lock = threading.Lock()


def step_server() -> StepServer:
    """Return the step server of this process."""
    with _shared_lock:
        # by process id: in a fork of this process, the fork server serves the original
        if os.getpid() not in _shared:
            _shared[os.getpid()] = StepServer()
            atexit.register(close_step_server)
        return _shared[os.getpid()]


def close_step_server() -> None:
    """Stop this process's fork server, if any; a later attempt starts another."""
    with _shared_lock:
        server = _shared.pop(os.getpid(), None)
    if server is not None:
        server.close()
