"""The contract of Strategies: `propose` checks and splits the network, `_propose` decides on each part.

A Strategy is a pure function of a `NetworkRows`: the same rows give the same proposal, in whatever order they come. It
ends: if every Task that it asks for succeeds, all its weights are None sooner or later.
`tests/contracts/strategy_contract.py` tests this.
"""

from __future__ import annotations

import abc
import itertools
import math
from dataclasses import replace
from functools import reduce
from typing import Any, ClassVar, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from ..errors import StrategyError
from .proposal import Proposal, union
from .state_graph import parts_of
from .strategy_rows import NetworkRows, TransformationRow

__all__ = ["Strategy", "StrategySettings"]


class StrategySettings(BaseModel):
    """Base of the settings of Strategies: frozen, and without unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


S = TypeVar("S", bound=StrategySettings)


class Strategy(abc.ABC, Generic[S]):
    """Decides which Transformations of a network get the next Tasks.

    Parameters
    ----------
    settings : StrategySettings, optional
        Of the type `settings_type`; the defaults if not given.

    Attributes
    ----------
    settings_type : type
        Type of its settings.
    looks_at : {"components", "network"}
        Whether `_propose` gets each connected subgraph of the ChemicalSystems alone, as in stratocaster, or the whole
        network: complex and solvent legs of one edge are in different subgraphs, and links join none.
    weights_are_tasks : bool
        Whether its weights are numbers of Tasks, rather than how urgent a Task is.
    needs_objects : bool
        Whether it decides on gufe objects as well as on rows, as stratocaster's do.
    """

    settings_type: ClassVar[type[StrategySettings]]
    looks_at: ClassVar[Literal["components", "network"]] = "components"
    weights_are_tasks: ClassVar[bool] = False
    needs_objects: ClassVar[bool] = False

    def __init__(self, settings: S | None = None) -> None:
        chosen: Any = self.default_settings() if settings is None else settings
        fits = isinstance(chosen, self.settings_type)
        if not fits:
            raise StrategyError(
                f"{type(self).__name__} needs {self.settings_type.__name__}, not {type(chosen).__name__}; "
                f"start from {type(self).__name__}.default_settings()",
                strategy=type(self).__name__,
            )
        self.settings: S = chosen

    @classmethod
    def default_settings(cls) -> S:
        """Return settings to start from; change them with `model_copy(update=...)`."""
        return cast(S, cls.settings_type())

    def plain_settings(self) -> dict[str, Any]:
        """Return its settings as plain values, from which it can be made again."""
        return self.settings.model_dump(mode="json")

    def propose(self, network: NetworkRows) -> Proposal:
        """Return a weight for every Transformation of a network.

        Parameters
        ----------
        network : NetworkRows
            All rows, in any order.

        Raises
        ------
        StrategyError
            If a key occurs twice, or the Strategy returns weights that are negative, not finite, or not those of the
            network.
        """
        rows = sorted(network.transformations, key=lambda row: row.key)
        for before, after in itertools.pairwise(rows):
            if before.key == after.key:
                raise StrategyError(f"{after.key} occurs twice in the rows of the network", transformation=after.key)
        parts = parts_of(rows) if self.looks_at == "components" else [tuple(rows)] if rows else []
        ligands = tuple(sorted(network.ligands, key=lambda row: (row.ligand, row.group or "")))
        links = tuple(sorted(network.links, key=repr))
        of_part = replace(network, ligands=ligands, links=links)
        proposals = [self._propose(replace(of_part, transformations=part)) for part in parts]
        proposal = reduce(union, proposals, Proposal({}))
        self._check(rows, proposal)
        return _without_frozen(rows, proposal)

    def check(self, network: NetworkRows) -> None:
        """Raise StrategyError if the settings name what a network lacks; called before each round."""

    @abc.abstractmethod
    def _propose(self, network: NetworkRows) -> Proposal:
        """Return a weight for every Transformation of a part of a network; rows are sorted by key."""

    def _check(self, rows: list[TransformationRow], proposal: Proposal) -> None:
        name = type(self).__name__
        odd = sorted(proposal.weights.keys() ^ {row.key for row in rows})
        if odd:
            word = "no weight for" if odd[0] not in proposal.weights else "a weight for the unknown"
            raise StrategyError(f"{name} returned {word} {odd[0]}; return one per row", strategy=name)
        for key, weight in proposal.weights.items():
            if weight is not None and not (math.isfinite(weight) and weight >= 0):
                raise StrategyError(
                    f"{name} returned the weight {weight} for {key}; weights are None or finite and not negative",
                    strategy=name,
                    transformation=key,
                )


def _without_frozen(rows: list[TransformationRow], proposal: Proposal) -> Proposal:
    """Return the proposal with weight 0 for frozen Transformations that are not finished."""
    frozen = [row.key for row in rows if row.frozen and proposal.weights[row.key] is not None]
    if not frozen:
        return proposal
    weights = {**proposal.weights, **dict.fromkeys(frozen, 0.0)}
    reasons = {
        **proposal.reasons,
        **dict.fromkeys(frozen, "frozen by its Tasks in error: retry or delete them (`alchemiscale-lake tasks retry`)"),
    }
    return replace(proposal, weights=weights, reasons=reasons)
