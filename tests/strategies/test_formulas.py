"""Connectivity and radial growth: stratocaster's formulas, its trap included; bridges and cut vertices."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alchemiscale_lake.estimators.design.criticality import criticality
from alchemiscale_lake.strategies import LinkRow, NetworkRows, TransformationRow
from alchemiscale_lake.strategies.connectivity import Connectivity, ConnectivitySettings
from alchemiscale_lake.strategies.critical_connectivity import CriticalConnectivity
from alchemiscale_lake.strategies.fixed_repeats import FixedRepeats
from alchemiscale_lake.strategies.mapping_score import MappingScore
from alchemiscale_lake.strategies.radial_growth import RadialGrowth
from alchemiscale_lake.strategies.state_graph import linked_states, parts_of
from alchemiscale_lake.strategies.uncertainty_target import UncertaintyTarget, UncertaintyTargetSettings
from tests.contracts.strategy_contract import legs_of, state_of


def rows_of(*pairs: str, results: tuple[int, ...] = ()) -> list[TransformationRow]:
    """Return Transformations between states of one letter each."""
    counts = results or (0,) * len(pairs)
    return [
        TransformationRow(key=f"T{k}-{pair}", state_a=pair[0], state_b=pair[1], n_results=n)
        for k, (pair, n) in enumerate(zip(pairs, counts, strict=True))
    ]


def state(rows: list[TransformationRow]) -> NetworkRows:
    return NetworkRows(transformations=tuple(rows))


def test_connectivity_is_the_mean_degree_halved_per_result() -> None:
    # a star of three, and a NonTransformation, which counts twice
    weights = Connectivity().propose(state(rows_of("ab", "ac", "ad", "dd", results=(0, 1, 3, 0)))).weights

    assert list(weights.values()) == [(3 + 1) / 2, 0.5 * 2, None, 3.0]


def test_parallel_transformations_and_both_directions_count() -> None:
    weights = Connectivity().propose(state(rows_of("ab", "ab", "ba"))).weights

    assert list(weights.values()) == [3.0, 3.0, 3.0]


def test_connectivity_ends_below_its_cutoff_and_waits_for_tasks() -> None:
    strategy = Connectivity(ConnectivitySettings(cutoff=0.3, max_runs=None))
    rows = rows_of("ab", "cd", results=(1, 2))
    rows.append(replace(rows[0], key="U", state_a="e", state_b="f", n_in_flight=1))

    assert list(strategy.propose(state(rows)).weights.values()) == [0.5, None, 0.0]
    with pytest.raises(ValidationError, match="set max_runs or cutoff"):
        ConnectivitySettings(cutoff=None, max_runs=None)


def test_radial_growth_starts_at_the_centre_and_waits_outside() -> None:
    # a path of five states: eccentricities 4 3 2 3 4
    weights = RadialGrowth().propose(state(rows_of("ab", "bc", "cd", "de"))).weights

    # "bc" and "cd" have no result: the lowest completed eccentricity is 2, so ab and de are at distance 2
    assert list(weights.values()) == [0.0, 1.0, 1.0, 0.0]


def test_radial_growth_with_its_centre_done() -> None:
    weights = RadialGrowth().propose(state(rows_of("ab", "bc", "cd", "de", results=(0, 1, 1, 0)))).weights

    # nothing without result is below 4: distances 0 -1 -1 0, factors 1, 0.5^-2, and 0.5 per result
    assert list(weights.values()) == [1.0, 0.5 * 0.5**-2, 0.5 * 0.5**-2, 1.0]


def test_negative_distances_exceed_one() -> None:
    """A fully finished periphery makes the centre urgent: 0.5^-3 = 8 at distance -2."""
    rows = rows_of("ab", "bc", "cd", "de", "ef", "fg", results=(1, 1, 1, 1, 1, 1))

    weights = list(RadialGrowth().propose(state(rows)).weights.values())

    # a path of seven: eccentricities 6 5 4 3 4 5 6, lowest completed 6; the inner ones are at distance -2
    assert weights == [0.5, 0.5 * 0.5**-2, 0.5 * 0.5**-3, 0.5 * 0.5**-3, 0.5 * 0.5**-2, 0.5]


@given(seed=st.integers(0, 10_000), size=st.integers(2, 12), extra=st.integers(0, 8))
def test_bridges_and_cut_vertices_are_networkxs(seed: int, size: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    graph = nx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from((int(rng.integers(k)), k) for k in range(1, size) if rng.random() < 0.9)
    graph.add_edges_from(tuple(rng.choice(size, 2, replace=False).tolist()) for _ in range(extra))
    ends = np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)

    found = criticality(size, ends[:, 0], ends[:, 1])

    bridges = {frozenset(edge) for edge in nx.bridges(graph)}
    assert {
        frozenset(edge) for edge, is_bridge in zip(ends.tolist(), found.bridge, strict=True) if is_bridge
    } == bridges
    assert set(np.flatnonzero(found.cut).tolist()) == set(nx.articulation_points(graph))
    for edge in np.flatnonzero(found.bridge):
        rest = graph.copy()
        rest.remove_edge(*ends[edge])
        sides = {len(nx.node_connected_component(rest, int(end))) for end in ends[edge]}
        assert int(found.beyond[edge]) in sides


def test_bridges_come_first_then_cut_vertices_then_cycles() -> None:
    # a bridge ab, a cycle b c d e, of which b is a cut vertex
    strategy = CriticalConnectivity()
    rows = rows_of("ab", "bc", "cd", "de", "eb")

    first = strategy.propose(state(rows)).weights
    second = strategy.propose(state([replace(rows[0], n_results=1), *rows[1:]])).weights

    assert list(first.values()) == [pytest.approx(4 / 10), 0.0, 0.0, 0.0, 0.0]
    assert [weight > 0 for weight in second.values() if weight is not None] == [True, True, False, False, True]


def test_a_link_closes_a_cycle_until_its_ligands_have_a_result_of_their_own() -> None:
    # a path a b c d in complex and solvent; a and c are the same ligand for whoever declared it
    rows = legs_of([("a", "b"), ("b", "c"), ("c", "d"), ("a", "c")])
    path, own = rows[:6], rows[6:]
    link = LinkRow(ligand_a="c", ligand_b="a", value_kcal_mol=0.0, uncertainty_kcal_mol=0.1)
    strategy = CriticalConnectivity()

    without, with_link = (strategy.propose(state_of(path, links=links)) for links in ((), (link,)))
    assert all("a bridge" in reason for reason in without.reasons.values())
    first = {key for key, weight in with_link.weights.items() if weight}
    assert first == {row.key for row in path if row.ligand_b == "d"}

    # its own edge takes the place of the link, and the cycle remains
    done = [replace(row, n_results=1) for row in own]
    assert linked_states(rows, (link,)) == [("c-complex", "a-complex"), ("c-solvent", "a-solvent")]
    assert linked_states([*path, *done], (link,)) == []


def test_a_link_joins_the_complexes_of_two_structures() -> None:
    first = [row for row in legs_of([("a", "b")]) if row.phase == "complex"]
    second = [replace(row, key="2", state_a="a-2", state_b="b-2", group="Q") for row in first]
    third = [replace(row, key="3", state_a="a-3", state_b="b-3", group="Q", phase="solvent") for row in first]
    rows = [*first, *second, *third]
    link = LinkRow(ligand_a="b", ligand_b="a", value_kcal_mol=0.0, uncertainty_kcal_mol=0.1, group_a="P", group_b="Q")

    pairs = linked_states(rows, (link,))
    assert pairs == [("b-complex", "a-2")]
    assert [len(part) for part in parts_of(rows, pairs)] == [2, 1]
    weights = CriticalConnectivity().propose(state_of(rows, links=(link,))).weights
    # each end of a path of four systems without the link, which is in the middle
    assert weights[first[0].key] == weights["2"] == pytest.approx(3 / 6)
    assert CriticalConnectivity().propose(state_of(rows)).weights["2"] == 1.0


def test_fixed_repeats_asks_for_what_is_missing() -> None:
    rows = rows_of("ab", "bc", "cd", results=(3, 1, 0))
    rows[1] = replace(rows[1], n_in_flight=1)

    assert list(FixedRepeats().propose(state(rows)).weights.values()) == [None, 1.0, 3.0]


def test_mapping_scores_order_and_are_bounded() -> None:
    rows = [replace(row, score=score) for row, score in zip(rows_of("ab", "bc", "cd"), (0.8, None, 0.0), strict=True)]

    assert list(MappingScore().propose(state(rows)).weights.values()) == [0.8, 0.5, 0.05]


def test_an_uncertain_transformation_gets_more() -> None:
    rows = [
        replace(row, n_results=4, values_kcal_mol=values)
        for row, values in zip(rows_of("ab", "bc"), ((0.0, 1.0, 0.5, -0.5), (0.0, 0.01, 0.02, 0.01)), strict=True)
    ]

    weights = UncertaintyTarget(UncertaintyTargetSettings(target_kcal_mol=0.2)).propose(state(rows)).weights

    noisy, quiet = weights.values()
    assert quiet is None
    assert (noisy or 0) >= 2
