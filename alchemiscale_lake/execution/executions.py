"""Records of what was planned and what was run, as they lie in a work folder."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from .child import write_json
from .steps import PLAN

__all__ = ["Execution", "Plan", "PlannedUnit", "read_plan", "read_records", "safe_name", "write_record"]

_log = logging.getLogger(__name__)
_RECORD: Final = "record.json"
#: What files raise that a power cut has left empty or in parts.
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """A ProtocolUnit of a plan; `needs` are the keys of the units it depends on."""

    index: int
    key: str
    name: str
    qualname: str
    needs: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name of its folders: place in the plan and name, in characters that file systems like."""
        return f"{self.index:02d}-{safe_name(self.name)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of a ProtocolDAG in dependency order, and the package versions that made it."""

    units: tuple[PlannedUnit, ...]
    provenance: Mapping[str, str]


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
        Type and message; or the text alone, if that holds both.
    started_at, ended_at : str
        ISO 8601, UTC.
    result : str or None
        Where its gufe result lies in the work folder; None if its process could not leave one.
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
        """Type and message of the failure."""
        return None if self.exception is None else ": ".join(self.exception)

    def row(self) -> dict[str, Any]:
        """Return the columns of `unit_results` that it knows."""
        own = asdict(self)
        for other in ("label", "result"):
            del own[other]
        own["exception"] = self.exception_text
        for time in ("started_at", "ended_at"):
            own[time] = datetime.fromisoformat(own[time])
        return own


def safe_name(name: str) -> str:
    """Return a name cut and reduced to letters, digits, `.`, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60] or "unit"


def read_plan(folder: Path) -> Plan | None:
    """Return the plan in a work folder, None if there is none that can be read."""
    try:
        content = json.loads((folder / PLAN).read_text())
        units = tuple(PlannedUnit(**{**unit, "needs": tuple(unit["needs"])}) for unit in content["units"])
        return Plan(units, dict(content["provenance"]))
    except FileNotFoundError:
        return None
    except _UNREADABLE as e:
        _log.warning("%s cannot be read, as after a power cut (%s); it is made again", folder / PLAN, e)
        return None


def write_record(run: Path, execution: Execution) -> None:
    """Note an execution in its run folder, for the case that this worker dies before it reports."""
    write_json(run / _RECORD, asdict(execution))


def read_records(folder: Path) -> list[Execution]:
    """Return what a dead worker ran to the end here and did not report, in order of time.

    Runs that it did not see the end of, or whose record cannot be read, are removed.
    """
    records = []
    for run in (folder / "runs").iterdir():
        try:
            content = json.loads((run / _RECORD).read_text())
            exception = content["exception"]
            records.append(Execution(**{**content, "exception": exception and tuple(exception)}))
        except (FileNotFoundError, *_UNREADABLE):
            shutil.rmtree(run)
    return sorted(records, key=lambda e: (e.started_at, e.label))
