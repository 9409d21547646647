"""Objects that an attempt writes to the lake: captured output, kept files, the result, the receipt.

In that order, the receipt last and under an exclusive name: if it exists, so does everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import zstandard

from ..faults import fault_point
from ..gufe_adapter import gufe_version
from ..networks.shared_links import share_links
from ..schemas.receipt import Receipt
from ..store import Lake, attempt_folder
from .assignment import Assignment, AttemptSpec
from .capture import STREAMS, read_capped
from .dag_run import DagOutcome
from .executions import Execution
from .host import describe_host, queue_job
from .kept_files import keep_files
from .patience import StoppedError, patiently
from .sound_receipt import pack_sound_receipt
from .steps import TRANSFORMATION
from .watch import Watch

__all__ = [
    "STEPS",
    "UNFINISHED",
    "Report",
    "has_receipt",
    "leave_receipt",
    "leave_unfinished",
]

#: Format of lakes whose readers know results that refer to stored objects.
_SHARING: Final = 4
#: Rows of `unit_results` that are not units.
STEPS: Final = ("create", "gather", "finish", "prepare")
#: Object with the rows of an attempt that left no result: a receipt that only informs.
UNFINISHED: Final = "unfinished.receipt"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything to be stored of one attempt: `gpus` is its number of GPUs, `work` its work folder.

    Attributes
    ----------
    assignment : Assignment
    spec : AttemptSpec
    outcome : DagOutcome
        How the ProtocolDAG ended.
    gpus : float
        Number of GPUs of the attempt; fractions count.
    work : Path or None
        Work folder; None if there is none.
    started_at : datetime
        Start, UTC.
    ended_at : datetime
        End, UTC.
    units_total : int or None
        ProtocolUnits of the ProtocolDAG; None if unknown.
    """

    assignment: Assignment
    spec: AttemptSpec
    outcome: DagOutcome
    gpus: float
    work: Path | None
    started_at: datetime
    ended_at: datetime
    units_total: int | None = None

    @property
    def folder(self) -> str:
        """Return the path of the attempt's objects in the lake."""
        return attempt_folder(self.spec.scope, self.spec.attempt)


def has_receipt(lake: Lake, spec: AttemptSpec) -> bool:
    """Return whether an attempt has a receipt.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.
    """
    return lake.objects.exists(f"{attempt_folder(spec.scope, spec.attempt)}/receipt.arrow")


def leave_receipt(lake: Lake, report: Report, watch: Watch) -> bool:
    """Write everything of an attempt to the lake; return False if it was stopped while the lake did not answer.

    If another execution of the same attempt was first, its receipt is kept.

    Parameters
    ----------
    lake : Lake
    report : Report
        Everything to be stored.
    watch : Watch
        Decides when to stop.

    Raises
    ------
    StorageError
        If the lake did not answer for long. The work folder still contains everything.
    """
    try:
        units = _unit_rows(report, lambda path, text: patiently(lambda: lake.objects.put(path, text), watch))
        files = keep_files(lake, report, watch)
        fault_point("execution:before-result")
        stored = _store_result(lake, report, watch)
        result, replicates = _result_row(report, stored), _replicate_rows(report)
        receipt = Receipt(result, units, files.kept, describe_host(), replicates, files.refused)
        data = pack_sound_receipt(receipt, report.spec.secret)
        fault_point("execution:before-receipt")
        patiently(lambda: lake.objects.put_exclusive(f"{report.folder}/receipt.arrow", data), watch)
        fault_point("execution:after-receipt")
    except StoppedError:
        return False
    return True


def leave_unfinished(lake: Lake, report: Report) -> None:
    """Write what an attempt without a result did, with the output of its units.

    Parameters
    ----------
    lake : Lake
    report : Report
        Its outcome has the reason of its end as exception.

    Raises
    ------
    StorageError
        If the lake does not answer; it is not asked again, since the job may end soon.
    """
    units = _unit_rows(report, lake.objects.put)
    nothing = {"object_path": None, "digest": None, "n_bytes": None}
    data = pack_sound_receipt(Receipt(_result_row(report, nothing), units, [], describe_host()), report.spec.secret)
    lake.objects.put(f"{report.folder}/{UNFINISHED}", data)


