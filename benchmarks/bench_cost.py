"""Hours predicted before a calculation runs, compared with a constant and with a power law in atoms.

Published throughput: every target is left out with all its rows and predicted from the others, by the model, by both
baselines, and by scikit-learn's BayesianRidge on the same columns; then every set of targets, as another campaign; then
both without coordinates. The difference between two sets' hours for one protein is a limit for any model. Simulated
lakes: whole targets are left out of lakes whose cost law differs from the model's.

Coverage is given over rows, with an interval over rows, and over targets, each of which counts once, with an interval
over targets; and over random splits of the targets, repeated. `width` is that of the interval of the hours' logarithm.

Run it with ``python -m benchmarks.bench_cost``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from alchemiscale_lake.estimators.cost.features import CostRows, derive
from alchemiscale_lake.estimators.cost.model import prior_model
from alchemiscale_lake.estimators.cost.model_json import from_json, to_json
from alchemiscale_lake.estimators.cost.pipeline import CostColumns
from alchemiscale_lake.estimators.cost.predict import total
from alchemiscale_lake.estimators.cost.regressor import CostRegressor
from tests.estimators.simulated_hours import simulated_lake

from . import _table
from .published_throughput import FILE, Throughput, published_throughput

NAME = "cost"
TARGET = "median error <= 7 % where a power law has 9.7 %, and 88 to 92 % inside intervals of 90 %"

_ERROR_TARGET = 0.07
_COVERAGE_TARGET = (0.88, 0.92)
_SPLITS, _REPEATS = 5, 6
_OTHER_GPUS = ("NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090", "Tesla T4", "NVIDIA X999")

FloatArray = NDArray[np.float64]


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Leave out targets of the published table and of simulated lakes; time training and prediction.

    Parameters
    ----------
    quick : bool
        Use few and small lakes.

    Returns
    -------
    list of dict
        Rows of errors, of other GPU models, and of times.
    """
    measured = (_published_rows, _repeated_split_rows, _other_set_rows, _unknown_size_rows, _other_gpu_rows)
    published = [row for rows in measured for row in rows()] if FILE.is_file() else []
    sizes = ((200, 2), (800, 2)) if quick else ((60, 12), (400, 12), (3_000, 6))
    return [*published, *(_simulated_row(n_rows, n_lakes) for n_rows, n_lakes in sizes), _speed_row(quick)]


