from __future__ import annotations

import math

import cinnabar
import numpy as np
import pytest
from cinnabar.stats import bootstrap_statistic
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.statistics.performance import STATISTICS, Resampled, assess, pool, resample
from tests.generations import cinnabar_0_2


def sample(n: int = 40, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    experiment = rng.normal(-9.0, 1.5, n)
    return experiment + rng.normal(0.5, 1.0, n), experiment


def test_by_hand() -> None:
    performance = assess([1.0, 2.0, 6.0], [1.0, 3.0, 4.0], relative=False)

    assert performance.n == 3
    assert performance["RMSE"].value == pytest.approx(math.sqrt(5 / 3))
    assert performance["MUE"].value == pytest.approx(1.0)
    assert performance["kendall_tau"].value == 1.0
    assert performance["spearman_rho"].value == pytest.approx(1.0)


def test_relative_forgets_a_shift_and_absolute_does_not() -> None:
    experiment = np.array([-10.0, -9.0, -7.0, -8.5])

    relative = assess(experiment + 3.0, experiment, relative=True)
    absolute = assess(experiment + 3.0, experiment, relative=False)

    assert relative["RMSE"].value == pytest.approx(0.0, abs=1e-14)
    assert absolute["RMSE"].value == pytest.approx(3.0)
    assert absolute["MUE"].value == pytest.approx(3.0)


@pytest.mark.parametrize("seed", range(5))
def test_values_are_scipys(seed: int) -> None:
    y, x = sample(seed=seed)
    y, x = y.round(0), x.round(0)  # ties

    performance = assess(y, x, relative=False, n_bootstrap=10)

    assert performance["pearson_r"].value == pytest.approx(stats.pearsonr(x, y)[0])
    assert performance["R2"].value == pytest.approx(stats.pearsonr(x, y)[0] ** 2)
    assert performance["spearman_rho"].value == pytest.approx(stats.spearmanr(x, y)[0])
    assert performance["kendall_tau"].value == pytest.approx(stats.kendalltau(x, y)[0])


@pytest.mark.parametrize(("name", "theirs"), [("RMSE", "RMSE"), ("MUE", "MUE"), ("R2", "R2"), ("kendall_tau", "KTAU")])
def test_intervals_are_cinnabars(name: str, theirs: str) -> None:
    y, x = sample()
    y, x = y - y.mean(), x - x.mean()
    np.random.seed(0)

    reference = bootstrap_statistic(x, y, statistic=theirs, nbootstrap=500)
    ours = assess(y, x, relative=True, n_bootstrap=4000)[name]

    assert ours.value == pytest.approx(reference["mle"])
    width = reference["high"] - reference["low"]
    assert ours.low == pytest.approx(reference["low"], abs=0.15 * width)
    assert ours.high == pytest.approx(reference["high"], abs=0.15 * width)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [3, 4, 11, 40])
