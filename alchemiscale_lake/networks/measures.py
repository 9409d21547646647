"""Meaning of a Protocol's estimate if it is not the free energy difference in one environment.

gufe defines an estimate as the free energy of state B minus that of state A, in the environment of both. Some
Protocols run two environments and return their difference; of these, the absolute ones return the free energy of their
ligand (hydration: vacuum decoupling minus solvent decoupling; binding: solvent decoupling minus complex decoupling
plus the standard state correction), although the ligand is state A and state B has none. Only class names: nothing
here imports openfe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["ABSENT", "MEASURES", "Measure", "is_absent"]

#: Node of a Transformation's end without ligand.
ABSENT: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Measure:
    """Meaning of one estimate.

    Attributes
    ----------
    kind : {"binding", "hydration"}
        The two environments whose difference it is.
    absolute : bool
        Whether it is the free energy of the only ligand, rather than ligand B minus ligand A.
    """

    kind: Literal["binding", "hydration"]
    absolute: bool


#: By class of Protocol.
MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "AbsoluteSolvationProtocol": Measure("hydration", absolute=True),
        "AbsoluteBindingProtocol": Measure("binding", absolute=True),
        "SepTopProtocol": Measure("binding", absolute=False),
        "HydrationProtocol": Measure("hydration", absolute=False),
    }
)


def is_absent(node: str) -> bool:
    """Return whether a node of a network represents no ligand, in any environment."""
    return node == ABSENT or node.startswith(f"{ABSENT} in ")
