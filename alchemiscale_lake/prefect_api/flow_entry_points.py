"""Flows found by the names of their deployments, as entry points of this package."""

from __future__ import annotations

from typing import Any

from ..plugins import load_plugin

__all__ = ["load_flow"]


def load_flow(deployment: str) -> Any:
    """Return a Prefect flow, or another callable of the group, such as `dispatch` or `run-campaign`."""
    return load_plugin("alchemiscale_lake.flows", deployment)
