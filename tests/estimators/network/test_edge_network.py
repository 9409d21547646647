"""Which uncertainties the edges of a network get, and the estimate that follows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alchemiscale_lake.estimators import solve_network
from alchemiscale_lake.estimators.network.edge_network import EdgeNetwork, Evidence, estimate_edges

RING = ([0, 1, 2], [1, 2, 0])
AS_GIVEN, ALONE, REPEATED = Evidence(False, False), Evidence(True, False), Evidence(True, True, 0.3)


def ring(values: list[float], uncertainty: list[float], evidence: Evidence) -> EdgeNetwork:
    return estimate_edges(*RING, np.array(values), np.array(uncertainty), evidence, nodes=[0, 1, 2])


def codes(network: EdgeNetwork) -> list[str]:
    return [note.code for note in network.notes]


def test_without_pooling_uncertainties_are_used_as_given() -> None:
    network = ring([1.0, 1.0, 1.0], [0.1, 0.2, 0.3], AS_GIVEN)
    assert network.uncertainty_kcal_mol.tolist() == [0.1, 0.2, 0.3]
    assert (network.scale, network.unknown, network.notes) == (1.0, False, [])
    plain = solve_network(*RING, np.ones(3), np.array([0.1, 0.2, 0.3]), nodes=[0, 1, 2])
    assert network.estimate.value_kcal_mol.tolist() == plain.value_kcal_mol.tolist()


def test_edges_of_unknown_uncertainty_are_left_out_if_others_have_one() -> None:
    network = ring([1.0, 1.0, 50.0], [0.1, 0.1, math.nan], AS_GIVEN)
    assert network.estimate.value_kcal_mol.tolist() == pytest.approx([-1.0, 0.0, 1.0])
    assert math.isnan(network.uncertainty_kcal_mol[2])


def test_stated_uncertainties_that_nothing_repeats_are_scaled_by_the_misfit() -> None:
    network = ring([1.0, 1.0, -5.0], [0.1, 0.1, 0.1], ALONE)
    assert network.scale > 5.0
    assert network.uncertainty_kcal_mol == pytest.approx(0.1 * network.scale)
    assert codes(network) == ["scaled-by-cycles"]
    assert network.closure.chi2 == pytest.approx(3.0**2 / 0.03), "of the stated uncertainties, so that it is a finding"


def test_without_any_statement_weights_are_equal_and_cycles_give_the_size() -> None:
    network = ring([1.0, 1.0, -5.0], [math.nan] * 3, ALONE)
    assert not network.unknown
    assert np.ptp(network.uncertainty_kcal_mol) == 0.0
    assert network.estimate.residual_kcal_mol == pytest.approx([-1.0] * 3) or network.estimate.residual_kcal_mol == (
        pytest.approx([1.0] * 3)
    )


def test_without_statement_and_cycles_uncertainties_stay_unknown() -> None:
    network = estimate_edges([0, 1], [1, 2], np.array([1.0, 2.0]), np.full(2, np.nan), ALONE, nodes=[0, 1, 2])
    assert network.unknown
    assert np.isnan(network.uncertainty_kcal_mol).all()
    assert codes(network) == ["uncertainty-unknown"]
    assert np.diff(network.estimate.value_kcal_mol).tolist() == pytest.approx([1.0, 2.0])


def test_single_results_without_cycles_are_noted_as_unchecked() -> None:
    network = estimate_edges([0, 1], [1, 2], np.array([1.0, 2.0]), np.full(2, 0.1), ALONE, nodes=[0, 1, 2])
    assert codes(network) == ["uncertainty-unchecked"]
    assert network.uncertainty_kcal_mol.tolist() == [0.1, 0.1]


def test_single_results_of_few_cycles_that_happen_to_close_are_noted_as_unchecked() -> None:
    closing = ring([1.0, 1.0, -2.05], [0.1, 0.1, 0.1], ALONE)

    assert closing.scale == 1.0
    assert codes(closing) == ["uncertainty-unchecked"]
    assert "only 1 independent cycle closes, as by chance" in closing.notes[-1].message
    repeated = ring([1.0, 1.0, -2.05], [0.1, 0.1, 0.1], REPEATED)
    assert "uncertainty-unchecked" not in codes(repeated)


def test_repeats_get_the_error_they_may_share_and_checks_do_not_see_it() -> None:
    network = ring([1.0, 1.0, -5.0], [0.1, 0.1, 0.0], REPEATED)
    added = network.uncertainty_kcal_mol[0] ** 2 - 0.1**2
    assert added > 0.5
    assert network.uncertainty_kcal_mol[1] == network.uncertainty_kcal_mol[0]
    assert network.uncertainty_kcal_mol[2] == 0.0, "an exact edge stays exact"
    assert network.checked_uncertainty_kcal_mol.tolist() == [0.1, 0.1, 0.0]
    assert network.closure.chi2 > 100.0
    assert codes(network) == ["shared-error"]
    again = solve_network(*RING, np.array([1.0, 1.0, -5.0]), network.uncertainty_kcal_mol, nodes=[0, 1, 2])
    assert network.estimate.uncertainty_kcal_mol == pytest.approx(again.uncertainty_kcal_mol, rel=1e-9)


def test_a_network_without_edges_with_values_has_no_estimates() -> None:
    empty = estimate_edges([], [], np.array([]), np.array([]), ALONE, nodes=["a", "b"])
    assert (empty.unknown, empty.notes) == (False, [])
    assert empty.estimate.nodes == ("a", "b") or list(empty.estimate.nodes) == ["a", "b"]
