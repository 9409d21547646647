"""When an estimate version is still current."""

from __future__ import annotations

import polars as pl
import pytest

from alchemiscale_lake.estimates import version_inputs
from alchemiscale_lake.estimates.version_inputs import inputs_digest

LEGS = pl.DataFrame(
    {
        "network": ["n", "n"],
        "attempts": [["a1"], ["a2"]],
        "transformation": ["t1", "t2"],
        "ligand_i": ["a", "b"],
        "ligand_j": ["b", "c"],
        "value_kcal_mol": [1.0, 2.0],
    }
)
ASSAYS = pl.DataFrame(
    {"scope": ["s", "s"], "ligand": ["a", "z"], "kind": ["binding", "binding"], "value_kcal_mol": [-9.0, -8.0]}
)
# b and c are in the network, z is not
LINKS = pl.DataFrame(
    {
        "kind": ["binding", "binding"],
        "ligand_i": ["b in complex", "b"],
        "ligand_j": ["c in complex", "z"],
        "value_kcal_mol": [0.5, 0.7],
        "uncertainty_kcal_mol": [0.1, 0.1],
    }
)
NOW = inputs_digest(LEGS, ASSAYS, LINKS, "pooled")


def with_value(frame: pl.DataFrame, row: int, value: float) -> pl.DataFrame:
    values = frame["value_kcal_mol"].to_list()
    values[row] = value
    return frame.with_columns(value_kcal_mol=pl.Series(values))


def test_order_names_and_other_ligands_do_not_matter() -> None:
    assert inputs_digest(LEGS.reverse(), ASSAYS.reverse(), LINKS.reverse(), "pooled") == NOW
    assert inputs_digest(LEGS.with_columns(network=pl.lit("copy")), ASSAYS, LINKS, "pooled") == NOW
    assert inputs_digest(LEGS, with_value(ASSAYS, 1, 0.0), LINKS, "pooled") == NOW, "ligand z is not in the network"
    assert inputs_digest(LEGS, ASSAYS, with_value(LINKS, 1, 0.0), "pooled") == NOW, "ligand z is not in the network"
    without = inputs_digest(LEGS, ASSAYS, LINKS.clear(), "pooled")
    assert inputs_digest(LEGS, ASSAYS, LINKS.tail(1), "pooled") == without


def test_every_input_matters() -> None:
    assert inputs_digest(with_value(LEGS, 0, 1.1), ASSAYS, LINKS, "pooled") != NOW
    assert inputs_digest(LEGS.head(1), ASSAYS, LINKS, "pooled") != NOW
    assert inputs_digest(LEGS, with_value(ASSAYS, 0, -9.1), LINKS, "pooled") != NOW
    assert inputs_digest(LEGS, ASSAYS.clear(), LINKS, "pooled") != NOW
    assert inputs_digest(LEGS, ASSAYS, with_value(LINKS, 0, 0.6), "pooled") != NOW
    assert inputs_digest(LEGS, ASSAYS, LINKS.clear(), "pooled") != NOW
    assert inputs_digest(LEGS, ASSAYS, LINKS, "sem") != NOW


def test_another_computation_makes_every_version_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_inputs, "_COMPUTATION", version_inputs._COMPUTATION + 1)
    assert inputs_digest(LEGS, ASSAYS, LINKS, "pooled") != NOW
