"""Expected needs of a Task: resources by its Protocol, duration from evidence in the lake.

Callers use only `Forecast.of` and `Forecast.frame`. Only columns are read; no result is opened. `pricing` computes the
cost of a network, with intervals and for a given GPU.
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
from .model_forecast import FORECAST_COLUMNS, ModelForecast

__all__ = ["Forecast", "Forecasted"]

DurationSource = Literal["own results", "cost model", "protocol results", "declared", "extrapolated"]

#: Interval between reads of the results.
_REFRESH_S: Final = 30.0
#: Upper estimate of a Transformation's next duration: two standard deviations above the mean of its own results, and
#: at least a quarter above it, since one result shows no spread.
_SIGMAS: Final = 2.0
_MARGIN: Final = 0.25
#: Upper estimate from other Transformations: this quantile, over at least `_FEWEST` of them.
_QUANTILE: Final = 0.9
_FEWEST: Final = 3
#: Durations per atom are used from this number of Transformations on, and only if they spread less.
_FEWEST_BY_ATOM: Final = 8
_HALF: Final = 0.5

_FRAME: Final = {**NEEDS_SCHEMA, "expected_s": pl.Float64}


@dataclass(frozen=True, slots=True)
class Forecasted:
    """Expected needs of one Task of a Transformation.

    Attributes
    ----------
    resources : Resources
    duration_s : float or None
        Upper estimate; None if unknown.
    gpu_hours : float or None
        Expected value, not an upper estimate: expected duration times GPUs; 0 for a Task without GPU, whose
        worker-hours depend on the pool.
    source : str or None
        Source of the duration.
    """

    resources: Resources
    duration_s: float | None
    gpu_hours: float | None
    source: DurationSource | None


class Forecast:
    """Forecasts for the Transformations of a lake. Not thread-safe.

    Parameters
    ----------
    lake : Lake
    pools : Pools or None
        Declares needs by Protocol; without it, defaults apply.
    clock : callable
        Returns seconds, for the interval between reads.

    Notes
    -----
    The expected duration and its upper estimate come from the first available of:

    - the mean of the Transformation's good results, and two standard deviations more, at least a quarter;
    - the median and the upper bound of the trained cost model, if its training data include the Protocol, the GPU
      model, and Transformations of similar size;
    - the median and the 0.9 quantile over Transformations of the same phase and Protocol with the same settings, else
      over the class of Protocol; of the duration per atom, times atoms, where at least eight spread less that way;
    - declared needs;
    - a model based on physics, for unseen Transformations. It gives only the expected duration: no Task is excluded
      from a worker because of it.
    """

    def __init__(self, lake: Lake, pools: Pools | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._pools = pools
        self._clock = clock
        self._model = ModelForecast(lake)
        self._transformations = pl.DataFrame(schema={"transformation": pl.String})
        self._results = pl.DataFrame()
        self._version = -1
        self._frame: pl.DataFrame | None = None
        self._read_at: float | None = None
        self._absent: set[str] = set()

    def of(self, transformations: Sequence[str]) -> dict[str, Forecasted]:
        """Return forecasts by Transformation; one missing from the lake has the needs of an unknown Protocol."""
        wanted = pl.DataFrame({"transformation": transformations}, schema={"transformation": pl.String}).unique()
        rows = self.frame(wanted["transformation"]).join(wanted, on="transformation", how="semi")
        fields = ("transformation", "cores", "memory_bytes", "gpus", "duration_s", "expected_s", "source")
        return {
            transformation: Forecasted(
                Resources(cores, memory_bytes, gpus), duration_s, _gpu_hours(expected_s, gpus), by
            )
            for transformation, cores, memory_bytes, gpus, duration_s, expected_s, by in rows.select(fields).iter_rows()
        }

    def frame(self, transformations: pl.Series | None = None) -> pl.DataFrame:
        """Return forecasts for all Transformations in the lake: columns of `NEEDS_SCHEMA`, expected_s, source.

        Parameters
        ----------
        transformations : polars.Series, optional
            If one of these is not known yet, the lake is read immediately.
        """
        now = self._clock()
        due = self._read_at is None or now - self._read_at >= _REFRESH_S
        if due:
            self._absent.clear()
        if due or self._frame is None or self._unknown(transformations) - self._absent:
            self._read_at = now
            self._read_transformations()
            self._results = _results(self._lake)
            # do not look repeatedly for missing Transformations
            self._absent |= self._unknown(transformations)
            self._frame = pl.concat([self._forecast(), self._defaults()])
        return self._frame

    def _unknown(self, transformations: pl.Series | None) -> set[str]:
        if transformations is None:
            return set()
        asked = pl.DataFrame({"transformation": transformations})
        return set(asked.join(self._transformations, on="transformation", how="anti")["transformation"])

    def _read_transformations(self) -> None:
        table = self._lake.table("transformations")
        delta = table.snapshot()
        if delta.version() != self._version:
            rows = collect(table.scan(delta).select(FORECAST_COLUMNS), "Transformations")
            self._transformations, self._version = rows.unique("transformation"), delta.version()

    def _forecast(self) -> pl.DataFrame:
        """Combine resources and durations."""
        needs, durations = self._needs(), _durations(self._results)
        atoms = pl.max_horizontal("n_atoms_a", "n_atoms_b")
        seen = self._transformations.select(
            "transformation", "scope", "phase", "protocol", "protocol_qualname", n_atoms=pl.when(atoms > 0).then(atoms)
        )
        seen = seen.join(durations, on="transformation", how="left")
        for by in ("protocol", "protocol_qualname"):
            seen = seen.join(_quantiles(seen, by), on=[by, "phase"], how="left")
        seen = seen.join(needs, on="protocol_qualname", how="left")
        seen = seen.join(self._model.of(self._transformations, self._on(needs)), on="transformation", how="left")
        mean = pl.col("mean_s")
        upper = mean + pl.max_horizontal(_SIGMAS * pl.col("sd_s").fill_null(0.0), _MARGIN * mean)
        is_seen = pl.col("is_seen").fill_null(value=False)
        declared, unknown = pl.col("declared_s"), pl.lit(None, pl.Float64)
        # in order of precedence: source, expected duration, upper estimate
        words: tuple[tuple[DurationSource, pl.Expr, pl.Expr], ...] = (
            ("own results", mean, upper),
            ("cost model", pl.when(is_seen).then("model_s"), pl.when(is_seen).then("model_high_s")),
            ("protocol results", _of_protocols("half"), _of_protocols("most")),
            ("declared", declared, declared),
            ("extrapolated", pl.col("model_s"), unknown),
        )
        chosen = seen.with_columns(
            word=pl.coalesce(pl.when(expected.is_not_null()).then(i) for i, (_, expected, _) in enumerate(words))
        )
        return chosen.select(
            "transformation",
            "scope",
            pl.col("protocol_qualname").alias("protocol"),
            "cores",
            "memory_bytes",
            "gpus",
            pl.coalesce(pl.when(pl.col("word") == i).then(most) for i, (*_, most) in enumerate(words)).alias(
                "duration_s"
            ),
            pl.coalesce(expected for _, expected, _ in words).alias("expected_s"),
            pl.coalesce(pl.when(pl.col("word") == i).then(pl.lit(who)) for i, (who, *_) in enumerate(words)).alias(
                "source"
            ),
        ).cast({name: dtype for name, dtype in _FRAME.items() if name != "transformation"})

    def _on(self, needs: pl.DataFrame) -> pl.DataFrame:
        """Return the GPUs per Task of each Protocol, and the GPU model its Tasks mostly ran on."""
        hosts = collect(self._lake.table("hosts").scan().select("host", "gpu_model"), "hosts").unique("host")
        ran = self._results.filter(pl.col("gpu_time_s") > 0).join(hosts.drop_nulls(), on="host")
        ran = ran.join(self._transformations.select("transformation", "protocol_qualname"), on="transformation")
        counts = ran.group_by("protocol_qualname", "gpu_model").agg(pl.col("n").sum()).sort("n", "gpu_model")
        usual = counts.group_by("protocol_qualname").agg(pl.col("gpu_model").last())
        anywhere = counts.group_by("gpu_model").agg(pl.col("n").sum()).sort("n", "gpu_model")["gpu_model"].tail(1)
        on = needs.select("protocol_qualname", "gpus").join(usual, on="protocol_qualname", how="left")
        otherwise = pl.lit(anywhere.item() if len(anywhere) else None, pl.String)
        return on.with_columns(pl.coalesce("gpu_model", otherwise)).sort("protocol_qualname")

    def _defaults(self) -> pl.DataFrame:
        """Return forecasts for Transformations without a row: those of an unknown Protocol."""
        needs = needs_of(self._pools, "")
        resources = (needs.cores, needs.memory_bytes, needs.gpus)
        rows = [
            (key, str(ScopedKey.from_str(key).scope), "", *resources, needs.duration_s, needs.duration_s)
            for key in sorted(self._absent)
        ]
        frame = pl.DataFrame(rows, schema=_FRAME, orient="row")
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
    """Return quantiles of durations per Protocol and phase; also per atom if atoms explain some of the spread."""
    per_atom = pl.col("mean_s") / pl.col("n_atoms")
    spread, spread_by_atom = pl.col("mean_s").log().std(), per_atom.log().std()
    enough_atoms = per_atom.drop_nulls().len() >= _FEWEST_BY_ATOM
    columns = []
    for name, quantile in (("half", _HALF), ("most", _QUANTILE)):
        columns += [
            pl.when(pl.len() >= _FEWEST).then(pl.col("mean_s").quantile(quantile, "linear")).alias(f"{by}:{name}"),
            pl.when(enough_atoms & (spread_by_atom < spread))
            .then(per_atom.drop_nulls().quantile(quantile, "linear"))
            .alias(f"{by}:{name}_per_atom"),
        ]
    return seen.filter(pl.col("mean_s") > 0).group_by(by, "phase").agg(columns)


def _of_protocols(name: str) -> pl.Expr:
    """Return a quantile over Transformations of the same Protocol, preferably the same settings, seconds."""
    atoms = pl.col("n_atoms").cast(pl.Float64)
    return pl.coalesce(
        expression
        for by in ("protocol", "protocol_qualname")
        for expression in (pl.col(f"{by}:{name}_per_atom") * atoms, pl.col(f"{by}:{name}"))
    )


def _results(lake: Lake) -> pl.DataFrame:
    """Return sums over the good results of each Transformation, by host."""
    good = lake.table("results").scan().filter(pl.col("ok"))
    wall = pl.col("wall_time_s")
    sums = good.group_by("transformation", "host").agg(
        n=pl.len(), sum_s=wall.sum(), squares_s2=(wall * wall).sum(), gpu_time_s=pl.col("gpu_time_s").sum()
    )
    return collect(sums, "durations")


def _durations(results: pl.DataFrame) -> pl.DataFrame:
    """Return the mean and standard deviation by Transformation, seconds."""
    sums = results.group_by("transformation").agg(pl.col("n", "sum_s", "squares_s2").sum())
    mean = pl.col("sum_s") / pl.col("n")
    variance = (pl.col("squares_s2") - pl.col("n") * mean * mean).clip(0.0) / (pl.col("n") - 1)
    return sums.select("transformation", mean_s=mean, sd_s=pl.when(pl.col("n") > 1).then(variance.sqrt()))


def _gpu_hours(expected_s: float | None, gpus: float) -> float | None:
    return None if expected_s is None else expected_s * gpus / 3600.0
