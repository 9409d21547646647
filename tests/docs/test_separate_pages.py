"""Snippets of pages that depend on no other page, each in a folder of its own.

In a file of its own since such a page takes as long as many of the others together.
"""

from __future__ import annotations

from pathlib import Path

import gufe
import pytest

from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.prefect_api.local_api import Api
from tests.docs.snippets import SEPARATE, Block, run, run_page
from tests.example_networks import harmonic_network

#: Of the README.
SCOPE = "org-campaign-project"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", SEPARATE)
def test_every_snippet_runs(page: str, tmp_path: Path, api: Api, warm_path: str) -> None:
    network = gufe.AlchemicalNetwork(harmonic_network(2, 1, n_samples=50).edges, name="triangle")
    dump_network(network, tmp_path / "network.json")
    if page == "README.md":
        # its Strategy repeats a Transformation up to twenty times: without these Tasks, in twenty rounds
        tasks = f"--scope {SCOPE} --tasks-per-transformation 17"
        run(Block("bash", "", f"alchemiscale-lake submit network.json {tasks}"), tmp_path, warm_path)

    run_page(page, tmp_path, warm_path)
