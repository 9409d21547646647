"""alchemiscale-lake: alchemical free energy campaigns as a dataflow over a lakehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ids import Scope, ScopedKey
    from .query import connect
    from .store import Lake

__all__ = ["Lake", "Scope", "ScopedKey", "connect"]

_HOMES = {"Lake": "store", "Scope": "ids", "ScopedKey": "ids", "connect": "query"}


def __getattr__(name: str) -> Any:
    # lazy imports of polars, duckdb and the like, so that `--help` stays fast
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
