from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.edges import EdgeEstimate, Leg, Phase, assemble_edges, whole_edges
from alchemiscale_lake.estimators.network.network_mle import solve_network
from tests.estimators.networks import Edges, networks

NAN = float("nan")


def codes(edge: EdgeEstimate) -> list[str]:
    return [note.code for note in edge.notes]


def test_binding_is_complex_minus_solvent() -> None:
    (edge,) = assemble_edges([Leg("a", "b", "complex", 5.0, 0.3), Leg("a", "b", "solvent", 2.0, 0.4)])

    assert (edge.ligand_a, edge.ligand_b, edge.kind) == ("a", "b", "binding")
    assert edge.value_kcal_mol == 3.0
    assert edge.uncertainty_kcal_mol == pytest.approx(0.5)
    assert edge.whole
    assert edge.legs == (0, 1)
    assert edge.notes == ()


def test_hydration_is_solvent_minus_vacuum() -> None:
    (edge,) = assemble_edges([Leg("a", "b", "vacuum", 5.0, 0.3), Leg("a", "b", "solvent", 2.0, 0.4)])

    assert (edge.kind, edge.value_kcal_mol) == ("hydration", -3.0)


def test_three_phases_give_two_edges() -> None:
    legs = [
        Leg("a", "b", "vacuum", 1.0, 0.1),
        Leg("a", "b", "solvent", 3.0, 0.1),
        Leg("a", "b", "complex", 7.0, 0.1),
    ]

    edges = assemble_edges(legs)

    assert [(e.kind, e.value_kcal_mol) for e in edges] == [("binding", 4.0), ("hydration", 2.0)]


def test_a_leg_given_backwards_is_negated_to_meet_the_first() -> None:
    edges = assemble_edges([Leg("b", "a", "solvent", 2.0, 0.1), Leg("a", "b", "complex", 5.0, 0.1)])

    assert [(e.ligand_a, e.ligand_b, e.value_kcal_mol) for e in edges] == [("b", "a", -7.0)]
    assert edges[0].notes[0].code == "reversed-leg"
    assert edges[0].notes[0].edges == (1,)


def test_several_legs_of_a_phase_are_weighted_by_inverse_variance() -> None:
    legs = [
        Leg("a", "b", "complex", 1.0, 0.1),
        Leg("b", "a", "complex", -2.0, 0.2),
        Leg("a", "b", "solvent", 0.0, 0.0),
    ]

    (edge,) = assemble_edges(legs)

    assert edge.value_kcal_mol == pytest.approx((1.0 * 4 + 2.0) / 5)
    assert edge.uncertainty_kcal_mol == pytest.approx(0.1 * math.sqrt(4 / 5))
    assert codes(edge) == ["reversed-leg", "legs-combined"]
    assert edge.legs == (0, 1, 2)


def test_exact_legs_count_alone() -> None:
    legs = [
        Leg("a", "b", "direct", 1.0, 0.0),
        Leg("a", "b", "direct", 9.0, 0.2),
        Leg("a", "b", "direct", 2.0, 0.0),
    ]

    (edge,) = assemble_edges(legs)

    assert (edge.value_kcal_mol, edge.uncertainty_kcal_mol) == (1.5, 0.0)
    assert edge.notes[0].code == "exact-leg"
    assert edge.notes[0].edges == (0, 2)


def test_weights_of_tiny_uncertainties_do_not_overflow() -> None:
    legs = [Leg("a", "b", "direct", 1.0, 1e-200), Leg("a", "b", "direct", 3.0, 1e-200)]

    (edge,) = assemble_edges(legs)

    assert edge.value_kcal_mol == pytest.approx(2.0)
    assert edge.uncertainty_kcal_mol == pytest.approx(1e-200 / math.sqrt(2))


@pytest.mark.parametrize(
    ("present", "kind", "missing"),
    [("complex", "binding", "solvent"), ("solvent", "binding", "complex")],
)
def test_an_incomplete_edge_names_what_it_lacks(present: Phase, kind: str, missing: Phase) -> None:
    whole = [Leg("a", "b", "complex", 1.0, 0.1), Leg("a", "b", "solvent", 0.5, 0.1)]

    edges = assemble_edges([*whole, Leg("b", "c", present, 1.0, 0.1)])

    assert [edge.whole for edge in edges] == [True, False]
    assert (edges[1].kind, edges[1].missing) == (kind, (missing,))
    assert math.isnan(edges[1].value_kcal_mol)
    assert math.isnan(edges[1].uncertainty_kcal_mol)
    assert missing in edges[1].notes[-1].message


