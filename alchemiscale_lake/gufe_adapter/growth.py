"""A network with further Transformations: the same AlchemicalNetwork otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._gufe import import_class

__all__ = ["with_transformations"]


def with_transformations(network: Any, transformations: Iterable[Any]) -> Any:
    """Return an AlchemicalNetwork with all Transformations and ChemicalSystems of another, and further ones.

    Parameters
    ----------
    network : AlchemicalNetwork
    transformations : iterable of Transformation
    """
    kind = import_class("gufe", "AlchemicalNetwork")
    return kind(edges=[*network.edges, *transformations], nodes=network.nodes, name=network.name)
