"""Fixtures shared by many rooms."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemiscale_lake.store import Lake
from tests.base_temp import use_memory
from tests.frozen_objects import pytest_collection_finish, pytest_unconfigure, until_collected
from tests.lakes import new_lake
from tests.long import register_profiles
from tests.prefect_session import api, cache, network_file, warm_path
from tests.s3 import bucket, bucket_lake, place, s3, way
from tests.scheduling import pytest_xdist_auto_num_workers, pytest_xdist_make_scheduler

__all__ = [
    "api",
    "bucket",
    "bucket_lake",
    "cache",
    "network_file",
    "place",
    "pytest_collection_finish",
    "pytest_unconfigure",
    "pytest_xdist_auto_num_workers",
    "pytest_xdist_make_scheduler",
    "s3",
    "warm_path",
    "way",
]

# The suite starts thousands of processes; without bytecode, each spends half of its start on compiling what it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

until_collected()

use_memory()

register_profiles()


@pytest.fixture(autouse=True)
def working_folder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Return to a folder that exists: those of passed tests are removed at once."""
    yield
    os.chdir(request.config.rootpath)


@pytest.fixture(scope="session")
def empty_lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake without rows, to copy: creating one takes a second."""
    folder = tmp_path_factory.mktemp("template") / "lake"
    new_lake(folder)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return an empty lake for this test."""
    return new_lake(tmp_path / "lake")