def test_solvent_alone_could_belong_to_either_kind() -> None:
    legs = [
        Leg("a", "b", "complex", 1.0, 0.1),
        Leg("c", "d", "vacuum", 1.0, 0.1),
        Leg("e", "f", "solvent", 1.0, 0.1),
        Leg("g", "h", "complex", 1.0, 0.1),
        Leg("g", "h", "vacuum", 1.0, 0.1),
    ]

    edges = assemble_edges(legs)

    assert [(e.ligand_a, e.kind, e.missing) for e in edges] == [
        ("a", "binding", ("solvent",)),
        ("c", "hydration", ("solvent",)),
        ("e", "binding", ("complex",)),
        ("e", "hydration", ("vacuum",)),
        ("g", "binding", ("solvent",)),
        ("g", "hydration", ("solvent",)),
    ]


def test_a_failed_leg_is_a_missing_leg() -> None:
    (edge,) = assemble_edges([Leg("a", "b", "complex", NAN, NAN), Leg("a", "b", "solvent", 0.5, 0.1)])

    assert edge.missing == ("complex",)
    assert codes(edge) == ["failed-leg", "missing-leg"]


def test_a_failed_leg_does_not_spoil_its_repeat() -> None:
    legs = [
        Leg("a", "b", "complex", NAN, NAN),
        Leg("a", "b", "complex", 1.0, 0.1),
        Leg("a", "b", "solvent", 0.5, 0.1),
    ]

    (edge,) = assemble_edges(legs)

    assert edge.value_kcal_mol == 0.5
    assert codes(edge) == ["failed-leg"]
    assert edge.legs == (1, 2)


def test_unknown_uncertainty_stays_unknown() -> None:
    (edge,) = assemble_edges([Leg("a", "b", "complex", 1.0, NAN), Leg("a", "b", "solvent", 0.5, 0.1)])

    assert edge.value_kcal_mol == 0.5
    assert math.isnan(edge.uncertainty_kcal_mol)
    assert edge.whole
    assert codes(edge) == ["unknown-uncertainty"]
    assert whole_edges([edge], "binding")[0] == []


def test_legs_of_known_uncertainty_count_before_those_of_unknown() -> None:
    (edge,) = assemble_edges([Leg("a", "b", "direct", 1.0, NAN), Leg("a", "b", "direct", 0.5, 0.1)])

    assert (edge.value_kcal_mol, edge.uncertainty_kcal_mol) == (0.5, 0.1)


def test_direct_legs_pass_beside_others() -> None:
    legs = [
        Leg("a", "b", "direct", 1.0, 0.1),
        Leg("a", "b", "complex", 3.0, 0.1),
        Leg("a", "b", "solvent", 1.5, 0.1),
    ]

    edges = assemble_edges(legs)

    assert [(e.kind, e.value_kcal_mol) for e in edges] == [("binding", 1.5), ("direct", 1.0)]
    assert edges[1].notes == ()


def test_one_phase_alone_is_direct() -> None:
    legs = [
        Leg("a", "b", "solvent", 1.0, 0.1),
        Leg("b", "c", "solvent", 2.0, 0.1),
        Leg("c", "d", "solvent", NAN, NAN),
    ]

    edges = assemble_edges(legs)

    assert [edge.kind for edge in edges] == ["direct"] * 3
    assert [edge.value_kcal_mol for edge in edges[:2]] == [1.0, 2.0]
    assert codes(edges[0]) == ["single-phase"]
    assert edges[2].missing == ("solvent",)


def test_groups_do_not_mix() -> None:
    legs = [
        Leg("a", "b", "complex", 1.0, 0.1, group="tyk2"),
        Leg("a", "b", "solvent", 1.0, 0.1, group="mcl1"),
    ]

    edges = assemble_edges(legs)

    assert [(e.group, e.missing) for e in edges] == [("tyk2", ("solvent",)), ("mcl1", ("complex",))]


@pytest.mark.parametrize(
    ("leg", "match"),
    [
        (Leg("a", "b", "gas", 1.0, 0.1), "leg 0 .* phase 'gas'"),  # type: ignore[arg-type]
        (Leg("a", "b", "direct", math.inf, 0.1), "leg 0"),
        (Leg("a", "b", "direct", 1.0, -0.1), "uncertainty -0.1"),
    ],
)
def test_unusable_legs_are_refused_by_name(leg: Leg, match: str) -> None:
    with pytest.raises(EstimatorInputError, match=match):
        assemble_edges([leg])


