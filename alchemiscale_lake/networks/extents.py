"""Diameter of a solute, which determines the size of the box around it.

Computed from the coordinates in keyed dicts, whatever gufe version wrote them; nothing here raises on unexpected
content.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

__all__ = ["diameter_nm"]

_NM_PER_ANGSTROM: Final = 0.1


def diameter_nm(components: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the diameter of the sphere around the centre of some components that contains all their atoms.

    Parameters
    ----------
    components : iterable of mapping
        Keyed dicts.

    Returns
    -------
    float or None
        Diameter, nm; None if one of them has no coordinates, or there are no components.

    References
    ----------
    `openmm.app.Modeller.addSolvent`, which uses the centre of the bounding box.
    """
    each = [_coordinates_nm(component) for component in components]
    known = [coordinates for coordinates in each if coordinates is not None]
    if not known or len(known) < len(each):
        return None
    atoms = np.concatenate(known)
    middle = (atoms.max(axis=0) + atoms.min(axis=0)) / 2.0
    return float(2.0 * np.linalg.norm(atoms - middle, axis=1).max())


def _coordinates_nm(fields: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Return the first conformer: `conformers` (proteins, gufe 0.4) or `conformer` (small molecules, gufe >= 1)."""
    given = fields.get("conformers") or fields.get("conformer")
    text = given[0] if isinstance(given, list) else None
    if not isinstance(text, str):
        return None
    try:
        file = io.BytesIO(text.encode("latin-1"))
        if npy.read_magic(file) != (1, 0):  # type: ignore[no-untyped-call]
            return None
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
        # the size in the header is not trusted
        values = np.frombuffer(file.read(), dtype).reshape(shape, order="F" if fortran_order else "C")
    except (ValueError, TypeError):
        return None
    if dtype.kind != "f" or values.ndim != 2 or values.shape[1] != 3 or not len(values):
        return None
    if not np.isfinite(values).all():
        return None
    return _NM_PER_ANGSTROM * values.astype(np.float64)
