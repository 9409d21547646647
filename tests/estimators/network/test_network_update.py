from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.estimators.network import network_update
from alchemiscale_lake.estimators.network.network_estimate import NetworkEstimate
from alchemiscale_lake.estimators.network.network_mle import solve_network
from alchemiscale_lake.estimators.network.network_update import UpdatedSolution, update_network
from tests.estimators.networks import Edges, networks, random_network

Rows = tuple[list[str], list[str], list[float], list[float]]


def rows_of(edges: Edges) -> Rows:
    return *edges.labels(), edges.value.tolist(), edges.sd.tolist()


def assert_same(one: NetworkEstimate, other: NetworkEstimate, atol: float = 1e-9) -> None:
    """Check everything that an update must have in common with a full solution."""
    assert one.nodes == other.nodes
    np.testing.assert_array_equal(one.component, other.component)
    np.testing.assert_allclose(one.value_kcal_mol, other.value_kcal_mol, rtol=0, atol=atol)
    np.testing.assert_allclose(one.uncertainty_kcal_mol, other.uncertainty_kcal_mol, rtol=0, atol=atol)
    np.testing.assert_allclose(one.edge_variance_kcal2_mol2, other.edge_variance_kcal2_mol2, rtol=0, atol=atol)
    np.testing.assert_allclose(one.residual_kcal_mol, other.residual_kcal_mol, rtol=0, atol=atol)
    assert [c.n_edges for c in one.components] == [c.n_edges for c in other.components]
    np.testing.assert_allclose(
        [c.chi2 for c in one.components], [c.chi2 for c in other.components], rtol=1e-6, atol=1e-6
    )
    assert [note.code for note in one.notes] == [note.code for note in other.notes]
    if other.covariance is None:
        assert one.covariance is None
    else:
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=0, atol=atol)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_changed_new_and_removed_edges_and_new_nodes(seed: int, full: bool) -> None:
    rng = np.random.default_rng(seed)
    edges = random_network(seed, 150, 400, distinct=True)
    node_a, node_b, value, sd = rows_of(edges)
    before = solve_network(node_a, node_b, value, sd, covariance=full)
    value[3], sd[3], value[50], sd[90] = 9.0, 0.05, -4.0, 1.7
    node_a += ["lig3", "new1", "new2", "new2", "lig9", "lig3"]
    node_b += ["lig77", "lig5", "new1", "lig8", "new3", "lig3"]
    value += rng.normal(size=6).tolist()
    sd += rng.uniform(0.1, 1.0, 6).tolist()
    # The two most certain ones in the rest of the network.
    leverage = before.edge_variance_kcal2_mol2 / edges.sd**2
    for gone in sorted(np.argsort(leverage)[:2].tolist(), reverse=True):
        del node_a[gone], node_b[gone], value[gone], sd[gone]
    now: Rows = (node_a, node_b, value, sd)

    updated = update_network(before, *now)

    expected = solve_network(*now, covariance=full)
    assert isinstance(updated.solution, UpdatedSolution)
    assert_same(updated, expected)
    pairs = [("new1", "new3"), ("lig0", "new2"), ("lig3", "lig77"), ("lig11", "lig140")]
    np.testing.assert_allclose(
        updated.difference(pairs).uncertainty_kcal_mol, expected.difference(pairs).uncertainty_kcal_mol, atol=1e-9
    )


def test_updates_of_updates_start_from_the_full_solution() -> None:
    edges = random_network(3, 60, 150)
    node_a, node_b, value, sd = rows_of(edges)
    estimate = solve_network(node_a, node_b, value, sd)
    for step in range(30):
        value[step] += 0.1
        sd[2 * step] *= 1.1

        estimate = update_network(estimate, node_a, node_b, value, sd)

        assert isinstance(estimate.solution, UpdatedSolution)
    assert_same(estimate, solve_network(node_a, node_b, value, sd))


