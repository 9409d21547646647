"""Estimates of Transformations from their results.

Only Transformations with changed results are recomputed. `query/sql/counted_results.sql` determines which results
count, `estimators.network.replicates` how repeats are combined. A row is based on its own results alone; information
from other legs is included in each network's estimate version.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from ..estimators.network.replicates import ReplicateEstimate, combine
from ..plurals import count, part, verb

__all__ = ["none_if_nan", "stale_estimates"]

_REPEATS: Final = ("repeat_values_kcal_mol", "repeat_uncertainties_kcal_mol")


def stale_estimates(
    results: pl.DataFrame, history: pl.DataFrame, *, as_of_seq: int, at: datetime
) -> list[dict[str, Any]]:
    """Return rows of `transformation_estimates` for the Transformations whose newest estimate is out of date.

    Parameters
    ----------
    results : polars.DataFrame
        From `results_to_gather.sql`.
    history : polars.DataFrame
        From `estimate_history.sql`.
    as_of_seq : int
        Last commit of the task log when `results` was read.
    at : datetime
        A time before that.
    """
    recorded: dict[str, list[str]] = {}
    for transformation, digest in history.select("transformation", "results_digest").iter_rows():
        recorded.setdefault(transformation, []).append(digest)
    rows = []
    for own in results.partition_by("transformation", maintain_order=True):
        attempts, values = own["attempt"].to_list(), own["estimate_kcal_mol"].to_list()
        # a result may get its number later, gathered from its object
        known = [a if value is not None else f"{a} without" for a, value in zip(attempts, values, strict=True)]
        transformation = own["transformation"][0]
        digest = _new_digest(known, recorded.get(transformation, []))
        if digest is not None:
            rows.append(
                {
                    "scope": own["scope"][0],
                    "transformation": transformation,
                    "results_digest": digest,
                    "as_of_seq": as_of_seq,
                    "n_results": len(own),
                    "estimated_at": at,
                    **_estimate(_replicates(own), own),
                }
            )
    return rows


def none_if_nan(value: float) -> float | None:
    """Return a float for a table: NaN is a missing value."""
    return None if math.isnan(value) else float(value)


def _new_digest(results: Sequence[str], recorded: Sequence[str]) -> str | None:
    """Return the digest of a new row, None if the last recorded one is of exactly these results.

    Rows are never replaced. If a former set of results counts again (a Task was set invalid), a number is included, so
    that the digest is a new key.
    """
    if not recorded:
        return _digest(results, 0)
    versions = [_digest(results, version) for version in range(len(recorded) + 1)]
    if recorded[-1] in versions:
        return None
    return next(digest for digest in versions if digest not in recorded)


def _digest(results: Sequence[str], version: int) -> str:
    lines = [*sorted(results), *([str(version)] if version else [])]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class _Replicate(NamedTuple):
    """A result, or one of the repeats that a result holds."""

    attempt: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float | None


def _replicates(results: pl.DataFrame) -> list[_Replicate]:
    """Return what has a number: of a result with several repeats each of them, otherwise the result itself."""
    columns = ("attempt", "estimate_kcal_mol", "uncertainty_kcal_mol", *_REPEATS)
    found = []
    for attempt, value, uncertainty, values, uncertainties in results.select(columns).iter_rows():
        pairs = [(value, uncertainty)] if not values else zip(values, uncertainties, strict=True)
        found += [_Replicate(attempt, v, _finite(u)) for v, u in pairs if _finite(v) is not None]
    return found


def _estimate(replicates: Sequence[_Replicate], results: pl.DataFrame) -> dict[str, Any]:
    values = [one.value_kcal_mol for one in replicates]
    stated = [one.uncertainty_kcal_mol for one in replicates]
    row = {
        "attempts": [one.attempt for one in replicates],
        "values_kcal_mol": values,
        "own_uncertainties_kcal_mol": stated,
    }
    if not replicates:
        return row | {
            "value_kcal_mol": None,
            "uncertainty_kcal_mol": None,
            "own_uncertainty_kcal_mol": None,
            "sd_kcal_mol": None,
            "rule": "own",
            "status": "error",
            "note": (
                f"none of {count(len(results), 'good result')} has an estimate: the Protocol's gather returned none"
            ),
        }
    combined = combine(values, stated)
    return row | {
        "value_kcal_mol": combined.value,
        "uncertainty_kcal_mol": none_if_nan(combined.uncertainty),
        "own_uncertainty_kcal_mol": none_if_nan(combined.own_uncertainty),
        "sd_kcal_mol": none_if_nan(combined.sd),
        "rule": combined.rule,
        "status": "ok",
        "note": _note(combined, replicates, results),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _note(combined: ReplicateEstimate, replicates: Sequence[_Replicate], results: pl.DataFrame) -> str | None:
    notes = []
    n_without = len(results) - len({one.attempt for one in replicates})
    n_extending = int(results["extends"].sum())
    if n_without:
        notes.append(f"{part(n_without, len(results), 'good result')} {verb(n_without, 'has', 'have')} no estimate")
    if math.isnan(combined.uncertainty):
        notes.append("the uncertainty is unknown")
    if n_extending:
        notes.append(
            f"{part(n_extending, len(results), 'result')} {verb(n_extending, 'extends', 'extend')} others; "
            "each counts as "
            "a separate repeat"
        )
    return "; ".join(notes) or None
