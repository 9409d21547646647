"""stratocaster's Strategies here, and ours there. Nothing of stratocaster is imported unless it is installed.

stratocaster's contract is ``propose(alchemical_network, protocol_results)``, with results and weights keyed by the
GufeKey of a Transformation (0.2) or by the Transformation itself (its open pull request 23); both are accepted. Only
`n_protocol_dag_results` and estimates of a ProtocolResult are used.
"""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import ValidationError

from ..errors import StrategyError
from ..suggestions import did_you_mean
from .base import Strategy, StrategySettings
from .proposal import Proposal
from .strategy_rows import NetworkRows, TransformationRow

__all__ = ["FromStratocaster", "ToStratocaster", "is_stratocaster", "make_stratocaster", "rows_of_network"]

KeyStyle = Literal["key", "object"]


def is_stratocaster(found: Any) -> bool:
    """Return whether an object, or the objects of a class, have stratocaster's `propose`."""
    return callable(getattr(found, "propose", None)) and not isinstance(found, Strategy)


def make_stratocaster(found: Any, settings: Mapping[str, Any] | None, name: str) -> FromStratocaster:
    """Return a Strategy of stratocaster as one of ours, without its network yet.

    Parameters
    ----------
    found : object or type
        With stratocaster's `propose`; a class is made with its default settings and those given.
    settings : mapping of str to object or None
        Settings of a class.
    name : str
        For messages.

    Raises
    ------
    StrategyError
        If settings are given for an object, or do not fit.
    """
    if not isinstance(found, type):
        if settings:
            raise StrategyError(f"{name} is an object with settings of its own; omit the others", strategy=name)
        return FromStratocaster(found)
    kind: Any = found
    try:
        if not hasattr(kind, "default_settings"):
            return FromStratocaster(kind(**(settings or {})))
        default = kind.default_settings()
        made = FromStratocaster(kind(type(default)(**{**default.model_dump(), **(settings or {})})))
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StrategyError(f"settings of {name}: {where + ': ' if where else ''}{first['msg']}", strategy=name) from e
    except (TypeError, ValueError) as e:
        raise StrategyError(f"settings of {name}: {e}", strategy=name) from e
    if unknown := [one for one in settings or {} if not hasattr(default, one)]:
        known = sorted(default.model_dump())
        meant = did_you_mean(unknown[0], known) or f"; there are {', '.join(known)}"
        raise StrategyError(f"settings of {name}: there is no {unknown[0]!r}{meant}", strategy=name)
    return made


class FromStratocaster(Strategy[StrategySettings]):
    """A stratocaster Strategy as one of ours.

    Parameters
    ----------
    strategy : object
        Has stratocaster's `propose`.
    alchemical_network : AlchemicalNetwork, optional
        The network that the rows describe; else `with_network` gives it before `propose`.
    result_of : callable, optional
        From a row with results to the ProtocolResult that stands for them; by default one with their number and values,
        and then Tasks in flight are counted with the results when weights are asked for.
    key_of : callable, optional
        From a Transformation to the key of its row; its GufeKey by default.
    keyed_by : {"key", "object"}, optional
        What results are keyed by: GufeKeys (stratocaster 0.2), or Transformations.
    """

    settings_type = StrategySettings
    looks_at = "network"
    needs_objects = True

    def __init__(
        self,
        strategy: Any,
        alchemical_network: Any = None,
        result_of: Callable[[TransformationRow], Any] | None = None,
        *,
        key_of: Callable[[Any], str] | None = None,
        keyed_by: KeyStyle = "key",
    ) -> None:
        super().__init__()
        self.strategy, self.alchemical_network = strategy, alchemical_network
        self.result_of, self.keyed_by = result_of or _summary, keyed_by
        self.key_of = key_of or (lambda transformation: str(transformation.key))

    def with_network(self, alchemical_network: Any, key_of: Callable[[Any], str]) -> FromStratocaster:
        """Return this Strategy for a network.

        Parameters
        ----------
        alchemical_network : AlchemicalNetwork
        key_of : callable
            From a Transformation to the key of its row.
        """
        bound = copy.copy(self)
        bound.alchemical_network, bound.key_of = alchemical_network, key_of
        return bound

    def plain_settings(self) -> dict[str, Any]:
        """Return the settings of stratocaster's Strategy as plain values; none if it has none."""
        settings: Any = getattr(self.strategy, "settings", None)
        return json.loads(settings.model_dump_json()) if hasattr(settings, "model_dump_json") else {}

    def _propose(self, network: NetworkRows) -> Proposal:
        if self.alchemical_network is None:
            raise StrategyError(f"{type(self.strategy).__name__} needs the AlchemicalNetwork; see `with_network`")
        edges = {self.key_of(edge): edge for edge in self.alchemical_network.edges}
        unknown = [row.key for row in network.transformations if row.key not in edges]
        if unknown:
            raise StrategyError(f"the AlchemicalNetwork has no Transformation {unknown[0]}", transformation=unknown[0])
        by_key = self._weights(edges, network.transformations)
        # finished is what its results alone have finished; other weights count Tasks in flight as results
        if self.result_of is _summary and network.n_in_flight:
            ahead = self._weights(edges, [replace(row, n_results=row.n_counted) for row in network.transformations])
            by_key = {key: None if weight is None else ahead.get(key) or 0.0 for key, weight in by_key.items()}
        # stratocaster 0.2 has no weight for the second of parallel Transformations
        missing = "its Strategy gave it no weight"
        proposed = {row.key: by_key.get(edges[row.key].key) for row in network.transformations}
        reasons = {row.key: missing for row in network.transformations if edges[row.key].key not in by_key}
        return Proposal({key: None if w is None else float(w) for key, w in proposed.items()}, reasons)

    def _weights(self, edges: Mapping[str, Any], rows: Iterable[TransformationRow]) -> dict[Any, float | None]:
        """Return what the Strategy gives each Transformation, by GufeKey."""
        results = {self._named(edges[row.key]): self.result_of(row) for row in rows if row.n_results}
        found = self.strategy.propose(self.alchemical_network, results)
        weights: Mapping[Any, float | None] = getattr(found, "weights", found)
        return {getattr(name, "key", name): weight for name, weight in weights.items()}

    def _named(self, transformation: Any) -> Any:
        return transformation.key if self.keyed_by == "key" else transformation


