"""Compaction by writers after some of their commits, so that many small commits do not make a table slow.

Small files are merged and a checkpoint is written. Maintenance does the same for the whole lake, and removes what is no
longer needed. Of several writers, the one whose commit has a round version does it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ..errors import LakeError
from ..faults import fault_point
from .compaction import Crowd, compact, crowded
from .storage_errors import scrub

if TYPE_CHECKING:
    from .table import LakeTable

__all__ = ["tidy"]

_log = logging.getLogger(__name__)

_EVERY_COMMITS: Final = 20
#: Checkpoints of a table with many files are large, and written less often.
_STRETCH_FILES: Final = 400
_LONGEST_STRETCH: Final = 5
#: Files that are merged here; larger ones are left to maintenance, so that no row is rewritten often.
_SMALL: Final = Crowd(at_least=100, below_bytes=2**18)


def tidy(table: LakeTable, delta: DeltaTable) -> bool:
    """Merge small files and write a checkpoint if it is time; a failure is logged.

    Parameters
    ----------
    table : LakeTable
    delta : DeltaTable
        The snapshot that the last commit was made through.

    Returns
    -------
    bool
        Whether opening the table again is cheaper now than updating a snapshot.
    """
    version = delta.version() + 1
    if version % _EVERY_COMMITS:
        return False
    try:
        if crowded(delta, table, _SMALL):
            fault_point(f"tidy:{table.schema.name}:before")
            compact(table, table.snapshot(), _SMALL)
            fault_point(f"tidy:{table.schema.name}:compacted")
        elif version % (_EVERY_COMMITS * min(1 + len(delta.file_uris()) // _STRETCH_FILES, _LONGEST_STRETCH)):
            return False
        table.log.checkpoint(table.snapshot())
    except (LakeError, DeltaError, OSError) as e:
        _log.warning("could not tidy table '%s' at version %d: %s", table.schema.name, version, scrub(str(e)))
        return False
    return True
