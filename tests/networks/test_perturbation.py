"""Unmapped atoms, rings broken and formed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.networks.components import ComponentFacts, count_rings
from alchemiscale_lake.networks.perturbation import Perturbation, mapping_facts, perturbation_of


def molecule(n_heavy: int, bonds: list[tuple[int, int]], n_hydrogens: int = 0) -> ComponentFacts:
    return ComponentFacts(
        "M-1", None, "small_molecule", n_heavy + n_hydrogens, n_heavy, 0, frozenset(range(n_heavy)), frozenset(bonds)
    )


RING = [(0, 1), (1, 2), (0, 2)]
CHAIN = [(0, 1), (1, 2)]


def mapped(pairs: dict[int, int]) -> dict[str, object]:
    return {"componentA_to_componentB": {str(i): j for i, j in pairs.items()}}


@pytest.mark.parametrize(
    ("a", "b", "pairs", "changes"),
    [
        (molecule(3, RING), molecule(3, RING), {0: 2, 1: 0, 2: 1}, (0, 0, 0)),
        (molecule(3, RING), molecule(3, CHAIN), {0: 0, 1: 1, 2: 2}, (0, 0, 1)),
        (molecule(3, RING, 2), molecule(4, [*RING, (2, 3)], 2), {0: 0, 1: 1, 2: 2}, (5, 1, 0)),
        # a ring against another: one breaks, one forms
        (molecule(4, [*RING, (2, 3)]), molecule(4, [*RING, (2, 3)]), {2: 2}, (6, 6, 2)),
    ],
)
def test_what_a_mapping_changes(a, b, pairs, changes) -> None:
    assert mapping_facts(mapped(pairs), a, b).changes == Perturbation(*changes)


def test_without_its_molecules_only_the_size_of_a_mapping_is_known() -> None:
    assert mapping_facts(mapped({0: 0}), None, molecule(1, [])).changes == Perturbation()
    assert mapping_facts({"componentA_to_componentB": {"x": 0}}, None, None).n_mapped == 1
    protein = ComponentFacts("R-1", None, "protein", 9, 4, 0)
    assert mapping_facts(mapped({0: 0}), protein, protein).changes == Perturbation()


def test_without_a_mapping_nothing_has_a_partner() -> None:
    a, b = molecule(3, RING, 2), molecule(3, CHAIN)
    assert perturbation_of([], (a, None), one_state=False) == Perturbation(5, 3, 0)
    assert perturbation_of([], (a, b), one_state=False) == Perturbation(8, 6, 0)
    assert perturbation_of([], (a, None), one_state=True) == Perturbation(0, 0, 0)
    assert perturbation_of([], (None, None), one_state=False) == Perturbation()
    unknown = ComponentFacts("X-1", None, "other", None, None, None)
    assert perturbation_of([], (unknown, a), one_state=False) == Perturbation()


def test_several_mappings_add_up_and_one_unknown_makes_all_unknown() -> None:
    one = mapping_facts(mapped({0: 0, 1: 1, 2: 2}), molecule(3, RING), molecule(3, CHAIN, 1))
    assert perturbation_of([one, one], (None, None), one_state=False) == Perturbation(2, 0, 2)
    odd = mapping_facts({}, None, None)
    assert perturbation_of([one, odd], (None, None), one_state=False) == Perturbation()


@given(st.integers(1, 12).flatmap(lambda n: st.sets(st.tuples(st.integers(0, n), st.integers(0, n)))))
def test_rings_are_what_bonds_have_beyond_a_forest(pairs: set[tuple[int, int]]) -> None:
    bonds = {(min(p), max(p)) for p in pairs if p[0] != p[1]}
    parts = {atom: {atom} for bond in bonds for atom in bond}
    for i, j in bonds:
        joined = parts[i] | parts[j]
        for atom in joined:
            parts[atom] = joined
    n_parts = len({frozenset(part) for part in parts.values()})
    assert count_rings(bonds) == len(bonds) - len(parts) + n_parts


def test_a_mapping_of_atoms_that_are_not_there_takes_away_none() -> None:
    a, b = molecule(3, RING), molecule(3, CHAIN)
    assert mapping_facts(mapped({0: 0, 1: 0, 2: 0, 7: 9, 8: 0}), a, b).changes == Perturbation(2, 2, 1)
