"""What a Task is expected to need: resources by its Protocol, duration by what the lake has seen.

The seam for better predictions: whoever asks knows `Forecast.of` alone. Columns are read, no result is
opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from ..ids import ScopedKey
from ..resources import Resources
from ..settings import Pools
from ..store import Lake, collect
from ..tasks.default_needs import needs_of
from ..tasks.fitness import NEEDS_SCHEMA

__all__ = ["Forecast", "Forecasted"]

Source = Literal["own results", "protocol results", "declared"]

#: Results are read again after so long.
_REFRESH_S: Final = 30.0
#: An upper estimate of a Transformation's next duration: two standard deviations above the mean of its own, and
#: at least a quarter above it, since one result says nothing of their spread.
_SIGMAS: Final = 2.0
_MARGIN: Final = 0.25
#: Of other Transformations: what nine of ten stay below, of at least so many.
_QUANTILE: Final = 0.9
_FEWEST: Final = 3
#: Atoms are believed in from so many Transformations on, and only if durations spread less by the atom.
_FEWEST_BY_ATOM: Final = 8

_TRANSFORMATIONS: Final = ("transformation", "scope", "protocol", "protocol_qualname", "n_atoms_a", "n_atoms_b")


@dataclass(frozen=True, slots=True)
class Forecasted:
    """What one Task of a Transformation is expected to need.

    Attributes
    ----------
    resources : Resources
    duration_s : float or None
        An upper estimate; None if nobody knows.
    gpu_hours : float or None
        Duration times GPUs; 0 for a Task without GPU, whose worker-hours depend on the pool.
    source : str or None
        Whose word the duration is.
    """

    resources: Resources
    duration_s: float | None
    gpu_hours: float | None
    source: Source | None


class Forecast:
    """Forecasts for the Transformations of a lake. Not to be shared between threads.

    Parameters
    ----------
    lake : Lake
    pools : Pools or None
        Declares needs by Protocol; defaults hold without.
    clock : callable
        Seconds, for the pace of reading.

    Notes
    -----
    The duration of a Task is, of what is there first: the mean of the Transformation's good results plus two standard
    deviations, at least a quarter; the 0.9 quantile over Transformations of the same Protocol with the same
    settings; the same over the class of Protocol; what is declared; unknown. Quantiles are of the duration
    per atom, times atoms, where at least eight Transformations spread less that way.
    """

    def __init__(self, lake: Lake, pools: Pools | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._pools = pools
        self._clock = clock
        self._transformations = pl.DataFrame(schema=_transformation_schema())
        self._durations = pl.DataFrame(schema={"transformation": pl.String, "mean_s": pl.Float64, "sd_s": pl.Float64})
        self._frame: pl.DataFrame | None = None
        self._read_at: float | None = None
        self._absent: set[str] = set()

    def of(self, transformations: Sequence[str]) -> dict[str, Forecasted]:
        """Forecast by Transformation; one that the lake does not hold has the needs of an unknown Protocol."""
        wanted = pl.DataFrame({"transformation": transformations}, schema={"transformation": pl.String}).unique()
        rows = self.frame(wanted["transformation"]).join(wanted, on="transformation", how="semi")
        fields = ("transformation", "cores", "memory_bytes", "gpus", "duration_s", "source")
        return {
            transformation: Forecasted(
                Resources(cores, memory_bytes, gpus), duration_s, _gpu_hours(duration_s, gpus), source
            )
            for transformation, cores, memory_bytes, gpus, duration_s, source in rows.select(fields).iter_rows()
        }

    def frame(self, transformations: pl.Series | None = None) -> pl.DataFrame:
        """Forecasts of every Transformation in the lake as columns: those of `NEEDS_SCHEMA`, and source.

        Parameters
        ----------
        transformations : polars.Series, optional
            If one of these is not known yet, the lake is looked at at once.
        """
        now = self._clock()
        due = self._read_at is None or now - self._read_at >= _REFRESH_S
        if due:
            self._absent.clear()
        if due or self._frame is None or self._unknown(transformations) - self._absent:
            self._read_at = now
            self._transformations = _transformations(self._lake)
            self._durations = _durations(self._lake)
            # do not look again and again for what is not there
            self._absent |= self._unknown(transformations)
            self._frame = pl.concat([self._forecast(), self._defaults()])
        return self._frame

    def _unknown(self, transformations: pl.Series | None) -> set[str]:
        if transformations is None:
            return set()
        asked = pl.DataFrame({"transformation": transformations})
        return set(asked.join(self._transformations, on="transformation", how="anti")["transformation"])

    def _forecast(self) -> pl.DataFrame:
        """Put resources and durations together."""
        needs = self._needs()
        seen = self._transformations.join(self._durations, on="transformation", how="left")
        own = pl.col("mean_s") + pl.max_horizontal(_SIGMAS * pl.col("sd_s").fill_null(0.0), _MARGIN * pl.col("mean_s"))
        seen = seen.with_columns(own=own)
        for by in ("protocol", "protocol_qualname"):
            seen = seen.join(_quantiles(seen, by), on=by, how="left")
        atoms = pl.col("n_atoms").cast(pl.Float64)
        by_protocol = pl.coalesce(
            expression
            for by in ("protocol", "protocol_qualname")
            for expression in (pl.col(f"{by}:per_atom_s") * atoms, pl.col(f"{by}:s"))
        )
        seen = seen.join(needs, on="protocol_qualname", how="left").with_columns(by_protocol=by_protocol)
        source = (
            pl.when(pl.col("own").is_not_null())
            .then(pl.lit("own results"))
            .when(pl.col("by_protocol").is_not_null())
            .then(pl.lit("protocol results"))
            .when(pl.col("declared_s").is_not_null())
            .then(pl.lit("declared"))
        )
        return seen.select(
            "transformation",
            "scope",
            pl.col("protocol_qualname").alias("protocol"),
            "cores",
            "memory_bytes",
            "gpus",
            pl.coalesce("own", "by_protocol", "declared_s").alias("duration_s"),
            source.alias("source"),
        ).cast({name: dtype for name, dtype in NEEDS_SCHEMA.items() if name != "transformation"})

    def _defaults(self) -> pl.DataFrame:
        """Forecasts for Transformations without a row: those of an unknown Protocol."""
        needs = needs_of(self._pools, "")
        rows = [
            (key, str(ScopedKey.from_str(key).scope), "", needs.cores, needs.memory_bytes, needs.gpus, needs.duration_s)
            for key in sorted(self._absent)
        ]
        frame = pl.DataFrame(rows, schema=NEEDS_SCHEMA, orient="row")
        source = pl.when(pl.col("duration_s").is_not_null()).then(pl.lit("declared"))
        return frame.with_columns(source=source.otherwise(pl.lit(None, pl.String)))

    def _needs(self) -> pl.DataFrame:
        rows = []
        for protocol in self._transformations["protocol_qualname"].unique().sort():
            needs = needs_of(self._pools, protocol)
            rows.append((protocol, needs.cores, needs.memory_bytes, needs.gpus, needs.duration_s))
        schema = {
            "protocol_qualname": pl.String,
            "cores": pl.Int64,
            "memory_bytes": pl.Int64,
            "gpus": pl.Float64,
            "declared_s": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")


def _quantiles(seen: pl.DataFrame, by: str) -> pl.DataFrame:
    """Per Protocol: a high quantile of durations, and per atom if atoms explain some of their spread."""
    per_atom = pl.col("mean_s") / pl.col("n_atoms")
    spread, spread_by_atom = pl.col("mean_s").log().std(), per_atom.log().std()
    enough_atoms = per_atom.drop_nulls().len() >= _FEWEST_BY_ATOM
    return (
        seen.filter(pl.col("mean_s") > 0)
        .group_by(by)
        .agg(
            pl.when(pl.len() >= _FEWEST).then(pl.col("mean_s").quantile(_QUANTILE, "linear")).alias(f"{by}:s"),
            pl.when(enough_atoms & (spread_by_atom < spread))
            .then(per_atom.drop_nulls().quantile(_QUANTILE, "linear"))
            .alias(f"{by}:per_atom_s"),
        )
    )


def _transformations(lake: Lake) -> pl.DataFrame:
    rows = collect(lake.table("transformations").scan().select(_TRANSFORMATIONS), "Transformations")
    atoms = pl.max_horizontal("n_atoms_a", "n_atoms_b")
    return rows.select(
        "transformation", "scope", "protocol", "protocol_qualname", n_atoms=pl.when(atoms > 0).then(atoms)
    ).unique("transformation")


def _durations(lake: Lake) -> pl.DataFrame:
    good = lake.table("results").scan().filter(pl.col("ok")).select("transformation", "wall_time_s")
    wall = pl.col("wall_time_s")
    return collect(good.group_by("transformation").agg(mean_s=wall.mean(), sd_s=wall.std()), "durations")


def _transformation_schema() -> dict[str, pl.DataType | type[pl.DataType]]:
    return {
        **dict.fromkeys(("transformation", "scope", "protocol", "protocol_qualname"), pl.String),
        "n_atoms": pl.Int64,
    }


def _gpu_hours(duration_s: float | None, gpus: float) -> float | None:
    return None if duration_s is None else duration_s * gpus / 3600.0
