"""Third-party network files; tests that need one are skipped where it does not exist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("ALCHEMISCALE_LAKE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_file(name: str) -> Path:
    """Return the file's path, or skip."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {FOLDER}; set ALCHEMISCALE_LAKE_TEST_DATA to the folder that has it")
    return path


CASES = Path(os.environ.get("ALCHEMISCALE_LAKE_TEST_CASES", Path(__file__).parents[2] / "shared" / "cases"))


def real_case(name: str) -> Path:
    """Return the path of an input, or of a folder of inputs, that once caused an error, or skip."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{name} is not in {CASES}; set ALCHEMISCALE_LAKE_TEST_CASES to the folder that has it")
    return path
