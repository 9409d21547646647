"""Objects that an attempt writes to the lake: captured output, kept files, the result, the receipt.

In that order, the receipt last and under an exclusive name: if it exists, so does everything else.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import zstandard

from ..errors import StorageError
from ..faults import fault_point
from ..gufe_adapter import gufe_version
from ..networks.shared_links import share_links
from ..schemas.receipt import Receipt
from ..store import Lake, attempt_folder
from .assignment import Assignment, AttemptSpec
from .capture import STREAMS, read_capped
from .dag_run import DagOutcome
from .exception_text import WHOLE
from .executions import Execution
from .host import describe_host, queue_job
from .sound_receipt import pack_sound_receipt, plain_path
from .steps import TRANSFORMATION
from .watch import Watch

__all__ = [
    "KEPT_FILE_BYTES",
    "KEPT_TOTAL_BYTES",
    "STEPS",
    "UNFINISHED",
    "Report",
    "has_receipt",
    "leave_receipt",
    "leave_unfinished",
]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: Format of lakes whose readers know results that refer to stored objects.
_SHARING: Final = 4

#: Maximum size of a file, and total size of files, kept of one attempt, bytes.
KEPT_FILE_BYTES: Final = 256 * 2**20
KEPT_TOTAL_BYTES: Final = 2**30
#: Time to wait for a lake that does not answer, since hours of computation may depend on it.
_PATIENCE_S: Final = 600.0
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
        units = _unit_rows(report, lambda path, text: _patiently(lambda: lake.objects.put(path, text), watch))
        files = [_keep(lake, report, path, watch) for path in _files_to_keep(report)]
        fault_point("execution:before-result")
        stored = _store_result(lake, report, watch)
        files += [
            file for execution in report.outcome.executions for file in _whole_text(lake, report, execution, watch)
        ]
        result, replicates = _result_row(report, stored), _replicate_rows(report)
        receipt = Receipt(result, units, files, describe_host(), replicates)
        data = pack_sound_receipt(receipt, report.spec.secret)
        fault_point("execution:before-receipt")
        _patiently(lambda: lake.objects.put_exclusive(f"{report.folder}/receipt.arrow", data), watch)
        fault_point("execution:after-receipt")
    except _StoppedError:
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


class _StoppedError(Exception):
    """The attempt was stopped while waiting for the lake."""


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
    if not _patiently(lambda: lake.objects.put_exclusive(path, data), watch):
        # another execution of this attempt died between result and receipt, or is still running; its result is not
        # ours, since its units have other keys
        path = f"{report.folder}/result-{digest[:16]}.json.zst"
        _patiently(lambda: lake.objects.put_exclusive(path, data), watch)
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


def _files_to_keep(report: Report) -> Iterator[tuple[Path, str]]:
    """Yield the requested files, with the label of their unit, within the limits."""
    if report.work is None:
        return
    total = 0
    for unit_folder in sorted((report.work / "shared").iterdir()):
        if unit_folder.is_symlink():
            continue
        inside = unit_folder.resolve()
        found = {path for pattern in report.assignment.keep for path in unit_folder.glob(pattern)}
        # a link left by a Protocol must not lead to other users' files
        found = {path for path in found if path.resolve().is_relative_to(inside)}
        for path in sorted(found):
            if not path.is_file() or path.is_symlink():
                continue
            size = path.stat().st_size
            if size > KEPT_FILE_BYTES or total + size > KEPT_TOTAL_BYTES:
                _log.warning("attempt %s: %s (%d bytes) is too large to keep", report.spec.attempt, path, size)
                continue
            total += size
            yield path, unit_folder.name


def _keep(lake: Lake, report: Report, found: tuple[Path, str], watch: Watch) -> dict[str, Any]:
    path, label = found
    relative = path.relative_to(path.parents[-1] if report.work is None else report.work / "shared").as_posix()
    units = {e.label.rpartition("-")[0]: e.unit for e in report.outcome.executions}
    return _kept(lake, report, plain_path(relative), units.get(label), path.read_bytes(), watch)


def _whole_text(lake: Lake, report: Report, execution: Execution, watch: Watch) -> list[dict[str, Any]]:
    """Keep the full text of an exception that is too long for a row."""
    data = report.work and read_capped(report.work / "runs" / execution.label / WHOLE, KEPT_FILE_BYTES)
    return [_kept(lake, report, f"{execution.label}/{WHOLE}", execution.unit, data, watch)] if data else []


def _kept(lake: Lake, report: Report, path: str, unit: str | None, data: bytes, watch: Watch) -> dict[str, Any]:
    object_path = f"{report.folder}/files/{path}"
    _patiently(lambda: lake.objects.put(object_path, data), watch)
    return {
        "scope": report.spec.scope,
        "attempt": report.spec.attempt,
        "path": path,
        "unit": unit,
        "n_bytes": len(data),
        "digest": hashlib.sha256(data).hexdigest(),
        "object_path": object_path,
    }


def _patiently(call: Callable[[], _T], watch: Watch) -> _T:
    """Retry with increasing pauses while the storage does not answer."""
    give_up, pause_s = time.monotonic() + _PATIENCE_S, 1.0
    while True:
        try:
            return call()
        except StorageError:
            if time.monotonic() + pause_s > give_up:
                raise
            cut = watch.cut()
            if cut is not None and cut.releases:
                raise _StoppedError from None
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 30.0)
