"""Absolute results fix the zero of their component, and correct relative ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.network.network_mle import solve_network

ABSENT = "(none)"


def test_an_absolute_result_alone_is_the_ligands_value_with_its_own_uncertainty() -> None:
    found = solve_network([ABSENT], ["a"], [-2.63], [0.17], references=[ABSENT])

    at = dict(zip(found.nodes, zip(found.value_kcal_mol, found.uncertainty_kcal_mol, strict=True), strict=True))
    assert at["a"] == pytest.approx((-2.63, 0.17))
    assert at[ABSENT] == (0.0, 0.0)
    assert found.components[0].absolute


def test_absolute_and_relative_results_correct_each_other_as_generalised_least_squares_says() -> None:
    # a and b absolute, a -> b and b -> c relative: three unknowns, four measurements
    node_a, node_b = [ABSENT, ABSENT, "a", "b"], ["a", "b", "b", "c"]
    value, sd = np.array([-5.0, -4.0, 1.6, 0.5]), np.array([0.3, 0.4, 0.2, 0.1])

    found = solve_network(node_a, node_b, value, sd, references=[ABSENT])

    design = np.array([[1, 0, 0], [0, 1, 0], [-1, 1, 0], [0, -1, 1]], dtype=float)
    weighted = design.T / sd**2
    covariance = np.linalg.inv(weighted @ design)
    order = [found.nodes.index(name) for name in "abc"]
    assert found.covariance is not None
    assert found.value_kcal_mol[order] == pytest.approx(covariance @ weighted @ value, abs=1e-12)
    assert found.uncertainty_kcal_mol[order] == pytest.approx(np.sqrt(np.diag(covariance)), abs=1e-12)
    assert found.covariance[np.ix_(order, order)] == pytest.approx(covariance, abs=1e-12)
    assert found.difference([("a", "c")]).value_kcal_mol == pytest.approx(
        found.value_kcal_mol[order[2]] - found.value_kcal_mol[order[0]]
    )


def test_experiment_shifts_only_components_without_absolute_results() -> None:
    experimental = {"a": -9.0, "x": -7.0, "y": -5.0}

    found = solve_network(
        [ABSENT, "x"], ["a", "y"], [-2.0, 1.0], [0.1, 0.1], experimental=experimental, references=[ABSENT]
    )

    at = dict(zip(found.nodes, found.value_kcal_mol.tolist(), strict=True))
    assert at == pytest.approx({ABSENT: 0.0, "a": -2.0, "x": -6.5, "y": -5.5})
    assert [part.absolute for part in found.components] == [True, False]
    assert not [note for note in found.notes if note.code == "experiment-missing" and "a" in note.nodes]


def test_without_a_covariance_uncertainties_are_the_same() -> None:
    rng = np.random.default_rng(7)
    n = 40
    tail = [ABSENT, ABSENT, *(f"n{k}" for k in rng.integers(0, n, 2 * n))]
    head = ["n0", "n1", *(f"n{k}" for k in rng.integers(0, n, 2 * n))]
    value, sd = rng.normal(size=len(tail)), rng.uniform(0.1, 1.0, len(tail))

    full = solve_network(tail, head, value, sd, references=[ABSENT])
    lean = solve_network(tail, head, value, sd, references=[ABSENT], covariance=False)

    assert full.covariance is not None
    assert lean.uncertainty_kcal_mol == pytest.approx(full.uncertainty_kcal_mol, rel=1e-10)
    assert np.sqrt(np.diag(full.covariance)) == pytest.approx(full.uncertainty_kcal_mol, rel=1e-8, abs=1e-12)


@given(st.integers(0, 2**31), st.integers(2, 8))
def test_values_do_not_depend_on_which_way_an_absolute_edge_is_given(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    ligands = [f"n{k}" for k in range(n)]
    tail, head = [ABSENT, *ligands[:-1]], [ligands[0], *ligands[1:]]
    value, sd = rng.normal(size=n), rng.uniform(0.1, 1.0, n)

    forth = solve_network(tail, head, value, sd, nodes=ligands, references=[ABSENT])
    back = solve_network(head, tail, -value, sd, nodes=ligands, references=[ABSENT])

    assert forth.value_kcal_mol == pytest.approx(back.value_kcal_mol, abs=1e-10)
    assert forth.value_kcal_mol[:n] == pytest.approx(np.cumsum(value), abs=1e-10)
    assert forth.uncertainty_kcal_mol[:n] == pytest.approx(np.sqrt(np.cumsum(sd**2)), rel=1e-9)


@pytest.mark.parametrize("certain", [1e-6, 1e-12])
def test_an_absolute_result_far_more_certain_than_edges_keeps_its_digits(certain: float) -> None:
    found = solve_network(["none", "a"], ["a", "b"], [-9.0, 1.0], [certain, 0.3], references=["none"])

    assert found.uncertainty_kcal_mol[1:] == pytest.approx(np.hypot(certain, [0.0, 0.3]), rel=1e-9)
    assert found.covariance is not None
    assert np.diag(found.covariance)[1:] == pytest.approx(found.uncertainty_kcal_mol[1:] ** 2, rel=1e-12)
