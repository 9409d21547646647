from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.network_draws import draw_deviations
from alchemiscale_lake.estimators.network.network_mle import NetworkEstimate, solve_network
from alchemiscale_lake.estimators.network.network_update import UpdatedSolution, update_network
from alchemiscale_lake.estimators.network.ranking import probability_better, rank_nodes

#: Five standard errors of a probability over 10,000 draws.
close = partial(pytest.approx, abs=0.025)


def random_network(n: int, m: int, seed: int = 0, *, covariance: bool = True) -> NetworkEstimate:
    rng = np.random.default_rng(seed)
    tree = [(int(rng.integers(node)), node) for node in range(1, n)]
    chords = [tuple(rng.choice(n, 2, replace=False).tolist()) for _ in range(m - len(tree))]
    node_a, node_b = zip(*(tree + chords), strict=True)
    truth = rng.normal(0.0, 1.0, n)
    sd = rng.uniform(0.2, 0.8, m)
    value = truth[list(node_b)] - truth[list(node_a)] + sd * rng.standard_normal(m)
    return solve_network(node_a, node_b, value, sd, nodes=range(n), covariance=covariance)


# --- truths known without drawing ---------------------------------------------------------------------


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.9])
@pytest.mark.parametrize("difference", [0.0, 0.3, 2.0])
def test_two_ligands_are_a_normal_integral(difference: float, correlation: float) -> None:
    covariance = np.array([[0.25, 0.15 * correlation], [0.15 * correlation, 0.09]])

    ranking = rank_nodes([0.0, difference], covariance, top=1)

    sd = math.sqrt(0.25 + 0.09 - 0.3 * correlation)
    assert ranking.p_best[0] == close(ndtr(difference / sd))
    assert ranking.expected_rank == close([2 - ranking.p_best[0], 1 + ranking.p_best[0]])
    assert probability_better([0.0, difference], covariance)[0, 1] == pytest.approx(ndtr(difference / sd))


@pytest.mark.parametrize("n", [2, 7, 30])
def test_equal_ligands_share_every_rank(n: int) -> None:
    ranking = rank_nodes(np.zeros(n), np.eye(n) - 1 / n, top=2)

    assert ranking.p_best == close(np.full(n, 1 / n))
    assert ranking.p_top == close(np.full(n, 2 / n))
    assert ranking.expected_rank == pytest.approx(np.full(n, (n + 1) / 2), abs=0.05 * n)
    assert set(ranking.rank_low) == {1.0}
    assert set(ranking.rank_high) == {float(n)}


def test_ligands_tied_without_uncertainty_share_by_chance() -> None:
    ranking = rank_nodes([-1.0, -1.0, 0.0], np.zeros((3, 3)), top=2)

    assert ranking.p_best == close([0.5, 0.5, 0.0])
    assert ranking.p_top.tolist() == [1.0, 1.0, 0.0]
    assert probability_better([-1.0, -1.0, 0.0], np.zeros((3, 3))).tolist() == [
        [0.5, 0.5, 1.0],
        [0.5, 0.5, 1.0],
        [0.0, 0.0, 0.5],
    ]


def test_three_ligands_meet_the_orthant_probability() -> None:
    # P(x1 < x2 and x1 < x3) = 1/4 + asin(r) / 2 pi, r being the correlation of the two differences
    ranking = rank_nodes([0.0, 0.0, 0.0], np.diag([1.0, 4.0, 0.25]), top=1)

    for i, (own, one, other) in enumerate([(1.0, 4.0, 0.25), (4.0, 1.0, 0.25), (0.25, 1.0, 4.0)]):
        r = own / math.sqrt((own + one) * (own + other))
        assert ranking.p_best[i] == close(0.25 + math.asin(r) / (2 * math.pi))


