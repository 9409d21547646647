"""Plug-ins: objects that installed packages offer under a group of entry points. Each group's meaning is elsewhere."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from .errors import MissingDependencyError, SettingsError

__all__ = ["load_plugin", "plugin_names"]


def plugin_names(group: str) -> tuple[str, ...]:
    """Return the names of all plug-ins of a group, sorted. Nothing is imported."""
    return tuple(sorted({entry.name for entry in importlib.metadata.entry_points(group=group)}))


def load_plugin(group: str, name: str) -> Any:
    """Import a plug-in.

    Parameters
    ----------
    group, name : str
        Group and name of its entry point, as in `alchemiscale_lake.engines` and `slurm`.

    Raises
    ------
    MissingDependencyError
        If no installed package offers it, or one that does cannot be imported.
    SettingsError
        If several packages offer different ones under this name.
    """
    entries = {entry.value: entry for entry in importlib.metadata.entry_points(group=group, name=name)}
    if not entries:
        raise MissingDependencyError(
            f"no installed package offers {name!r} in {group}; install the one that does, or reinstall it",
            group=group,
            name=name,
        )
    if len(entries) > 1:
        raise SettingsError(
            f"{' and '.join(sorted(entries))} are both called {name!r} in {group}; uninstall one of the packages",
            group=group,
            name=name,
        )
    (entry,) = entries.values()
    try:
        return entry.load()
    except (ImportError, AttributeError) as e:
        raise MissingDependencyError(
            f"{name!r} in {group} cannot be imported from {entry.value} ({e}); reinstall its package",
            group=group,
            name=name,
        ) from e
