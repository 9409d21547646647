"""Words of findings."""

from __future__ import annotations

import polars as pl

from alchemiscale_lake.estimates.network_findings import _names


def test_legs_are_named_as_in_the_raw_report() -> None:
    legs = pl.DataFrame(
        {
            "protocol": ["RelativeHybridTopologyProtocol", "AbsoluteSolvationProtocol", "SepTopProtocol"],
            "phase": ["complex", "solvent", "complex"],
            "ligand_i": ["a", "a", "a"],
            "ligand_j": ["b", "(none)", "b"],
        }
    )
    assert _names(legs) == ["complex a -> b", "hydration (none) -> a", "binding a -> b"]
