"""The plan of an import: files, and for each network Transformations and results, with their keys.

Every key is derived from content, so that importing again finds existing objects. `networks` reads the files,
`import_writing` writes the plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..ids import Scope
from ..networks.chain import ChainObject
from ..networks.imported import ResultRecord

__all__ = [
    "Batch",
    "ImportReading",
    "PlannedResult",
    "SourceFile",
    "imported_network_key",
    "object_path",
    "stable_id",
    "task_of",
]


@dataclass(frozen=True, slots=True)
class PlannedResult:
    """One result with everything needed to write its rows.

    Attributes
    ----------
    scope : Scope
    transformation : str
        gufe key.
    identity : str
        Identifier that is the same whenever this calculation is imported; the key of the Task is derived from it.
    record : ResultRecord
        The result as read.
    object_path : str
        Path of the file in the lake.
    at : datetime
        Time of the calculation; if unknown, the file's time.
    on_gpu : bool
        Whether it used a GPU.
    replaces : tuple of str
        ScopedKeys of Tasks that become invalid, since this result replaces theirs.
    """

    scope: Scope
    transformation: str
    identity: str
    record: ResultRecord
    object_path: str
    at: datetime
    on_gpu: bool = False
    replaces: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """Return the ScopedKey of the Task."""
        return task_of(self.scope, self.transformation, self.identity)

    @property
    def transformation_key(self) -> str:
        """Return the ScopedKey of the Transformation."""
        return f"{self.transformation}-{self.scope}"

    @property
    def attempt(self) -> str:
        """Return the id of the attempt: another outcome of one Task is another attempt."""
        record = self.record
        outcome = (record.ok, record.estimate_kcal_mol, record.uncertainty_kcal_mol, record.exception)
        return stable_id(self.task, repr(outcome))


@dataclass(slots=True)
class Batch:
    """Everything that is imported into one network.

    Attributes
    ----------
    scope : Scope
    network : str or None
        ScopedKey of the network; None if the results belong to existing networks of the Scope.
    name : str or None
        Its name, if its row must be written.
    objects : mapping of str to ChainObject
    made : list of str
        Keys of Transformations to store.
    members : list of str
        Keys of Transformations to add to the network, if `name` is given.
    known_better : mapping of str to dict
        Columns of `transformations` that are not in the objects.
    results : list of PlannedResult
        Results to write.
    source : str
        The file or folder, for messages.
    """

    scope: Scope
    network: str | None
    name: str | None
    objects: Mapping[str, ChainObject]
    made: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    known_better: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: list[PlannedResult] = field(default_factory=list)
    source: str = ""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of results.

    Attributes
    ----------
    scope : Scope
    network : str or None
        ScopedKey of the network; None if the results belong to existing networks of the Scope.
    path : Path
        Path as given.
    digest : str
        SHA-256 of its content, uncompressed.
    n_bytes : int
        Size of its content.
    format : str
        As in the table `imports`.
    protocol_qualname : str or None
        Class of the Protocol; None if unknown.
    object_path : str
        Path of the content in the lake.
    n_good, n_failed : int
        Numbers of results in it.
    """

    scope: Scope
    network: str | None
    path: Path
    digest: str
    n_bytes: int
    format: str
    protocol_qualname: str | None
    object_path: str
    n_good: int
    n_failed: int


@dataclass(slots=True)
class ImportReading:
    """Results that were read, to be written.

    Attributes
    ----------
    batches : list of Batch
        One per network.
    sources : list of SourceFile
        Files with new results.
    n_files, n_known_files : int
        Number of files, and of those whose content is already in the Scope.
    bad : list of (str, str)
        Files that cannot be imported, with the reasons.
    notes : list of str
        Messages for the user.
    left_out : list of str
        Files that match nothing or have not ended, with the reasons.
    assays : list of dict
        Rows of `assays` without user, time and kind.
    networks : dict of str to None
        ScopedKeys of networks that already contain what was read.
    """

    batches: list[Batch] = field(default_factory=list)
    sources: list[SourceFile] = field(default_factory=list)
    n_files: int = 0
    n_known_files: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    assays: list[dict[str, Any]] = field(default_factory=list)
    networks: dict[str, None] = field(default_factory=dict)


def stable_id(*parts: str) -> str:
    """Return 32 hexadecimal digits derived from the parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def task_of(scope: Scope, transformation: str, identity: str) -> str:
    """Return the ScopedKey of the Task of an imported result.

    Parameters
    ----------
    scope : Scope
    transformation : str
        gufe key.
    identity : str
        Identifier of the calculation.
    """
    return f"Task-{stable_id(str(scope), transformation, identity)}-{scope}"


def imported_network_key(name: str) -> str:
    """Return the gufe key of an import's network, which is derived from its name, since the network may grow."""
    return f"AlchemicalNetwork-{stable_id('imported network', name)}"


def object_path(scope: Scope, digest: str, suffix: str) -> str:
    """Return the path of an imported file in the lake.

    Parameters
    ----------
    scope : Scope
    digest : str
        SHA-256 of the content.
    suffix : str
        End of the file's own name, such as `.json`; `.zst` is added.
    """
    return f"imports/{scope}/{digest}{suffix}.zst"
