"""What follows from the values of a network alone: residuals, fit, the scale of experiment; contrasts by label."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.network_estimate import NetworkEstimate, assemble
from alchemiscale_lake.estimators.network.network_input import read_network
from alchemiscale_lake.estimators.network.network_mle import solve_network
from alchemiscale_lake.estimators.network.network_solution import NetworkSolution
from alchemiscale_lake.estimators.network.partition import label_components
from tests.estimators.networks import random_network


def assembled(
    values: list[float], edges: list[tuple[int, int, float, float]], **experimental: float
) -> NetworkEstimate:
    """Return the result of nodes a, b, c ... that were solved to have these values."""
    names = "abcdefgh"[: len(values)]
    rows = [[names[a] for a, *_ in edges], [names[b] for _, b, *_ in edges], *zip(*[e[2:] for e in edges], strict=True)]
    network = read_network(*rows, names)  # type: ignore[arg-type]
    component = label_components(network.n_nodes, network.tail, network.head)
    value, nothing = np.array(values), np.zeros(len(edges))
    solution = NetworkSolution(network, component, value, value**2, nothing, None, ())
    return assemble(network, solution, experimental or None, covariance_omitted=False)


def test_residuals_are_measured_minus_estimated_and_chi2_is_theirs_over_the_uncertainties() -> None:
    found = assembled([-1.0, 0.0, 1.0], [(0, 1, 1.5, 0.25), (2, 1, -0.5, 0.5), (1, 1, 0.3, 0.1)])

    np.testing.assert_allclose(found.residual_kcal_mol, [0.5, 0.5, 0.3])
    (component,) = found.components
    assert component.chi2 == pytest.approx(2.0**2 + 1.0**2)  # a self-loop is no part of it
    assert (component.n_nodes, component.n_edges, component.degrees_of_freedom) == (3, 2, 0)
    np.testing.assert_allclose(found.uncertainty_kcal_mol, [1.0, 0.0, 1.0])


def test_each_component_has_its_own_chi2_cycles_and_shift() -> None:
    edges = [(0, 1, 1.0, 0.5), (0, 1, 2.0, 0.5), (2, 3, 4.0, 1.0)]

    found = assembled([-0.5, 0.5, -1.0, 1.0, np.nan], edges, b=-8.0, d=-5.0, c=-8.0, e=-1.0, z=3.0)

    pair, other, lone = found.components
    assert (pair.chi2, pair.degrees_of_freedom, pair.n_experimental) == (4.0, 1, 1)
    assert (other.chi2, other.degrees_of_freedom, other.n_experimental) == (4.0, 0, 2)
    assert (lone.chi2, lone.n_nodes, lone.n_experimental, lone.shift_kcal_mol) == (0.0, 1, 0, 0.0)
    assert pair.shift_kcal_mol == pytest.approx(-8.5)
    assert other.shift_kcal_mol == pytest.approx(-6.5)
    np.testing.assert_allclose(found.value_kcal_mol, [-9.0, -8.0, -7.5, -5.5, np.nan])
    assert [note.nodes for note in found.notes if note.code == "experiment-unknown"] == [("z",)]


def test_without_experiment_nothing_is_noted_about_it() -> None:
    found = assembled([-0.5, 0.5], [(0, 1, 1.0, 0.5)])

    assert found.notes == ()
    assert found.components[0].shift_kcal_mol == 0.0


def test_a_residual_below_the_rounding_of_its_values_is_zero() -> None:
    below, above = (assembled([-50.0, 50.0], [(0, 1, 100.0 + step, 1e-20)]) for step in (5e-13, 3e-12))

    assert below.residual_kcal_mol[0] == 0.0
    assert below.components[0].chi2 == 0.0
    assert above.residual_kcal_mol[0] == pytest.approx(3e-12, rel=0.01)


def test_exact_edges_contradict_only_beyond_rounding() -> None:
    met, missed = (assembled([-50.0, 50.0], [(0, 1, 100.0 + step, 0.0), (0, 1, 100.0, 1.0)]) for step in (5e-8, 2e-7))

    assert [note.code for note in met.notes] == ["parallel-edges", "exact-edges"]
    assert met.components[0].chi2 == 0.0
    assert missed.components[0].chi2 == np.inf
    (contradiction,) = [note for note in missed.notes if note.code == "exact-contradiction"]
    assert contradiction.edges == (0,)
    assert "up to 2e-07 kcal/mol" in contradiction.message


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_refused(weight: float) -> None:
    estimate = solve_network(["a"], ["b"], [1.0], [0.3])

    with pytest.raises(EstimatorInputError, match="contrast 0 add up to nan"):
        estimate.contrast([{"a": weight, "b": -weight}])


def test_weights_may_miss_zero_by_rounding() -> None:
    estimate = solve_network("ab", "bc", [1.0, 1.0], [0.3, 0.4])
    third = {"a": 0.1 + 0.2, "b": -0.3}

    found = estimate.contrast([third, {"c": 1, "b": -1}])

    np.testing.assert_allclose(found.value_kcal_mol, [-0.3, 1.0])
    np.testing.assert_allclose(found.uncertainty_kcal_mol, [0.09, 0.4])


def test_contrasts_across_components_are_not_known() -> None:
    estimate = solve_network(["a", "x"], ["b", "y"], [1.0, 2.0], [0.3, 0.4], nodes=["lone"])

    between = estimate.difference([("a", "b"), ("a", "x"), ("a", "lone")])
    both = estimate.contrast(
        [{"a": -1, "b": 1, "x": -2, "y": 2}, {"a": 1, "x": -1}, {"lone": 0.0, "a": 1, "b": -1}, {}]
    )

    np.testing.assert_allclose(between.value_kcal_mol, [1.0, np.nan, np.nan])
    np.testing.assert_allclose(between.uncertainty_kcal_mol, [0.3, np.nan, np.nan])
    np.testing.assert_allclose(both.value_kcal_mol, [5.0, np.nan, -1.0, 0.0])
    np.testing.assert_allclose(both.uncertainty_kcal_mol, [np.sqrt(0.09 + 4 * 0.16), np.nan, 0.3, 0.0])


def test_contrasts_that_are_none_are_refused() -> None:
    estimate = solve_network(["a"], ["b"], [1.0], [0.3])

    with pytest.raises(EstimatorInputError, match=r"contrast 1 add up to 0\.5"):
        estimate.contrast([{"a": 1, "b": -1}, {"a": 1, "b": -0.5}])
    with pytest.raises(EstimatorInputError, match="'c' is not a node"):
        estimate.difference([("a", "c")])


def test_experiment_on_all_nodes_adds_its_mean() -> None:
    edges = random_network(4, 8, 12)
    experimental = {f"lig{k}": -10.0 + 0.3 * k for k in range(8)}
    rows = (*edges.labels(), edges.value, edges.sd)

    estimate, relative = solve_network(*rows, experimental=experimental), solve_network(*rows)

    expected = relative.value_kcal_mol + np.mean(list(experimental.values()))
    np.testing.assert_allclose(estimate.value_kcal_mol, expected, rtol=1e-14)
    np.testing.assert_array_equal(estimate.covariance, relative.covariance)
    np.testing.assert_array_equal(estimate.residual_kcal_mol, relative.residual_kcal_mol)
    assert [note.nodes for note in estimate.notes if note.code == "experiment-pinned"] == [estimate.nodes]


def test_experiment_on_some_nodes_is_met_on_these() -> None:
    estimate = solve_network(
        ["a", "b", "x"],
        ["b", "c", "y"],
        [1.0, 1.0, 1.0],
        [0.1, 0.1, 0.1],
        experimental={"a": -8.0, "b": -6.0, "c": float("nan"), "w": -3.0},
    )

    np.testing.assert_allclose(estimate.value_kcal_mol, [-7.5, -6.5, -5.5, -0.5, 0.5], rtol=1e-14)
    named = {note.code: note.nodes for note in estimate.notes}
    assert named["experiment-missing"] == ("x", "y")
    assert named["experiment-unknown"] == ("w",)
    assert [c.n_experimental for c in estimate.components] == [2, 0]
    assert [c.shift_kcal_mol for c in estimate.components] == pytest.approx([-6.5, 0.0])


def test_results_are_frozen() -> None:
    estimate = solve_network(["a"], ["b"], [1.0], [0.1])

    with pytest.raises(FrozenInstanceError):
        estimate.nodes = ()  # type: ignore[misc]