def _summary(row: TransformationRow) -> Any:
    from ..gufe_adapter.summaries import summary_result  # imports gufe

    return summary_result(row.n_results, row.values_kcal_mol, row.own_uncertainty_kcal_mol)


class ToStratocaster:
    """One of our Strategies with stratocaster's `propose`.

    Parameters
    ----------
    strategy : Strategy
    describe : callable, optional
        From a Transformation to further fields of its row, such as ligands, phase and `gpu_hours`; without, only the
        graph and the results are known, which suits Strategies that need no more.
    keyed_by : {"key", "object"}, optional
        What weights are keyed by; by default, what the results are, and GufeKeys if there is none.
    """

    def __init__(
        self,
        strategy: Strategy[Any],
        describe: Callable[[Any], Mapping[str, Any]] | None = None,
        *,
        keyed_by: KeyStyle | None = None,
    ) -> None:
        self.strategy, self.describe, self.keyed_by = strategy, describe, keyed_by

    def propose(self, alchemical_network: Any, protocol_results: Mapping[Any, Any]) -> Any:
        """Return stratocaster's StrategyResult, or the weights if stratocaster is not installed.

        Parameters
        ----------
        alchemical_network : AlchemicalNetwork
        protocol_results : mapping
            ProtocolResults by GufeKey or by Transformation.

        Raises
        ------
        StrategyError
            If results are keyed by Transformation and the installed stratocaster takes GufeKeys only, as 0.2 does.
        """
        by_object = self.keyed_by == "object" or (
            self.keyed_by is None and any(hasattr(name, "key") for name in protocol_results)
        )
        rows = rows_of_network(alchemical_network, protocol_results, self.describe)
        proposal = self.strategy.propose(NetworkRows(transformations=rows))
        edges = {str(edge.key): edge for edge in alchemical_network.edges}
        weights = {edges[key] if by_object else edges[key].key: weight for key, weight in proposal.weights.items()}
        try:
            base = importlib.import_module("stratocaster.base")
        except ImportError:
            return weights
        try:
            return base.StrategyResult(weights=weights)
        except TypeError as e:  # its token is JSON of the weights
            if not by_object:
                raise
            raise StrategyError(
                f"the installed stratocaster takes weights by GufeKey only ({e}); key results by GufeKey",
                strategy=type(self.strategy).__name__,
            ) from e


def rows_of_network(
    alchemical_network: Any,
    protocol_results: Mapping[Any, Any],
    describe: Callable[[Any], Mapping[str, Any]] | None = None,
) -> tuple[TransformationRow, ...]:
    """Return the rows of an AlchemicalNetwork, by the GufeKeys of its Transformations.

    Parameters
    ----------
    alchemical_network : AlchemicalNetwork
    protocol_results : mapping
        ProtocolResults by GufeKey or by Transformation.
    describe : callable, optional
        From a Transformation to further fields of its row.
    """
    counts = {
        str(getattr(name, "key", name)): int(result.n_protocol_dag_results) for name, result in protocol_results.items()
    }
    rows = []
    for edge in alchemical_network.edges:
        first, second = (edge.stateA, edge.stateB) if hasattr(edge, "stateA") else (edge.system, edge.system)
        rows.append(
            TransformationRow(
                **{
                    "key": str(edge.key),
                    "state_a": str(first.key),
                    "state_b": str(second.key),
                    "n_results": counts.get(str(edge.key), 0),
                    **(describe(edge) if describe else {}),
                }
            )
        )
    return tuple(sorted(rows, key=lambda row: row.key))
