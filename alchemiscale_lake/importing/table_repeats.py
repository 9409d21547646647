"""Classification of a table's values: known, new, or replacing others.

A numbered repeat is identified by leg and number: the same number with another value is a correction, and the Task of
the former value becomes `invalid`. A table without numbers is a set of repeats of its own: equal values of two tables
are two repeats. Only a table that contains every value of an earlier one is treated as an extended copy of it. The
numbers are not in the lake's tables, so earlier tables are read again. Nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

import polars as pl

from .. import content
from ..errors import LakeError, ResultFileError
from ..ids import Scope
from ..networks.edge_table import EdgeValue, read_edge_table
from ..networks.imported import ResultRecord
from ..networks.json_tables import table_text
from ..networks.table_objects import transformation_key
from ..plurals import count
from ..store import Lake, collect
from .import_batch import task_of

__all__ = ["Settled", "TableRepeats", "record_of"]

_STRUCK: Final = "marked as failed in the table"
#: Good or not, value, uncertainty, reason of failure.
RecordedOutcome: TypeAlias = tuple[bool, float | None, float | None, str | None]


@dataclass(frozen=True, slots=True)
class Settled:
    """Decision on one value.

    Attributes
    ----------
    value : EdgeValue
        Value in the table.
    record : ResultRecord
        The result to be written.
    identity : str
        Identifier from which the key of its Task is derived.
    replaces : tuple of str
        ScopedKeys of Tasks that it replaces.
    """

    value: EdgeValue
    record: ResultRecord
    identity: str
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """A value of an earlier table, with its Task."""

    value: EdgeValue
    outcome: RecordedOutcome
    identity: str
    task: str
    digest: str
    alive: bool
    in_log: bool


@dataclass(slots=True)
class _File:
    """An earlier table: its values of this network, and which of them have a Task of their own."""

    source: str
    digest: str
    held: Counter[tuple[Any, ...]]
    known: list[_Known] = field(default_factory=list)
    planned: bool = False


class TableRepeats:
    """Classifies values of tables, one table and network at a time.

    Parameters
    ----------
    lake : Lake

    Attributes
    ----------
    notes : list of str
        What was merged or replaced, with counts.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._planned: dict[tuple[str, str], list[_File]] = {}
        self.notes: list[str] = []

    def settle(
        self, scope: Scope, network: str, values: Sequence[EdgeValue], *, source: str, digest: str
    ) -> list[Settled]:
        """Classify the values of one network in a table.

        Parameters
        ----------
        scope : Scope
        network : str
            Name of the network.
        values : sequence of EdgeValue
            Values of the table, in order.
        source, digest : str
            Path and SHA-256 of the table.

        Raises
        ------
        ResultFileError
            If another table of this import has another value with the same repeat number.
        """
        files = self._files(scope, network, values) + self._planned.get((str(scope), network), [])
        this = _Table(scope, network, source, digest, files)
        settled = this.settle(values)
        self.notes += this.notes()
        own = _File(source, digest, _held(values), planned=True)
        own.known = [
            _Known(
                one.value, _outcome(one.record), one.identity, this.task(one.value, one.identity), digest, True, True
            )
            for one in settled
        ]
        self._planned.setdefault((str(scope), network), []).append(own)
        return settled

    # --- earlier tables ---------------------------------------------------------------------------

    def _files(self, scope: Scope, network: str, values: Iterable[EdgeValue]) -> list[_File]:
        """Read the tables again that gave results of these legs."""
        keys = {f"{transformation_key(network, value.edge)}-{scope}" for value in values}
        rows = self._lake.table("results").scan().filter(
            pl.col("scope") == str(scope), pl.col("transformation").is_in(list(keys))
        )  # fmt: skip
        found = collect(rows.select("task", "object_path").unique(), "results")
        tasks: dict[str, set[str]] = {}
        for task, path in found.sort("object_path", "task").iter_rows():
            tasks.setdefault(str(path), set()).add(task)
        if not tasks:
            return []
        states = self._lake.task_log.states().of(found["task"].to_list())
        status = {task: state.status for task, state in states.items()}
        sources = self._sources(scope)
        files = [self._file(path, scope, network, own, status, sources) for path, own in tasks.items()]
        return [file for file in files if file is not None]

    def _sources(self, scope: Scope) -> dict[str, str]:
        rows = self._lake.table("imports").scan().filter(pl.col("scope") == str(scope))
        return dict(collect(rows.select("digest", "source"), "imports").iter_rows())

    def _file(
        self,
        path: str,
        scope: Scope,
        network: str,
        tasks: Collection[str],
        status: Mapping[str, str],
        sources: Mapping[str, str],
    ) -> _File | None:
        digest = PurePosixPath(path).name.partition(".")[0]
        try:
            data = content.decompress(self._lake.objects.get(path), path)
            values = read_edge_table(table_text(data, path)[0], path).values
        except LakeError:
            return None  # an earlier version read it differently: its values stay as they are
        file = _File(sources.get(digest, path), digest, Counter())
        for value in values:
            record = record_of(value)
            for identity in (record.label, f"{digest} {record.label}"):
                task = task_of(scope, transformation_key(network, value.edge), identity)
                if task in tasks:
                    alive = status.get(task) not in ("invalid", "deleted")
                    known = _Known(value, _outcome(record), identity, task, digest, alive, task in status)
                    file.known.append(known)
        systems = {known.value.system for known in file.known}
        file.held = _held(value for value in values if value.system in systems)
        return file