def test_cinnabars_other_statistics_by_their_definitions(seed: int, n: int) -> None:
    y, x = sample(n, seed)

    found = assess(y, x, relative=False, n_bootstrap=10)

    assert found["NRMSE"].value == pytest.approx(np.sqrt(np.mean((y - x) ** 2)) / abs(x.mean()))
    assert found["RAE"].value == pytest.approx(np.mean(np.abs(y - x)) / np.mean(np.abs(x - x.mean())))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    weight = np.array([abs(x[i] - x[j]) for i, j in pairs])
    order = np.array([np.sign((x[i] - x[j]) * (y[i] - y[j])) for i, j in pairs])
    assert found["predictive_index"].value == pytest.approx(weight @ order / weight.sum())
    best = [len({*np.argsort(y)[:k]} & {*np.argsort(x)[:k]}) / k for k in range(1, n // 2 + 1)]
    assert found["fraction_best"].value == pytest.approx(np.mean(best))


@cinnabar_0_2
def test_rae_is_cinnabars() -> None:
    y, x = sample()
    np.random.seed(0)

    reference = bootstrap_statistic(x, y, statistic="RAE", nbootstrap=500)
    ours = assess(y, x, relative=False, n_bootstrap=4000)["RAE"]

    assert ours.value == pytest.approx(reference["mle"])
    width = reference["high"] - reference["low"]
    assert ours.low == pytest.approx(reference["low"], abs=0.15 * width)
    assert ours.high == pytest.approx(reference["high"], abs=0.15 * width)


@pytest.mark.skipif(
    not hasattr(cinnabar, "compute_fraction_best_ligands"),
    reason="this cinnabar has neither NRMSE, the predictive index nor the fraction of best ligands",
)
@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_those_of_the_newest_cinnabar(seed: int) -> None:
    from cinnabar.stats import calculate_nrmse, calculate_predictive_index, calculate_rae

    y, x = sample(17, seed)

    found = assess(y, x, relative=False, n_bootstrap=10)

    assert found["NRMSE"].value == pytest.approx(calculate_nrmse(x, y))
    assert found["RAE"].value == pytest.approx(calculate_rae(x, y))
    assert found["predictive_index"].value == pytest.approx(calculate_predictive_index(x, y))
    assert found["fraction_best"].value == pytest.approx(cinnabar.compute_fraction_best_ligands(x, y))


def test_what_depends_on_the_zero_or_the_direction_is_not_given_for_edges() -> None:
    y, x = sample()

    found = assess(y, x, relative=False, both_directions=True, n_bootstrap=10)

    assert math.isnan(found["NRMSE"].value)
    assert math.isnan(found["fraction_best"].value)
    assert 0 < found["predictive_index"].value <= 1


@pytest.mark.parametrize("relative", [True, False])
def test_two_ligands_have_errors_but_neither_intervals_nor_correlations(relative: bool) -> None:
    found = assess([1.0, 2.0], [1.0, 4.0], relative=relative)

    assert found["RMSE"].value > 0
    assert math.isnan(found["RMSE"].low)
    assert math.isnan(found["R2"].value)
    assert math.isnan(found["kendall_tau"].high)


def test_two_edges_have_no_correlation() -> None:
    found = assess([1.0, 2.0], [1.1, 1.9], relative=False, both_directions=True, n_bootstrap=10)
    three = assess([1.0, 2.0, -1.0], [1.1, 1.9, -0.7], relative=False, both_directions=True, n_bootstrap=10)

    names = ("R2", "pearson_r", "spearman_rho", "kendall_tau")
    assert [math.isnan(found[name].value) for name in names] == [True] * 4
    assert [math.isnan(three[name].value) for name in names] == [False] * 4


def test_fewer_than_five_pairs_have_no_interval() -> None:
    values = np.array([1.0, 2.0, 2.5, 4.0, 3.0])
    four, five = (assess(values[:n], np.arange(n) * 1.0, relative=True, n_bootstrap=50) for n in (4, 5))

    assert all(math.isnan(one.low) and math.isnan(one.high) for one in four.statistics)
    assert four["R2"].value > 0
    assert five["RMSE"].low < five["RMSE"].value < five["RMSE"].high


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        error = rng.normal(0.0, 1.0, 60)
        interval = assess(error, np.zeros(60), relative=False, n_bootstrap=300)["MUE"]
        covered += interval.low <= math.sqrt(2 / math.pi) <= interval.high

    # 95% of 200 is 190 +- 3.1; percentile intervals of 60 pairs run slightly narrow.
    assert 178 <= covered <= 199


def test_the_same_seed_gives_the_same_interval() -> None:
    y, x = sample()

    assert assess(y, x, relative=True) == assess(y, x, relative=True)
    assert assess(y, x, relative=True) != assess(y, x, relative=True, seed=1)


def test_confidence_widens() -> None:
    y, x = sample()

    narrow, wide = assess(y, x, relative=True, confidence=0.5), assess(y, x, relative=True, confidence=0.99)

    for name in STATISTICS:
        assert wide[name].low < narrow[name].low < narrow[name].value < narrow[name].high < wide[name].high


def test_pairs_without_both_sides_are_left_out() -> None:
    performance = assess([1.0, np.nan, 3.0], [1.5, 2.0, np.nan], relative=False)

    assert performance.n == 1
    assert performance["MUE"].value == 0.5
    assert math.isnan(performance["R2"].value)
    assert math.isnan(performance["kendall_tau"].low)


def test_constant_values_have_no_correlation() -> None:
    performance = assess([0.1, 0.1, 0.1], [1.0, 2.0, 3.0], relative=False)

    assert math.isnan(performance["pearson_r"].value)
    assert math.isnan(performance["spearman_rho"].value)
    assert math.isnan(performance["kendall_tau"].value)


@pytest.mark.parametrize(("y", "x", "match"), [([], [], "none of 0"), ([1.0], [1.0, 2.0], "give pairs")])
def test_unusable_pairs_are_refused(y: list[float], x: list[float], match: str) -> None:
    with pytest.raises(EstimatorInputError, match=match):
        assess(y, x, relative=True)


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="R3"):
        assess([1.0], [1.0], relative=False)["R3"]


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=2, max_size=15))
def test_bounds_hold_for_any_pairs(pairs: list[tuple[float, float]]) -> None:
    y, x = np.array(pairs).T

    performance = assess(y, x, relative=True, n_bootstrap=20)

    assert performance["MUE"].value <= performance["RMSE"].value * (1 + 1e-12) + 1e-150  # squares underflow
    for name in ("pearson_r", "spearman_rho", "kendall_tau"):
        assert not abs(performance[name].value) > 1 + 1e-9