def _published_rows() -> list[dict[str, Any]]:
    """Leave-one-target-out: complex leg, solvent leg, and hours per edge (one of each)."""
    table = published_throughput()
    n = len(table.hours) // 2
    predicted, low, high = (np.empty(2 * n) for _ in range(3))
    constant, law, shelf = (np.empty(2 * n) for _ in range(3))
    edge = np.empty((n, 3))
    for target in np.unique(table.targets):
        out = table.targets == target
        rows, hours = table.part(~out)
        asked, _ = table.part(out)
        prediction = CostRegressor().fit(rows, hours).predict_distribution(asked)
        predicted[out], low[out], high[out] = prediction.median, prediction.low, prediction.high
        shelf[out] = _off_the_shelf(rows, hours, asked)
        for k, row in enumerate(np.flatnonzero(out[:n])):
            pair = np.zeros(int(out.sum()))
            pair[[k, k + len(pair) // 2]] = 1.0
            edge[row] = total(prediction, pair)
        _baselines(table.rows["n_atoms"], table.hours, out, n, constant, law)
    whole = table.hours[:n] + table.hours[n:]
    named = {"complex leg": slice(0, n), "solvent leg": slice(n, 2 * n)}
    found = [
        _row(what, table.hours[of], predicted[of], low[of], high[of], constant[of], law[of], shelf[of])
        | _of_targets(table.hours[of], low[of], high[of], table.targets[of])
        for what, of in named.items()
    ]
    edges = _row("edge", whole, *edge.T, constant[:n] + constant[n:], law[:n] + law[n:], shelf[:n] + shelf[n:])
    bound = named["complex leg"]
    # Inverted, as published and as the power law is usually fitted: an hour too many is a day too few.
    ns_per_day = [1.0 / column[bound] for column in (table.hours, predicted, high, low, constant, law, shelf)]
    speed = _row("complex leg, ns/day", *ns_per_day)
    for row in (speed, found[0], edges):
        row["target"] = f"<= {_ERROR_TARGET:.0%}"
        row["ok"] = row["error"] <= _ERROR_TARGET
    both = _covered("both legs of a new target", (table.hours, predicted, low, high, constant, law, shelf))
    both |= _of_targets(table.hours, low, high, table.targets)
    return [speed, *found, edges, both]


def _repeated_split_rows() -> list[dict[str, Any]]:
    """A fifth of the targets left out at a time, in repeated random splits: coverage by kind of leg."""
    table = published_throughput()
    n = len(table.hours) // 2
    inside, width = np.empty((_REPEATS, 2 * n)), np.empty((_REPEATS, 2 * n))
    for repeat in range(_REPEATS):
        splits = GroupKFold(_SPLITS, shuffle=True, random_state=repeat).split(table.hours, groups=table.targets)
        for seen, out in splits:
            (rows, hours), (asked, _) = (table.part(part) for part in (seen, out))
            low, high = CostRegressor().fit(rows, hours).predict_interval(asked).T
            inside[repeat, out] = (low <= table.hours[out]) & (table.hours[out] <= high)
            width[repeat, out] = np.log(high / low)
    found = []
    for what, of in {"complex legs": slice(0, n), "solvent legs": slice(n, 2 * n), "both legs": slice(None)}.items():
        mine = inside[:, of].mean(axis=0)
        found.append(
            {
                "name": f"{what}, {_REPEATS} times {_SPLITS} random splits of the targets",
                "coverage": float(mine.mean()),
                "coverage_least": float(inside[:, of].mean(axis=1).min()),
                "coverage_most": float(inside[:, of].mean(axis=1).max()),
                **_of_targets_inside(mine, table.targets[of]),
                "width": float(width[:, of].mean()),
                "n": len(mine),
                "target": "none",
                "ok": True,
            }
        )
    return found


def _of_targets(truth: FloatArray, low: FloatArray, high: FloatArray, targets: NDArray[np.str_]) -> dict[str, float]:
    """Coverage with each target counting once."""
    return _of_targets_inside(((truth >= low) & (truth <= high)).astype(np.float64), targets)


def _of_targets_inside(inside: FloatArray, targets: NDArray[np.str_]) -> dict[str, float]:
    """Mean over targets of the fraction of their rows inside, with its 95 % interval by resampling targets."""
    each = np.array([inside[targets == name].mean() for name in np.unique(targets)])
    drawn = np.random.default_rng(0).choice(each, (4_000, len(each))).mean(axis=1)
    below, above = np.quantile(drawn, [0.025, 0.975])
    return {
        "coverage_of_targets": float(each.mean()),
        "coverage_of_targets_from": float(below),
        "coverage_of_targets_to": float(above),
        "n_targets": len(each),
    }


def _other_set_rows() -> list[dict[str, Any]]:
    """Leave-one-set-out: complex legs; and complex legs of one protein in two sets, one predicted by the other."""
    table = published_throughput()
    n = len(table.hours) // 2
    columns = _left_out(table, table.rows["campaign"], table.rows["n_atoms"])
    row = _row("complex leg of another set", *(column[:n] for column in columns))
    floor = _between_sets_row(table, n)
    row["target"] = f"<= {_ERROR_TARGET:.0%}, but one protein in two sets differs by {floor['error']:.0%}"
    row["ok"] = row["error"] <= max(_ERROR_TARGET, floor["error"])
    return [row, _covered("both legs of another set", columns), floor]


def _unknown_size_rows() -> list[dict[str, Any]]:
    """Without solvated atoms or coordinates, boxes are estimated from the atoms of the solute."""
    table = published_throughput()
    n = len(table.hours) // 2
    table.rows["n_atoms"][:] = np.nan
    found = []
    for name, key in (("a new target", table.targets), ("another set", table.rows["campaign"])):
        columns = _left_out(table, key, table.rows["n_solute_atoms"])
        row = _row(f"complex leg of {name}, no coordinates", *(column[:n] for column in columns))
        row |= _against_power_law(columns[0][:n], columns[1][:n], columns[5][:n], table.targets[:n])
        found += [row, _covered(f"both legs of {name}, no coordinates", columns)]
    return found


def _against_power_law(
    truth: FloatArray, predicted: FloatArray, law: FloatArray, targets: NDArray[np.str_]
) -> dict[str, Any]:
    """Difference of the root mean squares of log errors, with its 95 % interval over targets; fails if above 0."""
    squares = np.stack([np.log(of / truth) ** 2 for of in (predicted, law)])
    names = np.unique(targets)
    sums = np.array([[squares[k][targets == name].sum() for name in names] for k in (0, 1)])
    rows = np.array([(targets == name).sum() for name in names])
    drawn = np.random.default_rng(0).integers(0, len(names), (4_000, len(names)))
    rms = np.sqrt(sums[:, drawn].sum(axis=2) / rows[drawn].sum(axis=1))
    below, above = np.quantile(rms[0] - rms[1], [0.025, 0.975])
    ours, theirs = np.sqrt(squares.mean(axis=1))
    return {
        "rms_log_error": float(ours),
        "rms_log_error_power_law": float(theirs),
        "rms_difference_from": float(below),
        "rms_difference_to": float(above),
        "target": "not worse than the power law",
        "ok": bool(below <= 0.0),
    }


def _left_out(table: Throughput, key: NDArray[np.str_], sizes: FloatArray) -> tuple[FloatArray, ...]:
    """Leave out each group of rows: true, predicted, low and high hours, those of both baselines and scikit-learn."""
    n = len(table.hours) // 2
    predicted, low, high, constant, law, shelf = (np.empty(2 * n) for _ in range(6))
    for name in np.unique(key):
        out = key == name
        rows, hours = table.part(~out)
        asked, _ = table.part(out)
        prediction = CostRegressor().fit(rows, hours).predict_distribution(asked)
        predicted[out], low[out], high[out] = prediction.median, prediction.low, prediction.high
        shelf[out] = _off_the_shelf(rows, hours, asked)
        _baselines(sizes, table.hours, out, n, constant, law)
    return table.hours, predicted, low, high, constant, law, shelf


def _covered(name: str, columns: tuple[FloatArray, ...]) -> dict[str, Any]:
    """Coverage over all rows, which has to be within the target."""
    row = _row(name, *columns)
    row["target"] = f"coverage {_COVERAGE_TARGET[0]:.0%} to {_COVERAGE_TARGET[1]:.0%}"
    row["ok"] = _COVERAGE_TARGET[0] <= row["coverage"] <= _COVERAGE_TARGET[1]
    return row


def _between_sets_row(table: Throughput, n: int) -> dict[str, Any]:
    """Hours per atom of a protein, measured twice: divided by the square root of two, as an error of a model."""
    per_atom = np.log(table.hours[:n] / table.rows["n_atoms"][:n])
    apart = [
        abs(per_atom[i] - per_atom[j])
        for i in range(n)
        for j in range(i)
        if table.targets[i] == table.targets[j] and table.rows["campaign"][i] != table.rows["campaign"][j]
    ]
    error = float(np.expm1(np.median(apart) / np.sqrt(2.0)))
    drawn = np.median(np.random.default_rng(0).choice(apart, (4_000, len(apart))), axis=1)
    below, above = np.expm1(np.quantile(drawn, [0.025, 0.975]) / np.sqrt(2.0))
    return {
        "name": "limit: one protein in two sets, over sqrt(2)",
        "error": error,
        "error_from": float(below),
        "error_to": float(above),
        "n": len(apart),
        "ok": True,
    }


def _baselines(
    n_atoms: FloatArray, hours: FloatArray, out: NDArray[np.bool_], n: int, constant: FloatArray, law: FloatArray
) -> None:
    """A constant per leg, and for the complex hours ~ atoms ^ b."""
    for leg in (np.arange(2 * n) < n, np.arange(2 * n) >= n):
        constant[out & leg] = law[out & leg] = np.median(hours[leg & ~out])
    bound = np.arange(2 * n) < n
    slope, level = np.polyfit(np.log(n_atoms[bound & ~out]), np.log(hours[bound & ~out]), 1)
    law[bound & out] = np.exp(level + slope * np.log(n_atoms[bound & out]))


def _other_gpu_rows() -> list[dict[str, Any]]:
    """Trained on one GPU model, predicting others: the published ratio, and a wider interval."""
    table = published_throughput()
    model = CostRegressor().fit(table.rows, table.hours)
    n = len(table.hours) // 2
    asked = {name: values[:n] for name, values in table.rows.items()}
    here = model.predict_distribution(asked)
    found = []
    for gpu in _OTHER_GPUS:
        other = {**asked, "gpu_model": np.full(n, gpu)}
        there = model.predict_distribution(other)
        # The ratio of plain MD speeds on both for the same systems.
        expected = prior_model().predict_distribution(other).median / prior_model().predict_distribution(asked).median
        ratio, widening = np.median(there.median / here.median), np.median(there.sd_log / here.sd_log)
        inside = (there.low < expected * here.median) & (expected * here.median < there.high)
        found.append(
            {
                "name": f"complex legs on {gpu}, seen on L40S only",
                "hours_over_L40S": float(ratio),
                "published_ratio": float(np.median(expected)),
                "wider": float(widening),
                "ok": bool(inside.all() and widening > 1.5 and there.extrapolates.all()),
            }
        )
    return found


def _simulated_row(n_rows: int, n_lakes: int) -> dict[str, Any]:
    """A quarter of the targets left out of each lake."""
    parts: list[tuple[FloatArray, ...]] = []
    for seed in range(n_lakes):
        lake = simulated_lake(seed, n_rows=n_rows, n_targets=max(6, min(40, n_rows // 25)))
        targets = np.unique(lake.rows["group"])
        chosen = np.random.default_rng(seed).permutation(targets)[: len(targets) // 4]
        out = np.isin(lake.rows["group"], chosen)
        seen, asked = lake.part(~out), lake.part(out)
        prediction = CostRegressor().fit(seen.rows, seen.hours).predict_distribution(asked.rows)
        steps = asked.rows["simulated_ns"] * asked.rows["n_windows"]
        per_step = np.polyfit(
            np.log(seen.rows["n_solute_atoms"]),
            np.log(seen.hours / (seen.rows["simulated_ns"] * seen.rows["n_windows"])),
            1,
        )
        law = steps * np.exp(np.polyval(per_step, np.log(asked.rows["n_solute_atoms"])))
        constant = np.full(len(asked.hours), np.median(seen.hours))
        shelf = _off_the_shelf(seen.rows, seen.hours, asked.rows)
        parts.append((asked.hours, prediction.median, prediction.low, prediction.high, constant, law, shelf))
    row = _row(
        f"{n_lakes} simulated lakes of {n_rows:,} results, new targets", *map(np.concatenate, zip(*parts, strict=True))
    )
    row["target"] = f"coverage {_COVERAGE_TARGET[0]:.0%} to {_COVERAGE_TARGET[1]:.0%}"
    # 60 results of 6 targets contain little information on differences between targets: no limit there.
    row["ok"] = n_rows < 400 or _COVERAGE_TARGET[0] <= row["coverage"] <= _COVERAGE_TARGET[1]
    return row


def _off_the_shelf(rows: CostRows, hours: FloatArray, asked: CostRows) -> FloatArray:
    """scikit-learn's own Bayesian regressor on the same columns, also relative to the physical prior."""
    pipeline = Pipeline([("columns", CostColumns()), ("regressor", BayesianRidge())])
    pipeline.fit(rows, np.log(hours) - derive(rows).prior_log_hours)
    found: FloatArray = np.exp(pipeline.predict(asked) + derive(asked).prior_log_hours)
    return found


def _row(
    what: str,
    truth: FloatArray,
    predicted: FloatArray,
    low: FloatArray,
    high: FloatArray,
    constant: FloatArray,
    law: FloatArray,
    shelf: FloatArray,
) -> dict[str, Any]:
    """Median absolute percentage errors (as ratios) and coverage."""

    def error(of: FloatArray) -> float:
        return float(np.median(np.abs(of / truth - 1.0)))

    inside = int(np.sum((truth >= low) & (truth <= high)))
    between = binomtest(inside, len(truth)).proportion_ci(method="wilson")
    return {
        "name": what,
        "error": error(predicted),
        "error_power_law": error(law),
        "error_scikit_learn": error(shelf),
        "error_constant": error(constant),
        "mean_error": float(np.mean(np.abs(predicted / truth - 1.0))),
        "coverage": inside / len(truth),
        # of this many rows, at 95 %
        "coverage_from": between.low,
        "coverage_to": between.high,
        "width": float(np.mean(np.log(high / low))),
        "n": len(truth),
        "target": "none",
        "ok": True,
    }


def _speed_row(quick: bool) -> dict[str, Any]:
    """Time of training and of predicting many rows."""
    n_train, n_predict = (5_000, 10_000) if quick else (50_000, 100_000)
    lake = simulated_lake(0, n_rows=n_train, n_targets=40)
    began = time.perf_counter()
    model = from_json(to_json(CostRegressor().fit(lake.rows, lake.hours)))
    trained = time.perf_counter()
    prediction = model.predict_distribution({name: np.resize(values, n_predict) for name, values in lake.rows.items()})
    predicted = time.perf_counter()
    total(prediction)
    return {
        "name": f"trained on {n_train:,}, predicted {n_predict:,}",
        "train_s": trained - began,
        "predict_s": predicted - trained,
        "total_s": time.perf_counter() - predicted,
        "ok": True,
    }


if __name__ == "__main__":
    _table.main(run)
