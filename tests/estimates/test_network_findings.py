"""Words of findings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.network_findings import _names, _parallel_rows
from alchemiscale_lake.estimators.network.leg_uncertainties import LegUncertainties
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


@pytest.mark.parametrize(
    ("protocol", "kind", "legs"),
    [
        ("AbsoluteSolvationProtocol", "hydration", "hydration ligands"),
        ("AbsoluteBindingProtocol", "binding", "binding ligands"),
        ("SepTopProtocol", "binding", "binding edges"),
        ("Decoupling", "solvent", "solvent legs"),
    ],
)
def test_findings_on_differences_of_two_environments_have_their_kind(
    tmp_path: Path, protocol: str, kind: str, legs: str
) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")]
    network = campaign.network("ring", pairs, ("solvent",), protocol=protocol)
    for a, b in pairs:
        for value in (1.0, 1.2, 9.0 if (a, b) == ("a", "d") else 1.4):
            (task,) = campaign.new_tasks(network, [f"{a}_{b}_solvent"])
            campaign.result(task, value, 0.1, end_task=False)
    gather_network(campaign.lake, network)

    found = ask(connect(campaign.lake), "latest_findings").filter(
        pl.col("checked").is_in(["repeats", "result", "spread"])
    )

    assert set(found["checked"]) == {"repeats", "result", "spread"}
    assert set(found["kind"]) == {kind}
    assert found.filter(checked="spread")["description"].item().startswith(f"{legs} of {protocol}: 4 ")


def test_two_results_in_one_direction_have_the_kind_of_their_difference() -> None:
    legs = pl.DataFrame(
        {
            "transformation": ["s", "t"],
            "protocol": ["AbsoluteSolvationProtocol"] * 2,
            "phase": ["solvent"] * 2,
            "ligand_i": ["a"] * 2,
            "ligand_j": ["(none)"] * 2,
            "value_kcal_mol": [1.0, 3.0],
            "environment": [None, None],
        }
    )
    error = np.array([0.1, 0.1])
    chosen = LegUncertainties(error, {}, frozenset(), {}, np.array([1, 1]), error**2)

    (row,) = _parallel_rows(legs, chosen)

    assert (row["checked"], row["kind"]) == ("parallel", "hydration")
