"""Replayed campaigns: a Strategy allocates Tasks of a network whose truth is known, round after round.

The Strategy is the real one, on real rows; a virtual clock counts rounds, results arrive `delay` rounds after they were
asked for. All Strategies meet the same noise: the k-th result of a leg is the same number for each. The answer is the
maximum-likelihood estimate with the lake's model of variances, whoever allocated. Costs are in *uniform repeats*: the
GPU-hours of one result of every leg.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alchemiscale_lake.estimators.design.design_covariance import solve_values
from alchemiscale_lake.estimators.design.design_network import DesignNetwork, design_network
from alchemiscale_lake.estimators.design.variance_model import fit_variances
from alchemiscale_lake.strategies import NetworkRows, Strategy, TransformationRow, apportion

from .replay_networks import ReplayNetwork

__all__ = ["Outcome", "design_of", "matched_cost", "outcome", "play", "play_uniform", "wanted"]

FloatArray = NDArray[np.float64]

#: Points at which outcomes are compared, in uniform repeats.
GRID = np.round(np.exp(np.linspace(np.log(1.0), np.log(8.0), 25)), 3)
TOP = 0.2
_MOST_REPEATS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a campaign at one cost.

    Attributes
    ----------
    cost : float
        Uniform repeats.
    mean_variance : float
        Mean variance of a ligand that the estimator truly has, (kcal/mol)^2.
    missed : float
        Share of the true top fifth that is not in the estimated one.
    square_error : float
        Mean square error of the ligands, (kcal/mol)^2.
    """

    cost: float
    mean_variance: float
    missed: float
    square_error: float


def wanted(network: ReplayNetwork) -> int:
    """Return the size of the top fifth."""
    return max(1, int(np.ceil(TOP * network.n_ligands - 1e-9)))


def design_of(network: ReplayNetwork, variance: FloatArray) -> DesignNetwork:
    """Return a design with two legs an edge."""
    return design_network(
        network.n_ligands,
        network.pairs[:, 0],
        network.pairs[:, 1],
        variance=variance,
        cost=network.hours,
        leg_edge=np.repeat(np.arange(len(network.pairs)), 2),
    )


