"""Components are numbered by first appearance; positions split by label are a partition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.network.partition import label_components, rank_within, split


def test_components_are_numbered_by_first_appearance() -> None:
    label = label_components(6, np.array([3, 1, 5]), np.array([0, 4, 4]))

    assert label.tolist() == [0, 1, 2, 0, 1, 1]


def test_nodes_without_edges_are_components_of_their_own() -> None:
    none = np.array([], dtype=np.int64)

    assert label_components(3, none, none).tolist() == [0, 1, 2]


def test_a_label_that_does_not_occur_has_no_positions() -> None:
    parts = split(np.array([2, 0, 2]), 4)

    assert [part.tolist() for part in parts] == [[1], [], [0, 2], []]
    assert split(np.array([], dtype=np.int64), 0) == []


@given(st.lists(st.integers(0, 4), max_size=30))
def test_rank_and_label_give_the_position_back(labels: list[int]) -> None:
    label = np.array(labels, dtype=np.int64)

    parts = split(label, 5)
    rank = rank_within(parts, len(label))

    assert [parts[own][place] for own, place in zip(label, rank, strict=True)] == list(range(len(label)))
