"""Runs `main` of modules in processes forked from one that has imported them: a start does not cost the imports."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

__all__ = ["Done", "ForkServer"]

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    """The end of a process: its exit code, or minus the signal that ended it, and its last words."""

    returncode: int
    stderr: str


class ForkServer:
    """A process with some modules imported, from which others are forked, one at a time."""

    def __init__(self, folder: Path, *modules: str) -> None:
        self._stderr = folder / "forked.log"
        command = [sys.executable, "-m", "tests.forks", *modules]
        self._server = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        # it ends at the end of its input; after a timeout of a test it may still wait for what it forked
        self._server.kill()
        self._server.communicate()

    def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> Done:
        """Run `main` of a module to its end as `python -m` does, in this environment and no other."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        told = {
            "module": module,
            "arguments": arguments,
            "environment": dict(environment),
            "stderr": str(self._stderr),
        }
        self._server.stdin.write(json.dumps(told) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the fork server has ended"
        return Done(int(answer), self._stderr.read_text())


def _serve(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(module: str, arguments: list[str], environment: dict[str, str], stderr: str) -> NoReturn:
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, to in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(to, descriptor)
    sys.argv = [module, *arguments]
    try:
        sys.modules[module].main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1:])
