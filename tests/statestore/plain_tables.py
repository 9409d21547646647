"""Tables of a lake as frames in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import polars as pl


def lake_of(tables: Mapping[str, pl.DataFrame]) -> Any:
    """Return what a reader of these tables sees of a lake."""
    return SimpleNamespace(table=lambda name: SimpleNamespace(scan=tables[name].lazy))
