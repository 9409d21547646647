"""Fixtures for tests of flows and engines: one local Prefect server for all of them in this process.

Import them in `tests/conftest.py` only: a second import makes a second fixture, with a server of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from alchemiscale_lake.prefect_api.local_api import Api


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a user's cache folder for these tests."""
    folder = tmp_path_factory.getbasetemp() / "user-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.delenv("PREFECT_API_URL", raising=False)
        yield folder


@pytest.fixture(scope="session")
def api(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Start a local server in the way the first command of a new user does."""
    from alchemiscale_lake.prefect_api.local_api import local_api

    before = dict(os.environ)
    with local_api(tmp_path_factory.mktemp("prefect")) as started:
        assert "PREFECT_API_AUTH_STRING" not in os.environ, "what we start ourselves would inherit it"
        assert started.login is not None
        # for the `prefect` commands and workers that tests start, as for their user
        os.environ["PREFECT_API_AUTH_STRING"] = started.login.read_text().strip()
        yield started
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def warm_path(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a PATH on which `alchemiscale-lake` and `python` start with their imports done; see `tests.warm`."""
    from tests.warm import warm_commands

    with warm_commands(tmp_path_factory.mktemp("warm")) as folder:
        yield os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three ligands in a cycle, and an edge to a fourth that always fails; it takes seconds to run."""
    from gufe import AlchemicalNetwork

    from alchemiscale_lake.gufe_adapter import dump_network
    from tests.example_networks import harmonic_network, harmonic_transformation

    good = harmonic_network(3, n_samples=20, n_windows=1)
    bad = harmonic_transformation("lig000", "lig009", fail="raise")
    path = tmp_path_factory.mktemp("networks") / "mixed.json"
    dump_network(AlchemicalNetwork([*good.edges, bad], name="mixed"), path)
    return path
