"""Campaigns that are killed again and again, started without the imports of every start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forks import ForkServer

DRIVERS = ("tests.faults.driver", "tests.faults.store_driver", "tests.faults.migration_driver")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with ForkServer(tmp_path_factory.mktemp("forks"), *DRIVERS) as server:
        yield server
