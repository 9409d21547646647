"""Snippets of pages that depend on no other page, each in a folder of its own.

In a file of its own since such a page takes as long as many of the others together.
"""

from __future__ import annotations

from pathlib import Path

import gufe
import pytest

from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.prefect_api.local_api import Api
from tests.docs.snippets import SEPARATE, run_page
from tests.example_networks import harmonic_network


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", SEPARATE)
def test_every_snippet_runs(page: str, tmp_path: Path, api: Api, warm_path: str) -> None:
    # a reader's own network: a Strategy repeats each of its Transformations up to twenty times
    one = harmonic_network(2, 1, n_samples=50).edges
    dump_network(gufe.AlchemicalNetwork(one, name="triangle"), tmp_path / "network.json")

    run_page(page, tmp_path, warm_path)