def _store_result(lake: Lake, report: Report, watch: Watch) -> dict[str, Any]:
    nothing = {"object_path": None, "digest": None, "n_bytes": None}
    if report.outcome.result is None:
        return nothing
    content = report.outcome.result.read_bytes()
    if lake.format >= _SHARING:
        content = _without_shared(content, report.work) or content
    data = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)
    digest = hashlib.sha256(data).hexdigest()
    path = f"{report.folder}/result.json.zst"
    if not patiently(lambda: lake.objects.put_exclusive(path, data), watch):
        # another execution of this attempt died between result and receipt, or is still running; its result is not
        # ours, since its units have other keys
        path = f"{report.folder}/result-{digest[:16]}.json.zst"
        patiently(lambda: lake.objects.put_exclusive(path, data), watch)
    return {"object_path": path, "digest": digest, "n_bytes": len(data)}


def _without_shared(content: bytes, work: Path | None) -> bytes | None:
    """Return a result without what the lake has in its Transformation; None if that is nothing, or unknown."""
    try:
        return None if work is None else share_links(content, (work / TRANSFORMATION).read_bytes())
    except OSError:
        return None


def _result_row(report: Report, stored: Mapping[str, Any]) -> dict[str, Any]:
    outcome, spec, host = report.outcome, report.spec, describe_host()
    wall_time_s = (report.ended_at - report.started_at).total_seconds()
    gpus = report.gpus
    cpu_times = [e.cpu_time_s for e in outcome.executions if e.cpu_time_s is not None]
    return {
        "scope": spec.scope,
        "attempt": spec.attempt,
        "task": spec.task,
        "transformation": spec.transformation,
        "ok": outcome.ok,
        "estimate_kcal_mol": outcome.estimate_kcal_mol,
        "uncertainty_kcal_mol": outcome.uncertainty_kcal_mol,
        "exception": outcome.exception,
        "failed_unit": outcome.failed_unit,
        **stored,
        "n_units": sum(e.unit not in STEPS for e in outcome.executions),
        "started_at": report.started_at,
        "ended_at": report.ended_at,
        "wall_time_s": wall_time_s,
        "cpu_time_s": sum(cpu_times) if cpu_times else None,
        "gpu_time_s": wall_time_s * gpus if gpus else None,
        "pool": report.assignment.pool,
        "host": host["host"],
        "hostname": host["hostname"],
        "queue_job": queue_job(),
        "gufe_version": gufe_version(),
        "units_total": report.units_total,
    }


def _replicate_rows(report: Report) -> list[dict[str, Any]]:
    """Return the repeats within the result; whether they are numbers is checked with the receipt."""
    replicates = report.outcome.replicates
    pairs = [pair for pair in replicates if isinstance(pair, list) and len(pair) == 2]
    return [
        {
            "scope": report.spec.scope,
            "attempt": report.spec.attempt,
            "replicate": number,
            "value_kcal_mol": value,
            "uncertainty_kcal_mol": uncertainty,
        }
        for number, (value, uncertainty) in enumerate(pairs)
    ]


def _unit_rows(report: Report, put: Callable[[str, bytes], object]) -> list[dict[str, Any]]:
    """Return the rows of all executions; their output is stored by `put`."""
    return [_unit_row(report, execution, put) for execution in report.outcome.executions]


def _unit_row(report: Report, execution: Execution, put: Callable[[str, bytes], object]) -> dict[str, Any]:
    row = {"scope": report.spec.scope, "attempt": report.spec.attempt, **execution.row()}
    limit = report.assignment.output_bytes
    for stream in STREAMS:
        row[f"{stream}_path"] = None
        text = report.work and read_capped(report.work / "runs" / execution.label / f"{stream}.txt", limit)
        if text:
            path = f"{report.folder}/units/{execution.label}/{stream}.txt"
            put(path, text)
            row[f"{stream}_path"] = path
    return row