# --- resamples told by counts ------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_a_resample_has_the_statistics_of_its_pairs_written_out(pairs: list[tuple[int, int]], seed: int) -> None:
    y, x = np.array(pairs, dtype=np.float64).T

    found = resample(y, x, relative=False, n_bootstrap=5, seed=seed)

    picks = np.random.default_rng(seed).integers(len(y), size=(5, len(y)))
    for sample, pick in zip(found.samples, picks, strict=True):
        written_out = resample(y[pick], x[pick], relative=False, n_bootstrap=0).value
        np.testing.assert_allclose(sample, written_out, rtol=1e-12, atol=1e-12)


def test_large_sets_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = sample(50)
    whole = resample(y, x, relative=True, n_bootstrap=30)

    monkeypatch.setattr("alchemiscale_lake.estimators.statistics.pair_statistics._BLOCK_ENTRIES", 7 * 50)
    monkeypatch.setattr("alchemiscale_lake.estimators.statistics.performance._CHUNK_ENTRIES", 11 * 50)

    np.testing.assert_allclose(resample(y, x, relative=True, n_bootstrap=30).samples, whole.samples, rtol=1e-12)


# --- relative free energies --------------------------------------------------------------------------


def test_each_component_is_put_on_its_own_zero() -> None:
    experiment = np.array([-10.0, -9.0, -7.0, -8.0])
    shifted = experiment + np.array([3.0, 3.0, -2.0, -2.0])

    found = assess(shifted, experiment, relative=True, zero_of=["p", "p", "q", "q"])

    assert found["RMSE"].value == pytest.approx(0.0, abs=1e-14)


def test_a_pair_on_a_zero_of_its_own_compares_nothing() -> None:
    found = assess([1.0, 2.0, 7.0], [1.0, 3.0, 0.0], relative=True, zero_of=[0, 0, 1])

    assert found.n == 2
    assert found["RMSE"].value == pytest.approx(0.5)
    with pytest.raises(EstimatorInputError, match="on a zero shared with another"):
        assess([1.0, 2.0], [1.0, 2.0], relative=True, zero_of=["p", "q"])


def test_shifting_once_covers_the_truth_more_often_than_shifting_every_resample() -> None:
    once = each_time = 0
    for seed in range(400):
        error = np.random.default_rng(seed).normal(0.0, 1.0, 8)
        interval = assess(error, np.zeros(8), relative=True, n_bootstrap=300, seed=seed)["RMSE"]
        once += interval.low <= 1.0 <= interval.high
        picks = np.random.default_rng(seed).integers(8, size=(300, 8))
        low, high = np.quantile(error[picks].std(axis=1), [0.025, 0.975])
        each_time += bool(low <= 1.0 <= high)

    # as documented: 72% of intervals for 8 pairs, and 67% if the mean is taken away twice
    assert once / 400 == pytest.approx(0.72, abs=0.07)
    assert once > each_time + 5


# --- edges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_no_statistic_of_edges_depends_on_their_directions(seed: int) -> None:
    y, x = sample(seed=seed)
    sign = np.random.default_rng(seed).choice([-1.0, 1.0], len(y))

    one = resample(y, x, relative=False, both_directions=True, n_bootstrap=40)
    other = resample(sign * y, sign * x, relative=False, both_directions=True, n_bootstrap=40)

    np.testing.assert_allclose(one.value, other.value, rtol=1e-10)
    np.testing.assert_allclose(one.samples, other.samples, rtol=1e-10)


def test_both_directions_are_cinnabars_symmetrised_pairs() -> None:
    y, x = sample()

    found = assess(y, x, relative=False, both_directions=True, n_bootstrap=10)

    mirrored = np.concatenate([x, -x]), np.concatenate([y, -y])
    assert found["RMSE"].value == pytest.approx(math.sqrt(np.mean((y - x) ** 2)))
    assert found["pearson_r"].value == pytest.approx(stats.pearsonr(*mirrored)[0])
    assert found["kendall_tau"].value == pytest.approx(stats.kendalltau(*mirrored)[0])
    assert found["spearman_rho"].value == pytest.approx(stats.spearmanr(*mirrored)[0])


