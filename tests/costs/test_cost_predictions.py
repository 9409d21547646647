from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.costs.cost_history import with_targets
from alchemiscale_lake.costs.cost_models import KnownModel
from alchemiscale_lake.costs.cost_predictions import hours_ahead, own_results
from alchemiscale_lake.estimators.cost.model import prior_model
from tests.cost_lake import leg

PRIOR = KnownModel(prior_model())


def rows(n: int, gpu: str = "NVIDIA L40S") -> pl.DataFrame:
    frame = with_targets(pl.DataFrame([leg(f"x{i:04d}", target=i % 7) for i in range(n)], infer_schema_length=None))
    return frame.with_columns(gpu_model=pl.lit(gpu), packing=pl.lit(1.0))


def history(log_hours: dict[str, list[float]], gpu: str = "NVIDIA L40S") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"transformation": key, "gpu_model": gpu, "packing": 1.0, "hours": float(np.exp(each))}
            for key, logs in log_hours.items()
            for each in logs
        ],
        schema={"transformation": pl.String, "gpu_model": pl.String, "packing": pl.Float64, "hours": pl.Float64},
    )


def test_own_results_come_before_any_model_and_hold_nine_times_of_ten() -> None:
    draw = np.random.default_rng(1)
    offers = rows(1500)
    level = draw.normal(1.0, 1.0, len(offers))
    counts = draw.integers(1, 4, len(offers))
    logs = {
        key: list(mean + 0.1 * draw.standard_normal(n))
        for key, mean, n in zip(offers["transformation"], level, counts, strict=True)
    }

    own = own_results(history(logs))
    ahead = hours_ahead(PRIOR, offers, own)

    assert own.repeat_sd == pytest.approx(0.1, rel=0.1)
    following = np.exp(level + 0.1 * draw.standard_normal(len(offers)))
    assert 0.87 < np.mean((ahead.low < following) & (following < ahead.high)) < 0.93
    assert set(ahead.basis) == {"own results"}
    assert not ahead.extrapolates.any()
    assert np.allclose(ahead.shared, 0.0)


def test_without_own_results_the_model_speaks_alone() -> None:
    offers = rows(3)
    ahead = hours_ahead(PRIOR, offers, own_results(history({offers["transformation"][1]: [0.5]})))
    assert ahead.basis == ["physical prior", "own results", "physical prior"]
    assert ahead.median[1] == pytest.approx(np.exp(0.5))
    assert ahead.high[0] / ahead.low[0] > 5.0 > ahead.high[1] / ahead.low[1]
    # missing results are reported once, for the lake, and not for each Transformation
    assert not ahead.extrapolates.any()


def test_results_from_another_gpu_model_are_carried_over_and_trusted_less() -> None:
    offers = rows(2, "NVIDIA A100-SXM4-80GB")
    logs = {key: [1.0] for key in offers["transformation"]}

    here = hours_ahead(PRIOR, offers, own_results(history(logs, "NVIDIA A100-SXM4-80GB")))
    carried = hours_ahead(PRIOR, offers, own_results(history(logs, "NVIDIA L40S")))

    assert here.median == pytest.approx([np.e, np.e])
    assert (carried.median > 1.2 * here.median).all()
    assert (carried.high / carried.low > here.high / here.low).all()
    # the error of the conversion is the same for both
    assert carried.shared[0] == pytest.approx(carried.shared[1])
    assert carried.part(1, 2).median == pytest.approx(carried.median[1:])


def test_the_gpu_model_of_most_results_speaks_for_a_transformation() -> None:
    key = "Transformation-a"
    both = pl.concat([history({key: [0.0]}, "NVIDIA L40S"), history({key: [2.0, 2.1]}, "Tesla T4")])
    frame = own_results(both).frame
    assert frame.select("n_own", "own_gpu").row(0) == (2, "Tesla T4")
    assert frame["log_hours"].item() == pytest.approx(2.05)
