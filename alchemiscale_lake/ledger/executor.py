"""What a dispatcher needs of an engine, and what it is told to do with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..execution.assignment import Assignment, Resources
from .claims import Selection

__all__ = ["DispatchSettings", "Executor", "Handle"]


class Handle(Protocol):
    """One assignment handed out."""

    def done(self) -> bool:
        """Whether it ran, or its worker is lost."""

    def exception(self) -> BaseException | None:
        """Once done: why the worker was lost, or None. A failing Task is none: it leaves a receipt."""

    def cancel(self) -> None:
        """Stop it as soon as possible."""


class Executor(Protocol):
    """Where assignments run."""

    def submit(self, assignment: Assignment, *, name: str) -> Handle:
        """Hand an assignment out under a name for people."""


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """What a dispatcher claims, and what its Tasks may use.

    Parameters
    ----------
    pool : str
    slots : int
        Assignments that run at a time.
    resources : Resources
        Of one attempt.
    selection : Selection
        Scopes and networks to claim from; all, by default.
    timeout_s : float, optional
        An attempt that takes longer fails.
    unit_retries : int
        Times a failed ProtocolUnit is run again within an attempt.
    lease_s : float
        An attempt without news for so long is given up.
    poll_s : float
        Pause between two looks.
    work_root : str, optional
        Folder for the attempts' `shared` and `scratch` folders.
    """

    pool: str = "local"
    slots: int = 1
    resources: Resources = field(default_factory=Resources)
    selection: Selection = field(default_factory=Selection)
    timeout_s: float | None = None
    unit_retries: int = 1
    lease_s: float = 60.0
    poll_s: float = 0.2
    work_root: str | None = None
