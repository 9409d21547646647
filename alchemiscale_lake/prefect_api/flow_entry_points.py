"""Flows found by the names of their deployments, as entry points of this package."""

from __future__ import annotations

import importlib.metadata
from typing import Any

__all__ = ["load_flow"]

_GROUP = "alchemiscale_lake.flows"


def load_flow(deployment: str) -> Any:
    """Return a Prefect flow, or another callable of the group, such as `dispatch` or `run-campaign`."""
    (entry,) = importlib.metadata.entry_points(group=_GROUP, name=deployment)
    return entry.load()
