from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.errors import EstimatorConvergenceError, EstimatorInputError
from alchemiscale_lake.estimators.laplacian import elimination, sampled_core
from alchemiscale_lake.estimators.laplacian.elimination import eliminate
from alchemiscale_lake.estimators.laplacian.sampled_core import SampledCore, mixes_fast
from alchemiscale_lake.estimators.network.network_draws import draw_deviations
from alchemiscale_lake.estimators.network.network_mle import solve_network
from alchemiscale_lake.estimators.network.network_update import update_network
from tests.estimators.networks import random_network


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample networks of any size, unless exact ones are requested."""
    monkeypatch.setattr(elimination, "_MOST_EXACT", 30)


@pytest.mark.usefixtures("sampled")
def test_values_and_contrasts_are_exact_and_uncertainties_nearly() -> None:
    edges = random_network(3, 600, 1500)
    rows = (*edges.labels(), edges.value, edges.sd)
    exact = solve_network(*rows, covariance=False, exact=True)

    found = solve_network(*rows, covariance=False)

    assert [note.code for note in found.notes if note not in exact.notes] == ["sampled-uncertainties"]
    np.testing.assert_allclose(found.value_kcal_mol, exact.value_kcal_mol, atol=1e-10)
    pairs = [("lig0", "lig599"), ("lig3", "lig4"), ("lig7", "lig7")]
    one, other = found.difference(pairs), exact.difference(pairs)
    np.testing.assert_allclose(one.uncertainty_kcal_mol, other.uncertainty_kcal_mol, rtol=1e-8, atol=1e-12)
    # At worst 3.1 % each, one standard error; of thousands some lie three off.
    for ratio in (
        found.uncertainty_kcal_mol / exact.uncertainty_kcal_mol,
        np.sqrt(found.edge_variance_kcal2_mol2 / exact.edge_variance_kcal2_mol2),
    ):
        assert np.std(ratio) < 0.03
        assert abs(np.mean(ratio) - 1) < 0.01
        assert np.abs(ratio - 1).max() < 5 * SampledCore.sampling_error()


@pytest.mark.usefixtures("sampled")
def test_sampled_networks_are_the_same_every_time_and_can_be_updated() -> None:
    edges = random_network(3, 600, 1500)
    node_a, node_b = edges.labels()
    value = edges.value.copy()
    before = solve_network(node_a, node_b, value, edges.sd, covariance=False)
    again = solve_network(node_a, node_b, value, edges.sd, covariance=False)
    value[:5] += 1.0

    updated = update_network(before, node_a, node_b, value, edges.sd)

    np.testing.assert_array_equal(again.uncertainty_kcal_mol, before.uncertainty_kcal_mol)
    exact = solve_network(node_a, node_b, value, edges.sd, covariance=False, exact=True)
    np.testing.assert_allclose(updated.value_kcal_mol, exact.value_kcal_mol, atol=1e-9)
    np.testing.assert_allclose(updated.uncertainty_kcal_mol, exact.uncertainty_kcal_mol, rtol=0.25)


@pytest.mark.usefixtures("sampled")
def test_draws_have_the_covariance_of_the_estimate() -> None:
    edges = random_network(3, 120, 360)
    estimate = solve_network(*edges.labels(), edges.value, edges.sd, covariance=False)
    exact = solve_network(*edges.labels(), edges.value, edges.sd)

    drawn = draw_deviations(estimate.solution, 4000, np.random.default_rng(1))  # type: ignore[arg-type]

    assert isinstance(estimate.solution.parts[0].elimination.core, SampledCore)  # type: ignore[attr-defined]
    spread = np.sqrt(np.outer(np.diag(exact.covariance), np.diag(exact.covariance)))
    np.testing.assert_allclose((np.cov(drawn) - exact.covariance) / spread, 0.0, atol=0.12)


def test_only_graphs_without_separators_mix_fast() -> None:
    expander = random_network(3, 2000, 12000)
    ring = np.arange(2000)

    assert mixes_fast(2000, expander.tail, expander.head, np.ones(12000))
    assert not mixes_fast(2000, ring, (ring + 1) % 2000, np.ones(2000))


@pytest.mark.usefixtures("sampled")
def test_all_pairs_of_a_sampled_network_are_refused() -> None:
    edges = random_network(3, 600, 1500)
    solved = eliminate(600, edges.tail, edges.head, edges.sd**-2.0, edges.value, exact=False)

    with pytest.raises(EstimatorInputError, match="exact=True"):
        solved.resistances()


@pytest.mark.usefixtures("sampled")
def test_an_iteration_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled_core, "_MOST_ITERATIONS", 3)
    edges = random_network(3, 600, 1500)

    with pytest.raises(EstimatorConvergenceError, match="3 iterations did not converge for a part of"):
        solve_network(*edges.labels(), edges.value, edges.sd, covariance=False)
