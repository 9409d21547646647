"""Conversion of nested dicts, as made by gufe's `to_dict`, to objects of a keyed chain.

Result files contain their systems in this form, without keys. gufe >= 1 derives a key from the MD5 of an object's
sorted JSON without the defaults of its class; the same is done here, so that an object that was stored with a network
is recognised. Keys that are known are used as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from .chain import ChainObject

__all__ = ["ObjectPool", "gufe_token"]

#: Arguments with their defaults, which gufe leaves out of a key, by class.
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "AlchemicalNetwork": {"name": None},
    "ChemicalSystem": {"name": ""},
    "ProteinComponent": {"name": ""},
    "SolventComponent": {"smiles": "O", "positive_ion": "Na+", "negative_ion": "Cl-", "neutralize": True},
    "Transformation": {"name": None, "mapping": None},
    "NonTransformation": {"name": None},
}


class ObjectPool:
    """Objects by key, each kept once however many files contain it.

    Attributes
    ----------
    objects : dict of str to ChainObject
        Each after what it refers to.
    """

    def __init__(self) -> None:
        self.objects: dict[str, ChainObject] = {}

    def add(self, nested: Mapping[str, Any], key: str | None = None) -> str:
        """Add an object with everything it contains, and return its key.

        Parameters
        ----------
        nested : mapping
            A dict with `__qualname__`, containing whole objects or references to keys.
        key : str, optional
            Its key, if known; otherwise it is computed.
        """
        if key is not None and key in self.objects:
            return key
        refers_to: dict[str, None] = {}
        fields = {name: self._flat(value, refers_to) for name, value in nested.items()}
        key = key or f"{fields['__qualname__']}-{gufe_token(fields)}"
        if key not in self.objects:
            self.objects[key] = ChainObject(key, fields, json.dumps(fields), tuple(refers_to))
        return key

    def take(self, obj: ChainObject) -> None:
        """Add an object that is already flat."""
        self.objects.setdefault(obj.key, obj)

    def _flat(self, value: Any, refers_to: dict[str, None]) -> Any:
        if isinstance(value, dict):
            if "__qualname__" in value:
                key = self.add(value)
                refers_to[key] = None
                return {":gufe-key:": key}
            if ":gufe-key:" in value:
                refers_to[str(value[":gufe-key:"])] = None
                return value
            return {name: self._flat(item, refers_to) for name, item in value.items()}
        if isinstance(value, list):
            # atoms and bonds: long, and never containing objects
            if value and not isinstance(value[0], (dict, list)):
                return value
            return [self._flat(item, refers_to) for item in value]
        return value


def gufe_token(fields: Mapping[str, Any]) -> str:
    """Return the token that gufe >= 1 would compute for an object.

    Parameters
    ----------
    fields : mapping
        The keyed dict.
    """
    defaults = _DEFAULTS.get(str(fields.get("__qualname__")), {})
    told = {
        name: value for name, value in fields.items() if name != ":version:" and not _is_default(value, name, defaults)
    }
    pairs = told.get("componentA_to_componentB")
    if isinstance(pairs, dict) and all(name.isdecimal() for name in pairs):
        # numbers that JSON has converted to text, which sort differently
        told["componentA_to_componentB"] = {int(name): item for name, item in pairs.items()}
    return hashlib.md5(json.dumps(told, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _is_default(value: Any, name: str, defaults: Mapping[str, Any]) -> bool:
    return name in defaults and bool(defaults[name] == value)
