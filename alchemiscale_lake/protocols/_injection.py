"""Injected failures, noise and delays, to test the execution of units.

All are controlled by settings of a Protocol; nothing here is random.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..gufe_adapter.authoring import LakeSettings

__all__ = ["FailureKind", "InjectedFailureError", "InjectionSettings", "noise", "talk", "trouble"]

FailureKind = Literal["none", "raise", "segfault", "kill", "hang", "exit"]
UnitKind = Literal["setup", "sample", "analyse"]
_log = logging.getLogger(__name__)


class InjectedFailureError(RuntimeError):
    """The failure requested by `fail = "raise"`."""


class InjectionSettings(LakeSettings):
    """Settings that make a Protocol slow, large, noisy or faulty on request."""

    duration_s: float = Field(default=0.0, ge=0.0, description="time that each sampling unit sleeps")
    fail: FailureKind = Field(
        default="none",
        description="raise an exception; die of SIGSEGV or SIGKILL; sleep forever; leave through sys.exit",
    )
    fail_in: str = Field(default="sample", description="kind of unit that fails; of the sampling units, the first")
    fail_times: int | None = Field(default=None, ge=0, description="fail only this often, then succeed; None is always")
    fail_folder: str | None = Field(
        default=None, description="where failures are counted; None is the unit's shared directory"
    )
    noise_bytes: int = Field(default=0, ge=0, description="size added to the outputs of each sampling unit")
    talk: bool = Field(default=False, description="write a line to stdout, stderr and logging in every unit")


def trouble(settings: dict[str, Any], unit_name: str, shared: Path) -> None:
    """Fail as requested by the settings, if this is the unit and its failures are not used up.

    Parameters
    ----------
    settings : dict of str to object
        Fields of `InjectionSettings`.
    unit_name : str
        Kind of the unit.
    shared : Path
        Shared directory of the unit.
    """
    kind = settings["fail"]
    if kind == "none" or unit_name.partition("-")[0] != settings["fail_in"]:
        return
    if unit_name.startswith("sample-") and int(unit_name.partition("-")[2]) != 0:
        return
    if settings["fail_times"] is not None:
        counter = Path(settings["fail_folder"] or shared) / f"failures-{unit_name}"
        failed = counter.stat().st_size if counter.exists() else 0
        if failed >= settings["fail_times"]:
            return
        with counter.open("ab") as file:  # one byte per failure: counted even if the process dies next
            file.write(b".")
    _fail(kind, unit_name)


def _fail(kind: FailureKind, unit_name: str) -> None:
    if kind == "raise":
        raise InjectedFailureError(f"unit {unit_name} was set to fail")
    if kind == "exit":
        sys.exit(3)
    if kind == "hang":
        while True:
            time.sleep(3600.0)
    os.kill(os.getpid(), signal.SIGSEGV if kind == "segfault" else signal.SIGKILL)


def noise(settings: dict[str, Any]) -> dict[str, str]:
    """Return an output of the requested size that compresses at best to half."""
    n_bytes = settings["noise_bytes"]
    return {"noise": os.urandom((n_bytes + 1) // 2).hex()[:n_bytes]} if n_bytes else {}


def talk(settings: dict[str, Any], unit_name: str, ctx: Any) -> None:
    """Write one line to every stream that may be captured.

    Parameters
    ----------
    settings : dict of str to object
        Fields of `InjectionSettings`.
    unit_name : str
        Kind of the unit.
    ctx : object
        gufe's context of the execution.
    """
    if not settings["talk"]:
        return
    sys.stdout.write(f"{unit_name} speaks on stdout\n")
    sys.stderr.write(f"{unit_name} speaks on stderr\n")
    _log.info("%s speaks through logging", unit_name)
    for stream in ("stdout", "stderr"):
        folder = getattr(ctx, stream, None)
        if folder is not None:
            (Path(folder) / f"{unit_name}.txt").write_text(f"{unit_name} writes a file for {stream}\n")
