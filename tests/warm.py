"""Commands and Python snippets whose imports are done: a process that has them forks a child for each.

A command of `alchemiscale-lake` spends most of its time on imports. `warm_commands` makes a folder for PATH whose
`alchemiscale-lake` and `python` behave like the real ones: the caller's arguments, folder, environment, streams,
signals and exit code. Tests of start-up, imports, credentials and process groups use the real ones.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

REPOSITORY = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent
#: Threads that allocators and polars start on import, and that know of forks or hold no lock.
_SAFE_THREADS = ("jemalloc_bg_thd", "polars-ooc-clea")
#: What commands import.
_PRELOAD = (
    "alchemiscale_lake.cli",
    "alchemiscale_lake.cli.run",
    "alchemiscale_lake.client",
    "alchemiscale_lake.costs.cost_models",
    "alchemiscale_lake.engines.local_pool",
    "alchemiscale_lake.flow_steps.campaigns",
    "alchemiscale_lake.flows.run_campaign",
    "alchemiscale_lake.gufe_adapter",
    "alchemiscale_lake.protocols.harmonic",
    "alchemiscale_lake.query",
    "alchemiscale_lake.report.tables",
    "alchemiscale_lake.strategies",
    "cinnabar",
    "distributed",
    "fastapi",
    "gufe",
    "matplotlib.pyplot",
    "pandas",
    "prefect",
    "pymbar",
    "scipy.stats",
)
_CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect({address!r})
request = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(link, [len(request).to_bytes(8, "big")], [0, 1, 2])
link.sendall(request)
replies = link.makefile()
child = int(replies.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(child, number))
code = int(replies.readline())
if code < 0:
    if code != -signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextlib.contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """Start the process that forks; yield the folder for PATH."""
    address = str(folder / "socket")
    path = folder / "bin"
    path.mkdir()
    for name in ("alchemiscale-lake", "python"):
        (path / name).write_text(_CLIENT.format(python=sys.executable, address=address))
        (path / name).chmod(0o755)
    command = [sys.executable, "-m", "tests.warm", address]
    env = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=REPOSITORY, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == b"ready\n"
        try:
            yield path
        finally:
            server.stdin.close()  # it ends


# --- the process that forks ---------------------------------------------------------------------


def _main(address: str) -> None:
    from alchemiscale_lake.prefect_api.local_api import quiet_environment

    quiet_environment()
    gc.disable()  # imports leave no garbage
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _PRELOAD:
            importlib.import_module(name)
    threads = {int(comm.parent.name): comm.read_text().strip() for comm in Path("/proc/self/task").glob("*/comm")}
    others = [name for task, name in threads.items() if task != os.getpid() and name not in _SAFE_THREADS]
    assert not others, f"locks of {others} would stay locked in children"
    gc.freeze()  # no child looks through them again, or copies their pages
    gc.enable()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        print("ready", flush=True)
        _serve(listening)


def _serve(listening: socket.socket) -> None:
    """Fork a child for every connection, and reply with its exit code, until stdin closes."""
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                return
            if key.fileobj is listening:
                link, _ = listening.accept()
                pid = _fork(link, selector)
                _reply(link, pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (link, pid))
            else:
                selector.unregister(key.fileobj)
                os.close(key.fd)
                link, pid = key.data
                _, status = os.waitpid(pid, 0)
                _reply(link, os.waitstatus_to_exitcode(status))
                link.close()


def _reply(link: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the caller was killed
        link.sendall(f"{number}\n".encode())


def _fork(link: socket.socket, selector: selectors.BaseSelector) -> int:
    head, descriptors, _, _ = socket.recv_fds(link, 8, 3)
    left, parts = int.from_bytes(head, "big"), []
    while left:
        parts.append(link.recv(left))
        left -= len(parts[-1])
    pid = os.fork()
    if pid == 0:
        others = [key.fd for key in selector.get_map().values()] + [
            key.data[0].fileno() for key in selector.get_map().values() if key.data
        ]
        _child(json.loads(b"".join(parts)), descriptors, [link.fileno(), *others])
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _child(request: tuple[list[str], str, dict[str, str]], descriptors: list[int], unneeded: list[int]) -> NoReturn:
    argv, folder, environment = request
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
    for descriptor in {*unneeded, *descriptors} - {0, 1, 2}:
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = _run(argv)
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run(argv: list[str]) -> int:
    """Run a command, or `python [-W filter] -c text`; return its exit code."""
    main: Any = types.ModuleType("__main__")
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    if Path(argv[0]).name == "alchemiscale-lake":
        script = _BIN / "alchemiscale-lake"
        sys.argv, sys.path[0], text = [str(script), *argv[1:]], str(_BIN), script.read_text()
        main.__file__ = str(script)
    else:
        *options, flag, text = argv[1:]
        assert flag == "-c", argv
        assert options[::2] == ["-W"] * (len(options) // 2), argv
        warnings._processoptions(options[1::2])  # type: ignore[attr-defined]
        sys.argv, sys.path[0] = ["-c"], ""
    try:
        exec(compile(text, "<string>", "exec"), main.__dict__)
    except SystemExit as e:
        if e.code is None or isinstance(e.code, int):
            return e.code or 0
        print(e.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _main(sys.argv[1])
