"""Notes: deviations of an estimator from the plain formula.

A note is part of a result, never a separate warning. Programs read `code`, users read `message`. Each estimator
documents its codes.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["Note"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that an estimator did, or could not do, and the edges or nodes concerned.

    Attributes
    ----------
    code : str
        Machine-readable kind, such as ``"exact-edges"``.
    message : str
        The same in one sentence.
    edges : tuple of int
        Indices, in the input arrays, of the edges or legs concerned.
    nodes : tuple of hashable
        Labels of the nodes concerned.
    """

    code: str
    message: str
    edges: tuple[int, ...] = ()
    nodes: tuple[Hashable, ...] = ()
