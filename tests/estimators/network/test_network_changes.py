"""The comparison of a network with its solved state."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.network.network_changes import Changes, compare
from alchemiscale_lake.estimators.network.network_input import MeasuredNetwork, read_network
from alchemiscale_lake.estimators.network.network_solution import NetworkSolution, solve_components
from alchemiscale_lake.estimators.network.partition import label_components

Row = tuple[str, str, float, float]
TRIANGLE: list[Row] = [("a", "b", 1.0, 0.5), ("b", "c", 2.0, 0.25), ("c", "a", -3.2, 1.0)]


def network_of(rows: list[Row], nodes: str = "") -> MeasuredNetwork:
    node_a, node_b, value, sd = zip(*rows, strict=True)
    return read_network(node_a, node_b, value, sd, nodes)


def solved(rows: list[Row], nodes: str = "") -> NetworkSolution:
    network = network_of(rows, nodes)
    component = label_components(network.n_nodes, network.tail, network.head)
    return solve_components(network, component, full=False)


def changes(before: list[Row], now: list[Row], nodes: str = "") -> Changes:
    found = compare(solved(before, nodes), network_of(now, nodes))
    assert found is not None
    return found


def pairs(found: Changes) -> list[tuple[int, int, float, float]]:
    rows = zip(found.tail, found.head, found.weight, found.moment, strict=True)
    return [(int(a), int(b), round(float(w), 9), round(float(m), 9)) for a, b, w, m in rows]


def test_nothing_changed() -> None:
    found = changes(TRIANGLE, TRIANGLE)

    assert pairs(found) == []
    assert found.kept.tolist() == found.kept_as.tolist()
    assert sorted(found.kept) == [0, 1, 2]


def test_another_order_of_edges_is_no_change() -> None:
    found = changes(TRIANGLE, [TRIANGLE[2], TRIANGLE[0], TRIANGLE[1]])

    assert pairs(found) == []
    assert dict(zip(found.kept.tolist(), found.kept_as.tolist(), strict=True)) == {0: 2, 1: 0, 2: 1}
    assert found.number.tolist() == [2, 0, 1]  # c, a, b by their former numbers


def test_a_changed_edge_is_one_pair_with_the_differences_of_weight_and_moment() -> None:
    found = changes(TRIANGLE, [*TRIANGLE[:2], ("c", "a", -3.0, 0.5)])

    # from the lower number to the higher: the values of the turned edge are 3.0 and 3.2
    assert pairs(found) == [(0, 2, 4.0 - 1.0, 4.0 * 3.0 - 1.0 * 3.2)]
    assert sorted(found.kept) == [0, 1]


def test_a_removed_edge_takes_its_weight_away_and_an_added_one_brings_it() -> None:
    assert pairs(changes(TRIANGLE, TRIANGLE[1:])) == [(0, 1, -4.0, -4.0)]
    assert pairs(changes(TRIANGLE, [*TRIANGLE, ("c", "b", 1.0, 0.5)])) == [(1, 2, 4.0, -4.0)]


@pytest.mark.parametrize("column", [2, 3])
def test_equal_edges_are_matched_one_by_one(column: int) -> None:
    twice = [*TRIANGLE, TRIANGLE[0]]
    other = list(TRIANGLE[0])
    other[column] = 2.0

    assert pairs(changes(twice, twice)) == []
    assert pairs(changes(twice, TRIANGLE)) == [(0, 1, -4.0, -4.0)]
    assert pairs(changes(TRIANGLE, [*twice, TRIANGLE[0]])) == [(0, 1, 8.0, 8.0)]
    assert len(changes(twice, [*TRIANGLE, tuple(other)]).kept) == 3  # type: ignore[list-item]


def test_a_turned_edge_is_another_edge_of_the_same_pair() -> None:
    found = changes(TRIANGLE, [("b", "a", -1.0, 0.5), *TRIANGLE[1:]])

    assert pairs(found) == [(0, 1, 0.0, 0.0)]
    assert sorted(found.kept) == [1, 2]


def test_self_loops_are_neither_kept_nor_changes() -> None:
    found = changes([*TRIANGLE, ("a", "a", 1.0, 0.1)], [*TRIANGLE, ("b", "b", 2.0, 0.0)])

    assert pairs(found) == []
    assert sorted(found.kept) == [0, 1, 2]


def test_new_nodes_hang_on_known_ones_by_one_path_and_the_rest_are_changes() -> None:
    grown: list[Row] = [
        *TRIANGLE,
        ("d", "e", 0.5, 0.3),
        ("b", "d", 1.5, 0.4),
        ("e", "c", 2.0, 0.5),
        ("f", "d", 0.25, 0.1),
    ]

    found = changes(TRIANGLE, grown)

    growth = found.growth
    assert (growth.n_old, growth.n_new) == (3, 3)
    assert growth.root.tolist() == [0, 1, 2, 1, 2, 1]  # d on b, e on c, f on d and so on b
    np.testing.assert_allclose(growth.value, [1.5, -2.0, 1.25])
    expected = [[0.16, 0.0, 0.16], [0.0, 0.25, 0.0], [0.16, 0.0, 0.17]]
    np.testing.assert_allclose(growth.covariance, expected)
    assert growth.part.tolist() == [0, 0, 0]
    assert pairs(found) == [(3, 4, round(0.3**-2, 9), round(0.5 * 0.3**-2, 9))]


def test_growth_multiplies_by_the_covariance_of_known_and_new_nodes() -> None:
    base = solved(TRIANGLE)
    found = compare(base, network_of([*TRIANGLE, ("b", "d", 1.5, 0.4), ("d", "e", 0.5, 0.3)]))
    assert found is not None
    columns = np.random.default_rng(0).normal(size=(5, 3))
    known = base.parts[0].covariance_times(np.eye(3))
    place = np.array([0, 1, 2, 1, 1])
    own = np.zeros((5, 5))
    own[3:, 3:] = [[0.16, 0.16], [0.16, 0.25]]

    product = found.growth.covariance_times(base.parts[0], columns)

    np.testing.assert_allclose(product, (known[np.ix_(place, place)] + own) @ columns, atol=1e-14)


def test_changes_know_their_component() -> None:
    two: list[Row] = [*TRIANGLE, ("x", "y", 1.0, 0.5)]

    found = changes(two, [*TRIANGLE[:2], ("c", "a", -3.0, 1.0), ("x", "y", 2.0, 0.5), ("z", "y", 1.0, 0.5)])

    assert found.part.tolist() == [0, 1]
    assert found.growth.part.tolist() == [1]
    assert found.growth.root.tolist() == [0, 1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    "now",
    [
        TRIANGLE[:1],  # a node is gone
        [*TRIANGLE, ("p", "q", 1.0, 0.1)],  # a component more
        [*TRIANGLE, ("p", "p", 1.0, 0.1)],  # an isolated node
        [*TRIANGLE, ("a", "d", 1.0, 0.0)],  # a new exact edge
        [*TRIANGLE[:2], ("c", "a", -3.2, 0.0)],  # an edge became exact
    ],
)
def test_more_than_numbers_edges_and_nodes_is_no_change(now: list[Row]) -> None:
    assert compare(solved(TRIANGLE), network_of(now)) is None


def test_a_removed_exact_edge_is_no_change() -> None:
    exact: list[Row] = [*TRIANGLE, ("a", "b", 1.0, 0.0)]

    assert compare(solved(exact), network_of(TRIANGLE)) is None
    assert compare(solved(exact), network_of([*TRIANGLE, ("a", "b", 1.1, 0.0)])) is None
    assert compare(solved(exact), network_of([*TRIANGLE[:2], ("c", "a", 1.0, 1.0), exact[-1]])) is not None


def test_merged_components_and_nodes_on_an_isolated_one_are_no_change() -> None:
    two: list[Row] = [*TRIANGLE, ("x", "y", 1.0, 0.5)]

    assert compare(solved(two), network_of([*two, ("a", "x", 1.0, 0.5)])) is None
    assert compare(solved(TRIANGLE, "l"), network_of([*TRIANGLE, ("l", "m", 1.0, 0.5)], "l")) is None


def test_a_rigid_component_has_nothing_to_change() -> None:
    rigid: list[Row] = [*TRIANGLE, ("x", "y", 1.0, 0.0)]

    assert compare(solved(rigid), network_of([*rigid, ("x", "y", 1.0, 0.5)])) is None
