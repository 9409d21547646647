"""Methods that answer with numbers: SQL, estimates, ranking, cost; and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ..errors import LakeError
from ..query import Relation, relation_of
from .client_part import AnyKey, text
from .status_methods import StatusMethods

__all__ = ["AnalysisMethods"]

Condition = Callable[[Mapping[str, int]], bool]


class AnalysisMethods(StatusMethods):
    """Ask for numbers; none of this needs the classes that made them."""

    def sql(self, statement: str, **parameters: Any) -> Relation:
        """Run one statement of DuckDB's SQL over the tables and named queries of the lake.

        Parameters
        ----------
        statement : str
        **parameters
            Values of `$name` in the statement.

        Returns
        -------
        duckdb.DuckDBPyRelation
            `.pl()`, `.df()` and `.arrow()` give a polars, pandas or Arrow table.

        Raises
        ------
        QueryError
            If DuckDB rejects the statement.
        """
        return relation_of(self._frame("sql", statement=statement, parameters=parameters))

    def estimates(self, network: AnyKey) -> pl.DataFrame:
        """Return the newest estimate of every ligand of a network, the best first: named query `ligand_ranking`."""
        return self._frame("named_query", name="ligand_ranking", network=text(network))

    def edges(self, network: AnyKey) -> pl.DataFrame:
        """Return the newest estimate of every edge of a network: named query `latest_edges`."""
        return self._frame("named_query", name="latest_edges", network=text(network))

    def ranking(
        self, network: AnyKey, *, top: int = 3, kind: str | None = None, model_error: float | str | None = None
    ) -> pl.DataFrame:
        """Return the ligands of a network with the probability of each to be the best, see `rank_network`.

        Parameters
        ----------
        network : ScopedKey or str
        top : int, default 3
            Number of ligands for "the best few".
        kind : str, optional
            `binding`, `hydration` or `direct`.
        model_error : float or str, optional
            As for `rank_network`.
        """
        return self._frame("ranking", network=text(network), top=top, kind=kind, model_error=model_error)

    def forecast(self, network: AnyKey, *, tasks_per_transformation: int | None = None) -> pl.DataFrame:
        """Return the predicted cost of what is left of a network.

        Parameters
        ----------
        network : ScopedKey or str
        tasks_per_transformation : int, optional
            Tasks that each Transformation is to have; by default, those that exist.

        Returns
        -------
        polars.DataFrame
            One row per Transformation: `each_hours` of one more result and `total_hours` of what is left, GPU-hours,
            or worker-hours without a GPU; `_low` and `_high` limit 90 % intervals.
        """
        return self._frame("forecast", network=text(network), tasks_per_transformation=tasks_per_transformation)

    def gather(self, network: AnyKey, *, rule: str | None = None) -> dict[str, Any]:
        """Update the estimates of a network with its new results.

        Parameters
        ----------
        network : ScopedKey or str
        rule : str, optional
            Uncertainty used for a leg, see `gather_networks`.

        Returns
        -------
        dict
            The fields of `GatherReport`.
        """
        return dict(self._ask("gather_network", network=text(network), rule=rule))

    def wait(
        self,
        network: AnyKey,
        until: Condition | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float = 5.0,
        visualize: bool = True,
    ) -> dict[str, int]:
        """Wait until no actioned Task of a network waits or runs.

        Parameters
        ----------
        network : ScopedKey or str
        until : callable, optional
            Takes the counts of Tasks by status; wait until it returns true instead.
        timeout_s : float, optional
            Longest time to wait, s.
        poll_s : float, default 5
            Time between two looks, s.
        visualize : bool, default True
            Show a progress bar.

        Returns
        -------
        dict of str to int
            Number of Tasks by status at the end.

        Raises
        ------
        LakeError
            If `timeout_s` has passed. Nothing is cancelled.
        """
        from rich.console import Console
        from rich.progress import Progress

        key, since = text(network), time.monotonic()
        with Progress(console=Console(stderr=True), disable=not visualize, transient=True) as bar:
            shown = bar.add_task("Tasks ended", total=None)
            while True:
                counts = self.get_network_status(key, visualize=False)
                left = self._ask("n_in_flight", network=key)
                bar.update(shown, total=sum(counts.values()), completed=sum(counts.values()) - left)
                if until(counts) if until is not None else not left:
                    return counts
                if timeout_s is not None and time.monotonic() - since > timeout_s:
                    raise LakeError(f"{key} is not done after {timeout_s:g} s: {left} Tasks wait or run", network=key)
                time.sleep(poll_s)