def test_certain_values_have_certain_ranks() -> None:
    ranking = rank_nodes([3.0, 1.0, 2.0], np.eye(3) * 1e-8, top=2)

    assert ranking.p_best.tolist() == [0.0, 1.0, 0.0]
    assert ranking.p_top.tolist() == [0.0, 1.0, 1.0]
    assert ranking.expected_rank.tolist() == [3.0, 1.0, 2.0]
    assert ranking.rank_low.tolist() == ranking.rank_high.tolist() == [3.0, 1.0, 2.0]


# --- invariants ---------------------------------------------------------------------------------------


@given(st.integers(2, 12), st.integers(1, 15), st.integers(0, 1000))
def test_probabilities_add_up(n: int, top: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))

    ranking = rank_nodes(rng.normal(size=n), root @ root.T, top=top, n_draws=200, seed=seed)

    assert ranking.p_best.sum() == pytest.approx(1.0)
    assert ranking.p_top.sum() == pytest.approx(min(top, n))
    assert ranking.expected_rank.sum() == pytest.approx(n * (n + 1) / 2)
    assert (ranking.p_best <= ranking.p_top + 1e-12).all()
    assert ((ranking.rank_low >= 1) & (ranking.rank_low <= ranking.rank_high) & (ranking.rank_high <= n)).all()


def test_a_shift_changes_nothing_and_a_ligand_without_value_is_left_out() -> None:
    covariance = np.diag([0.1, 0.2, np.nan, 0.3])
    values = np.array([0.0, 0.4, np.nan, 0.2])

    ranking, shifted = rank_nodes(values, covariance), rank_nodes(values + 8.0, covariance)

    assert np.isnan(ranking.p_best).tolist() == [False, False, True, False]
    np.testing.assert_array_equal(ranking.p_best, shifted.p_best)
    assert ranking.top == 3
    assert np.isnan(probability_better(values, covariance)[2]).all()


def test_the_same_seed_gives_the_same_ranking_and_the_error_is_stated() -> None:
    one, other = (rank_nodes([0.0, 0.1], np.eye(2), seed=s, n_draws=2_500) for s in (1, 1))

    assert one.p_best.tolist() == other.p_best.tolist()
    assert one.max_standard_error == 0.01
    estimates = [rank_nodes([0.0, 0.0], np.eye(2), seed=s, n_draws=400).p_best[0] for s in range(200)]
    assert np.std(estimates) == pytest.approx(0.025, rel=0.25)


def test_the_last_bits_of_a_covariance_change_no_draw() -> None:
    """Three equal ligands: two equal eigenvalues, whose axes any other rounding turns."""
    covariance = 0.09 * (np.eye(3) - 1 / 3)
    value = [0.0, 0.2, 0.4]
    noise = np.random.default_rng(1).standard_normal((3, 3))
    other = covariance + 1e-16 * (noise + noise.T)

    assert rank_nodes(value, covariance).p_best.tolist() == rank_nodes(value, other).p_best.tolist()


def test_many_ligands_are_counted_in_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = random_network(40, 80)
    exact = rank_nodes(estimate.value_kcal_mol, estimate.covariance)

    monkeypatch.setattr("alchemiscale_lake.estimators.network.ranking._HISTOGRAM_ENTRIES", 40 * 8)
    monkeypatch.setattr("alchemiscale_lake.estimators.network.ranking._CHUNK_ENTRIES", 40 * 2_500)
    binned = rank_nodes(estimate.value_kcal_mol, estimate.covariance)

    assert binned.p_best == close(exact.p_best)
    # bins of five ranks, and chance may move a rank across the border of one
    assert (binned.rank_low <= exact.rank_low).mean() > 0.9
    assert (binned.rank_high >= exact.rank_high).mean() > 0.9
    assert (exact.rank_low - binned.rank_low).max() <= 6
    assert set(binned.rank_low % 5) == {1.0}
    assert set(binned.rank_high % 5) == {0.0}


# --- networks without a covariance --------------------------------------------------------------------


