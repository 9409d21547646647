"""Progress of the Tasks of a selection: which claimed ones are running, and how long the rest will take.

A claim is made before a worker starts: its Task may wait for a place there, or for a job in a queue. A Task is running
once its attempt has written a heartbeat. Only for display; no decision depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from ..costs.forecast import Forecast
from ..execution.heartbeat import Beat
from ..statestore.claims import Selection
from ..store import Lake
from ..tasks.states import TaskStates
from .heartbeats import HeartbeatReader

__all__ = ["Outlook", "ProgressEstimate"]

#: Interval of reading heartbeats; in a bucket each read is a request.
_LOOK_FOLDER_S: Final = 2.0
_LOOK_BUCKET_S: Final = 15.0
#: Maximum number of attempts per read.
_MOST: Final = 256
#: Number of ended Tasks per running one after which their pace is used.
_ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Outlook:
    """Observed progress.

    Attributes
    ----------
    running : int
        Number of claimed Tasks that a worker is running.
    queued : int
        Number of claimed Tasks that wait for a worker, a job, or a place on a worker.
    eta_s : float or None
        Time until all claimable Tasks have ended, None if unknown.
    """

    running: int = 0
    queued: int = 0
    eta_s: float | None = None


class ProgressEstimate:
    """Observes the Tasks of a selection for one dispatcher.

    Parameters
    ----------
    lake : Lake
    selection : Selection
    forecast : Forecast
    clock : callable
        Monotonic clock, seconds.
    """

    def __init__(
        self, lake: Lake, selection: Selection, forecast: Forecast, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lake, self._selection, self._forecast, self._clock = lake, selection, forecast, clock
        self._every_s = _LOOK_BUCKET_S if lake.local_path is None else _LOOK_FOLDER_S
        self._heartbeats = HeartbeatReader(lake)
        self._looked_at = float("-inf")
        #: Attempt -> its start, by the local clock.
        self._began: dict[str, float] = {}
        self._first_began: float | None = None
        #: As of the last read.
        self._eta_s: float | None = None

    def due(self) -> bool:
        """Return whether it is time to read heartbeats again."""
        return self._clock() - self._looked_at >= self._every_s

    def outlook(self, states: TaskStates, wall_times_s: Sequence[float]) -> Outlook:
        """Read heartbeats if due, and return the current progress.

        Parameters
        ----------
        states : TaskStates
        wall_times_s : sequence of float
            Wall times of the attempts that ended since this dispatcher started.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        held = self._selection.tasks(states).filter(pl.col("status") == "running")
        held = held.select("task", "transformation", "scope", "attempt").drop_nulls("attempt")
        self._began = {attempt: self._began[attempt] for attempt in held["attempt"] if attempt in self._began}
        if self.due():
            self._look(held)
            self._eta_s = self._left_s(states, held, wall_times_s)
        since_s = self._clock() - self._looked_at
        eta_s = None if self._eta_s is None else max(self._eta_s - since_s, 0.0)
        return Outlook(len(self._began), len(held) - len(self._began), eta_s)

    def _look(self, held: pl.DataFrame) -> None:
        """Ask for the heartbeats of claimed Tasks that have none yet, and take in those that were read."""
        self._looked_at = self._clock()
        unseen = held.filter(~pl.col("attempt").is_in(list(self._began))).head(_MOST)
        self._heartbeats.ask(dict(unseen.select("attempt", "scope").iter_rows()))
        beats, running = self._heartbeats.answer() or {}, set(held["attempt"])
        self._began |= {a: self._looked_at - _ran_for_s(beat) for a, beat in beats.items() if a in running}
        if self._began and self._first_began is None:
            self._first_began = min(self._began.values())

    def _left_s(self, states: TaskStates, held: pl.DataFrame, wall_times_s: Sequence[float]) -> float | None:
        """Return remaining work divided by the number of concurrent Tasks; at least the longest Task."""
        now = self._clock()
        at_a_time = self._at_a_time(now, wall_times_s)
        waiting = self._selection.candidates(states.claimable()).select("task", "transformation").unique("task")
        tasks = pl.concat([waiting.with_columns(attempt=pl.lit(None, pl.String)), held.drop("scope")], how="diagonal")
        if not at_a_time or not len(tasks):
            return None
        expected = self._expected_s(tasks, wall_times_s)
        if expected.null_count():
            return None
        ran = pl.Series([0.0 if a not in self._began else now - self._began[a] for a in tasks["attempt"]])
        left = (expected - ran).clip(0.0)
        return max(float(left.sum()) / at_a_time, float(left.max() or 0.0))  # type: ignore[arg-type]

    def _at_a_time(self, now: float, wall_times_s: Sequence[float]) -> float:
        """Return the number of concurrent Tasks: from the pace if enough have ended, else of those running now."""
        if self._first_began is not None and len(wall_times_s) > _ROUNDS * max(len(self._began), 1):
            return sum(wall_times_s) / max(now - self._first_began, 1.0)
        return float(len(self._began))

    def _expected_s(self, tasks: pl.DataFrame, wall_times_s: Sequence[float]) -> pl.Series:
        """Return the expected duration of each Task: from similar results, other results, or the cost model."""
        known = self._forecast.frame(tasks["transformation"]).select("transformation", "expected_s", "source")
        rows = tasks.join(known, on="transformation", how="left", maintain_order="left")
        mean_s = sum(wall_times_s) / len(wall_times_s) if wall_times_s else None
        guessed = pl.col("source").is_null() | pl.col("source").is_in(["declared", "extrapolated"])
        measured = pl.when(~guessed).then("expected_s")
        return rows.select(pl.coalesce(measured, pl.lit(mean_s, pl.Float64), "expected_s")).to_series()


def _ran_for_s(beat: Beat) -> float:
    # both by the clock of its host
    return max((beat.at - beat.started_at).total_seconds(), 0.0)
