"""Optimal design: legs and signs, floors, goals that shift Tasks, stop rules with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.strategies import LigandRow, LinkRow, Proposal, TransformationRow, make_strategy
from alchemiscale_lake.strategies.edge_design import edge_design
from alchemiscale_lake.strategies.optimal_design import OptimalDesignSettings
from tests.contracts.strategy_contract import legs_of, state_of


def measured(
    rows: Sequence[TransformationRow], value: dict[str, float], *, n: int = 3, sd: float = 0.05
) -> list[TransformationRow]:
    """Return rows with n results, so that the ligands have these values exactly in the mean."""
    found = []
    for row in rows:
        mean = value[str(row.ligand_b)] - value[str(row.ligand_a)] if row.phase == "complex" else 0.0
        values = tuple(mean + sd * x for x in np.linspace(-1.0, 1.0, n).tolist())
        found.append(replace(row, n_results=n, values_kcal_mol=values, own_uncertainty_kcal_mol=sd / 2.8))
    return found


def propose(rows: Sequence[TransformationRow], settings: dict[str, Any] | None = None, **facts: Any) -> Proposal:
    return make_strategy("optimal-design", settings).propose(state_of(rows, **facts))


def test_legs_become_edges_with_their_signs() -> None:
    rows = legs_of([("A", "B"), ("B", "C")])
    # the second complex leg was run from C to B
    rows[2] = replace(rows[2], ligand_a="C", ligand_b="B", state_a="C-complex", state_b="B-complex")
    values = {0: (5.0, 5.2), 1: (2.0, 2.0), 2: (-1.0,), 3: (-3.0,)}
    rows = [replace(row, n_results=len(values[k]), values_kcal_mol=values[k]) for k, row in enumerate(rows)]

    design = edge_design(state_of(rows))

    assert design is not None
    answer = design.answer()
    at = {ligand: answer.value[k] for k, (_, _, ligand) in enumerate(design.nodes)}
    assert at["B"] - at["A"] == pytest.approx(5.1 - 2.0)
    # the edge's direction is that of its first leg, C -> B: -1 as run, minus the solvent's B -> C turned around
    assert at["B"] - at["C"] == pytest.approx(-1.0 - 3.0)


def test_a_solvent_leg_without_group_serves_every_protein() -> None:
    first, second = legs_of([("A", "B")]), legs_of([("A", "B")], group="Q")
    shared = replace(first[1], group=None)
    rows = [first[0], replace(second[0], key="Q-complex"), shared]

    design = edge_design(state_of(rows))

    assert design is not None
    assert design.network.n_edges == 2
    assert design.network.n_nodes == 4
    assert len(design.rows) == 3


def test_one_phase_is_direct_and_absolute_ones_have_no_tail() -> None:
    rows = [
        TransformationRow(key="1", state_a="a", state_b="b", ligand_a="A", ligand_b="B", phase="solvent"),
        TransformationRow(key="2", state_a="n", state_b="b", ligand_b="B", phase="direct"),
    ]

    design = edge_design(state_of(rows))

    assert design is not None
    assert sorted(design.network.tail.tolist()) == [-1, 0]


def test_known_values_are_anchors() -> None:
    known = LigandRow(ligand="A", value_kcal_mol=-9.0, uncertainty_kcal_mol=0.1)
    design = edge_design(state_of(measured(legs_of([("A", "B")]), {"A": 0.0, "B": 1.0}), ligands=(known,)))

    assert design is not None
    assert design.answer().value == pytest.approx([-9.0, -8.0])


def two_structures(*pairs: tuple[str, str]) -> list[TransformationRow]:
    """Return the same pairs in two structures, with solvent legs in common; nothing leads from one to the other."""
    first, second = legs_of(pairs, group="P1"), legs_of(pairs, group="P2")
    rows = [replace(row, group=None) if row.phase == "solvent" else replace(row, key=f"1-{row.key}") for row in first]
    rows = [replace(row, state_a=f"{row.state_a}-{row.group}", state_b=f"{row.state_b}-{row.group}") for row in rows]
    others = [row for row in second if row.phase == "complex"]
    return [
        *rows,
        *(replace(row, key=f"2-{row.key}", state_a=f"{row.state_a}-P2", state_b=f"{row.state_b}-P2") for row in others),
    ]


def same(ligand: str, **facts: Any) -> LinkRow:
    """Return a link of a ligand in both structures."""
    given = {"value_kcal_mol": 0.7, "uncertainty_kcal_mol": 0.2, "group_a": "P1", "group_b": "P2", **facts}
    return LinkRow(ligand_a=ligand, ligand_b=ligand, **given)


def test_a_link_gives_two_structures_one_scale_in_the_answer() -> None:
    rows = measured(two_structures(("A", "B"), ("B", "C")), {"A": 0.0, "B": 1.0, "C": 3.0})

    apart, linked = (edge_design(state_of(rows, links=links)) for links in ((), (same("B"),)))

    assert apart is not None
    assert linked is not None
    assert len(apart.answer().components.parts) == 2
    answer = linked.answer()
    assert len(answer.components.parts) == 1
    at = {(group, ligand): k for k, (_, group, ligand) in enumerate(linked.nodes)}
    assert answer.value[at["P2", "B"]] - answer.value[at["P1", "B"]] == pytest.approx(0.7)
    assert answer.value[at["P2", "C"]] - answer.value[at["P1", "A"]] == pytest.approx(3.7)
    gap = np.zeros(len(at))
    gap[at["P2", "B"]], gap[at["P1", "B"]] = 1.0, -1.0
    assert gap @ answer.covariance @ gap == pytest.approx(0.2**2)


def test_a_link_leaves_when_an_edge_between_its_nodes_has_all_legs() -> None:
    rows = legs_of([("A", "B"), ("B", "C")])
    link = LinkRow(ligand_a="A", ligand_b="B", value_kcal_mol=0.5, uncertainty_kcal_mol=0.0)
    values = {"A": 0.0, "B": 1.0, "C": 3.0}

    n_links = []
    for done in ([], rows[:1], rows[:2]):
        of_all = [*measured(done, values), *rows[len(done) :]]
        design = edge_design(state_of(of_all, links=(link,)))
        assert design is not None
        n_links.append(len(design.network.link_tail))

    assert n_links == [1, 1, 0]


@pytest.mark.parametrize("strategy", ["optimal-design", "net-bfe"])
def test_what_a_link_connects_is_not_paid_for_again(strategy: str) -> None:
    """Two pairs, and an edge between them: with the link, only the pairs are needed."""
    rows = legs_of([("A", "B"), ("B", "C"), ("C", "D")])
    link = LinkRow(ligand_a="C", ligand_b="B", value_kcal_mol=0.5, uncertainty_kcal_mol=0.05)
    chosen = make_strategy(strategy)

    without = chosen.propose(state_of(rows, max_tasks=6)).weights
    with_link = chosen.propose(state_of(rows, max_tasks=6, links=(link,))).weights

    asked = [{row.key for row in rows if weights[row.key]} for weights in (without, with_link)]
    assert asked[0] == {row.key for row in rows}
    assert asked[1] == {row.key for row in rows if row.ligand_a != "B"}


def test_a_stop_rule_and_a_ranking_count_ligands_that_only_a_link_joins() -> None:
    rows = measured(two_structures(("A", "B"), ("B", "C")), {"A": 0.0, "B": 1.0, "C": 3.0}, sd=0.01)
    rule = {"stop": {"max_uncertainty_kcal_mol": 0.2}}

    assert "within 0.2" in str(propose(rows, rule, links=(same("B", uncertainty_kcal_mol=0.1),)).stop)
    assert propose(rows, rule, links=(same("B", uncertainty_kcal_mol=2.0),)).stop is None


def test_repeats_follow_the_optimum_of_the_linked_network() -> None:
    """A - B linked to C - D - E: shares of the tasks as in the closed form of a tree, see `test_continuous`."""
    rows = [
        TransformationRow(key=f"{a}{b}", state_a=a, state_b=b, ligand_a=a, ligand_b=b, gpu_hours=1.0)
        for a, b in ("AB", "CD", "DE")
    ]
    rows = measured(rows, dict.fromkeys("ABCDE", 0.0), n=3)
    link = LinkRow(ligand_a="B", ligand_b="C", value_kcal_mol=0.0, uncertainty_kcal_mol=0.3, kind="direct")
    settings = {"goals": [{"kind": "mean"}], "max_repeats": 10_000}

    for links, cut in (((), [1 / 2, 2 / 3, 2 / 3]), ((link,), [4 / 5, 6 / 5, 4 / 5])):
        weights = propose(rows, settings, max_tasks=3000, links=links).weights
        share = np.array([weights[row.key] or 0 for row in rows]) / 3000
        assert share == pytest.approx(np.sqrt(cut) / np.sqrt(cut).sum(), abs=3e-3)


def test_the_first_round_connects_everything_and_bridges_get_two() -> None:
    rows = legs_of([("A", "B"), ("B", "C"), ("C", "A"), ("C", "D")])

    weights = propose(rows, max_tasks=10).weights

    assert list(weights.values()) == [1.0] * 6 + [2.0] * 2


def test_a_small_first_round_takes_a_tree_with_both_legs() -> None:
    rows = legs_of([("A", "B"), ("B", "C"), ("C", "A")])

    weights = propose(rows, max_tasks=4).weights

    asked = {key for key, weight in weights.items() if weight}
    edges = [row.key for row in rows if row.key in asked]
    assert len(edges) == 4
    assert sum(weight or 0 for weight in weights.values()) == 4
    pairs = {(row.ligand_a, row.ligand_b) for row in rows if row.key in asked}
    assert len(pairs) == 2


def test_a_round_asks_for_no_more_than_its_limits() -> None:
    rows = measured(legs_of([("A", "B"), ("B", "C"), ("C", "A")]), {"A": 0, "B": 1, "C": 2})

    tasks = propose(rows, max_tasks=7)
    hours = propose(rows, max_tasks=100, max_gpu_hours=9.0)

    assert sum(weight or 0 for weight in tasks.weights.values()) == 7
    assert hours.facts["gpu_hours"] <= 9.0
    assert hours.facts["gpu_hours"] > 4.0


def test_what_is_in_flight_counts() -> None:
    rows = measured(legs_of([("A", "B"), ("B", "C"), ("C", "A")]), {"A": 0, "B": 1, "C": 2})
    first = propose(rows, max_tasks=6).weights
    flying = [replace(row, n_in_flight=int(first[row.key] or 0)) for row in rows]
    later = propose(flying, max_tasks=6).weights
    done = propose(rows, max_tasks=12).weights

    both = {key: (first[key] or 0) + (later[key] or 0) for key in first}
    assert both == {key: weight or 0 for key, weight in done.items()}


def test_the_top_goal_repeats_what_decides_and_the_mean_goal_what_is_uncertain() -> None:
    # a star; B and C compete for the best place, the others are far away
    value = {"O": 3.0, "B": 0.0, "C": 0.05, "D": 4.0, "E": 5.0, "F": 6.0}
    rows = measured(legs_of([("O", other) for other in "BCDEF"]), value)
    pure = {"goals": [{"kind": "top", "top": 1}], "max_repeats": 100}

    top = propose(rows, pure, max_tasks=20).weights
    mean = propose(rows, {"goals": [{"kind": "mean"}]}, max_tasks=20).weights

    def share(weights: Any, ligands: str) -> float:
        of = sum(weights[row.key] or 0 for row in rows if row.ligand_b and row.ligand_b in ligands)
        return float(of / sum(weight or 0 for weight in weights.values()))

    assert share(top, "BC") == 1.0
    assert 0.3 < share(mean, "BC") < 0.5


def test_cheap_and_noisy_legs_are_weighed_against_each_other() -> None:
    rows = measured(legs_of([("A", "B"), ("B", "C"), ("C", "A")]), {"A": 0, "B": 1, "C": 2})
    dear = [replace(row, gpu_hours=100.0 if row.phase == "complex" else 1.0) for row in rows]

    weights = propose(dear, {"goals": [{"kind": "mean"}]}, max_tasks=6).weights

    assert all(not weights[row.key] for row in rows if row.phase == "complex")


def test_frozen_legs_are_left_out_and_the_rest_goes_on() -> None:
    rows = measured(legs_of([("A", "B"), ("B", "C"), ("C", "A")]), {"A": 0, "B": 1, "C": 2})
    rows[0] = replace(rows[0], frozen=True)

    proposal = propose(rows, max_tasks=6)

    assert not proposal.weights[rows[0].key]
    assert sum(weight or 0 for weight in proposal.weights.values()) == 6


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"mean_uncertainty_kcal_mol": 1.0}, "mean uncertainty"),
        ({"max_uncertainty_kcal_mol": 1.0}, "largest uncertainty"),
        ({"top_probability": 0.9}, "right with probability"),
        ({"least_gain_per_gpu_hour": 1.0}, "a GPU-hour corrects"),
    ],
)
def test_every_stop_rule_states_its_reason(rules: dict[str, float], words: str) -> None:
    rows = measured(legs_of([("A", "B"), ("B", "C"), ("C", "A")]), {"A": 0, "B": 1, "C": 2})

    stopped = propose(rows, {"stop": rules})
    tiny = {name: 0.999999 if name == "top_probability" else 1e-12 for name in rules}
    goes_on = propose(measured(rows, {"A": 0, "B": 0.01, "C": 2}), {"stop": tiny})

    assert stopped.finished
    assert words in (stopped.stop or "")
    assert goes_on.stop is None
    assert any(goes_on.weights.values())


def test_a_stop_rule_waits_until_everything_is_connected() -> None:
    rows = legs_of([("A", "B"), ("B", "C")])
    rows[:2] = measured(rows[:2], {"A": 0, "B": 1})

    assert propose(rows, {"stop": {"max_uncertainty_kcal_mol": 5.0}}).stop is None


def test_a_first_pass_is_one_round_and_no_stop_rule_ends_it() -> None:
    """Two sharp edges connect a triangle, but its cycle would never be closed."""
    rows = legs_of([("A", "B"), ("B", "C"), ("A", "C")])
    assert all(propose(rows).weights.values())

    two = [*measured(rows[:4], {"A": 0.0, "B": 1.0, "C": 2.0}, sd=0.001), *rows[4:]]
    settings = {"stop": {"mean_uncertainty_kcal_mol": 1.0}}
    proposal = propose(two, settings)
    assert {row.key for row in two if proposal.weights[row.key]} >= {row.key for row in two[4:]}

    frozen = [*two[:4], *(replace(row, frozen=True) for row in two[4:])]
    assert "mean uncertainty" in str(propose(frozen, settings).stop)


def test_a_goal_for_a_ligand_that_is_not_there_is_refused() -> None:
    goals = [{"kind": "ligands", "ligands": {"lig_1": 1}}]
    with pytest.raises(StrategyError, match="a goal names the ligand 'lig_1', which the network lacks"):
        make_strategy("optimal-design", {"goals": goals}).check(state_of(legs_of([("A", "B")])))


def test_a_spent_budget_ends_the_network() -> None:
    rows = measured(legs_of([("A", "B")]), {"A": 0, "B": 1})

    proposal = propose(rows, budget_gpu_hours=10.0, spent_gpu_hours=9.5)

    assert proposal.finished
    assert proposal.stop == "9.5 of 10 GPU-hours are spent or in flight"


def test_nothing_to_learn_is_said() -> None:
    proposal = propose([TransformationRow(key="T", state_a="s", state_b="t")])

    assert proposal.finished
    assert proposal.stop == "no Transformation contributes to a difference between two ligands"


def test_of_dense_candidates_a_tree_of_short_paths_comes_first() -> None:
    rng = np.random.default_rng(1)
    ligands = [f"L{k:02}" for k in range(12)]
    pairs = [(a, b) for k, a in enumerate(ligands) for b in ligands[k + 1 :] if k == 0 or rng.random() < 0.8]
    rows = legs_of(pairs)

    weights = propose(rows, max_tasks=22).weights

    asked = [row for row in rows if weights[row.key]]
    # every ligand is one edge away from the same one
    assert sorted({(row.ligand_a, row.ligand_b) for row in asked}) == [("L00", ligand) for ligand in ligands[1:]]
    assert len(asked) == 22


def test_goals_name_what_they_need() -> None:
    with pytest.raises(ValidationError, match="needs ligands"):
        OptimalDesignSettings.model_validate({"goals": [{"kind": "contrast"}]})
