"""Layout: neighbours are close, everything is separated, the picture is reproducible."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from alchemiscale_lake.report.layout import place_nodes

Edges = list[tuple[int, int]]


def distances(places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))


def grid(side: int) -> Edges:
    across = [(side * i + j, side * i + j + 1) for i in range(side) for j in range(side - 1)]
    return across + [(a // side + side * (a % side), b // side + side * (b % side)) for a, b in across]


@given(st.integers(1, 25), st.data())
def test_whatever_the_network_nodes_are_apart_and_finite(n: int, data: st.DataObject) -> None:
    node = st.integers(0, n - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=40))

    places = place_nodes(n, edges)

    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    apart = distances(places) + 9 * np.eye(n)
    assert apart.min() > 0.34  # twice the radius of a node on the page
    np.testing.assert_array_equal(places, place_nodes(n, edges))
    np.testing.assert_allclose(places.min(axis=0) + places.max(axis=0), 0, atol=1e-9)


def test_distance_on_paper_is_distance_in_the_network() -> None:
    side = 8
    cells = np.array(list(itertools.product(range(side), repeat=2)))
    steps = np.abs(cells[:, None] - cells[None]).sum(axis=2)

    on_paper = distances(place_nodes(side**2, grid(side)))

    rows = np.triu_indices(side**2, 1)
    assert np.corrcoef(on_paper[rows], steps[rows])[0, 1] > 0.95
    along = [on_paper[edge] for edge in grid(side)]
    assert np.std(along) / np.mean(along) < 0.15


def test_leaves_of_a_hub_do_not_crowd() -> None:
    n = 31
    places = place_nodes(n, [(0, i) for i in range(1, n)])

    assert (distances(places) + 9 * np.eye(n)).min() > 0.34


def test_ligands_with_the_same_neighbours_do_not_touch() -> None:
    twins = [(a, b) for a in (0, 1, 2) for b in (3, 4, 5, 6)]

    places = place_nodes(8, [*twins, (6, 7)])

    assert (distances(places) + 9 * np.eye(8)).min() >= 0.49


def test_components_stand_side_by_side() -> None:
    parts = [[0, 1, 2], [3, 4, 5, 6], [7], [8, 9]]
    edges = [pair for part in parts for pair in itertools.pairwise(part)]

    places = place_nodes(10, edges)

    for one, other in itertools.combinations(parts, 2):
        low = np.maximum(places[one].min(axis=0), places[other].min(axis=0))
        high = np.minimum(places[one].max(axis=0), places[other].max(axis=0))
        assert (low - high).max() >= 0.99, (one, other)


def test_loops_and_repeated_edges_change_nothing() -> None:
    edges = [(0, 1), (1, 2), (2, 3), (3, 0)]

    np.testing.assert_array_equal(place_nodes(4, edges), place_nodes(4, [*edges, (1, 0), (2, 2), (0, 1)]))
    assert place_nodes(0, []).shape == (0, 2)


@pytest.mark.parametrize("n", [2000])
def test_thousands_of_ligands_are_placed_in_seconds(n: int) -> None:
    draw = random.Random(1)
    edges = [(draw.randrange(max(0, i - 15), i), i) for i in range(1, n)]
    edges += [(i, min(n - 1, i + draw.randrange(1, 20))) for i in draw.sample(range(n - 1), n // 2)]

    places = place_nodes(n, edges)

    lengths = np.hypot(*(places[[a for a, _ in edges]] - places[[b for _, b in edges]]).T)
    assert 0.5 < np.median(lengths) < 2.0
    assert np.quantile(lengths, 0.99) < 6.0
