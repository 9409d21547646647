"""Prices and cost models as tables and sentences."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, Final

import polars as pl

from ..amounts import format_seconds
from ..costs.cost_models import KnownModel, Training
from ..costs.pricing import Amount, PoolPrice, Price
from ..estimators.cost.gpu_speed import REFERENCE_MODEL
from ..plurals import count, verb
from .table import Table

__all__ = [
    "model_lines",
    "model_table",
    "models_table",
    "price_lines",
    "price_table",
    "training_line",
    "transformations_table",
]

_S_PER_H: Final = 3600.0
_NUMBERS: Final = re.compile(r"[0-9.,]+")


def price_table(price: Price, *, compact: bool = False) -> Table:
    """Build a table with one row per pool and a total; without pools, one row for the network.

    Parameters
    ----------
    price : Price
    compact : bool
        For a terminal: each interval in one cell.
    """
    width = 1 if compact else 3
    columns = ["pool", "gpu_model", "slots", "tasks"]
    columns += [name for amount in ("gpu_hours", "wall_h", "cost") for name in _three(amount)[:width]]
    if not price.pools:
        n_tasks = sum(t.n_new + t.n_waiting + t.n_running for t in price.transformations)
        empty = (None,) * width
        return Table(tuple(columns), [(None, None, None, n_tasks, *_cells(price.gpu_hours, compact), *empty, *empty)])
    stored = price.remaining.network is not None
    rows = [_pool_row(price, pool, stored=stored, compact=compact) for pool in price.pools]
    when = () if not stored else ("done_by",) if compact else ("done_at", "done_by")
    return Table((*columns, *when), rows)


def transformations_table(price: Price, *, compact: bool = False) -> Table:
    """Build a table with one row per Transformation.

    Parameters
    ----------
    price : Price
    compact : bool
        For a terminal: each interval in one cell, and no keys.
    """
    width = 1 if compact else 3
    counts = ("results", "running", "waiting", "idle", "new")
    hours = [name for amount in ("gpu_hours_each", "gpu_hours") for name in _three(amount)[:width]]
    columns = ("name", "phase", *counts, *hours, "basis", "extrapolates", *(() if compact else ("transformation",)))
    rows = [
        (
            *(t.name, t.phase, t.n_results, t.n_running, t.n_waiting, t.n_idle, t.n_new),
            *_cells(t.each, compact),
            *_cells(t.total, compact),
            *(t.basis, t.extrapolates or None, t.transformation),
        )[: len(columns)]
        for t in price.transformations
    ]
    return Table(columns, rows)


def price_lines(price: Price) -> list[str]:
    """Return lines with what was counted, the basis of the estimate, and its assumptions."""
    lines = [_counted(price), _hours(price), *_basis(price), *_extrapolations(price), *_speeds(price)]
    for pool in price.pools:
        lines += [f"{pool.pool}: {count(n, 'Task')} excluded: {why}" for why, n in pool.refused.items()]
        if pool.wall_h is not None and pool is price.pools[-1]:
            lines.append(_when(price, pool))
    if not price.pools:
        lines.append("wall time and cost in money need pools: give --pools FILE")
    elif any(pool.wall_h is not None for pool in price.pools):
        n_others = price.remaining.n_others
        others = f"; {count(n_others, 'Task')} of other networks {verb(n_others)} also waiting" if n_others else ""
        lines.append(f"wall times assume that the pools are idle and run nothing else{others}")
    return lines


def training_line(training: Training) -> str:
    """Return the outcome of a training in one line."""
    if not training.trained:
        return f"no model was trained: {training.why}"
    card = training.known.card
    return (
        f"trained model {training.known.name} ({training.why}) on "
        f"{count(card.n_rows, 'result')}{_quality(training.known)}"
    )


def models_table(models: pl.DataFrame) -> Table:
    """Build a table with one row per model, newest first."""
    shown = models.select(
        "model",
        "trained_at",
        "actor",
        "n_rows",
        "n_transformations",
        "n_targets",
        "error_fraction",
        "constant_error_fraction",
        "power_law_error_fraction",
        "coverage_fraction",
        "protocols",
        "gpu_models",
    )
    return Table.of(shown)


def model_table(known: KnownModel) -> Table:
    """Build a table of a model's card, one row per fact."""
    card = known.card
    facts: list[tuple[str, Any]] = [
        ("model", known.name or "physical prior"),
        ("trained_at", known.trained_at),
        ("results", card.n_rows),
        ("targets", card.n_groups),
        ("protocols", _counts(card.protocols)),
        ("gpu_models", _counts(card.gpu_models)),
        ("validation", card.validation),
        ("error_fraction", _known(card.mdape)),
        ("error_fraction of a constant prediction", _known(card.mdape_constant)),
        ("error_fraction of a power law in atoms", _known(card.mdape_power_law)),
        ("coverage_fraction", _known(card.coverage)),
        ("confidence_fraction", card.confidence),
        *((f"{name} seen", f"{low:g} to {high:g}") for name, (low, high) in sorted(card.feature_ranges.items())),
        ("seed", card.seed),
        ("versions", json.dumps(card.versions, sort_keys=True)),
    ]
    return Table(("fact", "value"), facts)


def model_lines(known: KnownModel) -> list[str]:
    """Return a model's size and accuracy in one line."""
    if not known.is_trained:
        return ["no model has been trained: estimates use physics and published GPU speeds, with wide intervals"]
    return [f"model {known.name}: {count(known.card.n_rows, 'result')}{_quality(known)}"]


