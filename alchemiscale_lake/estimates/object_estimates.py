"""Estimates of results without one, gathered from their objects.

A worker stores the estimate of its result in the row, so this is for results of other origin. It needs gufe and the
Protocols' classes; later gathering does not. Objects shared by results are read and built once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .. import gufe_adapter
from ..errors import ContentError, EstimationError, UnitConversionError
from ..ids import ScopedKey
from ..networks.stored_results import StoredResults
from ..query import connect_for, read_sql, statement
from ..statestore.submit import read_chain
from ..store import Lake, now_utc

__all__ = ["FilledReport", "fill_estimates"]

#: Rows per write, so that an interruption loses little.
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class FilledReport:
    """Outcome of gathering from objects.

    Attributes
    ----------
    n_missing : int
        Number of results without an estimate.
    n_filled : int
        Number of these that have one now.
    failures : tuple of str
        Reasons for the others.
    """

    n_missing: int
    n_filled: int
    failures: tuple[str, ...]


def fill_estimates(
    lake: Lake, networks: Sequence[str | ScopedKey], *, on_progress: Callable[[int, int], None] | None = None
) -> FilledReport:
    """Gather every result that counts and has no estimate from its ProtocolDAGResult.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str or ScopedKey
    on_progress : callable, optional
        Called with the numbers of finished and of all results.

    Raises
    ------
    MissingClassError
        If a Protocol, or another class named in the results, cannot be imported here.
    InvalidNetworkError
        If this gufe cannot rebuild an object.
    """
    wanted = [str(ScopedKey.parse(network)) for network in networks]
    scopes = sorted({str(ScopedKey.from_str(network).scope) for network in wanted})
    connection = connect_for(lake, "results_without_number")
    rows = read_sql(connection, statement("results_without_number"), {"networks": wanted, "scopes": scopes})
    reader, stored = gufe_adapter.ChainReader(), StoredResults(lake)
    for network in wanted if len(rows) else ():
        reader.loads(read_chain(lake, network))  # all its Transformations, under their stored keys
    found: list[dict[str, Any]] = []
    replicates: list[dict[str, Any]] = []
    failures: list[str] = []
    n_filled = 0
    for done, (scope, key, attempt, path, digest) in enumerate(rows.iter_rows(), start=1):
        transformation = reader.built(ScopedKey.from_str(key).gufe_key)
        try:
            result = reader.loads(stored.read(path, digest))
            estimate = gufe_adapter.estimate(transformation, [result])
        except (ContentError, EstimationError, UnitConversionError) as e:
            failures.append(f"{attempt}: {e}")
        else:
            if estimate.value_kcal_mol is None:
                failures.append(f"{attempt}: the Protocol returned no finite estimate")
            else:
                found.append(_row(scope, attempt, estimate))
                replicates += _replicate_rows(scope, attempt, estimate)
        if len(found) == _BATCH or (found and done == len(rows)):
            lake.table("replicates").append_new(replicates)
            n_filled += lake.table("result_estimates").append_new(found)
            found.clear()
            replicates.clear()
        if on_progress is not None:
            on_progress(done, len(rows))
    return FilledReport(len(rows), n_filled, tuple(failures))


def _replicate_rows(scope: str, attempt: str, estimate: gufe_adapter.Estimate) -> list[dict[str, Any]]:
    return [
        {
            "scope": scope,
            "attempt": attempt,
            "replicate": number,
            "value_kcal_mol": one.value_kcal_mol,
            "uncertainty_kcal_mol": one.uncertainty_kcal_mol,
        }
        for number, one in enumerate(estimate.replicates)
    ]


def _row(scope: str, attempt: str, estimate: gufe_adapter.Estimate) -> dict[str, Any]:
    return {
        "scope": scope,
        "attempt": attempt,
        "value_kcal_mol": estimate.value_kcal_mol,
        "uncertainty_kcal_mol": estimate.uncertainty_kcal_mol,
        "gufe_version": gufe_adapter.gufe_version(),
        "gathered_at": now_utc(),
    }
