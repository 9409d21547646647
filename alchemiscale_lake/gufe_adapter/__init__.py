"""The only interface to gufe, for both generations.

All differences between gufe 0.4 and gufe >= 1 are handled in this package, by feature detection and never by version
number. `chain` and `object_files` write and read objects, `execution` creates ProtocolDAGs and runs their units,
`results` turns unit results into numbers; `authoring` (imported explicitly, as it needs gufe) has the base classes of
Protocols that must work on both.

Importing this package does not import gufe, so a lake can store and read without it. Reading networks *without*
building their objects is in `alchemiscale_lake.networks`.
"""

from __future__ import annotations

from ._gufe import gufe_version, import_class
from .archival import build_archive, require_archives, require_metadata
from .chain import Chain, ChainReader, dumps_chain, loads_chain, to_chain
from .execution import (
    create_protocol_dag,
    execute_unit,
    failed_unit_result,
    unit_dependencies,
    unit_exception,
    unit_ok,
    units_in_order,
)
from .importable import missing_among
from .object_files import dump_network, load_bytes, load_object
from .permanent import PermanentFolder
from .results import Estimate, build_dag_result, dag_ok, estimate

__all__ = [
    "Chain",
    "ChainReader",
    "Estimate",
    "PermanentFolder",
    "build_archive",
    "build_dag_result",
    "create_protocol_dag",
    "dag_ok",
    "dump_network",
    "dumps_chain",
    "estimate",
    "execute_unit",
    "failed_unit_result",
    "gufe_version",
    "import_class",
    "load_bytes",
    "load_object",
    "loads_chain",
    "missing_among",
    "require_archives",
    "require_metadata",
    "to_chain",
    "unit_dependencies",
    "unit_exception",
    "unit_ok",
    "units_in_order",
]
