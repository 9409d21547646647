"""Agreement of estimates with experiment: statistics with bootstrap intervals, for one network or several.

Owns the resampling of pairs and the pooling of networks. The formulas are in `pair_statistics`; plots are made
elsewhere.

Relative free energies have no zero of their own, so both sides are first shifted to mean zero, once and before
resampling, as in cinnabar's plots; correlations of one network are unaffected. Shifting every resample again would
remove the spread of the mean a second time, and make intervals too low. Intervals are percentiles over pairs resampled
with replacement, as in cinnabar; a resample in which a correlation is undefined (all one value) is left out of its
interval. With few pairs they are narrow: for normal errors, 95% intervals contain the true RMSE in 72, 81, 87 and 91%
of sets of 8, 15, 30 and 60 pairs (67, 77, 85 and 90% if every resample were shifted again).

References
----------
Hahn et al. 2022, "Best practices for constructing, preparing, and evaluating protein-ligand binding
affinity benchmarks", doi:10.33011/livecoms.4.1.1497; cinnabar, `cinnabar.stats.bootstrap_statistic`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError
from .pair_statistics import LIGANDS_ONLY, ORDERS, STATISTICS, count_picks

__all__ = [
    "FEWEST_FOR_CORRELATION",
    "FEWEST_FOR_INTERVAL",
    "STATISTICS",
    "Performance",
    "Resampled",
    "Statistic",
    "assess",
    "pool",
    "resample",
]

#: Statistics that are energies, and whether their squares (2) or they themselves (1) are means over pairs.
_POWERS = {"RMSE": 2.0, "MUE": 1.0}
#: Fewer pairs on one zero are always in line and equally far off, and two edges are no trend: no correlation.
FEWEST_FOR_CORRELATION = 3
#: Resamples of fewer pairs are mostly repetitions of one or two of them: no interval.
FEWEST_FOR_INTERVAL = 5
#: Maximum number of pairs in memory while resampling.
_CHUNK_ENTRIES = 2_000_000

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic and its interval.

    Attributes
    ----------
    name : str
        Key of `STATISTICS`.
    value : float
        Value for the data itself; NaN if undefined (a correlation of one pair, or of constant values).
    low, high : float
        Bootstrap interval; NaN if undefined.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Agreement of estimates with experiment.

    Attributes
    ----------
    n : int
        Number of pairs: those that are finite on both sides.
    relative : bool
        Whether both sides were shifted to mean zero.
    confidence : float
        Confidence of the intervals.
    statistics : tuple of Statistic
        In the order of `STATISTICS`; `RMSE` and `MUE` in kcal/mol.
    """

    n: int
    relative: bool
    confidence: float
    statistics: tuple[Statistic, ...]

    def __getitem__(self, name: str) -> Statistic:
        """Return a statistic by name."""
        for statistic in self.statistics:
            if statistic.name == name:
                return statistic
        raise KeyError(name)


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Statistics of one set of pairs and of b resamples of it, from which intervals and pools are computed.

    Attributes
    ----------
    n : int
        Number of pairs.
    relative : bool
        Whether both sides were shifted to mean zero.
    value : ndarray, shape (s,)
        One per entry of `STATISTICS`, in its order; NaN where undefined.
    samples : ndarray, shape (b, s)
        The same for each resample.
    """

    n: int
    relative: bool
    value: FloatArray
    samples: FloatArray

    def performance(self, confidence: float = 0.95) -> Performance:
        """Return values with percentile intervals."""
        intervals = _intervals(self.samples, self.n, confidence)
        found = zip(STATISTICS, self.value.tolist(), intervals, strict=True)
        statistics = tuple(Statistic(name, value, low, high) for name, value, (low, high) in found)
        return Performance(self.n, self.relative, confidence, statistics)

    def minus(self, other: Resampled, confidence: float = 0.95) -> tuple[Statistic, ...]:
        """Return the differences of all statistics, with percentile intervals of the joint resamples.

        Parameters
        ----------
        other : Resampled
            Of the same pairs in the same order, resampled with the same number and seed.
        confidence : float
            Confidence of the intervals.

        Raises
        ------
        EstimatorInputError
            If numbers of pairs or of resamples differ.
        """
        if self.n != other.n or self.samples.shape != other.samples.shape:
            raise EstimatorInputError(
                f"{self.n} pairs with {len(self.samples)} resamples and {other.n} with {len(other.samples)} are not "
                "resampled jointly; give the same pairs, number of resamples and seed"
            )
        intervals = _intervals(self.samples - other.samples, self.n, confidence)
        found = zip(STATISTICS, (self.value - other.value).tolist(), intervals, strict=True)
        return tuple(Statistic(name, value, low, high) for name, value, (low, high) in found)


def assess(
    estimate_kcal_mol: ArrayLike,
    experiment_kcal_mol: ArrayLike,
    *,
    relative: bool,
    zero_of: Sequence[Hashable] | None = None,
    both_directions: bool = False,
    estimate_uncertainty_kcal_mol: ArrayLike | None = None,
    experiment_uncertainty_kcal_mol: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 2019,
) -> Performance:
    """Compare estimates with experiment.

    Parameters
    ----------
    estimate_kcal_mol, experiment_kcal_mol : array_like, shape (n,)
        Pairs; those with a NaN on either side are left out.
    relative : bool
        True for free energies that are only defined up to a constant; False for absolute ones and for edges.
    zero_of, both_directions, estimate_uncertainty_kcal_mol, experiment_uncertainty_kcal_mol : optional
        As in `resample`.
    n_bootstrap : int
        Number of resamples.
    confidence : float
        Confidence of the intervals.
    seed : int
        Seed of the resampling: the same numbers give the same intervals.

    Returns
    -------
    Performance
        Statistics and intervals.

    Raises
    ------
    EstimatorInputError
        If shapes differ or no pair is left.
    """
    return resample(
        estimate_kcal_mol,
        experiment_kcal_mol,
        relative=relative,
        zero_of=zero_of,
        both_directions=both_directions,
        estimate_uncertainty_kcal_mol=estimate_uncertainty_kcal_mol,
        experiment_uncertainty_kcal_mol=experiment_uncertainty_kcal_mol,
        n_bootstrap=n_bootstrap,
        seed=seed,
    ).performance(confidence)


def resample(
    estimate_kcal_mol: ArrayLike,
    experiment_kcal_mol: ArrayLike,
    *,
    relative: bool | Sequence[bool],
    zero_of: Sequence[Hashable] | None = None,
    both_directions: bool = False,
    estimate_uncertainty_kcal_mol: ArrayLike | None = None,
    experiment_uncertainty_kcal_mol: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    seed: int = 2019,
) -> Resampled:
    """Compute all statistics of pairs and of resamples of them.

    Parameters
    ----------
    estimate_kcal_mol, experiment_kcal_mol : array_like, shape (n,)
        Pairs; those with a NaN on either side are left out.
    relative : bool or sequence of bool, length n
        True for free energies that are only defined up to a constant; False for absolute ones and for edges. One per
        pair if a network has both.
    zero_of : sequence of hashable, length n, optional
        With `relative`: pairs with the same label share a zero (connected components of a network). A pair that shares
        its zero with no other cannot be compared and is left out.
    both_directions : bool
        For edges, whose direction is arbitrary: correlations are those of every pair together with its mirror image
        (cinnabar's `symmetrise`), so that they do not depend on the direction. An edge and its mirror image are
        resampled together.
    estimate_uncertainty_kcal_mol, experiment_uncertainty_kcal_mol : array_like, shape (n,), optional
        If given, each resample draws its values again with these standard errors (NaN counts as zero), as with
        cinnabar's `include_pred_uncertainty` and `include_true_uncertainty`. The existing scatter of the values
        remains, so the intervals widen and shift to worse agreement.
    n_bootstrap : int
        Number of resamples.
    seed : int
        Seed of the resampling: the same numbers give the same samples.

    Raises
    ------
    EstimatorInputError
        If shapes differ or no pair is left.
    """
    y, x = np.array(estimate_kcal_mol, dtype=np.float64), np.array(experiment_kcal_mol, dtype=np.float64)
    if y.ndim != 1 or y.shape != x.shape or (zero_of is not None and len(zero_of) != len(y)):
        raise EstimatorInputError(f"estimates have shape {y.shape} and experiments {x.shape}; give pairs")
    errors = [_errors_like(y, given) for given in (estimate_uncertainty_kcal_mol, experiment_uncertainty_kcal_mol)]
    both = np.isfinite(y) & np.isfinite(x)
    zero = _number([""] * len(y) if zero_of is None else zero_of)
    moved = np.broadcast_to(np.asarray(relative, dtype=bool), y.shape)
    both &= ~moved | (np.bincount(zero, weights=both, minlength=1)[zero] > 1)
    if not both.any():
        shared = ", on a zero shared with another" if moved.any() else ""
        raise EstimatorInputError(f"none of {len(y)} pairs has both an estimate and an experiment{shared}")
    y, x, zero, moved = y[both], x[both], zero[both], moved[both]
    # to the mean of all experiments: errors and correlations do not depend on it, NRMSE is relative to it
    centre = float(x.mean())
    y, x = (values + np.where(moved, centre - _means(values, zero), 0.0) for values in (y, x))
    draws = _Draws(y, x, [None if error is None else error[both] for error in errors], both_directions)
    return Resampled(len(y), bool(moved.any()), draws.value(), draws.samples(n_bootstrap, seed))


def pool(parts: Sequence[Resampled], *, over: Literal["pairs", "networks"] = "pairs", seed: int = 2019) -> Resampled:
    """Pool several networks.

    RMSE and MUE are those of all pairs, each network with its own zero; correlations are the mean of the networks'
    own, weighted by their pairs, since differences between targets would otherwise count as ranking.

    Parameters
    ----------
    parts : sequence of Resampled
        From `resample`, at least one, with the same number of resamples.
    over : {"pairs", "networks"}
        What the interval describes: these networks with newly drawn ligands; or newly drawn similar networks with
        their ligands.
    seed : int
        Seed of the draws.

    Raises
    ------
    EstimatorInputError
        If there are no parts, or their numbers of resamples differ.
    """
    n_samples = {len(part.samples) for part in parts}
    if len(n_samples) != 1:
        raise EstimatorInputError(f"cannot pool parts with {sorted(n_samples)} resamples; resample all equally often")
    rng = np.random.default_rng(seed)
    n = np.array([part.n for part in parts], dtype=np.float64)
    # parts of equal size may have been resampled with the same random numbers, so each is permuted
    samples = np.stack([part.samples[rng.permutation(len(part.samples))] for part in parts])
    shares = np.broadcast_to(n[:, None], samples.shape[:2])
    if over == "networks":
        picked = count_picks(rng.integers(len(parts), size=(samples.shape[1], len(parts))), len(parts))
        shares = shares * picked.T
    value = _together(np.stack([part.value for part in parts])[:, None, :], n[:, None])[0]
    return Resampled(int(n.sum()), any(part.relative for part in parts), value, _together(samples, shares))


@dataclass(frozen=True, slots=True, eq=False)
class _Draws:
    """Pairs to resample."""

    y: FloatArray
    x: FloatArray
    errors: list[FloatArray | None]
    mirrored: bool

    def value(self) -> FloatArray:
        (value,) = self._statistics(self.y, self.x, np.ones((1, len(self.y))))
        return np.asarray(value)

    def samples(self, n_samples: int, seed: int) -> FloatArray:
        rng = np.random.default_rng(seed)
        n = len(self.y)
        picks = rng.integers(n, size=(n_samples, n))
        step = max(1, _CHUNK_ENTRIES // n)
        parts = [self._of_picks(picks[start : start + step], rng) for start in range(0, n_samples, step)]
        return np.concatenate(parts) if parts else np.empty((0, len(STATISTICS)))

    def _of_picks(self, picks: NDArray[np.int64], rng: np.random.Generator) -> FloatArray:
        if all(error is None for error in self.errors):
            return self._statistics(self.y, self.x, count_picks(picks, len(self.y)))
        y, x = (
            values[picks] + (0.0 if error is None else rng.standard_normal(picks.shape) * error[picks])
            for values, error in zip((self.y, self.x), self.errors, strict=True)
        )
        return self._statistics(y, x, np.ones(picks.shape))

    def _statistics(self, y: FloatArray, x: FloatArray, counts: FloatArray) -> FloatArray:
        if self.mirrored:
            y, x = np.concatenate([y, -y], axis=-1), np.concatenate([x, -x], axis=-1)
            counts = np.concatenate([counts, counts], axis=-1)
        found = np.stack([function(y, x, counts) for function in STATISTICS.values()], axis=1)
        undefined = set(LIGANDS_ONLY) if self.mirrored else set()
        if len(self.y) < FEWEST_FOR_CORRELATION:
            undefined |= set(ORDERS)
        found[:, [name in undefined for name in STATISTICS]] = np.nan
        return found


def _together(values: FloatArray, shares: FloatArray) -> FloatArray:
    """Return means over networks: values of shape (g, b, s) and shares of shape (g, b) to shape (b, s)."""
    powers = np.array([_POWERS.get(name, 1.0) for name in STATISTICS])
    defined = ~np.isnan(values)
    weights = np.where(defined, shares[:, :, None], 0.0)
    total = weights.sum(axis=0)
    mean = (weights * np.where(defined, values, 0.0) ** powers).sum(axis=0) / np.where(total > 0, total, np.nan)
    result: FloatArray = np.sign(mean) * np.abs(mean) ** (1.0 / powers)
    return result


def _number(labels: Sequence[Hashable]) -> NDArray[np.int64]:
    """Return equal numbers for equal labels, from zero on."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in labels], dtype=np.int64)


def _means(values: FloatArray, group: NDArray[np.int64]) -> FloatArray:
    """Return the mean of the group of each value."""
    sums, sizes = np.bincount(group, weights=values), np.bincount(group)
    result: FloatArray = sums[group] / sizes[group]
    return result


def _errors_like(values: FloatArray, given: ArrayLike | None) -> FloatArray | None:
    if given is None:
        return None
    errors = np.array(given, dtype=np.float64)
    if errors.shape != values.shape:
        raise EstimatorInputError(f"{values.shape} values have uncertainties of shape {errors.shape}; give one each")
    if (errors < 0).any():
        raise EstimatorInputError(f"an uncertainty is negative: {errors.min():g} kcal/mol")
    return np.nan_to_num(errors)


def _intervals(samples: FloatArray, n: int, confidence: float) -> list[tuple[float, float]]:
    """Return one interval per statistic; NaN of fewer than `FEWEST_FOR_INTERVAL` pairs."""
    if n < FEWEST_FOR_INTERVAL:
        return [(float("nan"), float("nan"))] * samples.shape[1]
    return [_interval(column, confidence) for column in samples.T]


def _interval(samples: FloatArray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of the defined samples."""
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)
