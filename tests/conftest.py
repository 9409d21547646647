"""Fixtures that many rooms share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from alchemiscale_lake.store import Lake

# how long an example takes depends on what else the machine does
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def empty_lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake without rows, to copy: creating one takes a second."""
    folder = tmp_path_factory.mktemp("template") / "lake"
    Lake.create(folder)
    return folder


@pytest.fixture
def lake(tmp_path: Path, empty_lake_folder: Path) -> Lake:
    """A lake of this test's own, empty."""
    shutil.copytree(empty_lake_folder, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")
