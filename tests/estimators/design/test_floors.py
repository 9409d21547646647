"""Repeats that every edge of a design needs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.design import goals
from alchemiscale_lake.estimators.design.design_covariance import components_of
from alchemiscale_lake.estimators.design.design_network import DesignNetwork, design_network
from alchemiscale_lake.estimators.design.floors import FirstPass, bridges, required_repeats
from alchemiscale_lake.estimators.design.increments import add_repeats
from tests.estimators.design.designs import designs, random_design


@given(network=designs(), first_pass=st.sampled_from(["all", "tree"]), done=st.integers(0, 2**32 - 1))
def test_required_repeats_connect_every_component(network: DesignNetwork, first_pass: str, done: int) -> None:
    count = np.random.default_rng(done).integers(0, 2, network.n_calculations).astype(float)

    once, again = required_repeats(network, count, first_pass=first_pass)

    after = count + once + again
    measured = np.isfinite(network.edge_variance(after))
    assert len(components_of(network, measured).parts) == len(components_of(network).parts)
    assert once.max(initial=0) <= 1
    assert add_repeats(network, after, goals.mean_uncertainty(network.n_nodes), most_tasks=2).repeats.sum() == 2


def test_bridges_get_two_repeats_and_parallel_edges_are_none() -> None:
    # a triangle 0 1 2, a bridge 2-3, and two parallel edges 3-4
    network = design_network(5, [0, 1, 0, 2, 3, 3], [1, 2, 2, 3, 4, 4], variance=[1.0] * 6)

    once, again = required_repeats(network, np.zeros(6), first_pass="all")

    assert once.tolist() == [1] * 6
    assert again.tolist() == [0, 0, 0, 1, 0, 0]


def test_an_anchor_at_the_other_end_unmakes_a_bridge() -> None:
    free = design_network(2, [0], [1], variance=[1.0])
    held = design_network(2, [0], [1], variance=[1.0], anchor_variance=[1.0, 1.0])

    assert required_repeats(free, np.zeros(1))[1].tolist() == [1]
    assert required_repeats(held, np.zeros(1))[1].tolist() == [0]


def test_bridges_are_those_whose_removal_disconnects() -> None:
    for seed, extra in itertools.product(range(5), range(4)):
        network = random_design(seed, 8, 7 + extra, legs=1)
        _, again = required_repeats(network, np.zeros(network.n_edges), first_pass="all")
        edges = np.arange(network.n_edges)
        alone = [len(components_of(network, edges != edge).parts) > 1 for edge in edges.tolist()]
        assert (again > 0).tolist() == alone


@pytest.mark.parametrize("first_pass", ["all", "tree"])
def test_links_connect_and_need_no_repeats(first_pass: FirstPass) -> None:
    """A chain of three pairs, of which the middle one is linked; and both ends are."""
    chain = ([0, 1, 2], [1, 2, 3])
    one = design_network(4, *chain, variance=[1.0] * 3, link_tail=[2], link_head=[1], link_variance=[0.01])
    two = design_network(4, *chain, variance=[1.0] * 3, link_tail=[2, 0], link_head=[1, 3], link_variance=[0.01, 0.01])

    once, again = required_repeats(one, np.zeros(3), first_pass=first_pass)
    assert once.tolist() == [1, 0, 1]
    assert again.tolist() == [1, 0, 1]
    assert bridges(one).tolist() == [True, False, True]

    once, again = required_repeats(two, np.zeros(3), first_pass=first_pass)
    # with the second link, one of the outer edges connects everything
    assert once.tolist() == ([1, 0, 1] if first_pass == "all" else [1, 0, 0])
    assert not again.any()
    assert not bridges(two).any()