class _Table:
    """The values of one table in one network, and those of earlier tables."""

    def __init__(self, scope: Scope, network: str, source: str, digest: str, files: Sequence[_File]) -> None:
        self._scope, self._network, self._source, self._digest = scope, network, source, digest
        self._files = files
        self._known = [known for file in files for known in file.known]
        self._tasks = {known.task for known in self._known}
        self._counts: Counter[str] = Counter()

    def task(self, value: EdgeValue, identity: str) -> str:
        """Return the ScopedKey of a value's Task."""
        return task_of(self._scope, transformation_key(self._network, value.edge), identity)

    def notes(self) -> list[str]:
        """Return messages on the table, with counts."""
        return [f"{self._source}: {count(n, 'value')} {what}" for what, n in self._counts.items()]

    def settle(self, values: Sequence[EdgeValue]) -> list[Settled]:
        counted = {id(value): identity for value, identity in self._counted(values)}
        return [
            self._numbered(value) if value.numbered else Settled(value, record_of(value), counted[id(value)])
            for value in values
        ]

    # --- numbered ---------------------------------------------------------------------------------

    def _numbered(self, value: EdgeValue) -> Settled:
        record = record_of(value)
        same = [
            known
            for known in self._known
            if known.value.numbered and known.value.repeat == value.repeat and _leg(known.value) == _leg(value)
        ]
        matches = sorted((k for k in same if k.outcome == _outcome(record)), key=lambda known: not known.alive)
        others = [known for known in same if known.alive and known.outcome != _outcome(record)]
        match = matches[0] if matches else None
        if match is not None and match.alive:
            # a process that stored it may have died before the other one was replaced
            return self._replacing(value, record, match.identity, [] if match.in_log else others)
        if match is not None and (not others or match.digest == self._digest):
            self._counts["left out: replaced or made invalid earlier"] += 1
            return Settled(value, record, match.identity)
        return self._replacing(value, record, self._free(value, record), others)

    def _replacing(self, value: EdgeValue, record: ResultRecord, identity: str, others: list[_Known]) -> Settled:
        planned = {file.digest: file.source for file in self._files if file.planned}
        clash = next((planned[known.digest] for known in others if known.digest in planned), None)
        if clash is not None:
            raise ResultFileError(
                f"{self._source}: repeat {value.repeat} of {value.ligand_a} to {value.ligand_b} ({value.phase}) has "
                f"another value in {clash}; give repeats different numbers, omit the column, or import the correction "
                "separately",
                source=self._source,
            )
        if others:
            self._counts["put in place of others of the same repeat, whose Tasks are now invalid"] += 1
        return Settled(value, record, identity, tuple(known.task for known in others))

    def _free(self, value: EdgeValue, record: ResultRecord) -> str:
        """Return an identifier that no other value has."""
        taken = self.task(value, record.label) in self._tasks
        return f"{self._digest} {record.label}" if taken else record.label

    # --- not numbered -----------------------------------------------------------------------------

    def _counted(self, values: Sequence[EdgeValue]) -> Iterable[tuple[EdgeValue, str]]:
        """Yield the values without a number, each with its identifier."""
        held = _held(values)
        earlier = [file for file in self._files if file.digest == self._digest]
        for file in self._files:
            if file.digest != self._digest and file.held and file.held <= held:
                earlier.append(file)
                said = f"also in {file.source}, so counted once; if these are other repeats, number them"
                self._counts[said] += file.held.total()
        there: dict[tuple[Any, ...], list[str]] = {}
        for known in (known for file in earlier for known in file.known):
            there.setdefault((_leg(known.value), known.outcome), []).append(known.identity)
        copied = {file.digest for file in earlier}
        others = {_leg(k.value) for k in self._known if k.alive and k.outcome[0] and k.digest not in copied}
        for value in (value for value in values if not value.numbered):
            record = record_of(value)
            known_as = there.get((_leg(value), _outcome(record)))
            if known_as:
                yield value, known_as.pop(0)
            else:
                if _leg(value) in others:
                    self._counts["added as further repeats; to correct earlier values instead, number the repeats"] += 1
                yield value, f"{self._digest} {record.label}"


def record_of(value: EdgeValue) -> ResultRecord:
    """Return a table's value as a result; its label contains repeat and numbers."""
    label = f"repeat {value.repeat}: {value.value_kcal_mol!r} {value.uncertainty_kcal_mol!r}"
    if not value.failed:
        return ResultRecord(label, True, value.value_kcal_mol, value.uncertainty_kcal_mol, None, None, ())
    had = "" if value.value_kcal_mol is None else f" (value {value.value_kcal_mol} kcal/mol)"
    return ResultRecord(label, False, None, None, f"{_STRUCK}{had}", None, ())


def _outcome(record: ResultRecord) -> RecordedOutcome:
    return record.ok, record.estimate_kcal_mol, record.uncertainty_kcal_mol, record.exception


def _leg(value: EdgeValue) -> tuple[str, str, str]:
    return value.ligand_a, value.ligand_b, value.phase


def _held(values: Iterable[EdgeValue]) -> Counter[tuple[Any, ...]]:
    """Count the good values of a table by leg and numbers."""
    return Counter(
        (*_leg(value), value.value_kcal_mol, value.uncertainty_kcal_mol) for value in values if not value.failed
    )