class _Noise:
    """The k-th result of every leg."""

    def __init__(self, network: ReplayNetwork, seed: int) -> None:
        rng = np.random.default_rng([seed, len(network.pairs)])
        size = len(network.sd)
        true = np.zeros(size)
        # what legs have in common is arbitrary: only their difference is the edge
        true[1::2] = rng.normal(scale=10.0, size=size // 2)
        true[0::2] = true[1::2] + network.value[network.pairs[:, 1]] - network.value[network.pairs[:, 0]]
        self.values = true[:, None] + network.sd[:, None] * rng.standard_normal((size, _MOST_REPEATS))
        self.stated = network.stated[:, None] * np.exp(0.1 * rng.standard_normal((size, _MOST_REPEATS)))


def outcome(
    network: ReplayNetwork, noise: _Noise, count: NDArray[np.int64], weights: FloatArray | None = None
) -> Outcome:
    """Return the answer from the first results of each leg.

    Parameters
    ----------
    network : ReplayNetwork
    noise : _Noise
    count : ndarray of int, shape (2 m,)
        Results of each leg.
    weights : ndarray, shape (2 m,), optional
        Variances that the estimator assumes; those of the model by default.
    """
    have = np.arange(_MOST_REPEATS) < count[:, None]
    n = np.maximum(count, 1)
    mean = np.where(have, noise.values, 0.0).sum(axis=1) / n
    if weights is None:
        squares = np.where(have, (noise.values - mean[:, None]) ** 2, 0.0).sum(axis=1)
        stated = np.where(have, noise.stated**2, 0.0).sum(axis=1) / n
        phase = np.tile([0, 1], len(network.pairs))
        weights = fit_variances(count, squares, stated_variance=stated, group=phase, features=network.features).variance
    precision = 1.0 / design_of(network, weights).edge_variance(count.astype(float))
    value = mean[0::2] - mean[1::2]
    found, covariance, components = solve_values(
        design_of(network, weights), value, precision, np.zeros(network.n_ligands)
    )
    if len(components.parts) > 1:
        return Outcome(float(network.hours @ count / network.hours.sum()), np.nan, np.nan, np.nan)
    m = np.arange(len(network.pairs))
    incidence = np.zeros((network.n_ligands, len(m)))
    incidence[network.pairs[:, 1], m] += 1.0
    incidence[network.pairs[:, 0], m] -= 1.0
    used = np.where(precision > 0, precision, 0.0)
    gain = covariance @ (incidence * used)
    with np.errstate(divide="ignore"):
        true_variance = (network.sd**2 / count).reshape(-1, 2).sum(axis=1)
    true_variance = np.where(precision > 0, true_variance, 0.0)
    k, truth = wanted(network), network.value - network.value.mean()
    best, seems = set(np.argsort(truth)[:k].tolist()), set(np.argsort(found)[:k].tolist())
    return Outcome(
        float(network.hours @ count / network.hours.sum()),
        float((gain**2 @ true_variance).mean()),
        1.0 - len(best & seems) / k,
        float(np.mean((found - found.mean() - truth) ** 2)),
    )


def play(
    network: ReplayNetwork,
    strategy: Strategy[Any],
    seed: int,
    *,
    most_cost: float = 7.0,
    rounds_per_repeat: float = 2.0,
    delay: int = 0,
) -> list[Outcome]:
    """Play a campaign, and return the answer after each round.

    Parameters
    ----------
    network : ReplayNetwork
    strategy : Strategy
    seed : int
        Seed of the noise.
    most_cost : float
        Uniform repeats to spend.
    rounds_per_repeat : float
        Rounds per uniform repeat: the batch is this share of the legs.
    delay : int
        Rounds until the results of a round arrive, after the next.
    """
    noise = _Noise(network, seed)
    rows = _rows(network)
    asked = np.zeros(len(rows), dtype=np.int64)
    done = np.zeros(len(rows), dtype=np.int64)
    arriving: list[NDArray[np.int64]] = []
    batch, found = max(2, round(len(rows) / rounds_per_repeat)), []
    total = float(network.hours.sum())
    for number in range(1000):
        state = NetworkRows(
            transformations=tuple(
                _row_now(row, k, noise, int(done[k]), int(asked[k] - done[k])) for k, row in enumerate(rows)
            ),
            round=number,
            max_tasks=batch,
        )
        chosen = apportion(strategy.propose(state).weights, batch)
        new = np.array([chosen.get(row.key, 0) for row in rows])
        new = np.minimum(new, _MOST_REPEATS - asked)
        if not new.any() and not arriving:
            break
        asked = asked + new
        arriving.append(new)
        if len(arriving) > delay or not new.any():
            done = done + arriving.pop(0)
            found.append(outcome(network, noise, done))
        if float(network.hours @ done) / total > most_cost:
            break
    return found


def play_uniform(network: ReplayNetwork, seed: int, *, most: int = 8) -> list[Outcome]:
    """Return the answers of 1 to `most` results of every leg."""
    noise = _Noise(network, seed)
    return [outcome(network, noise, np.full(len(network.sd), n)) for n in range(1, most + 1)]


def play_static(
    network: ReplayNetwork, seed: int, counts: list[NDArray[np.int64]], weights: FloatArray | None
) -> list[Outcome]:
    """Return the answers of given numbers of results."""
    noise = _Noise(network, seed)
    return [outcome(network, noise, np.minimum(count, _MOST_REPEATS), weights) for count in counts]


def curve(outcomes: list[Outcome], metric: str) -> FloatArray:
    """Return a metric on the grid of costs, linear in the log of the cost between rounds; NaN outside."""
    cost = np.array([one.cost for one in outcomes])
    value = np.array([getattr(one, metric) for one in outcomes])
    known = np.isfinite(value)
    if known.sum() < 2:
        return np.full(len(GRID), np.nan)
    at = np.log(GRID)
    # costs are sums: one repeat of every leg may cost 1 + 2e-16
    first, last = np.log(cost[known][0]) - 1e-9, np.log(cost[known][-1]) + 1e-9
    line: FloatArray = np.interp(at, np.log(cost[known]), value[known])
    return np.where((at < first) | (at > last), np.nan, line)


def matched_cost(
    curves: FloatArray, reference: FloatArray, at: float, *, n_boot: int = 400, seed: int = 1
) -> tuple[float, float, float]:
    """Return the cost of what the reference reaches at a cost, over that cost, and its 90 % interval.

    Parameters
    ----------
    curves, reference : ndarray, shape (campaigns, grid)
        A metric that falls with cost; rows are paired.
    at : float
        Cost of the reference, uniform repeats.
    n_boot : int
        Resamples of campaigns.
    seed : int
    """
    rng = np.random.default_rng(seed)
    picks = [np.arange(len(curves)), *(rng.integers(len(curves), size=len(curves)) for _ in range(n_boot))]
    ratios = [_matched(curves[p], reference[p], at) for p in picks]
    # a resample that is never as good counts as worse than all others
    low, high = np.quantile(np.nan_to_num(ratios[1:], nan=np.inf), [0.05, 0.95], method="nearest")
    return ratios[0], float(low), float(high)


def _matched(curves: FloatArray, reference: FloatArray, at: float) -> float:
    mean, of_reference = (_falling(rows) for rows in (curves, reference))
    goal = float(np.interp(np.log(at), np.log(GRID), of_reference))
    reached = np.flatnonzero(mean <= goal)
    if not len(reached):
        return float("nan")
    k = int(reached[0])
    if k == 0:
        return float(GRID[0] / at)
    share = (mean[k - 1] - goal) / (mean[k - 1] - mean[k])
    return float(np.exp(np.log(GRID[k - 1]) + share * np.log(GRID[k] / GRID[k - 1])) / at)


def _falling(rows: FloatArray) -> FloatArray:
    """Return the mean over campaigns, smoothed so that it never rises; infinite where campaigns have no value."""
    known = np.isfinite(rows)
    few = known.mean(axis=0) < 0.9
    mean = np.where(few, np.inf, np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    # pool adjacent violators
    values: list[float] = []
    sizes: list[int] = []
    for value in mean.tolist():
        values.append(value)
        sizes.append(1)
        while len(values) > 1 and np.isfinite(values[-2]) and np.isfinite(values[-1]) and values[-2] < values[-1]:
            total = sizes[-2] + sizes[-1]
            values[-2] = (values[-2] * sizes[-2] + values[-1] * sizes[-1]) / total
            sizes[-2] = total
            del values[-1], sizes[-1]
    return np.repeat(values, sizes)


def _rows(network: ReplayNetwork) -> list[TransformationRow]:
    return [
        TransformationRow(
            key=f"T{k:05}",
            state_a=f"{a}-{phase}",
            state_b=f"{b}-{phase}",
            ligand_a=str(a),
            ligand_b=str(b),
            phase=phase,
            group="P",
            gpu_hours=float(network.hours[k]),
            features=tuple(network.features[k].tolist()),
        )
        for k, (phase, (a, b)) in enumerate(
            (phase, pair) for pair in network.pairs.tolist() for phase in ("complex", "solvent")
        )
    ]


def _row_now(row: TransformationRow, k: int, noise: _Noise, done: int, flying: int) -> TransformationRow:
    if not done:
        return replace(row, n_in_flight=flying)
    stated = float(np.sqrt(np.mean(noise.stated[k, :done] ** 2)))
    values = tuple(noise.values[k, :done].tolist())
    return replace(row, n_results=done, n_in_flight=flying, values_kcal_mol=values, own_uncertainty_kcal_mol=stated)


Allocator = Callable[[], Strategy[Any]]
