"""Methods that retrieve results.

Objects are fetched ahead by a few threads and built one after another, so that a network's results are never all in
memory unless the caller keeps them; what results share is built once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from .. import gufe_adapter
from ..errors import InvalidArgumentError
from ..ids import ScopedKey
from .client_part import AnyKey, counted, text, texts
from .network_methods import NetworkMethods
from .result_cache import ResultCache
from .result_fetch import ResultFetch
from .result_format import ResultFormat

__all__ = ["ResultMethods"]

Format = ResultFormat | Literal["ProtocolResult", "ProtocolResults", "ProtocolDAGResults"]


class ResultMethods(NetworkMethods):
    """Retrieve ProtocolDAGResults and ProtocolResults."""

    _cache: ResultCache | None

    def get_network_results(
        self,
        network: AnyKey,
        return_as: Format = ResultFormat.PROTOCOL_RESULT,
        return_protocoldagresults: bool | None = None,
        compress: bool = True,
        visualize: bool = True,
    ) -> dict[ScopedKey, Any]:
        """Return the results of every Transformation of a network.

        Parameters
        ----------
        network : ScopedKey or str
        return_as : ResultFormat or str
            `ProtocolResult` (None where there is no result), `ProtocolResults` or `ProtocolDAGResults` (lists).
        return_protocoldagresults : bool, optional
            Deprecated by alchemiscale 0.8: use `return_as`.
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.

        Raises
        ------
        MissingClassError
            If a class in a result cannot be imported here; `estimates` and `sql` need none.
        """
        del compress
        wanted = self.get_network_transformations(network)
        form = _form(return_as, return_protocoldagresults)
        return dict(self._results_of(wanted, form, ok=True, visualize=visualize))

    def get_network_failures(
        self, network: AnyKey, compress: bool = True, visualize: bool = True
    ) -> dict[ScopedKey, list[Any]]:
        """Return the failed ProtocolDAGResults of every Transformation of a network.

        Parameters
        ----------
        network : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        del compress
        wanted = self.get_network_transformations(network)
        return dict(self._results_of(wanted, ResultFormat.PROTOCOL_DAG_RESULTS, ok=False, visualize=visualize))

    def get_transformation_results(
        self,
        transformation: AnyKey,
        return_as: Format = ResultFormat.PROTOCOL_RESULT,
        return_protocoldagresults: bool | None = None,
        compress: bool = True,
        visualize: bool = True,
    ) -> Any:
        """Return the results of a Transformation.

        Parameters
        ----------
        transformation : ScopedKey or str
        return_as : ResultFormat or str
            `ProtocolResult`, `ProtocolResults` or `ProtocolDAGResults`.
        return_protocoldagresults : bool, optional
            Deprecated by alchemiscale 0.8: use `return_as`.
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        del compress
        form = _form(return_as, return_protocoldagresults)
        ((_, found),) = self._results_of([ScopedKey.parse(transformation)], form, ok=True, visualize=visualize)
        return found

    def get_transformation_failures(
        self, transformation: AnyKey, compress: bool = True, visualize: bool = True
    ) -> list[Any]:
        """Return the failed ProtocolDAGResults of a Transformation.

        Parameters
        ----------
        transformation : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        del compress
        form = ResultFormat.PROTOCOL_DAG_RESULTS
        ((_, found),) = self._results_of([ScopedKey.parse(transformation)], form, ok=False, visualize=visualize)
        return list(found)

    def get_task_results(self, task: AnyKey, compress: bool = True, visualize: bool = True) -> list[Any]:
        """Return the successful ProtocolDAGResults of a Task.

        Parameters
        ----------
        task : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        del compress
        return self._of_task(task, ok=True, visualize=visualize)

    def get_task_failures(self, task: AnyKey, compress: bool = True, visualize: bool = True) -> list[Any]:
        """Return the failed ProtocolDAGResults of a Task.

        Parameters
        ----------
        task : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        del compress
        return self._of_task(task, ok=False, visualize=visualize)

    def iter_network_results(self, network: AnyKey, *, ok: bool = True) -> Iterator[tuple[ScopedKey, Any]]:
        """Iterate over the ProtocolDAGResults of a network, each with its Transformation; one at a time in memory.

        Parameters
        ----------
        network : ScopedKey or str
        ok : bool, default True
            The successful ones, or the failed ones.
        """
        wanted = self.get_network_transformations(network)
        per_transformation = self._ask("transformations_results", transformations=texts(wanted), ok=ok)
        rows = [row for rows in per_transformation for row in rows]
        for row, result in zip(rows, self._built(rows), strict=True):
            yield ScopedKey.from_str(row["transformation"]), result

    # names that say that objects are fetched

    retrieve_network_results = get_network_results
    retrieve_network_failures = get_network_failures
    retrieve_transformation_results = get_transformation_results
    retrieve_transformation_failures = get_transformation_failures
    retrieve_task_results = get_task_results
    retrieve_task_failures = get_task_failures

    def _of_task(self, task: AnyKey, *, ok: bool, visualize: bool) -> list[Any]:
        rows = self._ask("task_results", task=text(task), ok=ok)
        return list(self._built(list(counted(rows, "results", visualize=visualize))))

    def _results_of(
        self, transformations: Sequence[ScopedKey], form: ResultFormat, *, ok: bool, visualize: bool
    ) -> Iterator[tuple[ScopedKey, Any]]:
        found = self._ask("transformations_results", transformations=texts(transformations), ok=ok)
        built = self._built([row for rows in found for row in rows])
        pairs = list(zip(transformations, found, strict=True))
        for transformation, rows in counted(pairs, "results", visualize=visualize):
            yield transformation, self._in_form([next(built) for _ in rows], transformation, form)

    def _in_form(self, results: list[Any], transformation: ScopedKey, form: ResultFormat) -> Any:
        if form == ResultFormat.PROTOCOL_DAG_RESULTS:
            return results
        if not results:
            return None if form == ResultFormat.PROTOCOL_RESULT else []
        built = self.get_transformation(transformation, visualize=False)
        if form == ResultFormat.PROTOCOL_RESULTS:
            return [built.gather([result]) for result in results]
        return built.gather(results)

    def _built(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        """Yield the ProtocolDAGResults of rows, in order."""
        reader = gufe_adapter.ChainReader()
        for chain in ResultFetch(self._transport, self._cache).chains(rows):
            yield reader.loads(chain)


def _form(return_as: Format, return_protocoldagresults: bool | None) -> ResultFormat:
    if return_protocoldagresults is not None:
        warnings.warn(
            "return_protocoldagresults is deprecated; use return_as='ProtocolDAGResults'",
            DeprecationWarning,
            stacklevel=3,
        )
    if return_protocoldagresults:
        return ResultFormat.PROTOCOL_DAG_RESULTS
    try:
        return ResultFormat(return_as)
    except ValueError as e:
        raise InvalidArgumentError(f"return_as is one of {', '.join(ResultFormat)}, not {return_as!r}") from e
