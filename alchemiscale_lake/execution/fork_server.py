"""The fork server: a process with gufe imported that forks a child per step.

Run as `python -m alchemiscale_lake.execution.fork_server <token>` by `processes`, one per worker process. Requests come
on stdin and replies go to stdout, one JSON object per line. It is single-threaded and does not touch CUDA, so that
forking is safe. It ends when its stdin closes or its parent is gone, and terminates all its descendants. A child's work
is in `child` and `steps`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final

from ..secrecy import forbid_reading
from . import child
from .preloads import Preloads, importing
from .process_tree import MARK, children_of, kill_marked, mark_of

__all__ = ["ForkServer", "main"]

#: Imported before the first fork: slow, and needed by every Protocol. `preloads` has what many need.
_PRELOAD: Final = (
    "numpy.random",
    "gufe",
    "alchemiscale_lake.execution.all_steps",
    "alchemiscale_lake.execution.steps",
    "alchemiscale_lake.protocols.harmonic",
    "alchemiscale_lake.protocols.noop",
)
_PR_SET_CHILD_SUBREAPER: Final = 36


class ForkServer:
    """Fork server: forks steps on request and reports how they ended.

    Parameters
    ----------
    requests, replies : int
        File descriptors of the pipes to and from the supervisor.
    token : str
        Mark of all its descendants.
    preloads : Preloads
    """

    def __init__(self, requests: int, replies: int, token: str, preloads: Preloads) -> None:
        self._requests, self._replies, self._token = requests, replies, token
        self._parent = os.getppid()
        self._steps: dict[int, int] = {}  # process id -> number of the step
        self._preloads = preloads
        self._buffer = b""
        self._ending = False
        self._wake, self._waker = os.pipe()
        self._selector = selectors.DefaultSelector()

    def serve(self, ready: dict[str, Any]) -> None:
        """Report readiness, and answer requests until the supervisor is gone."""
        self._listen()
        self._reply(ready)
        try:
            while not self._ending and os.getppid() == self._parent:
                for key, _ in self._selector.select(timeout=2.0):
                    if key.fd == self._requests:
                        self._read()
                    else:
                        os.read(self._wake, 4096)
                self._reap()
        finally:
            kill_marked(self._token)

    def _listen(self) -> None:
        for fd in (self._wake, self._waker):
            os.set_blocking(fd, False)
        self._selector.register(self._requests, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def _end(self, *_: Any) -> None:
        self._ending = True

    def _read(self) -> None:
        data = os.read(self._requests, 1 << 16)
        if not data:
            self._ending = True
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "kill" in request:
                self._kill(request["id"], request["kill"])
            else:
                self._fork(request)

    def _fork(self, request: dict[str, Any]) -> None:
        request["env"][MARK] = f"{self._token}-{request['id']}"
        self._load(request.get("needs", ()))
        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as e:
            self._reply({"id": request["id"], "error": f"cannot start a process: {e}"})
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            for fd in (self._requests, self._replies, self._wake, self._waker):
                os.close(fd)
            child.run(request, parent=me, at_end=self._preloads.note)
        # also done by the child; done here so that an immediate signal finds the group
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._steps[pid] = request["id"]
        self._reply({"id": request["id"], "pid": pid})

    def _load(self, needs: Sequence[str]) -> None:
        missing = self._preloads.missing(needs)
        if missing:
            # if this ends the process, the next one does without
            self._reply({"ready": None})
            self._preloads.load(missing)
            self._reply({"ready": os.getpid()})

    def _kill(self, number: int, signum: int) -> None:
        for pid in [pid for pid, step in self._steps.items() if step == number]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signum)

    def _reap(self) -> None:
        while (pid := _ended()) is not None:
            if pid in self._steps:
                # until it is reaped, its id, and so the group's, cannot be reused
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            number = self._steps.pop(pid, None)
            self._kill_orphans()
            if number is not None:
                self._reply(
                    {
                        "id": number,
                        "exit_code": os.waitstatus_to_exitcode(status),
                        "cpu_time_s": usage.ru_utime + usage.ru_stime,
                        "peak_memory_bytes": usage.ru_maxrss * 1024,
                    }
                )

    def _kill_orphans(self) -> None:
        """Kill leftover processes of ended steps; as a subreaper, this process is their parent now."""
        live = {f"{self._token}-{number}" for number in self._steps.values()}
        for pid in children_of(os.getpid()):
            if pid in self._steps:
                continue
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if mark_of(pid) not in live and os.getpgid(pid) not in self._steps:
                    os.kill(pid, signal.SIGKILL)

    def _reply(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._replies, data) :]
        except BrokenPipeError:
            self._ending = True


def _ended() -> int | None:
    """Return the id of a child that has ended and is not reaped."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found is not None else None


def _preload() -> list[str]:
    """Import what every step needs; return the errors, which each step will also meet."""
    problems = []
    with importing():
        for name in _PRELOAD:
            try:
                importlib.import_module(name)
            except Exception as e:  # third-party code
                problems.append(f"{name}: {type(e).__name__}: {e}")
        if not problems:
            try:
                importlib.import_module("alchemiscale_lake.execution.warm_up").warm_up()
            except Exception as e:  # raised by gufe: each step will meet it, too
                problems.append(f"warm-up: {type(e).__name__}: {e}")
    return problems


def main() -> None:
    """Serve the process that started this one."""
    # steps could take over its pipes, and so impersonate other steps
    forbid_reading()
    requests, replies = os.dup(0), os.dup(1)
    # exactly the supervisor's path, so that steps need not set it again
    sys.path[:] = os.environ["PYTHONPATH"].split(os.pathsep)
    # output of imports must not appear among the replies
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    bare = "--bare" in sys.argv
    server = ForkServer(requests, replies, sys.argv[1], Preloads(()) if bare else Preloads())
    problems = [] if bare else _preload()
    gc.collect()
    gc.freeze()
    server.serve({"ready": os.getpid(), "problems": problems})


if __name__ == "__main__":
    main()
