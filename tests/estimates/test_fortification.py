"""Proposals of redundant edges from the rows of a network."""

from __future__ import annotations

import polars as pl
import pytest

from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.estimates.fortification import propose_edges


def edges(*pairs: tuple[str, str], uncertainty: float | None = 0.2) -> pl.DataFrame:
    rows = [{"kind": "binding", "ligand_i": a, "ligand_j": b, "uncertainty_kcal_mol": uncertainty} for a, b in pairs]
    return pl.DataFrame(rows, schema_overrides={"uncertainty_kcal_mol": pl.Float64})


def pairs_of(found: pl.DataFrame) -> list[tuple[str, str]]:
    return found.select("ligand_i", "ligand_j").rows()


CHAIN = edges(("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))


def test_ligands_at_most_some_edges_apart_are_candidates() -> None:
    assert pairs_of(propose_edges(CHAIN, most=1, reach=4)) == [("a", "e")]
    (near,) = propose_edges(CHAIN, most=1, reach=2).rows(named=True)
    assert {near["ligand_i"], near["ligand_j"]} in ({"a", "c"}, {"b", "d"}, {"c", "e"})
    assert near["n_bridges"] == 2
    assert near["reason"] == "closes a cycle over 2 edges that nothing checks"
    assert near["mean_uncertainty_after_kcal_mol"] < near["mean_uncertainty_before_kcal_mol"]


def test_given_pairs_are_the_only_candidates() -> None:
    assert pairs_of(propose_edges(CHAIN, pairs=[("d", "a"), ("b", "a"), ("c", "c")])) == [("a", "d")]
    with pytest.raises(NotFoundError, match="a pair names 'x'"):
        propose_edges(CHAIN, pairs=[("a", "x")])


def test_proposals_count_with_those_before_until_every_edge_is_in_a_cycle() -> None:
    found = propose_edges(CHAIN, most=9, reach=2)
    assert found["n_bridges"].sum() == 4
    assert found["n_bridges"].to_list() == sorted(found["n_bridges"], reverse=True)
    before, after = found["mean_uncertainty_before_kcal_mol"], found["mean_uncertainty_after_kcal_mol"]
    assert before[1:].to_list() == pytest.approx(after[:-1].to_list())


def test_an_uncertain_edge_is_covered_before_a_certain_one() -> None:
    rows = pl.concat([edges(("a", "b"), ("b", "c"), uncertainty=0.05), edges(("c", "d"), ("d", "e"), uncertainty=0.8)])
    assert pairs_of(propose_edges(rows, most=1, reach=2)) == [("c", "e")]


def test_structures_are_kept_apart_and_parts_of_one_structure_are_joined() -> None:
    rows = edges(("a in P", "b in P"), ("c in P", "d in P"), ("a in Q", "b in Q"))
    (joined,) = propose_edges(rows).filter("joins_parts").rows(named=True)
    assert (joined["ligand_i"], joined["ligand_j"]) == ("a in P", "c in P")


def test_absolute_results_join_what_they_reach_and_edges_without_results_count() -> None:
    rows = pl.concat([edges(("(none)", "a"), ("(none)", "c"), uncertainty=0.1), edges(("a", "b"), uncertainty=None)])
    found = propose_edges(rows, pairs=[("b", "c")])
    assert found["n_bridges"].to_list() == [3]
    assert not len(propose_edges(rows.clear()))
