"""Methods about the progress of Tasks, and why they failed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import polars as pl

from ..errors import InvalidKeyError
from ..ids import Scope
from .client_part import AnyKey, scope_text, text, texts
from .record_methods import RecordMethods, result_id
from .records import ProtocolDAGResultRec
from .task_attempt import TaskAttempt

__all__ = ["IntrospectionMethods"]

#: Time at the beginning of a line of a unit's log.
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")


class IntrospectionMethods(RecordMethods):
    """Attempts, progress, tracebacks, output and causes of failures. A call about many Tasks is one question."""

    def get_task_history(self, task: AnyKey, limit: int | None = None) -> list[TaskAttempt]:
        """Return the attempts at a Task, newest first.

        Parameters
        ----------
        task : ScopedKey or str
        limit : int, optional
            Most attempts.
        """
        rows = self._frame("tasks_history", tasks=[text(task)], limit=limit)
        return [TaskAttempt.of(row) for row in rows.iter_rows(named=True)]

    def get_tasks_progress(self, tasks: Sequence[AnyKey]) -> list[tuple[int, int] | None]:
        """Return finished and all ProtocolUnits of each Task; None if unknown."""
        answer = self._ask("tasks_progress", tasks=texts(tasks))
        return [None if one is None else (one[0], one[1]) for one in answer]

    def get_task_tracebacks(self, task: AnyKey, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the failed executions of units: attempt, unit, name, exception, traceback; newest attempt first.

        Parameters
        ----------
        task : ScopedKey or str
        limit : int, optional
            Most attempts.
        """
        return list(self._ask("task_tracebacks", task=text(task), limit=limit))

    def get_task_story(self, task: AnyKey) -> dict[str, Any]:
        """Return everything about a Task: events, attempts, results, files; `tasks show` prints it."""
        return dict(self._ask("story", task=text(task)))

    # --- output -----------------------------------------------------------------------------------

    def get_task_stdout(self, task: AnyKey, attempt: str | None = None) -> dict[str, str]:
        """Return what each unit wrote to stdout, while it runs too if its work folder is on storage shared with us.

        Parameters
        ----------
        task : ScopedKey or str
        attempt : str, optional
            An earlier attempt; by default, the newest that has run.

        Returns
        -------
        dict of str to str
            By name of the unit, with its number where it was tried again, as in `simulate (try 2)`.
        """
        return self._output(text(task), "stdout", attempt)

    def get_task_stderr(self, task: AnyKey, attempt: str | None = None) -> dict[str, str]:
        """Return what each unit wrote to stderr, as `get_task_stdout`.

        Parameters
        ----------
        task : ScopedKey or str
        attempt : str, optional
            An earlier attempt.
        """
        return self._output(text(task), "stderr", attempt)

    def get_task_logs(self, task: AnyKey, attempt: str | None = None) -> dict[str, str]:
        """Return the Python log of each unit, as `get_task_stdout`.

        Parameters
        ----------
        task : ScopedKey or str
        attempt : str, optional
            An earlier attempt.
        """
        return self._output(text(task), "log", attempt)

    def get_result_logs(self, pdrr: str | ProtocolDAGResultRec, order: Literal["unit", "time"] = "unit") -> str:
        """Return the Python logs of a result's units as one text.

        Parameters
        ----------
        pdrr : str or ProtocolDAGResultRec
            Id of the result, as `protocoldagresultref` of `get_task_history` has it, or its record.
        order : {"unit", "time"}
            One unit after the other, or all by time.
        """
        if order not in ("unit", "time"):
            raise InvalidKeyError(f"order is 'unit' or 'time', not {order!r}", value=order)
        logs = "".join(self._output(result_id(pdrr), "log", None).values())
        return logs if order == "unit" else "".join(sorted(_entries(logs), key=lambda entry: entry[:23]))

    def _output(self, task: str, stream: str, attempt: str | None) -> dict[str, str]:
        found = {}
        for one in self._ask("attempt_output", task=task, attempt=attempt, streams=[stream]):
            if stream in one["streams"]:
                name = one["name"] if one["try_number"] == 1 else f"{one['name']} (try {one['try_number']})"
                found[name] = one["streams"][stream].decode(errors="replace")
        return found

    # --- many Tasks -------------------------------------------------------------------------------

    def get_failure_causes(
        self, network: AnyKey | None = None, scope: Scope | str | None = None, everything: bool = False
    ) -> pl.DataFrame:
        """Return failures grouped by cause, most Tasks first: what failed, how often, where.

        Parameters
        ----------
        network : ScopedKey or str, optional
            Only Tasks of this network.
        scope : Scope or str, optional
            A Scope or a pattern.
        everything : bool, default False
            Also failures of Tasks that are complete, invalid or deleted now.
        """
        asked = {"network": None if network is None else text(network), "scope": scope_text(scope)}
        return self._frame("failure_causes", **asked, everything=everything)

    def get_stalled_tasks(self, scope: Scope | str | None = None, *, quiet_s: float = 1800.0) -> pl.DataFrame:
        """Return Tasks that make no progress, and why; those without it for longest first.

        Parameters
        ----------
        scope : Scope or str, optional
            A Scope or a pattern.
        quiet_s : float
            Time without progress after which a running Task counts, s.
        """
        return self._frame("stalled", scope=scope_text(scope), quiet_s=quiet_s)

    def get_package_versions(
        self, network: AnyKey | None = None, scope: Scope | str | None = None, package: str | None = None
    ) -> pl.DataFrame:
        """Return which package versions computed how many results.

        Parameters
        ----------
        network : ScopedKey or str, optional
            Only results of this network.
        scope : Scope or str, optional
            A Scope or a pattern.
        package : str, optional
            Only this package.
        """
        asked = {"network": None if network is None else text(network), "scope": scope_text(scope)}
        return self._frame("packages", **asked, package=package)


def _entries(logs: str) -> list[str]:
    """Split logs before each line that begins with a time; what follows belongs to it."""
    starts = [found.start() for found in re.finditer(rf"^{_TIME.pattern}", logs, re.MULTILINE)]
    return [logs[a:b] for a, b in zip([0, *starts], [*starts, len(logs)], strict=True) if logs[a:b]]