def test_several_components_change_each_by_itself() -> None:
    node_a, node_b = ["a", "b", "c", "x", "y", "z", "p"], ["b", "c", "a", "y", "z", "x", "q"]
    value, sd = [1.0, 2.0, -2.5, 0.4, 0.3, -0.9, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    before = solve_network(node_a, node_b, value, sd, nodes=["lone"])
    value[0], sd[4] = 1.4, 0.2
    now: Rows = ([*node_a, "n"], [*node_b, "p"], [*value, 0.2], [*sd, 0.3])

    updated = update_network(before, *now, nodes=["lone"], experimental={"a": -8.0, "p": -5.0})

    assert isinstance(updated.solution, UpdatedSolution)
    assert_same(updated, solve_network(*now, nodes=["lone"], experimental={"a": -8.0, "p": -5.0}))


def test_rigid_groups_stay_rigid() -> None:
    edges = random_network(8, 40, 90)
    node_a, node_b, value, sd = rows_of(edges)
    sd[5] = sd[6] = 0.0
    before = solve_network(node_a, node_b, value, sd)
    value[10], sd[11] = 2.0, 0.4

    updated = update_network(before, node_a, node_b, value, sd)

    assert isinstance(updated.solution, UpdatedSolution)
    assert_same(updated, solve_network(node_a, node_b, value, sd))


@pytest.mark.parametrize(
    ("node_a", "node_b", "sd"),
    [
        (["a", "b"], ["b", "c"], [0.1, 0.2]),  # the cycle's third edge was removed, nothing else
        (["a", "b", "a", "x"], ["b", "c", "c", "y"], [0.1, 0.2, 0.3, 0.1]),  # one component more
        (["a", "b", "a", "d"], ["b", "c", "c", "a"], [0.1, 0.2, 0.0, 0.3]),  # an exact edge
        (["a", "a"], ["b", "c"], [0.1, 0.3]),
        (["a"], ["b"], [0.1]),  # nodes were removed
    ],
)
def test_unsupported_changes_cause_a_full_solve(node_a: list[str], node_b: list[str], sd: list[float]) -> None:
    before = solve_network(["a", "b", "a", "d"], ["b", "c", "c", "a"], [1.0, 2.0, 2.9, 1.0], [0.1, 0.2, 0.3, 0.3])
    value = [1.0] * len(sd)

    assert_same(update_network(before, node_a, node_b, value, sd), solve_network(node_a, node_b, value, sd))


def test_an_edge_that_held_two_parts_together_leaves_two() -> None:
    before = solve_network(["a", "b", "c"], ["b", "c", "d"], [1.0] * 3, [0.1] * 3)

    updated = update_network(before, ["a", "c"], ["b", "d"], [1.0] * 2, [0.1] * 2)

    assert len(updated.components) == 2
    assert not isinstance(updated.solution, UpdatedSolution)


def test_many_changes_cause_a_full_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_update, "_MOST_PAIRS", 5)
    node_a, node_b, value, sd = rows_of(random_network(3, 60, 150, distinct=True))
    before = solve_network(node_a, node_b, value, sd)

    few = update_network(before, node_a, node_b, [v + 1.0 if k < 5 else v for k, v in enumerate(value)], sd)
    many = update_network(before, node_a, node_b, [v + 1.0 if k < 6 else v for k, v in enumerate(value)], sd)

    assert isinstance(few.solution, UpdatedSolution)
    assert not isinstance(many.solution, UpdatedSolution)


@settings(deadline=None)
@given(networks(), st.integers(0, 2**32 - 1))
def test_any_change_gives_what_a_full_solution_gives(edges: Edges, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = solve_network(*rows_of(edges))
    keep = rng.random(len(edges.sd)) < 0.8
    keep[0] = True
    node_a, node_b = edges.labels()
    extra = rng.integers(edges.n_nodes + 2, size=(2, 2))
    now: Rows = (
        [a for a, k in zip(node_a, keep, strict=True) if k] + [f"lig{k}" for k in extra[0]],
        [b for b, k in zip(node_b, keep, strict=True) if k] + [f"lig{k}" for k in extra[1]],
        [*(edges.value + (rng.random(len(keep)) < 0.2))[keep].tolist(), 0.5, -0.5],
        [*edges.sd[keep].tolist(), 0.2, 0.4],
    )

    assert_same(update_network(before, *now), solve_network(*now), atol=1e-8)


@pytest.mark.parametrize("sd", [1e-9, 1e-4])
def test_an_edge_far_more_certain_than_others_is_not_a_correction(sd: float) -> None:
    # subtracted from a variance of 1, nothing of 1e-18 would be left
    node_a, node_b, value = ["a", "b", "a"], ["b", "c", "c"], [1.0, 2.0, 3.1]
    before = solve_network(node_a, node_b, value, [1.0, 1.0, 1.0])
    grown = ([*node_a, "a"], [*node_b, "b"], [*value, 1.2], [1.0, 1.0, 1.0, sd])

    updated, solved = update_network(before, *grown), solve_network(*grown)

    pair = [("a", "b")]
    expected = solved.difference(pair).uncertainty_kcal_mol
    np.testing.assert_allclose(updated.difference(pair).uncertainty_kcal_mol, expected, rtol=1e-9)
    assert expected[0] == pytest.approx(sd, rel=1e-6)
