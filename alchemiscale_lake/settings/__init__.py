"""Pools, policy and limits, as written by an operator in `pools.yaml`.

Frozen models that reject unknown keys. `pools_file` reads the file and reports the line of a mistake; `tasks/` and
`statestore/` apply the settings.
"""

from __future__ import annotations

from .file_rules import FileRules, KeepPatterns
from .pool import Pool
from .pools import Pools
from .rules import Burst, Limits, Monitors, Needs, QuarantineRules
from .values import ANY_PROTOCOL, ENGINES, JOBQUEUE_KINDS, OWN_KINDS, Bytes, ClassName, PoolKind, Seconds

__all__ = [
    "ANY_PROTOCOL",
    "ENGINES",
    "JOBQUEUE_KINDS",
    "OWN_KINDS",
    "Burst",
    "Bytes",
    "ClassName",
    "FileRules",
    "KeepPatterns",
    "Limits",
    "Monitors",
    "Needs",
    "Pool",
    "PoolKind",
    "Pools",
    "QuarantineRules",
    "Seconds",
]
