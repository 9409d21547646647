"""Files of an attempt that stay in the lake: which, up to which size, and their rows.

Files of `permanent` folders, files of `shared` and `scratch` folders that match a pattern, and exceptions that are too
long for a row. A file that cannot be kept is a row with the reason, and never fails the result.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..amounts import format_bytes
from ..errors import ContentError, LakeError, StorageError
from ..ids import ScopedKey
from ..settings import KeepPatterns
from ..store import Lake, keep_content
from .exception_text import WHOLE
from .executions import read_plan
from .patience import patiently
from .scratch_files import matching_files
from .sound_receipt import plain_path
from .watch import Watch

if TYPE_CHECKING:
    from .receipt import Report

__all__ = ["MOST_FILES", "KeptFiles", "keep_files"]

_log = logging.getLogger(__name__)
#: Most files of an attempt: a receipt has a row for each.
MOST_FILES: Final = 10_000
_EVERYTHING: Final = ("**/*",)


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """Files of an attempt.

    Attributes
    ----------
    kept : sequence of dict
        Rows of `result_files`.
    refused : sequence of dict
        Rows of `refused_files`.
    """

    kept: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """A file to keep: where it is, its name in the lake, the label of its unit, and why it is kept."""

    path: Path
    name: str
    label: str
    kept_by: str


def keep_files(lake: Lake, report: Report, watch: Watch) -> KeptFiles:
    """Store the files of an attempt that are to be kept, as far as the limits allow.

    Parameters
    ----------
    lake : Lake
    report : Report
    watch : Watch
        Decides when to stop.

    Raises
    ------
    StoppedError
        If the attempt was stopped while the lake did not answer.
    """
    keeper = _Keeper(lake, report, watch)
    found = [] if report.work is None else list(_files_of(report.work, report))
    for file in found[:MOST_FILES]:
        keeper.keep(file)
    if len(found) > MOST_FILES:
        keeper.refuse_others(found[MOST_FILES:])
    return KeptFiles(keeper.kept, keeper.refused)


class _Keeper:
    """Keeps files one by one."""

    def __init__(self, lake: Lake, report: Report, watch: Watch) -> None:
        self.kept: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self._lake, self._spec, self._watch = lake, report.spec, watch
        self._rules, self._total = report.assignment.files, 0
        self._units = _units(report)
        self._no_answer: str | None = None

    def keep(self, file: _Found) -> None:
        """Store a file, or note why not."""
        n_bytes: int | None = None
        try:
            n_bytes = file.path.stat(follow_symlinks=False).st_size
            if (reason := self._no_answer or self._over_limit(n_bytes)) is not None:
                self._refuse(file, n_bytes, reason)
                return
            content = keep_content(
                self._lake.objects,
                self._spec.scope,
                self._spec.attempt,
                file.path,
                patiently=lambda call: patiently(call, self._watch, forbidden_is_final=True),
            )
        except StorageError as e:
            # the others would wait as long
            self._no_answer = f"the lake did not accept it: {e}"
            self._refuse(file, n_bytes, self._no_answer)
        except (ContentError, OSError) as e:
            self._refuse(file, n_bytes, f"it cannot be read: {e}")
        except LakeError as e:
            self._refuse(file, n_bytes, str(e))
        else:
            self._total += content.n_bytes
            stored = {"n_bytes": content.n_bytes, "digest": content.digest, "object_path": content.object_path}
            self.kept.append(self._row(file) | stored)

    def refuse_others(self, files: Sequence[_Found]) -> None:
        """Note that an attempt has too many files."""
        one = files[0]
        n_bytes = 0
        for file in files:
            with contextlib.suppress(OSError):  # it is gone
                n_bytes += file.path.stat(follow_symlinks=False).st_size
        reason = f"one of {len(files)} files beyond the first {MOST_FILES}; keep an archive of them"
        self._refuse(one, n_bytes, reason)

    def _over_limit(self, n_bytes: int) -> str | None:
        rules, total = self._rules, self._total + n_bytes
        if n_bytes > rules.per_file_bytes:
            return f"it is larger than {format_bytes(rules.per_file_bytes)} (per_file in the pools file)"
        if self._spec.kept_bytes + total > rules.per_task_bytes:
            return (
                f"the files of its Task would exceed {format_bytes(rules.per_task_bytes)} (per_task in the pools file)"
            )
        of_scope = self._spec.scope_kept_bytes or 0
        if rules.per_scope_bytes is not None and of_scope + total > rules.per_scope_bytes:
            limit = format_bytes(rules.per_scope_bytes)
            return f"the files of its Scope would exceed {limit} (per_scope in the pools file)"
        return None

    def _refuse(self, file: _Found, n_bytes: int | None, reason: str) -> None:
        _log.warning("attempt %s: %s is not kept: %s", self._spec.attempt, file.path, reason)
        self.refused.append(self._row(file) | {"n_bytes": n_bytes, "reason": reason})

    def _row(self, file: _Found) -> dict[str, Any]:
        return {
            "scope": self._spec.scope,
            "attempt": self._spec.attempt,
            "path": file.name,
            "unit": self._units.get(file.label),
            "kept_by": file.kept_by,
        }


def _files_of(work: Path, report: Report) -> Iterator[_Found]:
    """Yield the files to keep, those of `permanent` folders first."""
    plan, token = read_plan(work), ScopedKey.from_str(report.spec.task).token
    patterns = report.assignment.files.patterns_for(None if plan is None else plan.protocol)
    runs, labels = {e.label: e.label.rpartition("-")[0] for e in report.outcome.executions}, sorted(_units(report))
    named = set[str]()
    for file in (
        *_permanent(work / "permanent" / token, labels),
        *_shared(work / "shared", token, labels, patterns),
        *_scratch(work / "kept", runs, patterns),
        *_exceptions(work / "runs", runs),
    ):
        if file.name not in named:
            named.add(file.name)
            yield file


def _units(report: Report) -> dict[str, str]:
    """Return gufe keys of units by label, with those that an earlier attempt ran."""
    units = {e.label.rpartition("-")[0]: e.unit for e in report.outcome.executions}
    plan = None if report.work is None else read_plan(report.work)
    return units | ({} if plan is None else {unit.label: unit.key for unit in plan.units})


def _permanent(folder: Path, labels: Sequence[str]) -> Iterator[_Found]:
    for label in labels:
        for path, _ in matching_files(folder / label, _EVERYTHING):
            yield _Found(path, plain_path(f"permanent/{label}/{_within(path, folder / label)}"), label, "permanent")


def _shared(folder: Path, token: str, labels: Sequence[str], patterns: KeepPatterns) -> Iterator[_Found]:
    # gufe's coming storage of shared files has a folder per ProtocolDAG
    for place in (folder, folder / token):
        for label in labels:
            for path, pattern in matching_files(place / label, patterns.shared):
                name = plain_path(f"shared/{label}/{_within(path, place / label)}")
                yield _Found(path, name, label, f"shared:{pattern}")


def _scratch(folder: Path, runs: Mapping[str, str], patterns: KeepPatterns) -> Iterator[_Found]:
    for run, label in sorted(runs.items()):
        for path, pattern in matching_files(folder / run, patterns.scratch):
            name = plain_path(f"scratch/{run}/{_within(path, folder / run)}")
            yield _Found(path, name, label, f"scratch:{pattern}")


def _exceptions(folder: Path, runs: Mapping[str, str]) -> Iterator[_Found]:
    """Yield the full texts of exceptions that are too long for a row."""
    for run, label in sorted(runs.items()):
        if (folder / run / WHOLE).is_file():
            yield _Found(folder / run / WHOLE, f"{run}/{WHOLE}", label, "exception")


def _within(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
