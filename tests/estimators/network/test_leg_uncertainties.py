"""Rules for the uncertainty of legs: coverage of known true values, and the treatment of unusual input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.leg_uncertainties import LegEvidence, LegRule, leg_uncertainties
from alchemiscale_lake.estimators.network.replicates import combine
from tests.estimators.replicated_networks import World, coverage

NAN = math.nan


def leg(values: list[float], stated: list[float] | None, group: str = "complex") -> LegEvidence:
    found = combine(values, stated)
    return LegEvidence(found.value, found.n, found.sd, found.own_uncertainty, group)


@pytest.mark.parametrize("world", ["truthful", "half", "uneven", "blind"])
@pytest.mark.parametrize("n_repeats", [2, 3, 5])
def test_intervals_of_pooled_legs_edges_and_differences_hold_95_per_cent(world: World, n_repeats: int) -> None:
    found = coverage(world, n_repeats, "pooled", n_networks=40)

    # 1,520 legs, 760 edges and 2,640 differences that share errors: the widths are three standard errors
    assert found.legs == pytest.approx(95, abs=2.3)
    # eight cycles do not exclude an error shared by repeats, so edges over-cover where there is none
    assert 95 - 2.6 < found.edges < 99.6
    assert 95 - 3.5 < found.differences < 99.9


@pytest.mark.parametrize("world", ["truthful", "half"])
def test_without_repeats_cycles_distinguish_correct_from_wrong_uncertainties(world: World) -> None:
    found = coverage(world, 1, "pooled", n_networks=60)

    assert found.edges == pytest.approx(95, abs=2.6)
    assert found.differences == pytest.approx(95, abs=3.5)


def test_cycles_reveal_errors_shared_by_repeats() -> None:
    found = coverage("shared", 3, "pooled", n_networks=40, n_nodes=24, n_edges=40)
    alone = coverage("shared", 3, "larger", n_networks=20, n_nodes=24, n_edges=40)

    assert found.edges == pytest.approx(95, abs=2.6)
    assert found.differences == pytest.approx(94, abs=3.5)
    assert alone.edges < 85


def test_the_rule_of_single_legs_falls_short_where_statements_are_too_small() -> None:
    assert coverage("half", 2, "larger", n_networks=20).edges < 90


@pytest.mark.parametrize("rule", ["larger", "own", "sem", "sd"])
def test_other_rules_are_those_of_replicates(rule: LegRule) -> None:
    legs = [leg([1.0, 2.0, 4.5], [0.3, 0.4, 1.2]), leg([1.0], [0.2]), leg([1.0, 3.0], None)]

    found = leg_uncertainties(legs, rule)

    expected = [
        combine([1.0, 2.0, 4.5], [0.3, 0.4, 1.2], rule).uncertainty,  # type: ignore[arg-type]
        combine([1.0], [0.2], rule).uncertainty,  # type: ignore[arg-type]
        combine([1.0, 3.0], None, rule).uncertainty,  # type: ignore[arg-type]
    ]
    assert found.uncertainty_kcal_mol.tolist() == expected
    assert not found.replicated


def test_one_result_alone_keeps_what_it_states() -> None:
    found = leg_uncertainties([leg([1.0], [0.2]), leg([3.0], [0.1])])

    assert found.uncertainty_kcal_mol.tolist() == pytest.approx([0.2, 0.1])
    assert found.spreads == {"complex": None}


def test_single_results_take_the_spread_that_repeats_of_others_show() -> None:
    rng = np.random.default_rng(2)
    legs = [leg(rng.normal(0, 0.6, 3).tolist(), [0.2] * 3) for _ in range(40)]

    found = leg_uncertainties([*legs, leg([1.0], [0.2])])

    assert found.uncertainty_kcal_mol[-1] == pytest.approx(0.6, rel=0.15)
    spread = found.spreads["complex"]
    assert spread is not None
    assert spread.ratio == pytest.approx(9.0, rel=0.3)
    assert (spread.degrees_of_freedom, spread.n_legs, spread.scale) == (80, 40, "own")


def test_groups_scatter_each_in_its_own_way_and_those_without_repeats_borrow() -> None:
    rng = np.random.default_rng(3)
    calm = [leg(rng.normal(0, 0.1, 3).tolist(), [0.1] * 3, "solvent") for _ in range(30)]
    wild = [leg(rng.normal(0, 0.5, 3).tolist(), [0.1] * 3, "complex") for _ in range(30)]

    found = leg_uncertainties([*calm, *wild, leg([0.0], [0.1], "vacuum")])

    solvent, complex_, vacuum = (
        found.uncertainty_kcal_mol[:30].mean(),
        found.uncertainty_kcal_mol[30:60].mean(),
        found.uncertainty_kcal_mol[60],
    )
    assert solvent == pytest.approx(0.1 / math.sqrt(3), rel=0.3)
    assert complex_ == pytest.approx(0.5 / math.sqrt(3), rel=0.3)
    assert 0.1 < vacuum < 1.5
    assert found.borrowed == {"vacuum"}


def test_copies_are_one_result() -> None:
    found = leg_uncertainties([leg([1.25, 1.25, 1.25], [0.3, 0.3, 0.3])])

    assert found.n.tolist() == [1]
    assert found.uncertainty_kcal_mol.tolist() == pytest.approx([0.3])


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ([leg([0.0, 0.0], [0.0, 0.0]), leg([1.0], [0.2])], [0.0, 0.2]),  # an identity among others
        ([leg([2.0, 2.0], [0.0, 0.0]), leg([1.0, 1.0], [0.0, 0.0])], [0.0, 0.0]),  # an analytic Protocol
        ([leg([2.0], [0.0]), leg([1.0], [0.0])], [NAN, NAN]),  # a Protocol that states nothing for one repeat
    ],
)
def test_zero_is_believed_where_the_protocol_can_state_more_or_repeats_agree(
    legs: list[LegEvidence], expected: list[float]
) -> None:
    np.testing.assert_allclose(leg_uncertainties(legs).uncertainty_kcal_mol, expected)


def test_a_stated_zero_that_scatter_contradicts_is_ignored() -> None:
    found = leg_uncertainties([leg([1.0, 2.0], [0.0, 0.0]), leg([1.0], [0.0])])

    assert (found.uncertainty_kcal_mol > 0.3).all()
    spread = found.spreads["complex"]
    assert spread is not None
    assert spread.scale == "common"


def test_unstated_results_are_taken_like_the_stated_of_their_group() -> None:
    found = leg_uncertainties([leg([1.0], [0.3]), leg([1.0], None)])

    assert found.uncertainty_kcal_mol.tolist() == pytest.approx([0.3, 0.3])


def test_without_any_statement_scatter_speaks() -> None:
    rng = np.random.default_rng(4)
    legs = [leg(rng.normal(0, 0.4, 3).tolist(), None) for _ in range(40)]

    found = leg_uncertainties(legs)

    assert found.uncertainty_kcal_mol.mean() == pytest.approx(0.4 / math.sqrt(3), rel=0.15)


def test_legs_without_results_are_left_alone() -> None:
    found = leg_uncertainties([LegEvidence(NAN, 1, NAN, NAN), leg([1.0], [0.1])])

    np.testing.assert_array_equal(np.isnan(found.uncertainty_kcal_mol), [True, False])
    assert leg_uncertainties([]).uncertainty_kcal_mol.shape == (0,)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match="rule 'mean' is unknown; take one of pooled, larger"):
        leg_uncertainties([], "mean")  # type: ignore[arg-type]


@pytest.mark.parametrize("absurd", [30.0, 900.0, 1e6])
@pytest.mark.parametrize("n_legs", [6, 20, 60])
def test_one_absurd_statement_spoils_neither_its_leg_nor_the_others(absurd: float, n_legs: int) -> None:
    """A failed MBAR error estimate together with two repeats that agree in value."""
    rng = np.random.default_rng(5)
    values = 0.2 * rng.standard_normal((n_legs, 3))
    stated = np.full((n_legs, 3), 0.2)
    without = leg_uncertainties(_evidence(values, stated)).uncertainty_kcal_mol
    stated[2, 1] = absurd
    chosen = leg_uncertainties(_evidence(values, stated))
    assert chosen.overruled_kcal2_mol2.keys() == {2}
    assert chosen.overruled_kcal2_mol2[2] == pytest.approx(absurd**2 / 3, rel=0.01)
    # the similarity of legs becomes uncertain: intervals are wider, but by at most half
    assert (chosen.uncertainty_kcal_mol < 1.5 * without.max()).all()


def test_a_leg_that_scatters_far_more_than_it_states_has_its_own_scatter() -> None:
    rng = np.random.default_rng(6)
    values, stated = 0.2 * rng.standard_normal((30, 3)), np.full((30, 3), 0.2)
    values[4] = [-9.0, 1.0, 8.0]
    chosen = leg_uncertainties(_evidence(values, stated))
    assert chosen.overruled_kcal2_mol2.keys() == {4}
    assert chosen.uncertainty_kcal_mol[4] > values[4].std(ddof=1) / np.sqrt(3)
    assert np.delete(chosen.uncertainty_kcal_mol, 4).max() < 0.3


def _evidence(values: np.ndarray, stated: np.ndarray) -> list[LegEvidence]:  # type: ignore[type-arg]
    combined = [combine(x, u) for x, u in zip(values.tolist(), stated.tolist(), strict=True)]
    return [LegEvidence(leg.value, leg.n, leg.sd, leg.own_uncertainty, "solvent") for leg in combined]
