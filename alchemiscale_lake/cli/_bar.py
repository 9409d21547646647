"""Progress bars on stderr: of Tasks, on a terminal or as a line now and then; of files, on a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ._errors import say

if TYPE_CHECKING:
    from ..dispatch.report import Progress as TaskProgress

__all__ = ["FileBar", "TaskBar"]

_LINE_EVERY_S: Final = 10.0
#: Fewer files than this are read before anybody looks.
_WORTH_A_BAR: Final = 20


class _Bar:
    """A bar that is there between `with` and its end."""

    _bar: Progress

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class FileBar(_Bar):
    """Shows files read and stored, if they are many; use as a context manager and call it."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._bar = Progress(console=console, disable=not console.is_terminal, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that so many files of so many are read or stored."""
        if total < _WORTH_A_BAR:
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task("reading results" if what == "read" else "storing files")
        self._bar.update(self._tasks[what], completed=done, total=total)


class TaskBar(_Bar):
    """Shows `Progress` of a dispatcher; use as a context manager and call it."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._live = console.is_terminal
        self._bar = Progress(
            TextColumn("Tasks"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("Tasks", total=None, said="starting")
        self._said_at = self._began = time.monotonic()

    def __call__(self, progress: TaskProgress) -> None:
        """Show this."""
        ended = progress.complete + progress.error
        total = ended + progress.waiting + progress.running
        said = f"{progress.complete} complete  {progress.running} running  {progress.error} error"
        if self._live:
            self._bar.update(self._task, total=total, completed=ended, said=said)
            return
        now = time.monotonic()
        if ended == total or now - self._said_at >= _LINE_EVERY_S:
            self._said_at = now
            say(f"Tasks {ended}/{total}  {said}  {now - self._began:.0f} s")