@settings(deadline=None)
@given(networks(), st.randoms(use_true_random=False))
def test_legs_in_any_order_and_direction_rebuild_the_network(edges: Edges, random: object) -> None:
    # Every edge is cut into vacuum, solvent and complex legs, of which some are turned.
    names = edges.nodes()
    legs = []
    for k, (a, b) in enumerate(zip(edges.tail, edges.head, strict=True)):
        sd = float(edges.sd[k]) / math.sqrt(2)
        value = float(edges.value[k])
        parts: dict[Phase, float] = {"vacuum": 1.25, "solvent": 1.25 + value, "complex": 1.25 + 2 * value}
        for phase, part in parts.items():
            turn = random.random() < 0.5  # type: ignore[attr-defined]
            ends = (names[b], names[a]) if turn else (names[a], names[b])
            legs.append(Leg(*ends, phase, -part if turn else part, sd, group=k))
    random.shuffle(legs)  # type: ignore[attr-defined]
    reference = solve_network(*edges.labels(), edges.value, edges.sd, nodes=names)

    assembled = assemble_edges(legs)

    for kind in ("binding", "hydration"):
        estimate = solve_network(*whole_edges(assembled, kind), nodes=names)  # type: ignore[arg-type]
        np.testing.assert_allclose(estimate.value_kcal_mol, reference.value_kcal_mol, atol=1e-10)
        np.testing.assert_allclose(estimate.covariance, reference.covariance, atol=1e-10)  # type: ignore[arg-type]


def test_a_network_of_three_phases_gives_binding_and_hydration_of_every_ligand() -> None:
    rng = np.random.default_rng(8)
    ligands = ["ethanol", "phenol", "toluene", "anisole", "aniline"]
    pairs = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2), (1, 4)]
    truth: dict[Phase, np.ndarray] = {p: rng.normal(size=5) for p in ("vacuum", "solvent", "complex")}
    sd = 0.05
    legs = []
    for a, b in pairs:
        for phase, free_energy in truth.items():
            value = float(free_energy[b] - free_energy[a] + sd * rng.normal())
            legs.append(Leg(ligands[a], ligands[b], phase, value, sd))

    edges = assemble_edges(legs)

    nodes: list[Hashable] = list(ligands)
    expected = {
        "binding": truth["complex"] - truth["solvent"],
        "hydration": truth["solvent"] - truth["vacuum"],
    }
    assert len(edges) == 2 * len(pairs)
    for kind, values in expected.items():
        estimate = solve_network(*whole_edges(edges, kind), nodes=nodes)  # type: ignore[arg-type]
        pulls = (estimate.value_kcal_mol - values + values.mean()) / estimate.uncertainty_kcal_mol
        assert np.abs(pulls).max() < 3.0


def test_both_directions_are_two_edges_where_that_is_asked_for() -> None:
    legs = [
        Leg("a", "b", "complex", 5.0, 0.1),
        Leg("a", "b", "solvent", 3.0, 0.1),
        Leg("b", "a", "solvent", -3.4, 0.3),
        Leg("b", "a", "complex", -5.0, 0.4),
    ]

    forward, backward = assemble_edges(legs, by_direction=True)

    assert (forward.ligand_a, forward.ligand_b, forward.legs) == ("a", "b", (0, 1))
    assert (backward.ligand_a, backward.ligand_b, backward.legs) == ("b", "a", (3, 2))
    assert (forward.value_kcal_mol, backward.value_kcal_mol) == pytest.approx((2.0, -1.6))
    assert backward.uncertainty_kcal_mol == pytest.approx(0.5)
    assert len(assemble_edges(legs)) == 1


@pytest.mark.parametrize("phases", [("complex",), ("solvent",)])
def test_a_direction_that_lacks_a_phase_lends_its_legs_to_the_other(phases: tuple[Phase, ...]) -> None:
    legs = [Leg("a", "b", "complex", 5.0, 0.1), Leg("a", "b", "solvent", 3.0, 0.1)]
    legs += [Leg("b", "a", phase, -4.0, 0.1) for phase in phases]

    assert assemble_edges(legs, by_direction=True) == assemble_edges(legs)
