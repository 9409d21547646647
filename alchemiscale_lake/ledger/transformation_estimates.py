"""Estimates of Transformations from their results.

Only Transformations with changed results are recomputed. `query/sql/counted_results.sql` determines which results
count, `estimators.replicates` how repeats are combined. A row is based on its own results alone; information from
other legs is included in each network's estimate version.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from estimators.replicates import ReplicateEstimate, combine

__all__ = ["none_if_nan", "stale_estimates"]


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
    columns = ("scope", "attempt", "estimate_kcal_mol", "uncertainty_kcal_mol", "extends")
    grouped = results.group_by("transformation", maintain_order=True).agg(*columns)
    for transformation, scopes, attempts, values, uncertainties, extends in grouped.iter_rows():
        # a result may get its number later, gathered from its object
        known = [a if value is not None else f"{a} without" for a, value in zip(attempts, values, strict=True)]
        digest = _new_digest(known, recorded.get(transformation, []))
        if digest is not None:
            rows.append(
                {
                    "scope": scopes[0],
                    "transformation": transformation,
                    "results_digest": digest,
                    "as_of_seq": as_of_seq,
                    "n_results": len(attempts),
                    "estimated_at": at,
                    **_estimate(attempts, values, uncertainties, n_extending=sum(map(bool, extends))),
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


def _estimate(
    attempts: Sequence[str],
    values: Sequence[float | None],
    uncertainties: Sequence[float | None],
    *,
    n_extending: int,
) -> dict[str, Any]:
    there = [k for k, value in enumerate(values) if value is not None and math.isfinite(value)]
    usable = [values[k] for k in there]
    stated = [_finite(uncertainties[k]) for k in there]
    replicates = {
        "attempts": [attempts[k] for k in there],
        "values_kcal_mol": usable,
        "own_uncertainties_kcal_mol": stated,
    }
    if not there:
        return replicates | {
            "value_kcal_mol": None,
            "uncertainty_kcal_mol": None,
            "own_uncertainty_kcal_mol": None,
            "sd_kcal_mol": None,
            "rule": "own",
            "status": "error",
            "note": f"none of {len(values)} good results carries an estimate: the Protocol's gather gave none",
        }
    combined = combine(usable, stated)
    return replicates | {
        "value_kcal_mol": combined.value,
        "uncertainty_kcal_mol": none_if_nan(combined.uncertainty),
        "own_uncertainty_kcal_mol": none_if_nan(combined.own_uncertainty),
        "sd_kcal_mol": none_if_nan(combined.sd),
        "rule": combined.rule,
        "status": "ok",
        "note": _note(combined, len(values), n_extending),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _note(combined: ReplicateEstimate, n_results: int, n_extending: int) -> str | None:
    notes = []
    if combined.n < n_results:
        notes.append(f"{n_results - combined.n} of {n_results} good results carry no estimate")
    if math.isnan(combined.uncertainty):
        notes.append("no uncertainty is known")
    if n_extending:
        notes.append(f"{n_extending} of {n_results} results extend others; each counts as a repeat of its own")
    return "; ".join(notes) or None
