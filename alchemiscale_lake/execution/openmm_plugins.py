"""OpenMM's plugins, loaded when a step first needs them: most steps need none, and loading them takes longer than many.

The fork server imports OpenMM without its plugins, since those of CUDA must not be forked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

__all__ = ["load_at_first_use"]

#: Functions of `Platform` that show which plugins there are, or load some.
_OF_PLATFORM: Final = (
    "findPlatform",
    "getNumPlatforms",
    "getPlatform",
    "getPlatformByName",
    "getPluginLoadFailures",
    "loadPluginLibrary",
    "loadPluginsFromDirectory",
    "registerPlatform",
)
_NAMES: Final = "pluginLoadedLibNames"


def load_at_first_use(openmm: Any) -> None:
    """Make an imported OpenMM load its plugins before it creates a Context, shows its Platforms or reads XML.

    Parameters
    ----------
    openmm : module
        OpenMM, imported without plugins.
    """
    places = [(openmm.Platform, name) for name in _OF_PLATFORM if name in vars(openmm.Platform)]
    places.append((openmm.Context, "__init__"))
    # forces of plugins are known to the serializer once these are loaded
    serializer = vars(openmm.XmlSerializer).items()
    places += [(openmm.XmlSerializer, name) for name, value in serializer if isinstance(value, staticmethod)]
    originals = [(owner, name, vars(owner)[name]) for owner, name in places]

    def load() -> None:
        for owner, name, original in originals:
            setattr(owner, name, original)
        vars(openmm).pop("__getattr__", None)
        default = os.path.join(openmm.version.openmm_library_path, "plugins")  # noqa: PTH118
        folder = os.environ.get("OPENMM_PLUGIN_DIR", default)
        openmm.pluginLoadedLibNames = openmm.Platform.loadPluginsFromDirectory(folder)

    for owner, name, original in originals:
        is_static = isinstance(original, staticmethod)
        first = _loading(load, owner, name)
        setattr(owner, name, staticmethod(first) if is_static else first)

    def missing(name: str) -> Any:
        if name != _NAMES:
            raise AttributeError(f"module {openmm.__name__!r} has no attribute {name!r}")
        load()
        return openmm.pluginLoadedLibNames

    vars(openmm).pop(_NAMES, None)
    openmm.__getattr__ = missing


def _loading(load: Callable[[], None], owner: Any, name: str) -> Callable[..., Any]:
    def first(*arguments: Any, **named: Any) -> Any:
        load()
        return getattr(owner, name)(*arguments, **named)

    return first