# --- uncertainties -----------------------------------------------------------------------------------


@cinnabar_0_2
def test_uncertainties_enter_as_cinnabars() -> None:
    y, x = sample()
    dy, dx = np.full(len(y), 0.8), np.full(len(y), 0.3)
    np.random.seed(0)

    reference = bootstrap_statistic(x, y, dx, dy, statistic="RMSE", nbootstrap=500)
    ours = assess(
        y, x, relative=False, estimate_uncertainty_kcal_mol=dy, experiment_uncertainty_kcal_mol=dx, n_bootstrap=4000
    )["RMSE"]

    width = reference["high"] - reference["low"]
    assert ours.low == pytest.approx(reference["low"], abs=0.15 * width)
    assert ours.high == pytest.approx(reference["high"], abs=0.15 * width)


def test_uncertainties_of_zero_change_nothing() -> None:
    y, x = sample(12)

    none = resample(y, x, relative=False, n_bootstrap=20)
    zero = resample(y, x, relative=False, estimate_uncertainty_kcal_mol=[float("nan"), *[0.0] * 11], n_bootstrap=20)

    np.testing.assert_allclose(zero.samples, none.samples, rtol=1e-12)


@pytest.mark.parametrize(("errors", "match"), [([0.1], "give one each"), ([0.1, -0.2], "negative")])
def test_unusable_uncertainties_are_refused(errors: list[float], match: str) -> None:
    with pytest.raises(EstimatorInputError, match=match):
        assess([1.0, 2.0], [1.0, 2.0], relative=False, experiment_uncertainty_kcal_mol=errors)


# --- networks together -------------------------------------------------------------------------------


def networks(*sizes: int, n_bootstrap: int = 400) -> list[Resampled]:
    return [resample(*sample(n, seed), relative=True, n_bootstrap=n_bootstrap) for seed, n in enumerate(sizes)]


def test_pooled_errors_are_those_of_all_pairs_and_correlations_the_mean_of_the_networks() -> None:
    parts = networks(10, 30, 5)
    errors = [(y - y.mean()) - (x - x.mean()) for y, x in (sample(n, seed) for seed, n in enumerate((10, 30, 5)))]

    pooled = pool(parts).performance()

    assert pooled.n == 45
    assert pooled["RMSE"].value == pytest.approx(math.sqrt(np.mean(np.concatenate(errors) ** 2)))
    assert pooled["MUE"].value == pytest.approx(np.mean(np.abs(np.concatenate(errors))))
    taus = [part.performance()["kendall_tau"].value for part in parts]
    assert pooled["kendall_tau"].value == pytest.approx(np.average(taus, weights=[10, 30, 5]))


def test_one_network_pooled_is_itself() -> None:
    (part,) = networks(20)

    for pooled in (pool([part]), pool([part], over="networks")):
        np.testing.assert_allclose(pooled.value, part.value)
        np.testing.assert_allclose(np.sort(pooled.samples, axis=0), np.sort(part.samples, axis=0))


def test_more_networks_narrow_and_drawing_networks_anew_widens() -> None:
    def width(resampled: Resampled) -> float:
        statistic = resampled.performance()["RMSE"]
        return statistic.high - statistic.low

    parts = networks(12, 12, 12, 12, 12, 12)

    assert width(pool(parts)) < 0.6 * width(parts[0])
    assert width(pool(parts, over="networks")) > width(pool(parts))


def test_networks_of_one_size_do_not_share_their_chances() -> None:
    y, x = sample(20)
    twins = [resample(y, x, relative=True), resample(y, x, relative=True)]

    one, both = twins[0].samples[:, 0].std(), pool(twins).samples[:, 0].std()

    assert both == pytest.approx(one / math.sqrt(2), rel=0.15)


def test_a_correlation_that_one_network_lacks_is_the_others() -> None:
    parts = [*networks(10), resample([1.0, 1.0], [1.0, 2.0], relative=True, n_bootstrap=400)]

    assert pool(parts).performance()["R2"].value == pytest.approx(parts[0].performance()["R2"].value)


def test_unequal_resamples_are_not_pooled() -> None:
    with pytest.raises(EstimatorInputError, match="resample all equally often"):
        pool([*networks(5, n_bootstrap=10), *networks(5, n_bootstrap=20)])
