"""Identity of a calculation: a digest of what a Transformation computes, whatever wrote it.

It covers both states, the Protocol with its settings, and the mapping; for a NonTransformation, its system and
Protocol. It leaves out what gives the same calculation another gufe key: names of Transformations and ChemicalSystems,
metadata, versions and modules of classes, the score of a mapping, the order of fields, and the form of numbers and
quantities. References are replaced by the digests of their objects, so gufe's keys do not matter either.

Components keep their names: a ligand with another name is another node of its network. A field that one gufe version
writes and another does not is part of the identity, except for those above: in doubt, two calculations are different.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from .chain import ChainObject, canonical_json, reference
from .network import is_transformation

__all__ = ["Calculations"]

#: Written about classes and units, at any level.
_OF_CLASS: Final = frozenset({":version:", "__module__", ":is_custom:", "pint_unit_registry"})
#: Only labels, in a Transformation or ChemicalSystem.
_LABELS: Final = frozenset({"name", "metadata"})
#: Exact factors to one unit of each kind, by the names that gufe, openff-units and pint write.
_UNITS: Final[Mapping[str, tuple[str, Fraction]]] = {
    name: (base, Fraction(factor))
    for base, factor, names in (
        ("nanometer", "1", "nanometer nanometers nm"),
        ("nanometer", "0.1", "angstrom angstroms"),
        ("picosecond", "0.001", "femtosecond femtoseconds fs"),
        ("picosecond", "1", "picosecond picoseconds ps"),
        ("picosecond", "1000", "nanosecond nanoseconds ns"),
        ("picosecond", "1000000", "microsecond microseconds us"),
        ("1/picosecond", "1", "1/picosecond 1/picoseconds 1/ps"),
        ("kelvin", "1", "kelvin kelvins K"),
        ("bar", "1", "bar bars"),
        ("bar", "1.01325", "standard_atmosphere atmosphere atmospheres atm"),
        ("molar", "1", "molar M mole/liter"),
        ("molar", "0.001", "millimolar mM"),
        ("dalton", "1", "dalton daltons amu unified_atomic_mass_unit"),
    )
    for name in names.split()
}
_NUMBER_WITH_UNIT: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?) *([^\W\d_].*|(?:1 *)?/.*)")


class Calculations:
    """Identities of the calculations of Transformations; what they share is read once.

    Parameters
    ----------
    objects : mapping of str to ChainObject
        What the Transformations refer to, by key, directly or not. It may grow.
    """

    def __init__(self, objects: Mapping[str, ChainObject]) -> None:
        self._objects = objects
        self._known: dict[str, str] = {}

    def of(self, transformation: ChainObject) -> str:
        """Return the identity of a Transformation: 32 hexadecimal digits.

        Raises
        ------
        KeyError
            If an object that it refers to is missing.
        """
        key = transformation.key
        if key not in self._known:
            text = canonical_json(self._content(transformation))
            self._known[key] = hashlib.sha256(text.encode()).hexdigest()[:32]
        return self._known[key]

    def _content(self, obj: ChainObject) -> dict[str, Any]:
        """Return the canonical content of an object; a field without a value is like a missing one."""
        is_edge = is_transformation(obj)
        labelled = is_edge or isinstance(obj.keyed_dict.get("components"), dict)
        left_out = _OF_CLASS | _LABELS if labelled else _OF_CLASS
        content = {name: value for name, value in obj.keyed_dict.items() if name not in left_out and value is not None}
        annotations = _without_score(content.pop("annotations", None))
        if annotations:
            content["annotations"] = annotations
        canonical = {name: self._canonical(value) for name, value in content.items() if name != "mapping"}
        if is_edge:
            # the order of several mappings has no meaning
            canonical["mapping"] = sorted(canonical_json(self._canonical(one)) for one in _mappings(content))
        elif "mapping" in content:
            canonical["mapping"] = self._canonical(content["mapping"])
        return canonical

    def _canonical(self, value: Any) -> Any:
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, float):
            return int(value) if value.is_integer() else value
        if isinstance(value, list):
            return [self._canonical(item) for item in value]
        if not isinstance(value, dict):
            return value
        key = reference(value)
        if key is not None:
            return {":digest:": self.of(self._objects[key])}
        if value.keys() - _OF_CLASS == {"magnitude", "unit"}:
            return _quantity(self._canonical(value["magnitude"]), str(value["unit"]))
        return {name: self._canonical(item) for name, item in value.items() if name not in _OF_CLASS}


def _mappings(transformation: Mapping[str, Any]) -> list[Any]:
    """Return the mappings of a Transformation: none, one, a list, or (gufe 0.4) a dict."""
    given = transformation.get("mapping")
    if isinstance(given, dict) and reference(given) is None:
        return list(given.values())
    return given if isinstance(given, list) else [] if given is None else [given]


def _without_score(annotations: Any) -> Any:
    """Return the annotations of a mapping, written as JSON text, without the score: Protocols do not use it."""
    try:
        told = json.loads(annotations) if isinstance(annotations, str) else annotations
    except ValueError:
        return annotations
    return {name: value for name, value in told.items() if name != "score"} if isinstance(told, dict) else told


def _text(text: str) -> Any:
    """Return a text as it is, a quantity such as `0.15 molar` in the form of all quantities."""
    if not text[:1].isascii() or not (text[:1].isdigit() or text[:1] in "+-."):
        return text
    parts = _NUMBER_WITH_UNIT.fullmatch(text)
    if parts is None or _compact(parts[2]) not in _UNITS:
        return text
    return _quantity(float(parts[1]), parts[2])


def _quantity(magnitude: Any, unit: str) -> dict[str, Any]:
    """Return the only form of equal quantities: in a known unit, as an exact fraction."""
    base, factor = _UNITS.get(_compact(unit), (_compact(unit), Fraction(1)))
    return {":quantity:": _scaled(magnitude, factor), "unit": base}


def _compact(unit: str) -> str:
    compact = unit.replace(" ", "")
    return f"1{compact}" if compact.startswith("/") else compact


def _scaled(magnitude: Any, factor: Fraction) -> Any:
    if isinstance(magnitude, list):
        return [_scaled(item, factor) for item in magnitude]
    if isinstance(magnitude, bool) or not isinstance(magnitude, (int, float)) or not math.isfinite(magnitude):
        # such as an array in bytes: comparable in its own unit only
        return {"as_written": magnitude, "factor": str(factor)}
    # by its digits: 9 angstrom are 0.9 nanometer, although no binary fraction is 0.9
    return str(Fraction(repr(magnitude)) * factor)
