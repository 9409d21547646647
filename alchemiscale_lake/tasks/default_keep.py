"""Files of Protocols that are kept by default, from plug-ins, and what the pools file says instead.

An entry point of the group `alchemiscale_lake.kept_files` names a mapping in the form of `files.keep` in `pools.yaml`:
`{class of Protocol: {"shared": patterns, "scratch": patterns}}`. Ours are in `shipped_keep`; those of other packages
replace them, and `pools.yaml` replaces both, class by class.
"""

from __future__ import annotations

import functools
import logging
from typing import Final

from pydantic import ValidationError

from ..errors import LakeError
from ..plugins import load_plugin, plugin_names
from ..settings import FileRules, KeepPatterns, Pools

__all__ = ["KEPT_FILES", "default_keep", "file_rules"]

_log = logging.getLogger(__name__)

#: Group of entry points.
KEPT_FILES: Final = "alchemiscale_lake.kept_files"
_SHIPPED: Final = ("feflow", "openfe")


@functools.cache
def default_keep() -> dict[str, KeepPatterns]:
    """Return the files that installed packages want kept, by class of Protocol; what cannot be read is logged."""
    found: dict[str, KeepPatterns] = {}
    for name in sorted(plugin_names(KEPT_FILES), key=lambda name: (name not in _SHIPPED, name)):
        try:
            found |= FileRules.model_validate({"keep": load_plugin(KEPT_FILES, name)}).keep
        except (LakeError, ValidationError) as e:
            _log.warning("kept files of %s are ignored: %s", name, e)
    return found


def file_rules(pools: Pools | None) -> FileRules:
    """Return the rules for files: those of the pools file, and the patterns of installed packages for other classes."""
    rules = FileRules() if pools is None else pools.files
    return rules.model_copy(update={"keep": default_keep() | rules.keep})
