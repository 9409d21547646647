"""Setup of a forked child around a step: process group, output, logging, environment, random state.

The step itself is in `steps`, or in `all_steps` if a child performs all of them. A child leaves `outcome.json` in its
run folder unless it dies.
"""

from __future__ import annotations

import ctypes
import faulthandler
import fcntl
import importlib
import importlib.util
import json
import logging
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from ..durable import replace_file, replace_unsynced
from ..secrecy import allow_reading
from .exception_text import describe_exception
from .openmm_plugins import load_at_first_use

__all__ = ["NO_PLUGINS", "OUTCOME", "enter", "hand_over", "perform", "restore", "run", "write_json"]

#: OpenMM's plugin folder while the fork server imports it.
NO_PLUGINS: Final = "/nonexistent/openmm-plugins"
#: File that a finished step leaves in its run folder.
OUTCOME: Final = "outcome.json"
_PR_SET_PDEATHSIG: Final = 1


def run(request: dict[str, Any], *, parent: int, at_end: Callable[[], None]) -> NoReturn:
    """Perform the request in this freshly forked process and exit.

    Parameters
    ----------
    request : dict
        `step`, `arguments`, `run` (folder for outcome, stdout, stderr and log), `cwd`, `env`, `path` (Python's),
        `lock` (held, shared, as long as the step or any of its descendants lives) and `threads`.
    parent : int
        Process id of the fork server.
    at_end : callable
        Called before the process exits.
    """
    code = 1
    try:
        _settle(request, parent)
        code = _perform(request)
    except BaseException:  # no exception may reach the code of the fork server
        traceback.print_exc()
    finally:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 1
        try:
            at_end()
        finally:
            # not sys.exit: the exit handlers belong to the fork server, and the result is written
            os._exit(code)


def write_json(path: Path, content: Any, *, lasting: bool = False) -> None:
    """Write a JSON file atomically, also on power loss; with `lasting`, also durably.

    Parameters
    ----------
    path : Path
        File to write or replace.
    content : object
        Plain data.
    lasting : bool, default False
        Also survive a power loss right after the return.
    """
    replace_file(path, json.dumps(content).encode(), lasting=lasting)


def hand_over(path: Path, content: Any) -> None:
    """Write a JSON file for the running supervisor, which no later attempt reads.

    Parameters
    ----------
    path : Path
        File to write or replace.
    content : object
        Plain data.
    """
    replace_unsynced(path, json.dumps(content).encode())


def _settle(request: dict[str, Any], parent: int) -> None:
    os.setpgid(0, 0)
    # the fork server's memory has no secrets; leftovers of a step are found by their environment
    allow_reading()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to be notified
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    run_folder = Path(request["run"])
    _write_to(run_folder)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    _hold(request["lock"])
    restore(request)
    os.chdir(request["cwd"])
    _log_to(run_folder / "log.txt")
    _refresh_libraries(int(request["threads"]))


def restore(request: dict[str, Any]) -> None:
    """Set what a step may rely on, whatever ran in this process before.

    That is signals, standard streams, environment, import path, and random state.
    """
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    # otherwise it would not be registered again
    faulthandler.unregister(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # dump the stack of a step that is terminated by timeout
    faulthandler.register(signal.SIGTERM, chain=True)
    if os.environ != request["env"]:
        os.environ.clear()
        os.environ.update(request["env"])
    if sys.path != request["path"]:
        sys.path[:] = request["path"]
        importlib.invalidate_caches()
    random.seed()
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        # the fork copied the state of the legacy generator: every child would draw the same numbers
        numpy.random.seed()


def enter(run_folder: Path, cwd: Path) -> None:
    """Continue in another run folder: output and logging go there.

    Parameters
    ----------
    run_folder : Path
        Existing run folder.
    cwd : Path
        Working directory from now on.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # also what compiled code has written
    ctypes.CDLL(None).fflush(None)
    _write_to(run_folder)
    os.chdir(cwd)
    _log_to(run_folder / "log.txt")


def _write_to(run_folder: Path) -> None:
    for fd, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        target = os.open(run_folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(target, fd)
        os.close(target)


def _hold(lock: str) -> None:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(fd, fcntl.LOCK_SH)
    os.set_inheritable(fd, True)


def _log_to(path: Path) -> None:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _refresh_libraries(threads: int) -> None:
    """Repair state that preloaded libraries inherited from the fork server: threads, plugins."""
    openmm: Any = sys.modules.get("openmm")
    if "numpy" in sys.modules and threads > 1 and importlib.util.find_spec("threadpoolctl") is not None:
        # BLAS was loaded with one thread, and reads the environment only then
        importlib.import_module("threadpoolctl").threadpool_limits(threads)
    if openmm is not None:
        # after the environment is set: the CPU platform reads OPENMM_CPU_THREADS when loaded
        load_at_first_use(openmm)


def _perform(request: dict[str, Any]) -> int:
    from . import all_steps, steps

    name, run_folder = request["step"], Path(request["run"])
    if name == all_steps.ALL:
        code = 0

        def step() -> dict[str, Any]:
            nonlocal code
            outcome, code = all_steps.perform_all(request)
            return outcome

        own_code = perform(step, run_folder)
        return own_code or code
    return perform(lambda: steps.perform(name, request["arguments"], run_folder), run_folder)


def perform(
    step: Callable[[], dict[str, Any]], run_folder: Path, *, used: Callable[[], dict[str, Any]] | None = None
) -> int:
    """Perform a step, write its outcome to its run folder, and return the exit code.

    Parameters
    ----------
    step : callable
        Returns the outcome. What it raises is recorded, since it can end only this process.
    run_folder : Path
        Run folder of the step.
    used : callable, optional
        Returns what to add to the outcome.
    """
    code = 0
    try:
        outcome = step()
    except BaseException as e:
        outcome = describe_exception(e, run_folder)
        code = _exit_code(e)
    hand_over(run_folder / OUTCOME, outcome | (used() if used is not None else {}))
    return code


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code & 0xFF
    return 1
