"""ChemicalSystems as a graph."""

from __future__ import annotations

from alchemiscale_lake.strategies import LinkRow
from alchemiscale_lake.strategies.state_graph import criticality_of, degrees, eccentricities, linked_states, parts_of
from tests.contracts.strategy_contract import legs_of
from tests.strategies.plain_rows import rows_of


def test_ends_are_counted_and_distances_are_to_the_farthest() -> None:
    rows = rows_of("ab", "ba", "bc", "cc", "cd")

    assert degrees(rows) == {"a": 2, "b": 3, "c": 4, "d": 1}
    assert eccentricities(rows) == {"a": 3, "b": 2, "c": 2, "d": 3}


def test_parts_are_in_order_of_their_first_row_and_joined_by_links() -> None:
    rows = rows_of("xy", "ab", "yz", "cd")

    def keys(links: list[tuple[str, str]]) -> list[str]:
        return [" ".join(row.key[-2:] for row in part) for part in parts_of(rows, links)]

    assert keys([]) == ["xy yz", "ab", "cd"]
    assert keys([("d", "x"), ("a", "nowhere")]) == ["xy yz cd", "ab"]
    assert parts_of([]) == []


def test_criticality_is_of_the_rows_and_a_link_is_a_way_around() -> None:
    rows = rows_of("ab", "bc", "cd")

    states, alone = criticality_of(rows)
    _, linked = criticality_of(rows, [("a", "c"), ("a", "nowhere")])

    assert states == ["a", "b", "c", "d"]
    assert alone.bridge.tolist() == [True] * 3
    assert alone.cut.tolist() == [False, True, True, False]
    assert linked.bridge.tolist() == [False, False, True]
    assert linked.cut.tolist() == [False, False, True, False]


def test_a_link_of_binding_joins_no_vacuum_legs() -> None:
    rows = legs_of([("a", "b"), ("b", "c")])
    (link,) = [LinkRow(ligand_a="a", ligand_b="c", value_kcal_mol=0.0, uncertainty_kcal_mol=0.1, kind="hydration")]

    assert linked_states(rows, []) == []
    assert linked_states(rows, [link]) == [("a-solvent", "c-solvent")]
