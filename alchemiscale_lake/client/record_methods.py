"""Methods that describe Tasks, results and their units without fetching objects."""

from __future__ import annotations

from collections.abc import Sequence

from ..execution.capture import Stream
from ..ids import Scope
from .client_part import AnyKey, ClientPart, scope_text, text, texts
from .records import ProtocolDAGResultRec, ProtocolUnitResultRec, TaskDetails

__all__ = ["RecordMethods"]


class RecordMethods(ClientPart):
    """Describe Tasks and results."""

    def get_tasks_details(self, tasks: Sequence[AnyKey]) -> list[TaskDetails | None]:
        """Return status and reason, priority, creator, actions and newest attempt of Tasks; None for unknown ones."""
        answer = self._ask("tasks_details", tasks=texts(tasks))
        return [None if told is None else TaskDetails.of(told) for told in answer]

    def get_scope_compute_share(self, scope: Scope | str) -> float:
        """Return the share of the running Tasks that a Scope has among the Scopes next to it.

        Parameters
        ----------
        scope : Scope or str
            An organisation (`org-*-*`) among all, a campaign in its organisation, or a project in its campaign.

        Raises
        ------
        InvalidScopeError
            If it names no organisation.
        """
        return float(self._ask("scope_compute_share", scope=scope_text(scope)))

    def get_task_result_recs(self, task: AnyKey, ok: bool | None = None) -> list[ProtocolDAGResultRec]:
        """Return records of the results of a Task, newest first.

        Parameters
        ----------
        task : ScopedKey or str
        ok : bool, optional
            Only successful ones, or only failed ones.
        """
        rows = self._frame("task_result_recs", task=text(task), ok=ok)
        return [ProtocolDAGResultRec.of(row) for row in rows.iter_rows(named=True)]

    def get_result_unit_recs(self, pdrr: str | ProtocolDAGResultRec) -> list[ProtocolUnitResultRec]:
        """Return records of the executions of a result's units, in the order in which they ran.

        Parameters
        ----------
        pdrr : str or ProtocolDAGResultRec
            Id of the result, or its record.
        """
        rows = self._frame("result_unit_recs", result=result_id(pdrr))
        return [ProtocolUnitResultRec.of(row) for row in rows.iter_rows(named=True)]

    def get_result_unit_logs(self, purr: ProtocolUnitResultRec) -> str | None:
        """Return the Python log of an execution of a unit; None if it wrote none."""
        return self._stream(purr, "log")

    def get_result_unit_stdout(self, purr: ProtocolUnitResultRec) -> dict[str, str] | None:
        """Return what an execution of a unit wrote to stdout, by file name; None if nothing."""
        return _as_file("stdout.txt", self._stream(purr, "stdout"))

    def get_result_unit_stderr(self, purr: ProtocolUnitResultRec) -> dict[str, str] | None:
        """Return what an execution of a unit wrote to stderr, by file name; None if nothing."""
        return _as_file("stderr.txt", self._stream(purr, "stderr"))

    def _stream(self, purr: ProtocolUnitResultRec, stream: Stream) -> str | None:
        told = self._ask("attempt_output", task=purr.result, unit=purr.source_key, streams=[stream])
        texts_ = [one["streams"].get(stream) for one in told if one["try_number"] == purr.try_number]
        return texts_[0].decode(errors="replace") if texts_ and texts_[0] is not None else None


def result_id(pdrr: str | ProtocolDAGResultRec) -> str:
    """Return the id of a result given by id or record."""
    return pdrr.scoped_key if isinstance(pdrr, ProtocolDAGResultRec) else pdrr


def _as_file(name: str, content: str | None) -> dict[str, str] | None:
    return None if content is None else {name: content}
