"""Debian programs used by tests, installed if missing and run as root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest


def find(program: str) -> str | None:
    """Return the path of a program, or None."""
    elsewhere = sorted(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *elsewhere]))


def require(programs: Sequence[str], packages: Sequence[str]) -> dict[str, str]:
    """Return the paths of programs, installing them if needed; without the right to install, skip the test."""
    if os.geteuid() != 0:
        pytest.skip(f"{packages[0]}: a server of the tests' own needs root")
    with (Path(tempfile.gettempdir()) / "alchemiscale-lake-installs").open("w") as turn:
        # one of several test processes installs, and the others wait for it
        fcntl.flock(turn, fcntl.LOCK_EX)
        if any(find(program) is None for program in programs):
            _install(packages)
    found = {program: find(program) for program in programs}
    missing = [program for program, path in found.items() if path is None]
    assert not missing, f"{', '.join(packages)} brought no {missing[0]}"
    return {program: str(path) for program, path in found.items()}


def _install(packages: Sequence[str]) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip(f"{packages[0]} is not installed, and there is no apt-get to install it")
    install = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (install, f"apt-get update && {install}"):
        done = subprocess.run(command, shell=True, capture_output=True, env=environment, check=False, timeout=600)
        if done.returncode == 0:
            return
    pytest.fail(f"{packages[0]} cannot be installed: {done.stderr.decode()[-300:]}")
