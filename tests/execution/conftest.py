from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemiscale_lake.execution.processes import close_step_server
from alchemiscale_lake.store import Lake
from tests.execution.bench import Bench


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    yield Lake.create(tmp_path_factory.mktemp("execution") / "lake")
    close_step_server()


@pytest.fixture
def bench(lake: Lake, tmp_path: Path) -> Bench:
    return Bench(lake, tmp_path / "work")


@pytest.fixture
def own_lake(tmp_path: Path, empty_lake_folder: Path) -> Lake:
    """Return an empty lake for this test; `lake` is one for all."""
    shutil.copytree(empty_lake_folder, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")
