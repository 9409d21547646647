"""What is to be imported: files, and for each network Transformations and results, with their keys.

Every key follows from content, so that importing again finds what is there. What files say is read in
`networks`, what is filled in here is written in `import_writing`.
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
    "PlannedResult",
    "Reading",
    "Source",
    "imported_network_key",
    "object_path",
    "stable_id",
    "task_of",
]


@dataclass(frozen=True, slots=True)
class PlannedResult:
    """One result with what is needed to write its rows.

    Attributes
    ----------
    transformation : str
        gufe key.
    identity : str
        What is the same whenever this calculation is imported: it names the Task.
    object_path : str
        Where the file will lie in the lake.
    at : datetime
        When it was run, for want of better: the file's time.
    on_gpu : bool
        Whether it held a GPU.
    replaces : tuple of str
        ScopedKeys of Tasks that become invalid, for this result takes the place of theirs.
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
        """ScopedKey of the Task."""
        return task_of(self.scope, self.transformation, self.identity)

    @property
    def transformation_key(self) -> str:
        """ScopedKey of the Transformation."""
        return f"{self.transformation}-{self.scope}"

    @property
    def attempt(self) -> str:
        """Id of the attempt: another outcome of one Task is another attempt."""
        record = self.record
        outcome = (record.ok, record.estimate_kcal_mol, record.uncertainty_kcal_mol, record.exception)
        return stable_id(self.task, repr(outcome))


@dataclass(slots=True)
class Batch:
    """All that is imported into one network.

    Attributes
    ----------
    network : str or None
        ScopedKey of the network; None if the results belong to what the Scope has.
    name : str or None
        Its name, if its row is to be written.
    objects : mapping of str to ChainObject
    made : list of str
        Keys of Transformations that are to be stored.
    members : list of str
        Keys of Transformations that are to belong to the network, if `name` is given.
    known_better : mapping of str to dict
        Columns of `transformations` that are not in the objects.
    """

    scope: Scope
    network: str | None
    name: str | None
    objects: Mapping[str, ChainObject]
    made: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    known_better: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: list[PlannedResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that results come from.

    Attributes
    ----------
    digest : str
        SHA-256 of its content, uncompressed.
    n_bytes : int
        Size of that.
    format : str
        As in the table `imports`.
    object_path : str
        Where the content will lie in the lake.
    n_good, n_failed : int
        Results in it.
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
class Reading:
    """What was read and is to be written.

    Attributes
    ----------
    n_files, n_known_files : int
        Files looked at, and those whose content the Scope has.
    bad : list of (str, str)
        Files that cannot be imported, and why.
    assays : list of dict
        Rows of `assays` less who entered them when, and of which kind.
    networks : dict of str to None
        ScopedKeys of networks that have what was read already.
    """

    batches: list[Batch] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    n_files: int = 0
    n_known_files: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assays: list[dict[str, Any]] = field(default_factory=list)
    networks: dict[str, None] = field(default_factory=dict)


def stable_id(*parts: str) -> str:
    """32 hexadecimal digits that follow from the parts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def task_of(scope: Scope, transformation: str, identity: str) -> str:
    """Return the ScopedKey of the Task that an imported result is of."""
    return f"Task-{stable_id(str(scope), transformation, identity)}-{scope}"


def imported_network_key(name: str) -> str:
    """Return the gufe key of the network that an import makes: it follows from the name, for the network may grow."""
    return f"AlchemicalNetwork-{stable_id('imported network', name)}"


def object_path(scope: Scope, digest: str, suffix: str) -> str:
    """Path under which an imported file lies in the lake."""
    return f"imports/{scope}/{digest}{suffix}.zst"
