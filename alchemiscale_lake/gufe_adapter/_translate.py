"""Translation between the serialised forms of the two generations of gufe, in both directions.

Shallow dicts (with gufe objects in them) are translated on output and input, so that chains are strict JSON in the
form of gufe >= 1. Networks can then be exchanged both ways, and results from gufe 0.4 to >= 1, as far as their own
classes allow; `SmallMoleculeComponent`, for example, does not.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["translate_in", "translate_out"]

_NO_BOX = [math.nan] * 9


def translate_out(shallow: dict[str, Any]) -> dict[str, Any]:
    """Return a shallow dict in the form of gufe >= 1."""
    box = shallow.get("box_vectors") if shallow["__qualname__"] == "ChemicalSystem" else None
    if box is not None and all(isinstance(x, float) and math.isnan(x) for x in box):
        # gufe 0.4 writes nine NaNs, which are not JSON, for a system without a box
        return {word: value for word, value in shallow.items() if word != "box_vectors"}
    return shallow


def translate_in(shallow: dict[str, Any], tok: Any) -> dict[str, Any]:
    """Return a shallow dict in the form of the installed gufe; `tok` is `gufe.tokenization`.

    Parameters
    ----------
    shallow : dict of str to object
        Fields of one object, with `__module__` and `__qualname__`.
    tok : object
        The module `gufe.tokenization`.
    """
    if hasattr(tok.GufeTokenizable, "serialization_migration"):
        if shallow["__qualname__"] in ("ProtocolDAG", "ProtocolDAGResult"):
            # gufe 0.4 had no such label, and gufe >= 1 has no default for it
            return {"transformation_key": None, **shallow}
        return shallow
    return _for_gufe_0(shallow, tok)


def _for_gufe_0(shallow: dict[str, Any], tok: Any) -> dict[str, Any]:
    """Remove what gufe 0.4 does not know, add what it requires, avoid one of its bugs."""
    from gufe import ProtocolResult

    shallow = {word: value for word, value in shallow.items() if word != ":version:"}
    for word in ("_key", "source_key"):
        if word in shallow:
            shallow[word] = tok.GufeKey(shallow[word])
    if shallow["__qualname__"] == "ChemicalSystem":
        shallow.setdefault("box_vectors", _NO_BOX)
    if shallow["__qualname__"] in ("Transformation", "NonTransformation") and not shallow.get("metadata"):
        shallow.pop("metadata", None)
    cls = tok.get_class(shallow["__module__"], shallow["__qualname__"])
    if issubclass(cls, ProtocolResult) and cls._from_dict.__func__ is ProtocolResult._from_dict.__func__:
        # it would mistake the key "data" for one of the data
        shallow |= shallow.pop("data")
    return shallow
