"""Box sizes for costs: from a network's file, and from the objects in a lake."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.costs.cost_history import with_targets
from alchemiscale_lake.costs.cost_models import train_cost_model
from alchemiscale_lake.costs.cost_rows import DIAMETER, cost_rows
from alchemiscale_lake.costs.solute_diameters import with_diameters, with_stored_diameters
from alchemiscale_lake.estimators.cost.features import derive
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.networks import read_network
from alchemiscale_lake.networks.facts import transformation_rows
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.cost_lake import add_hosts, result
from tests.real_data import real_file

SCOPE = Scope.parse("org-campaign-project")


@pytest.fixture
def stored(lake: Lake) -> pl.DataFrame:
    """Return Transformations of TYK2 as stored in a lake."""
    submit_network(lake, read_network(real_file("tyk2_network.json")), SCOPE)
    return lake.table("transformations").scan().collect()


def test_a_file_and_a_lake_give_the_same(lake: Lake, stored: pl.DataFrame) -> None:
    network = read_network(real_file("tyk2_network.json"))
    rows = pl.DataFrame(TABLES["transformations"].table(transformation_rows(network, SCOPE, datetime.now(UTC))))

    of_file = with_diameters(rows, network).sort("transformation")
    of_lake = with_stored_diameters(stored, lake).sort("transformation")

    assert of_file[DIAMETER].to_list() == of_lake[DIAMETER].to_list()
    complexes = of_file.filter(pl.col("phase") == "complex")[DIAMETER]
    assert complexes.n_unique() == 1
    assert complexes[0] == pytest.approx(7.253, abs=0.001)
    assert of_file.filter(pl.col("phase") == "solvent")[DIAMETER].null_count() == 9


def test_atoms_follow_the_box(lake: Lake, stored: pl.DataFrame) -> None:
    here = with_targets(with_stored_diameters(stored, lake)).filter(pl.col("phase") == "complex")
    here = here.with_columns(gpu_model=pl.lit("NVIDIA L40S"), packing=pl.lit(1.0))

    derived = derive(cost_rows(here))

    # a dodecahedron as wide as the protein and the padding
    assert derived.n_atoms[0] == pytest.approx(97 * 0.7071 * (7.253 + 1.0) ** 3, rel=0.05)
    assert derived.atoms_known.all()


def test_a_damaged_protein_hurts_no_estimate(lake: Lake, stored: pl.DataFrame) -> None:
    objects = lake.table("gufe_objects").scan().collect()
    damaged = pl.when(pl.col("qualname") == "ProteinComponent").then(pl.lit(b"nonsense")).otherwise("keyed_dict")
    lake.table("gufe_objects").replace(objects.with_columns(keyed_dict=damaged), number=10**6)

    assert with_stored_diameters(stored, lake)[DIAMETER].null_count() == len(stored)


def test_models_are_trained_on_boxes(lake: Lake, stored: pl.DataFrame) -> None:
    add_hosts(lake)
    complexes = stored.filter(pl.col("phase") == "complex").to_dicts()
    lake.table("results").append_new([result(row, i) for i, row in enumerate(complexes, start=1)])

    card = train_cost_model(lake).known.card

    least, most = card.feature_ranges["n_atoms"]
    assert least == pytest.approx(97 * 0.7071 * (7.253 + 1.0) ** 3, rel=0.05)
    assert np.isclose(least, most, rtol=0.01)
