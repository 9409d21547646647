"""What the estimate of a Protocol is, where that is not the free energy of one environment.

gufe says that an estimate is the free energy of state B minus that of state A, in the environment of both. Some
Protocols run two environments and return the difference of the two; of these, the absolute ones return the
free energy of their ligand (hydration: vacuum decoupling minus solvent decoupling; binding: solvent decoupling
minus complex decoupling and the standard state), although the ligand is state A and nothing is state B.
Names of classes only: nothing here imports openfe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["ABSENT", "MEASURES", "Measure", "is_absent"]

#: The end of a Transformation that has no ligand.
ABSENT: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Measure:
    """What one estimate is.

    Attributes
    ----------
    kind : {"binding", "hydration"}
        Difference of which two environments.
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
    """Whether a node of a network stands for no ligand, in whichever environment."""
    return node == ABSENT or node.startswith(f"{ABSENT} in ")
