"""Covariance and values: a link is a measured edge of its variance that costs nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.design.design_covariance import components_of, design_covariance, solve_values
from alchemiscale_lake.estimators.design.design_network import DesignNetwork, design_network
from alchemiscale_lake.estimators.errors import EstimatorInputError
from tests.estimators.design.designs import designs


@given(network=designs(), data=st.data())
def test_a_link_is_an_edge_of_its_variance(network: DesignNetwork, data: st.DataObject) -> None:
    m = network.n_edges
    linked = data.draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=m, unique=True))
    kept = np.setdiff1d(np.arange(m), linked)
    rng = np.random.default_rng(m)
    value, precision = rng.normal(size=m), rng.uniform(0.5, 50.0, m)
    anchor_value = rng.normal(size=network.n_nodes)
    tails, heads = network.tail, network.head
    shorter = design_network(
        network.n_nodes,
        tails[kept],
        heads[kept],
        variance=np.ones(len(kept)),
        anchor_variance=network.anchor_variance,
        link_tail=tails[linked],
        link_head=heads[linked],
        link_variance=1.0 / precision[linked],
    )

    expected = solve_values(network, value, precision, anchor_value)
    found = solve_values(shorter, value[kept], precision[kept], anchor_value, value[linked])

    assert found[0] == pytest.approx(expected[0], abs=1e-9)
    assert found[1] == pytest.approx(expected[1], abs=1e-9)
    assert (found[2].label == expected[2].label).all()


def test_a_link_joins_components_and_puts_both_on_the_scale_of_one() -> None:
    apart = design_network(4, [0, 2], [1, 3], variance=[1.0, 1.0], anchor_variance=[0.01, np.inf, np.inf, np.inf])
    linked = replace(apart, link_tail=np.array([1]), link_head=np.array([2]), link_variance=np.array([0.04]))

    assert components_of(apart).anchored == [True, False]
    assert components_of(linked).anchored == [True]
    variance = np.diag(design_covariance(linked, np.array([1.0, 4.0])))
    assert variance == pytest.approx([0.01, 1.01, 1.05, 1.3])


@pytest.mark.parametrize(
    ("ends", "variance", "message"),
    [
        (([0], [2]), [1.0], "link_head of entry 0 is 2; indices are 0 to 1"),
        (([-1], [1]), [1.0], "link_tail of entry 0 is -1"),
        (([0], [1]), [0.0], "link_variance of link 0 is 0.0; give a finite number above zero"),
        (([0], [1]), [], "link_tail and link_variance have 1 and 0 entries"),
        (([0], []), [1.0], "link_tail and link_head have 1 and 0 entries"),
    ],
)
def test_odd_links_are_refused(ends: tuple[list[int], list[int]], variance: list[float], message: str) -> None:
    with pytest.raises(EstimatorInputError, match=message):
        design_network(2, [0], [1], variance=[1.0], link_tail=ends[0], link_head=ends[1], link_variance=variance)
