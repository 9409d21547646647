"""Records of planned and executed units in a work folder."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .child import write_json
from .steps import PLAN

__all__ = [
    "Execution",
    "PlannedUnit",
    "UnitPlan",
    "has_record",
    "read_plan",
    "read_records",
    "safe_name",
    "write_record",
]

_log = logging.getLogger(__name__)
_RECORD: Final = "record.json"
#: Exceptions from files that a power cut left empty or truncated.
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """A planned ProtocolUnit; `needs` are the keys of the units it depends on.

    Attributes
    ----------
    index : int
        Position in the plan.
    key : str
        gufe key.
    name : str
        Name of the unit.
    qualname : str
        Class of the unit.
    needs : tuple of str
        Keys of the units it depends on.
    """

    index: int
    key: str
    name: str
    qualname: str
    needs: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the name of its folders: index in the plan and name, in characters safe for file systems."""
        return f"{self.index:02d}-{safe_name(self.name)}"


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """The units of a ProtocolDAG in dependency order, and the package versions that made it.

    Attributes
    ----------
    units : tuple of PlannedUnit
        In dependency order.
    provenance : mapping of str to str
        Version by package.
    protocol : str or None
        Class of the Protocol; None in a plan of an earlier version.
    """

    units: tuple[PlannedUnit, ...]
    provenance: Mapping[str, str]
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a ProtocolUnit, or a failed `create` or `gather`.

    Parameters
    ----------
    unit, try_number, name, qualname, ok, traceback, exit_code, cpu_time_s, peak_memory_bytes
        As in table `unit_results`.
    label : str
        Name of its run folder.
    exception : tuple of str or None
        Type and message; or only the text, if it contains both.
    started_at, ended_at : str
        ISO 8601, UTC.
    result : str or None
        Path of its gufe result in the work folder; None if its process left none.
    """

    unit: str
    try_number: int
    name: str
    qualname: str
    label: str
    ok: bool
    exception: tuple[str, ...] | None
    traceback: str | None
    started_at: str
    ended_at: str
    exit_code: int | None
    cpu_time_s: float | None
    peak_memory_bytes: int | None
    result: str | None

    @property
    def exception_text(self) -> str | None:
        """Return type and message of the failure."""
        return None if self.exception is None else ": ".join(self.exception)

    def row(self) -> dict[str, Any]:
        """Return the known columns of `unit_results`."""
        own = asdict(self)
        for other in ("label", "result"):
            del own[other]
        own["exception"] = self.exception_text
        for time in ("started_at", "ended_at"):
            own[time] = datetime.fromisoformat(own[time])
        return own


def safe_name(name: str) -> str:
    """Return a name truncated and reduced to letters, digits, `.`, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60] or "unit"


def read_plan(folder: Path) -> UnitPlan | None:
    """Return the plan in a work folder, None if there is none or it cannot be read."""
    try:
        content = json.loads((folder / PLAN).read_text())
        units = tuple(PlannedUnit(**{**unit, "needs": tuple(unit["needs"])}) for unit in content["units"])
        protocol = content.get("protocol")
        return UnitPlan(units, dict(content["provenance"]), protocol if isinstance(protocol, str) else None)
    except FileNotFoundError:
        return None
    except _UNREADABLE as e:
        _log.warning("%s cannot be read, as after a power cut (%s); it is created again", folder / PLAN, e)
        return None


def write_record(run: Path, execution: Execution) -> None:
    """Record an execution in its run folder, in case this worker dies before it reports.

    Parameters
    ----------
    run : Path
        Run folder of the execution.
    execution : Execution
        One execution of a unit.
    """
    write_json(run / _RECORD, asdict(execution))


def has_record(run: Path) -> bool:
    """Return whether the process of an execution has recorded it."""
    return (run / _RECORD).exists()


def read_records(folder: Path) -> list[Execution]:
    """Return the executions of a dead worker that it has not reported, in order of time.

    A unit that it was running is a failed execution, so that its output is kept. Other runs without a readable record
    are removed.
    """
    records = []
    plan = read_plan(folder)
    units = {} if plan is None else {unit.label: unit for unit in plan.units}
    for run in (folder / "runs").iterdir():
        try:
            content = json.loads((run / _RECORD).read_text())
            exception = content["exception"]
            records.append(Execution(**{**content, "exception": exception and tuple(exception)}))
        except (FileNotFoundError, *_UNREADABLE):
            label, _, number = run.name.rpartition("-")
            if (unit := units.get(label)) is None or not number.isdigit():
                shutil.rmtree(run)
                continue
            records.append(_lost(run, unit, int(number)))
            write_record(run, records[-1])
    return sorted(records, key=lambda e: (e.started_at, e.label))


def _lost(run: Path, unit: PlannedUnit, try_number: int) -> Execution:
    """Return the execution of a unit whose worker died with it; it ended at the last change of its output at most."""
    changed = [file.stat().st_mtime for file in run.iterdir() if not file.is_symlink()] or [run.stat().st_mtime]
    started_at, ended_at = (datetime.fromtimestamp(at, UTC).isoformat() for at in (min(changed), max(changed)))
    return Execution(
        unit=unit.key,
        try_number=try_number,
        name=unit.name,
        qualname=unit.qualname,
        label=run.name,
        ok=False,
        exception=("WorkerLost", "its worker ended while it ran"),
        traceback=None,
        started_at=started_at,
        ended_at=ended_at,
        exit_code=None,
        cpu_time_s=None,
        peak_memory_bytes=None,
        result=None,
    )
