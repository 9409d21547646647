from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.bayesian import solve_network_bayesian
from alchemiscale_lake.estimators.network.network_mle import solve_network
from tests.estimators.networks import Edges, networks, random_network


def by_hand(edges: Edges, mean: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior by the normal equations."""
    information, right = np.diag(precision), precision * mean
    for a, b, value, sd in zip(edges.tail, edges.head, edges.value, edges.sd, strict=True):
        edge = np.zeros(edges.n_nodes)
        edge[a], edge[b] = -1.0, 1.0
        information = information + np.outer(edge, edge) / sd**2
        right = right + edge * value / sd**2
    covariance = np.linalg.inv(information)
    return covariance @ right, covariance


def test_one_edge_and_one_assay() -> None:
    found = solve_network_bayesian(["a"], ["b"], [1.5], [0.3], {"a": (-8.0, 0.4)})

    np.testing.assert_allclose(found.value_kcal_mol, [-8.0, -6.5])
    np.testing.assert_allclose(found.uncertainty_kcal_mol, [0.4, 0.5])
    np.testing.assert_allclose(found.covariance, [[0.16, 0.16], [0.16, 0.25]])
    np.testing.assert_allclose(found.prior_residual_kcal_mol, [0.0, np.nan], atol=1e-12)
    assert found.notes == ()


def test_two_assays_and_an_edge_share_what_they_disagree_about() -> None:
    # Three measurements of equal variance around a cycle through the origin, which miss closure by 0.9.
    found = solve_network_bayesian(["a"], ["b"], [1.9], [0.3], {"a": (-8.0, 0.3), "b": (-7.0, 0.3)})

    np.testing.assert_allclose(found.value_kcal_mol, [-8.3, -6.7])
    np.testing.assert_allclose(found.residual_kcal_mol, [0.3])
    np.testing.assert_allclose(found.prior_residual_kcal_mol, [0.3, -0.3])


@pytest.mark.parametrize("covariance", [True, False])
@given(edges=networks(decades=1.0), data=st.data())
def test_agrees_with_the_normal_equations(covariance: bool, edges: Edges, data: st.DataObject) -> None:
    known = data.draw(st.sets(st.integers(0, edges.n_nodes - 1), min_size=1))
    rng = np.random.default_rng(len(known))
    prior = {f"lig{k}": (float(rng.normal(-8, 2)), float(rng.uniform(0.1, 1))) for k in known}
    mean = np.array([prior.get(node, (-7.0, 20.0))[0] for node in edges.nodes()])
    precision = np.array([prior.get(node, (-7.0, 20.0))[1] ** -2.0 for node in edges.nodes()])
    expected, matrix = by_hand(edges, mean, precision)

    found = solve_network_bayesian(
        *edges.labels(),
        edges.value,
        edges.sd,
        prior,
        weak_prior=(-7.0, 20.0),
        nodes=edges.nodes(),
        covariance=covariance,
    )

    np.testing.assert_allclose(found.value_kcal_mol, expected, atol=1e-8)
    np.testing.assert_allclose(found.uncertainty_kcal_mol, np.sqrt(np.diag(matrix)), atol=1e-9)
    along = np.diag(matrix)[edges.tail] + np.diag(matrix)[edges.head] - 2 * matrix[edges.tail, edges.head]
    np.testing.assert_allclose(found.edge_variance_kcal2_mol2, along, atol=1e-8)
    if covariance:
        np.testing.assert_allclose(found.covariance, matrix, atol=1e-9)
    else:
        assert found.covariance is None


def test_a_vanishing_prior_leaves_the_maximum_likelihood() -> None:
    edges = random_network(2, 120, 300)
    gaussian = solve_network(*edges.labels(), edges.value, edges.sd)

    found = solve_network_bayesian(*edges.labels(), edges.value, edges.sd, {}, weak_prior=(0.0, 1e6))

    assert found.nodes == gaussian.nodes
    np.testing.assert_allclose(found.value_kcal_mol - found.value_kcal_mol.mean(), gaussian.value_kcal_mol, atol=1e-8)
    pairs = [("lig0", "lig119"), ("lig5", "lig7")]
    one, other = found.difference(pairs), gaussian.difference(pairs)
    np.testing.assert_allclose(one.value_kcal_mol, other.value_kcal_mol, atol=1e-8)
    np.testing.assert_allclose(one.uncertainty_kcal_mol, other.uncertainty_kcal_mol, rtol=1e-8)


def test_a_prior_without_doubt_fixes_its_node() -> None:
    found = solve_network_bayesian(["a", "b"], ["b", "c"], [1.0, 1.0], [0.3, 0.4], {"b": (-7.0, 0.0)})

    np.testing.assert_allclose(found.value_kcal_mol, [-8.0, -7.0, -6.0], atol=1e-12)
    np.testing.assert_allclose(found.uncertainty_kcal_mol, [0.3, 0.0, 0.4], atol=1e-9)


def test_a_prior_joins_components_and_unreached_ones_are_said() -> None:
    found = solve_network_bayesian(
        ["a", "x", "p"],
        ["b", "y", "q"],
        [1.0, 2.0, 3.0],
        [0.1, 0.2, 0.3],
        {"a": (-8.0, 0.5), "y": (-5.0, 0.5), "w": (-1.0, 0.1)},
        nodes=["lone"],
    )

    np.testing.assert_allclose(found.value_kcal_mol, [np.nan, -8.0, -7.0, -7.0, -5.0, np.nan, np.nan])
    assert found.difference([("b", "y")]).uncertainty_kcal_mol[0] == pytest.approx(np.sqrt(0.01 + 0.25 + 0.25))
    codes = {note.code: note for note in found.notes}
    assert codes["prior-missing"].nodes == ("lone", "p", "q")
    assert codes["prior-unknown"].nodes == ("w",)


@pytest.mark.parametrize("prior", [(np.nan, 1.0), (1.0, -0.1), (1.0, np.inf)])
def test_priors_that_are_none_are_refused(prior: tuple[float, float]) -> None:
    with pytest.raises(EstimatorInputError, match="the prior of a has mean"):
        solve_network_bayesian(["a"], ["b"], [1.0], [0.1], {"a": prior})


def test_a_label_given_twice_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match="'a' is given twice"):
        solve_network_bayesian(["a"], ["b"], [1.0], [0.1], {}, nodes=["a", "a"])


@pytest.mark.parametrize("certain", [1e-4, 1e-6, 1e-10, 1e-14])
def test_a_prior_far_more_certain_than_the_edges_keeps_its_digits(certain: float) -> None:
    found = solve_network_bayesian(["a", "b"], ["b", "c"], [1.0, 2.0], [0.2, 0.2], {"a": (-9.0, certain)})

    assert found.uncertainty_kcal_mol == pytest.approx(np.hypot(certain, [0.0, 0.2, 0.2 * 2**0.5]), rel=1e-9)
    assert found.covariance is not None
    assert np.diag(found.covariance) == pytest.approx(found.uncertainty_kcal_mol**2, rel=1e-12)
    most = np.multiply.outer(found.uncertainty_kcal_mol, found.uncertainty_kcal_mol)
    assert (np.abs(found.covariance) <= most * (1 + 1e-12)).all()
