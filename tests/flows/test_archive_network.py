from __future__ import annotations

from pathlib import Path

from alchemiscale_lake.archives import read_manifest
from alchemiscale_lake.flow_steps.artifacts import escaped
from alchemiscale_lake.flows.archive_network import archive_network
from alchemiscale_lake.prefect_api.local_api import Api
from tests.campaign import Campaign
from tests.prefect_requests import post


def test_the_flow_writes_a_file_and_shows_where(api: Api, tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("tyk2", [("a", "b")])
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 1.0, 0.1)

    written = archive_network("tyk2", lake=campaign.lake.url, folder=str(tmp_path / "archives"), scrub=["all"])

    assert written.path == tmp_path / "archives" / "tyk2.zip"
    (archived,) = read_manifest(written.path).networks
    assert (archived.n_transformations, archived.n_results) == (1, 1)
    found = post(api, "artifacts/filter", artifacts={"key": {"any_": ["archive-tyk2"]}})
    (shown,) = [each["description"] for each in found]
    assert shown == escaped(f"archived in {written.path}, {written.n_bytes / 1e6:.1f} MB")
