from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.cost.model import prior_model
from alchemiscale_lake.estimators.cost.model_json import from_json, to_json
from alchemiscale_lake.estimators.cost.predict import total
from alchemiscale_lake.estimators.cost.regressor import CostRegressor
from alchemiscale_lake.estimators.errors import EstimatorInputError
from benchmarks.published_throughput import published_throughput
from tests.long import LONG
from tests.real_data import real_file


def _rows(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "n_atoms": np.exp(rng.uniform(np.log(4e3), np.log(1e5), n)),
        "simulated_ns": np.full(n, 6.0),
        "n_windows": np.full(n, 11.0),
        "timestep_fs": np.full(n, 4.0),
        "is_complex": np.ones(n),
        "protocol": np.full(n, "RelativeHybridTopologyProtocol"),
        "gpu_model": np.full(n, "NVIDIA L40S"),
    }


def _hours(rows: dict[str, np.ndarray], factor: float, noise_sd: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, noise_sd, len(rows["n_atoms"]))
    return factor * prior_model().predict_distribution(rows).median * np.exp(noise)


def test_prior_is_sane_and_wide() -> None:
    rows = {**_rows(1), "n_atoms": np.array([53_000.0])}

    predicted = prior_model().predict_distribution(rows)

    # a published edge of this size took 3.4 hours on this GPU
    assert 1.0 < predicted.median[0] < 10.0
    assert predicted.high[0] / predicted.low[0] > 9.0
    assert predicted.extrapolates.all()
    assert "no result" in predicted.why[0]


def test_one_result_moves_the_level() -> None:
    rows = _rows(1)
    hours = _hours(rows, 3.0, 0.0)

    learned = CostRegressor().fit(rows, hours).predict_distribution(rows)
    before = prior_model().predict_distribution(rows)

    assert abs(np.log(learned.median[0] / hours[0])) < 0.15
    assert learned.sd_log[0] < before.sd_log[0] / 2.0


def test_many_results_decide() -> None:
    rows = _rows(300)
    hours = _hours(rows, 5.0, 0.05)

    model = CostRegressor().fit(rows, hours)

    assert model.card_.mdape < 0.05
    np.testing.assert_allclose(model.predict_distribution(rows).median, _hours(rows, 5.0, 0.0), rtol=0.05)


def test_an_unseen_gpu_is_said_and_widens() -> None:
    rows = _rows(100)
    model = CostRegressor().fit(rows, _hours(rows, 2.0, 0.05))
    elsewhere = {**rows, "gpu_model": np.full(100, "NVIDIA A100-SXM4-80GB")}

    here, there = model.predict_distribution(rows), model.predict_distribution(elsewhere)

    assert not here.extrapolates.any()
    assert there.extrapolates.all()
    assert "A100" in there.why[0]
    assert (there.sd_log > 1.5 * here.sd_log).all()
    assert (there.median > here.median).all()


def test_shared_error_does_not_average_away() -> None:
    rows = _rows(1000)

    prediction = prior_model().predict_distribution(rows)
    median, low, high = total(prediction)

    one = np.log(prediction.high[0] / prediction.low[0])
    assert low < median < high
    assert np.log(high / low) > 0.5 * one


def test_json_gives_the_same_model() -> None:
    rows = _rows(50)
    model = CostRegressor().fit(rows, _hours(rows, 2.0, 0.1), groups=np.arange(50) % 10)

    again = from_json(to_json(model))

    assert to_json(again) == to_json(model)
    assert again.card_ == model.card_
    np.testing.assert_allclose(again.predict_distribution(rows).high, model.predict_distribution(rows).high, rtol=1e-9)


def test_training_twice_gives_the_same() -> None:
    rows = _rows(120)
    hours = _hours(rows, 2.0, 0.1)

    assert to_json(CostRegressor().fit(rows, hours)) == to_json(CostRegressor().fit(rows, hours))


