"""Modules and tests live until the end of the run: the garbage collector need not look through them again and again.

It took a third of the time of collection and a sixth of that of many tests.
"""

from __future__ import annotations

import gc

__all__ = ["pytest_collection_finish", "pytest_unconfigure", "until_collected"]


def until_collected() -> None:
    """Look for no garbage until all tests are collected: imports leave hardly any."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what exists now out of all later searches for garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Let the interpreter free everything: duckdb reports what is left at the end as leaked."""
    gc.unfreeze()
