"""Setup of a forked child around a step: process group, output, logging, environment, random state.

The step itself is in `steps`. A child leaves `outcome.json` in its run folder unless it dies.
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
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

from ..durable import replace_file
from ..secrecy import allow_reading
from .exception_text import describe_exception

__all__ = ["NO_PLUGINS", "OUTCOME", "run", "write_json"]

#: OpenMM's plugin folder while the fork server imports it.
NO_PLUGINS: Final = "/nonexistent/openmm-plugins"
#: File that a finished step leaves in its run folder.
OUTCOME: Final = "outcome.json"
_PR_SET_PDEATHSIG: Final = 1


def run(request: dict[str, Any], *, parent: int) -> NoReturn:
    """Perform the request in this freshly forked process and exit.

    Parameters
    ----------
    request : dict
        `step`, `arguments`, `run` (folder for outcome, stdout, stderr and log), `cwd`, `env`, `path` (Python's),
        `lock` (held, shared, as long as the step or any of its descendants lives) and `threads`.
    parent : int
        Process id of the fork server.
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


def _settle(request: dict[str, Any], parent: int) -> None:
    os.setpgid(0, 0)
    # the fork server's memory has no secrets; leftovers of a step are found by their environment
    allow_reading()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to be notified
    for signum in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)
    run_folder = Path(request["run"])
    for fd, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        target = os.open(run_folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(target, fd)
        os.close(target)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    # dump the stack of a step that is terminated by timeout
    faulthandler.register(signal.SIGTERM, chain=True)
    _hold(request["lock"])
    os.environ.clear()
    os.environ.update(request["env"])
    if sys.path != request["path"]:
        sys.path[:] = request["path"]
        importlib.invalidate_caches()
    os.chdir(request["cwd"])
    _log_to(run_folder / "log.txt")
    _refresh_libraries(int(request["threads"]))


def _hold(lock: str) -> None:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(fd, fcntl.LOCK_SH)
    os.set_inheritable(fd, True)


def _log_to(path: Path) -> None:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _refresh_libraries(threads: int) -> None:
    """Repair state that preloaded libraries inherited from the fork server: random state, threads, plugins."""
    numpy: Any = sys.modules.get("numpy")
    openmm: Any = sys.modules.get("openmm")
    if numpy is not None:
        # every child would draw the same numbers: the fork copied the legacy generator's state
        numpy.random.seed()
        if threads > 1 and importlib.util.find_spec("threadpoolctl") is not None:
            # BLAS was loaded with one thread, and reads the environment only then
            importlib.import_module("threadpoolctl").threadpool_limits(threads)
    if openmm is not None:
        # after the environment is set: the CPU platform reads OPENMM_CPU_THREADS when loaded
        default = os.path.join(openmm.version.openmm_library_path, "plugins")  # noqa: PTH118
        folder = os.environ.get("OPENMM_PLUGIN_DIR", default)
        openmm.pluginLoadedLibNames = openmm.Platform.loadPluginsFromDirectory(folder)


def _perform(request: dict[str, Any]) -> int:
    from . import steps

    outcome: dict[str, Any]
    code = 0
    try:
        outcome = steps.perform(request["step"], request["arguments"], Path(request["run"]))
    except BaseException as e:  # recorded: the failure can end only this process
        outcome = describe_exception(e, Path(request["run"]))
        code = _exit_code(e)
    write_json(Path(request["run"]) / OUTCOME, outcome)
    return code


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code & 0xFF
    return 1
