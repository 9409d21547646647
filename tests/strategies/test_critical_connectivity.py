"""Bridges before cut vertices before cycles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alchemiscale_lake.strategies import LinkRow
from alchemiscale_lake.strategies.critical_connectivity import CriticalConnectivity, CriticalConnectivitySettings
from alchemiscale_lake.strategies.state_graph import linked_states, parts_of
from tests.contracts.strategy_contract import legs_of, state_of
from tests.strategies.plain_rows import rows_of, state


def test_a_class_that_cannot_get_tasks_does_not_hold_the_next_one_up() -> None:
    rows = rows_of("ab", "bc", "cd", "de", "eb")
    frozen, running = replace(rows[0], frozen=True), replace(rows[0], n_in_flight=1)

    for first in (frozen, running):
        weights = CriticalConnectivity().propose(state([first, *rows[1:]])).weights
        assert [bool(weights[row.key]) for row in rows[1:]] == [True, False, False, True]


def test_first_repeats_and_the_decay_of_a_class() -> None:
    strategy = CriticalConnectivity(CriticalConnectivitySettings(first_repeats=2, decay_rate=0.25, max_runs=3))
    rows = rows_of("ab", "bc", "ca", results=(1, 2, 3))
    path = rows_of("ab", "bc", "cd", results=(1, 2, 0))
    path[1] = replace(path[1], n_in_flight=1)

    # one cycle: every system has two of two Transformations at most
    assert list(strategy.propose(state(rows)).weights.values()) == [0.25, 0.25**2, None]
    # bridges that separate 1 x 3, 2 x 2 and 1 x 3 of 6 pairs; the second has its three
    assert list(strategy.propose(state(path)).weights.values()) == [0.25 * 3 / 6, 0.0, 3 / 6]
    assert next(iter(strategy.propose(state(path)).reasons.values())) == "a bridge; 1 results or Tasks"


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
