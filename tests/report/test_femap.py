from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from alchemiscale_lake.errors import EstimationError, MissingDependencyError, NotFoundError
from alchemiscale_lake.estimators import solve_network
from alchemiscale_lake.report import femap
from alchemiscale_lake.report.femap import FEMapContent, from_femap, network_femap, to_femap
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake

CONTENT = FEMapContent(
    ["a", "b", "a"],
    ["b", "c", "c"],
    [1.0, 2.0, 2.7],
    [0.1, 0.2, 0.3],
    {"a": (-9.0, 0.2), "b": (-8.1, 0.3)},
    {"a": (-1.25, 0.05), "b": (-0.2, 0.06), "c": (1.45, 0.1)},
)

#: Shape of the installed cinnabar; the tests are valid for either.
MEASURED = femap._has_measurements()


def test_a_femap_has_the_edges_and_experiments_it_was_made_of() -> None:
    found = from_femap(to_femap(CONTENT))

    assert sorted(zip(*found.edges(), strict=True)) == sorted(zip(*CONTENT.edges(), strict=True))
    assert found.experimental == CONTENT.experimental
    if MEASURED:
        assert found.estimated == CONTENT.estimated


def test_cinnabars_estimate_of_our_map_is_ours() -> None:
    made = to_femap(CONTENT)
    if MEASURED:
        made.generate_absolute_values()
        frame = made.get_absolute_dataframe()
        theirs = frame[frame["source"] == "MLE"].set_index("label")
        values, errors = theirs["DG (kcal/mol)"], theirs["uncertainty (kcal/mol)"]
    else:
        rows = {node["name"]: node for _, node in made.graph.nodes(data=True)}
        values = {label: node["calc_DG"] for label, node in rows.items()}
        errors = {label: node["calc_dDG"] for label, node in rows.items()}

    ours = solve_network(*from_femap(made).edges())

    np.testing.assert_allclose([values[label] for label in ours.nodes], ours.value_kcal_mol, atol=1e-8)
    np.testing.assert_allclose([errors[label] for label in ours.nodes], ours.uncertainty_kcal_mol, atol=1e-8)


@pytest.mark.skipif(MEASURED, reason="the cinnabar here holds repeated measurements as they are")
def test_repeated_and_reverse_edges_are_merged_for_a_map_that_cannot_hold_them() -> None:
    made = to_femap(
        FEMapContent(["a", "b", "a", "x"], ["b", "a", "b", "a"], [1.0, -2.0, 3.0, 3.0], [0.3, 0.3, 0.3, 0.4])
    )

    found = from_femap(made)

    assert found.node_a == ["a", "x"]
    assert found.node_b == ["b", "a"]
    assert found.value_kcal_mol == pytest.approx([2.0, 3.0])
    assert found.uncertainty_kcal_mol == pytest.approx([0.3 / 3**0.5, 0.4])
    assert found.experimental == {}


@pytest.mark.skipif(MEASURED, reason="the cinnabar here holds exact edges")
def test_an_exact_edge_is_refused_where_it_would_be_divided_by() -> None:
    with pytest.raises(EstimationError, match="edge a -> b has no positive uncertainty"):
        to_femap(FEMapContent(["a", "a"], ["b", "b"], [1.0, 1.1], [0.0, 0.2]))


@pytest.mark.skipif(MEASURED, reason="the cinnabar here holds repeated measurements as they are")
def test_merged_edges_give_the_estimate_of_all() -> None:
    rows = (["a", "b", "b"], ["b", "a", "c"], [1.0, -2.0, 0.5], [0.1, 0.2, 0.3])

    made = to_femap(FEMapContent(*rows))

    from cinnabar import stats

    values, covariance = stats.mle(made.graph, factor="calc_DDG")
    ours = solve_network(*rows)
    np.testing.assert_allclose(values, ours.value_kcal_mol, atol=1e-10)
    np.testing.assert_allclose(covariance, ours.covariance, atol=1e-10)


def test_a_network_of_the_lake_becomes_a_map(lake: Lake) -> None:
    network = "AlchemicalNetwork-" + "a" * 32 + "-org-cam-pro"
    _write_round(lake, network)

    found = from_femap(network_femap(lake, network))

    assert found.edges() == (["lig1"], ["lig2"], [1.0], [0.25])
    assert found.experimental.keys() == {"lig1"}
    assert found.experimental["lig1"][0] == -8.5
    assert math.isnan(found.experimental["lig1"][1]) or found.experimental["lig1"][1] == 0.0


def test_a_network_without_estimates_is_reported(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="no estimates"):
        network_femap(lake, "AlchemicalNetwork-" + "a" * 32 + "-org-cam-pro")


def test_without_cinnabar_the_error_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cinnabar", None)
    monkeypatch.setattr(femap, "find_spec", lambda _: None)

    with pytest.raises(MissingDependencyError, match="needs cinnabar"):
        to_femap(CONTENT)


def _write_round(lake: Lake, network: str) -> None:
    """Return one edge, a second without a value, and an experimental value of one ligand."""
    common = {"scope": "org-cam-pro", "network": network, "round": 1, "kind": "binding"}
    edges = {
        "ligand_i": ["lig1", "lig1"],
        "ligand_j": ["lig2", "lig3"],
        "value_kcal_mol": [1.0, None],
        "uncertainty_kcal_mol": [0.25, None],
    }
    nodes = {
        "component": [0, 0, 1],
        "node": [0, 1, 0],
        "ligand": ["lig1", "lig2", "lig3"],
        "value_kcal_mol": [-0.5, 0.5, None],
        "uncertainty_kcal_mol": [0.125, 0.125, None],
        "experiment_kcal_mol": [-8.5, None, None],
        "experiment_uncertainty_kcal_mol": None,
    }
    lake.table("edge_estimates").append_new(TABLES["edge_estimates"].sample(2, **common, **edges))
    lake.table("network_estimates").append_new(TABLES["network_estimates"].sample(3, **common, **nodes))