# --- parts ----------------------------------------------------------------------------------------


def _three(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _cells(amount: Amount | None, compact: bool) -> tuple[float | str | None, ...]:
    """Return an amount's cells, rounded to its meaningful digits."""
    if amount is None:
        return (None,) if compact else (None, None, None)
    if not compact:
        return _round(amount.median), _round(amount.low), _round(amount.high)
    median, low, high = (f"{float(f'{value:.3g}'):g}" for value in (amount.median, amount.low, amount.high))
    return (median if low == high else f"{median} ({low} to {high})",)


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _pool_row(price: Price, pool: PoolPrice, *, stored: bool, compact: bool) -> tuple[Any, ...]:
    cells = [cell for amount in (pool.gpu_hours, pool.wall_h, pool.cost) for cell in _cells(amount, compact)]
    done = pool.done_at(price.at)
    when = ((done[0], done[2]) if done is not None else (None, None)) if stored else ()
    whole = tuple(None if t is None else t.replace(microsecond=0) for t in when[1 if compact else 0 :])
    return (pool.pool, pool.gpu_model, pool.slots, pool.n_tasks, *cells, *whole)


def _counted(price: Price) -> str:
    rows = price.remaining.rows
    total = {name: int(rows[name].sum()) for name in ("n_results", "n_running", "n_waiting", "n_idle", "n_new")}
    parts = [count(len(rows), "Transformation")]
    if n := total["n_results"]:
        parts.append(f"{count(n, 'existing result')}")
    parts += [f"{count(n, 'Task')} {state}" for state in ("running", "waiting") if (n := total[f"n_{state}"])]
    parts.append(f"{count(total['n_new'], 'Task') if total['n_new'] else 'no Task'} to be created")
    if n := total["n_idle"]:
        parts.append(f"{count(n, 'Task')} waiting but not actioned on an active network, excluded")
    return ", ".join(parts)


def _hours(price: Price) -> str:
    amount = price.gpu_hours
    on_gpus = [t.gpus > 0 for t in price.transformations]
    what = "GPU-hours" if all(on_gpus) else "GPU-hours and worker-hours" if any(on_gpus) else "worker-hours"
    return f"{amount.median:.4g} {what}, 90 % interval {amount.low:.4g} to {amount.high:.4g}"


def _basis(price: Price) -> list[str]:
    counts = Counter[str](t.basis for t in price.transformations)
    lines = []
    words = {
        "own results": "their own results",
        "trained model": _model_words(price.known),
        "physical prior": "physics and published GPU speeds",
    }
    for basis, word in words.items():
        if counts[basis]:
            lines.append(f"{count(counts[basis], 'Transformation')} estimated from {word}")
    return lines


def _model_words(known: KnownModel) -> str:
    if known.name is not None:
        return f"trained model {known.name}{_quality(known)}"
    return (
        f"a temporary model of {count(known.card.n_rows, 'result')}{_quality(known)}; "
        "to store one: `alchemiscale-lake cost-model train`"
    )


def _quality(known: KnownModel) -> str:
    card = known.card
    if math.isnan(card.mdape):
        return ""
    covered = "" if math.isnan(card.coverage) else f", {card.confidence:.0%} intervals cover {card.coverage:.0%}"
    return f" (cross-validated median error {card.mdape:.1%}{covered})"


def _extrapolations(price: Price) -> list[str]:
    """Return one line per reason, merging reasons that differ only in numbers."""
    reasons: dict[str, list[str]] = {}
    for t in price.transformations:
        if t.extrapolates:
            reasons.setdefault(_NUMBERS.sub("", t.extrapolates), []).append(t.extrapolates)
    lines = []
    for alike in sorted(reasons.values(), key=lambda group: (-len(group), group[0])):
        example = "" if len(set(alike)) == 1 else "for example "
        lines.append(f"extrapolated for {count(len(alike), 'Transformation')}: {example}{alike[0]}")
    return lines


def _speeds(price: Price) -> list[str]:
    """Return one line per GPU model of unknown speed, with the remedy."""
    lines = []
    for name in price.gpus_without_speed:
        what = f"the speed of GPU model {name!r} is unknown" if name else "the GPU model is unknown"
        help_ = "give its speed" if name else "name it, or give its speed"
        lines.append(
            f"{what}: priced as an {REFERENCE_MODEL}, possibly off by a factor of 3; {help_} as a multiple of a "
            'listed model, as in --gpu "0.8 x RTX 4090"'
        )
    return lines


def _when(price: Price, pool: PoolPrice) -> str:
    assert pool.wall_h is not None
    low, median, high = (_span(h) for h in (pool.wall_h.low, pool.wall_h.median, pool.wall_h.high))
    done = pool.done_at(price.at)
    when = ""
    if price.remaining.network is not None and done is not None:
        when = f": done at {done[0]:%Y-%m-%d %H:%M}, probably before {done[2]:%Y-%m-%d %H:%M} UTC"
    return f"{pool.pool}: wall time {median}, 90 % interval {low} to {high}{when}"


def _span(hours: float) -> str:
    seconds = hours * _S_PER_H
    return format_seconds(float(max(1, round(seconds)) if seconds < 60 else 60 * round(seconds / 60)))


def _counts(counts: dict[str, int]) -> str | None:
    return ", ".join(f"{name} ({n})" for name, n in sorted(counts.items())) or None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else _round(value)
