"""alchemiscale-lake: alchemical free energy campaigns as a dataflow over a lakehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy_names import lazy_names

if TYPE_CHECKING:
    from .ids import Scope, ScopedKey
    from .query import connect
    from .store import Lake

__all__ = ["Lake", "Scope", "ScopedKey", "connect"]

# `--help` stays fast without polars, duckdb and the like
__getattr__ = lazy_names(__name__, {"store": ("Lake",), "ids": ("Scope", "ScopedKey"), "query": ("connect",)})


def __dir__() -> list[str]:
    return sorted(__all__)