def test_hours_that_cannot_be_are_refused() -> None:
    with pytest.raises(EstimatorInputError, match="not positive"):
        CostRegressor().fit(_rows(2), np.array([1.0, 0.0]))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1}', '{"format": 99}', "null"])
def test_text_that_is_not_a_model_is_refused(text: str) -> None:
    with pytest.raises(EstimatorInputError, match="train it again"):
        from_json(text)


def test_a_model_of_an_older_release_shows_its_card_and_predicts_nothing() -> None:
    rows = _rows(30)
    model = CostRegressor().fit(rows, _hours(rows, 2.0, 0.1))

    old = from_json(to_json(model).replace('"format": 2', '"format": 1'))

    assert old.is_superseded
    assert not model.is_superseded
    assert old.card_ == model.card_
    with pytest.raises(EstimatorInputError, match="trained by an older release; train it again"):
        old.predict_distribution(rows)


def test_the_prior_can_be_kept_too() -> None:
    rows = _rows(3)

    model = prior_model(confidence=0.8)
    again = from_json(to_json(model))

    assert again.card_.n_rows == 0
    np.testing.assert_allclose(again.predict_interval(rows), model.predict_interval(rows))


def test_no_results_give_the_prior() -> None:
    assert to_json(CostRegressor().fit({"n_atoms": np.zeros(0)}, np.zeros(0))) == to_json(prior_model())


def test_a_target_that_was_seen_is_known_better() -> None:
    rows = {**_rows(200), "group": np.repeat([f"target{k}" for k in range(10)], 20)}
    off = np.repeat(np.linspace(-0.4, 0.4, 10), 20)
    model = CostRegressor().fit(rows, _hours(rows, 2.0, 0.05) * np.exp(off))
    one = {name: values[:1] for name, values in rows.items()}

    seen = model.predict_distribution(one)
    new, unnamed = (model.predict_distribution({**one, "group": np.array([name])}) for name in ("elsewhere", ""))

    assert seen.sd_log[0] < 0.6 * new.sd_log[0]
    # without a target, a row is treated as one of a new target
    assert unnamed.sd_log[0] == pytest.approx(new.sd_log[0])
    assert seen.median[0] < new.median[0]


def test_cpu_only_protocols_without_known_work() -> None:
    rows = {"protocol": np.repeat(["Seconds", "Minutes"], 10), "gpu_model": np.full(20, "cpu")}
    hours = np.repeat([2 / 3600, 300 / 3600], 10) * np.exp(0.1 * np.sin(np.arange(20)))

    model = CostRegressor().fit(rows, hours)
    predicted = model.predict_distribution(
        {"protocol": np.array(["Seconds", "Minutes", "New"]), "gpu_model": np.full(3, "cpu")}
    )

    np.testing.assert_allclose(predicted.median[:2] * 3600, [2, 300], rtol=0.15)
    assert not predicted.extrapolates[:2].any()
    assert predicted.extrapolates[2]
    assert predicted.high[2] / predicted.low[2] > 100


@pytest.mark.parametrize("n_parts", [6, pytest.param(37, marks=LONG)])
def test_published_targets_left_out(n_parts: int) -> None:
    table = published_throughput(real_file("openfe2024_l40s_throughput.csv"))
    n = len(table.hours) // 2
    ratio, inside = np.empty(2 * n), np.empty(2 * n, dtype=bool)
    for targets in np.array_split(np.unique(table.targets), n_parts):
        out = np.isin(table.targets, targets)
        rows, hours = table.part(~out)
        asked, truth = table.part(out)

        predicted = CostRegressor().fit(rows, hours).predict_distribution(asked)

        ratio[out] = predicted.median / truth
        inside[out] = (truth >= predicted.low) & (truth <= predicted.high)
    # a power law in atoms, with the same splits, has errors of 8.5 % of the hours and 9.2 % of the ns/day
    assert np.median(np.abs(ratio[:n] - 1)) < 0.075
    assert np.median(np.abs(ratio[n:] - 1)) < 0.06
    # 37 targets: one standard error is 5 %
    assert 0.8 < inside[:n].mean() < 1.0
