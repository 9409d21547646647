"""A progress bar of Tasks on stderr: a live one on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ._errors import say

if TYPE_CHECKING:
    from ..dispatch.report import Progress as TaskProgress

__all__ = ["TaskBar"]

_LINE_EVERY_S = 10.0


class TaskBar:
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

    def __enter__(self) -> TaskBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

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
