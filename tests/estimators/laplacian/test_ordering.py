"""Orders of elimination, checked by eliminating node by node."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.laplacian import ordering
from alchemiscale_lake.estimators.laplacian.ordering import EliminationPlan, plan_fronts
from tests.estimators.networks import random_network

#: Everything is one front below 65 nodes, and fronts are merged; these settings show the rest.
_SINGLE = {"_SMALL": 1, "_SMALL_FRONT": 1, "_FULL_SHARE": 2.0, "_FILLED_SHARE": 2.0}


def check(plan: EliminationPlan, n_nodes: int, tail: np.ndarray, head: np.ndarray) -> None:
    """Check that a plan is an order, and that fronts have all the neighbours that elimination gives their nodes."""
    assert sorted(plan.order) == list(range(n_nodes))
    assert plan.start[0] == 0
    assert plan.start[-1] == n_nodes - 1
    assert (np.diff(plan.start) > 0).all()
    assert len(plan.boundary) == len(plan.start) - 1
    rank = np.argsort(plan.order)
    neighbours: list[set[int]] = [set() for _ in range(n_nodes)]
    for a, b in zip(rank[tail].tolist(), rank[head].tolist(), strict=True):
        neighbours[min(a, b)].add(max(a, b))
    for start, stop, boundary in zip(plan.start[:-1], plan.start[1:], plan.boundary, strict=True):
        assert (np.diff(boundary) > 0).all()
        assert boundary[0] >= stop
        allowed = set(range(start, stop)) | set(boundary.tolist())
        for node in range(start, stop):
            later = sorted(neighbours[node])
            assert set(later) <= allowed
            neighbours[later[0]] |= set(later[1:])
        receiver = int(np.searchsorted(plan.start, boundary[0], side="right")) - 1
        if receiver < len(plan.boundary):
            own = range(plan.start[receiver], plan.start[receiver + 1])
            assert set(boundary.tolist()) <= {*own, *plan.boundary[receiver].tolist()}


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize(("n_nodes", "n_edges"), [(66, 65), (90, 120), (150, 450), (300, 330)])
def test_fronts_have_the_neighbours_of_their_nodes(
    monkeypatch: pytest.MonkeyPatch, n_nodes: int, n_edges: int, single: bool
) -> None:
    for name, value in _SINGLE.items() if single else ():
        monkeypatch.setattr(ordering, name, value)
    edges = random_network(1, n_nodes, n_edges, distinct=True)

    check(plan_fronts(n_nodes, edges.tail, edges.head), n_nodes, edges.tail, edges.head)


def test_single_fronts_have_no_more_neighbours_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _SINGLE.items():
        monkeypatch.setattr(ordering, name, value)
    edges = random_network(5, 80, 79)  # a tree, whose elimination adds no neighbours

    plan = plan_fronts(80, edges.tail, edges.head)

    assert sum(len(boundary) for boundary in plan.boundary) <= 79
    assert len(plan.boundary) > 40


def test_leaves_go_first() -> None:
    star = np.zeros(99, dtype=np.int64), np.arange(1, 100)

    plan = plan_fronts(100, *star)

    assert 0 in plan.order[-2:]
    check(plan, 100, *star)


def test_a_dense_graph_is_one_front() -> None:
    tail, head = np.triu_indices(70, 1)

    plan = plan_fronts(70, tail, head)

    assert plan.start.tolist() == [0, 69]
    assert [boundary.tolist() for boundary in plan.boundary] == [[69]]


@pytest.mark.parametrize("n_nodes", [2, 64])
def test_a_small_graph_is_one_front_in_its_own_order(n_nodes: int) -> None:
    chain = np.arange(n_nodes - 1)

    plan = plan_fronts(n_nodes, chain, chain + 1)

    assert plan.order.tolist() == list(range(n_nodes))
    assert plan.start.tolist() == [0, n_nodes - 1]
    assert [boundary.tolist() for boundary in plan.boundary] == [[n_nodes - 1]]


def test_one_node_has_no_fronts() -> None:
    nothing = np.zeros(0, dtype=np.int64)

    plan = plan_fronts(1, nothing, nothing)

    assert (plan.order.tolist(), plan.start.tolist(), plan.boundary) == ([0], [0], ())
