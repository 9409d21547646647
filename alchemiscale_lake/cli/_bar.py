"""Progress on stderr: Tasks and steps, live on a terminal, else as periodic lines; files, on a terminal only."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ._errors import say

if TYPE_CHECKING:
    from ..dispatch.dispatch_report import Progress as TaskProgress

__all__ = ["FileBar", "StepLine", "TaskBar"]

_LINE_EVERY_S: Final = 10.0
#: Fewer files than this are read too quickly for a bar.
_WORTH_A_BAR: Final = 20
_STEPS: Final = {"read": "reading results", "archived": "archiving", "verified": "verifying", "imported": "importing"}


class _Bar:
    """A progress bar, shown inside its `with` block."""

    _bar: Progress

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class FileBar(_Bar):
    """Progress of reading and storing many files; use as a context manager and call it."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._bar = Progress(console=console, disable=not console.is_terminal, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how many of `total` files are read or stored."""
        if total < _WORTH_A_BAR:
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(_STEPS.get(what, "storing files"))
        self._bar.update(self._tasks[what], completed=done, total=total)


class StepLine:
    """The current step of a long command: one line that is replaced on a terminal, else a line every ten seconds.

    Use it as a context manager, and call it with each step.
    """

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._status = console.status("starting") if console.is_terminal else None
        self._printed_at = time.monotonic()

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, step: str) -> None:
        """Show a step."""
        now = time.monotonic()
        if self._status is not None:
            self._status.update(escape(step))
        elif now - self._printed_at >= _LINE_EVERY_S:
            self._printed_at = now
            say(step)


class TaskBar(_Bar):
    """Progress of a dispatcher; use as a context manager and call it."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._live = console.is_terminal
        self._bar = Progress(
            TextColumn("Tasks"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("Tasks", total=None, counts="starting")
        self._printed_at = self._began = time.monotonic()

    def __call__(self, progress: TaskProgress) -> None:
        """Show current progress."""
        ended, total = progress.ended, progress.total
        counts = f"{progress.complete} complete  {progress.running} running"
        counts += f"  {progress.queued} queued" if progress.queued else ""
        counts += f"  {progress.error} error"
        counts += f"  about {_rough(progress.eta_s)} left" if progress.eta_s is not None and ended < total else ""
        if self._live:
            self._bar.update(self._task, total=total, completed=ended, counts=counts)
            return
        now = time.monotonic()
        if ended == total or now - self._printed_at >= _LINE_EVERY_S:
            self._printed_at = now
            say(f"Tasks {ended}/{total}  {counts}  {now - self._began:.0f} s")


def _rough(seconds: float) -> str:
    """Format a duration that is known only roughly.

    >>> [_rough(s) for s in (3.0, 200.0, 5400.0, 200_000.0)]
    ['a minute', '3 min', '1.5 h', '2.3 days']
    """
    if seconds < 90.0:
        return "a minute"
    if seconds < 5400.0:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.2g} h" if seconds < 172_800.0 else f"{seconds / 86400:.2g} days"
