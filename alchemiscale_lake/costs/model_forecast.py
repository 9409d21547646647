"""Durations of Transformations predicted by cost models, updated incrementally.

`forecast` combines them with results and declarations.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from ..estimators.cost.gpu_speed import CPU
from ..store import Lake
from .cost_history import with_targets
from .cost_models import KnownModel, newest_model
from .cost_rows import FEATURE_COLUMNS, UNKNOWN_GPU, cost_rows
from .solute_diameters import with_stored_diameters

__all__ = ["FORECAST_COLUMNS", "ModelForecast"]

#: Columns of `transformations` that are read.
FORECAST_COLUMNS: Final = (
    "scope",
    "transformation",
    "protocol",
    "environment",
    "ligand_a",
    "ligand_b",
    *FEATURE_COLUMNS,
)
#: Rows per prediction: levels that a model has not seen cost memory per row.
_AT_ONCE: Final = 20_000
_S_PER_H: Final = 3600.0
_SCHEMA: Final = {
    "transformation": pl.String,
    "model_s": pl.Float64,
    "model_high_s": pl.Float64,
    "is_seen": pl.Boolean,
}


class ModelForecast:
    """Durations from the newest cost model of a lake. Not thread-safe."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._model: KnownModel | None = None
        self._version = -1
        self._on: pl.DataFrame | None = None
        self._known = pl.DataFrame(schema=_SCHEMA)

    def of(self, transformations: pl.DataFrame, on: pl.DataFrame) -> pl.DataFrame:
        """Predict durations.

        Parameters
        ----------
        transformations : polars.DataFrame
            `FORECAST_COLUMNS` of all of them.
        on : polars.DataFrame
            By Protocol: protocol_qualname, gpus (per Task), gpu_model (null: unknown).

        Returns
        -------
        polars.DataFrame
            transformation, model_s and model_high_s (median and upper bound of the wall time, seconds; null if even
            the length of its simulations is unknown), is_seen (whether the training data include similar ones).
        """
        if self._refresh() or self._on is None or not self._on.equals(on):
            self._known, self._on = pl.DataFrame(schema=_SCHEMA), on
        new = transformations.select("transformation").join(self._known, on="transformation", how="anti")
        if len(new):
            rows = with_targets(transformations).join(new, on="transformation", how="semi").sort("system")
            rows = with_stored_diameters(rows, self._lake)
            rows = rows.join(on, on="protocol_qualname", how="left")
            parts = [self._predicted(rows.slice(start, _AT_ONCE)) for start in range(0, len(rows), _AT_ONCE)]
            self._known = pl.concat([self._known, *parts])
        return self._known

    def _refresh(self) -> bool:
        """Check for a newer model; return whether there is one."""
        version = self._lake.table("cost_models").snapshot().version()
        if self._model is not None and version == self._version:
            return False
        self._version, before = version, self._model
        self._model = newest_model(self._lake)
        return before is None or before.name != self._model.name

    def _predicted(self, rows: pl.DataFrame) -> pl.DataFrame:
        assert self._model is not None
        gpus = pl.col("gpus")
        on_gpu = pl.when(gpus > 0).then(pl.col("gpu_model").fill_null(UNKNOWN_GPU)).otherwise(pl.lit(CPU))
        beside = pl.when(gpus > 0).then((1.0 / gpus).clip(1.0)).otherwise(1.0)
        rows = rows.with_columns(gpu_model=on_gpu, packing=beside)
        said = self._model.model.predict_distribution(cost_rows(rows))
        # convert GPU-hours to hours on the allocated GPUs
        held = rows.select(pl.when(gpus > 0).then(gpus).otherwise(1.0)).to_series().to_numpy()
        seen = ~said.extrapolates if self._model.is_trained else np.zeros(len(rows), dtype=bool)
        known = pl.Series(seen) | rows["simulated_ns"].is_not_null()
        return pl.DataFrame(
            {
                "transformation": rows["transformation"],
                "model_s": said.median * _S_PER_H / held,
                "model_high_s": said.high * _S_PER_H / held,
                "is_seen": seen,
            },
            schema=_SCHEMA,
        ).with_columns(pl.when(known).then(name).alias(name) for name in ("model_s", "model_high_s"))
