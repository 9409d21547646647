"""Network files that others wrote; tests that need one are skipped where they do not lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("ALCHEMISCALE_LAKE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_file(name: str) -> Path:
    """The file's path, or a skip."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {FOLDER}; set ALCHEMISCALE_LAKE_TEST_DATA to the folder that has it")
    return path


CASES = Path(os.environ.get("ALCHEMISCALE_LAKE_TEST_CASES", Path(__file__).parents[2] / "shared" / "cases"))


def real_case(name: str) -> Path:
    """The path of an input, or of a folder of inputs, that was once handled wrongly, or a skip."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{name} is not in {CASES}; set ALCHEMISCALE_LAKE_TEST_CASES to the folder that has it")
    return path
