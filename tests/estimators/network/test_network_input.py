"""Edges as they are given become checked, numbered arrays."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.network_input import read_network


def test_requested_nodes_come_first_and_others_in_order_of_appearance() -> None:
    network = read_network(["b", "x", "b"], ["a", "b", "b"], [1.0, 2.0, 3.0], [0.1, 0.2, 0.3], ["a", "lone"])

    assert network.nodes == ("a", "lone", "b", "x")
    assert network.n_nodes == 4
    assert network.tail.tolist() == [2, 3, 2]
    assert network.head.tolist() == [0, 2, 2]
    assert network.used.tolist() == [0, 1]  # without the self-loop


def test_what_was_given_is_copied() -> None:
    value, uncertainty = np.array([1.0]), np.array([0.1])
    network = read_network(["a"], ["b"], value, uncertainty, None)

    value[0], uncertainty[0] = 9.0, 9.0

    assert (network.value[0], network.uncertainty[0]) == (1.0, 0.1)


def test_exact_are_zeros_and_what_is_nothing_beside_the_largest() -> None:
    ends = ["a", "b", "c", "d"], ["b", "c", "d", "d"]

    some = read_network(*ends, [1.0] * 4, [0.0, 1e-101, 1e-99, 0.0], None)
    beside = read_network(*ends, [1.0] * 4, [0.0, 1e-101, 1.0, 5.0], None)
    without = read_network(*ends, [1.0] * 4, [0.3, 0.1, 1.0, 0.0], None)

    assert some.exact.tolist() == [0]
    assert beside.exact.tolist() == [0, 1]
    assert without.exact.tolist() == []  # that of a self-loop ties nothing


def test_edges_that_share_a_pair_are_found_in_either_direction() -> None:
    node_a, node_b = ["b", "a", "c", "a", "a", "c", "c"], ["a", "b", "d", "b", "a", "d", "a"]

    parallel, n_against = read_network(node_a, node_b, np.zeros(7), np.ones(7), None).parallel()

    assert parallel.tolist() == [0, 1, 2, 3, 5]
    assert n_against == 2  # of a and b, the second and third are opposite to the first


@pytest.mark.parametrize(("value", "uncertainty"), [([[1.0]], [0.1]), ([1.0], [[0.1]]), ([], [0.1])])
def test_arrays_not_flat_or_of_unequal_lengths_are_refused(value: list[float], uncertainty: list[float]) -> None:
    with pytest.raises(EstimatorInputError, match="an entry in each of four flat arrays"):
        read_network(["a"], ["b"], value, uncertainty, None)


def test_all_unusable_edges_are_counted_and_the_first_is_named() -> None:
    with pytest.raises(EstimatorInputError, match=r"edge 1 \(b -> c\) .* uncertainty -0\.1, one of 2") as caught:
        read_network("abc", "bca", [1.0, 2.0, np.nan], [0.0, -0.1, 0.3], None)

    assert caught.value.facts["edges"] == [1, 2]


@pytest.mark.parametrize(
    ("value", "sd"),
    [(np.nan, 0.1), (np.inf, 0.1), (1.0, np.nan), (1.0, np.inf), (1.0, -0.1), (None, 0.1), (1.0, None)],
)
def test_unusable_numbers_are_refused_by_the_edges_name(value: float | None, sd: float | None) -> None:
    with pytest.raises(EstimatorInputError, match=r"edge 1 \(benzene -> toluene\)") as caught:
        read_network(["a", "benzene"], ["b", "toluene"], [1.0, value], [0.1, sd], None)  # type: ignore[list-item]

    assert caught.value.facts["edges"] == [1]


def test_a_label_given_twice_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match="'a' is given twice"):
        read_network(["a"], ["b"], [1.0], [0.1], ["a", "a"])
