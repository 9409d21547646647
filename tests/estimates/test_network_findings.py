"""Words of findings."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.network_findings import _names
from alchemiscale_lake.query import ask, connect
from tests.campaign import Campaign


def test_legs_are_named_as_in_the_raw_report() -> None:
    legs = pl.DataFrame(
        {
            "protocol": ["RelativeHybridTopologyProtocol", "AbsoluteSolvationProtocol", "SepTopProtocol", "Decoupling"],
            "phase": ["complex", "solvent", "complex", "vacuum"],
            "ligand_i": ["a", "a", "a", "a"],
            "ligand_j": ["b", "(none)", "b", "(none)"],
        }
    )
    assert _names(legs) == ["complex a -> b", "absolute hydration of a", "binding a -> b", "vacuum leg of a"]


def test_the_spread_names_legs_and_degrees_of_freedom(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")], ("complex", "solvent"))
    for phase in ("complex", "solvent"):
        for value in (1.0, 1.2, 1.4):
            (task,) = campaign.new_tasks(network, [f"a_b_{phase}"])
            campaign.result(task, value, 0.1, end_task=False)
    gather_network(campaign.lake, network)

    spread = ask(connect(campaign.lake), "latest_findings").filter(checked="spread", kind="complex")

    assert "1 leg (2 degrees of freedom) scatters" in spread["description"].item()
