"""Verification that an object matches its key, which gufe derives from the content.

gufe >= 1 derives it from the JSON text alone, so it can be recomputed without gufe and without classes. This is not
possible for keys of gufe 0.4; such objects are unverified, which is not an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import InvalidNetworkError
from .chain import ChainObject
from .nested import gufe_token
from .network import Network

__all__ = ["is_verified", "unverified_keys"]

#: Classes with known defaults, so that content and key always agree; every Protocol is treated like them.
_EXACT: Final = frozenset(
    {
        "AlchemicalNetwork", "ChemicalSystem", "LigandAtomMapping", "NonTransformation", "ProteinComponent",
        "SmallMoleculeComponent", "SolventComponent", "Transformation",
    }
)  # fmt: skip


def is_verified(key: str, keyed_dict: Mapping[str, Any]) -> bool:
    """Return whether the content gives this key, as computed by gufe >= 1.

    Parameters
    ----------
    key : str
        gufe key.
    keyed_dict : mapping of str to object
        Content of the object, with keys in place of its dependencies.
    """
    return gufe_token(keyed_dict) == key.rpartition("-")[2]


def unverified_keys(network: Network) -> tuple[str, ...]:
    """Return the keys that cannot be recomputed from their objects.

    Raises
    ------
    InvalidNetworkError
        If most keys can be, so that gufe >= 1 made them, and an object of a well-known class does not match its key:
        it was edited.
    """
    objects = network.objects
    found = tuple(key for key, obj in objects.items() if not is_verified(key, obj.keyed_dict))
    edited = [key for key in found if _is_exact(objects[key])]
    n_verified = len(objects) - len(found)
    if edited and n_verified > len(found):
        raise InvalidNetworkError(
            f"{network.source}: {edited[0]} does not match its key, while {n_verified} other objects do: it was edited "
            "after gufe wrote it; change it with the tool that made it, which computes a new key",
            source=network.source,
            key=edited[0],
            edited=edited,
        )
    return found


def _is_exact(obj: ChainObject) -> bool:
    return obj.qualname in _EXACT or obj.qualname.endswith("Protocol")
