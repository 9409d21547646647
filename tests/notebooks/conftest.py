"""A lake with a campaign in progress, for notebooks to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.estimates.gathering import gather_network
from tests.example_campaign import NETWORK, example_campaign


@pytest.fixture(scope="package")
def example_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks") / "lake"
    gather_network(example_campaign(folder).lake, NETWORK)
    return folder
