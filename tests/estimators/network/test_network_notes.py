"""Notes on a network's own input and solution: their codes, order, and what each names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from alchemiscale_lake.estimators.network.network_input import read_network
from alchemiscale_lake.estimators.network.network_notes import describe
from alchemiscale_lake.estimators.network.partition import label_components
from alchemiscale_lake.estimators.notes import Note


def notes_of(
    node_a: str,
    node_b: str,
    sd: list[float],
    *,
    nodes: str = "",
    contradicted: tuple[int, ...] = (),
    pinned: list[bool] | None = None,
    experimental: Mapping[str, float] | None = None,
    covariance_omitted: bool = False,
) -> dict[str, Note]:
    network = read_network(node_a, node_b, np.zeros(len(sd)), sd, nodes)
    notes = describe(
        network,
        label_components(network.n_nodes, network.tail, network.head),
        contradicted=np.array(contradicted, dtype=np.int64),
        worst_kcal_mol=0.25,
        pinned=None if pinned is None else np.array(pinned),
        experimental=dict(experimental or {}),
        covariance_omitted=covariance_omitted,
    )
    return {note.code: note for note in notes}


def test_a_plain_network_has_no_notes() -> None:
    assert notes_of("abc", "bca", [0.1, 0.2, 0.3]) == {}


def test_notes_come_in_one_order() -> None:
    found = notes_of(
        "abbdxc",
        "baddyc",
        [0.1, 1e-8, 0.0, 0.0, 1.0, 0.1],
        nodes="l",
        contradicted=(2, 3),
        pinned=[False, True, False, False],
        experimental={"a": -8.0, "w": -7.0},
        covariance_omitted=True,
    )

    assert list(found) == [
        "self-loops",
        "parallel-edges",
        "isolated-nodes",
        "disconnected",
        "exact-edges",
        "wide-uncertainties",
        "exact-contradiction",
        "experiment-pinned",
        "experiment-missing",
        "experiment-unknown",
        "covariance-omitted",
    ]
    assert found["exact-contradiction"].edges == (2, 3)
    assert "up to 0.25 kcal/mol" in found["exact-contradiction"].message
    assert "full covariance of 7 nodes" in found["covariance-omitted"].message


def test_edges_and_nodes_of_the_shape_are_named() -> None:
    found = notes_of("abcxa", "bacya", [0.1, 0.2, 0.3, 0.4, 0.5], nodes="l")

    assert found["self-loops"].edges == (2, 4)
    assert found["parallel-edges"].edges == (0, 1)
    assert "others: 2, 1 of them reversed" in found["parallel-edges"].message
    assert found["isolated-nodes"].nodes == ("l", "c")  # a self-loop connects nothing
    assert "has 2 components" in found["disconnected"].message  # isolated nodes are not counted again


@pytest.mark.parametrize(("narrow", "noted"), [(0.9e-6, True), (1.1e-6, False)])
def test_uncertainties_six_decades_apart_are_noted_without_exact_ones(narrow: float, noted: bool) -> None:
    found = notes_of("abc", "bcd", [2.0, 2.0 * narrow, 0.0])

    assert found["exact-edges"].edges == (2,)
    assert ("wide-uncertainties" in found) is noted
    if noted:
        assert found["wide-uncertainties"].edges == (1,)
        assert "span 1.8e-06 to 2 kcal/mol" in found["wide-uncertainties"].message


def test_experiment_pins_whole_components() -> None:
    found = notes_of("abx", "bcy", [0.1] * 3, pinned=[True, False], experimental={"b": -8.0})

    assert found["experiment-pinned"].nodes == ("a", "b", "c")
    assert found["experiment-missing"].nodes == ("x", "y")
    assert "experiment-unknown" not in found
    assert "experiment-missing" not in notes_of("a", "b", [0.1], pinned=[True], experimental={"a": -8.0})
    assert "experiment-pinned" not in notes_of("a", "b", [0.1], pinned=[False])


@pytest.mark.parametrize(("unknown", "end"), [("tpqrs", ": p, q, r, s, t"), ("tpqrsu", ": p, q, r, s, t and 1 more")])
def test_five_unknown_labels_are_named_one_by_one(unknown: str, end: str) -> None:
    found = notes_of("a", "b", [0.1], pinned=[True], experimental=dict.fromkeys(f"a{unknown}", -8.0))

    assert found["experiment-unknown"].message.endswith(end)
    assert found["experiment-unknown"].nodes == tuple(sorted(unknown))