def test_ranking_by_draws_is_ranking_by_covariance() -> None:
    estimate = random_network(60, 140, seed=5)
    sparse = random_network(60, 140, seed=5, covariance=False)

    by_matrix = rank_nodes(estimate.value_kcal_mol, estimate.covariance, top=5)
    by_draws = rank_nodes(sparse.value_kcal_mol, sparse, top=5)

    np.testing.assert_array_equal(rank_nodes(estimate.value_kcal_mol, estimate, top=5).p_best, by_matrix.p_best)

    assert by_draws.p_best == close(by_matrix.p_best)
    assert by_draws.p_top == close(by_matrix.p_top)
    assert by_draws.expected_rank == pytest.approx(by_matrix.expected_rank, abs=0.4)


def test_a_lone_node_has_no_rank_by_draws_either() -> None:
    estimate = solve_network("abd", "bca", [0.0, 1.0, 2.0], [0.0, 0.5, 0.3], nodes="abcdx", covariance=False)

    assert np.isnan(rank_nodes(estimate.value_kcal_mol, estimate).p_best).tolist() == [False] * 4 + [True]


def test_probability_better_agrees_with_draws() -> None:
    estimate = random_network(15, 30, seed=7)

    exact = probability_better(estimate.value_kcal_mol, estimate.covariance)

    drawn = draw_deviations(estimate.solution, 10_000, np.random.default_rng(2)) + estimate.value_kcal_mol[:, None]
    assert (drawn[:, None, :] < drawn[None, :, :]).mean(axis=2) + 0.5 * np.eye(15) == close(exact)
    np.testing.assert_allclose(exact + exact.T, 1.0)


@pytest.mark.parametrize("covariance", [True, False])
def test_a_corrected_network_is_ranked_by_its_covariance_or_not_at_all(covariance: bool) -> None:
    ends = [str(k) for k in range(200)], [str(k + 1) for k in range(200)]
    before = solve_network(*ends, np.ones(200), np.full(200, 0.1), covariance=covariance)
    now = update_network(before, *ends, [*np.ones(199), 1.1], np.full(200, 0.1))

    assert isinstance(now.solution, UpdatedSolution)
    if covariance:
        assert rank_nodes(now.value_kcal_mol, now, n_draws=100).p_best[0] == 1.0
    else:
        with pytest.raises(EstimatorInputError, match="give one from solve_network"):
            rank_nodes(now.value_kcal_mol, now)


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "covariance", "options", "match"),
    [
        ([1.0], np.eye(2), {}, "their covariance"),
        ([np.nan], np.eye(1), {}, "none of 1 ligands"),
        ([1.0, 2.0], np.eye(2), {"top": 0}, "count from one"),
        ([1.0, 2.0], -np.eye(2), {}, "eigenvalue -1 "),
        ([1.0, 2.0], np.full((2, 2), np.nan), {}, "not finite"),
        ([1.0, 2.0], solve_network("ab", "bc", [1.0, 1.0], [0.1, 0.1]), {}, "a network of 3 nodes"),
    ],
)
def test_what_cannot_be_ranked_is_refused(values: list[float], covariance: object, options: dict, match: str) -> None:
    with pytest.raises(EstimatorInputError, match=match):
        rank_nodes(values, covariance, **options)  # type: ignore[arg-type]


def test_pairs_of_a_network_keep_their_digits_where_uncertainties_span_many_decades() -> None:
    estimate = solve_network(["a", "b", "c"], ["b", "c", "d"], [1e-4, 1.0, 1.0], [1e-4, 1.0, 1e8])

    better = probability_better(estimate.value_kcal_mol, estimate)
    by_covariance = probability_better(estimate.value_kcal_mol, estimate.covariance)  # type: ignore[arg-type]

    assert better[0, 1] == pytest.approx(ndtr(1.0), abs=1e-6)
    assert better[1, 0] == pytest.approx(1 - ndtr(1.0), abs=1e-6)
    # what is left of the pair in the covariance is rounding
    assert abs(by_covariance[0, 1] - ndtr(1.0)) > 0.001
    assert np.diag(better) == pytest.approx(0.5)


def test_a_network_of_other_ligands_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match="2 values were given for a network of 3 nodes"):
        probability_better([0.0, 1.0], random_network(3, 3))
