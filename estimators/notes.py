"""Notes: what an estimator did that the plain formula would not have told.

A note is part of a result, never a warning on the side. Programs read `code`, people read `message`.
Each estimator documents the codes it may give.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["Note"]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing an estimator did, or could not do, and to what.

    Attributes
    ----------
    code : str
        Machine-readable kind, such as ``"exact-edges"``.
    message : str
        The same in one sentence.
    edges : tuple of int
        Positions, in the input arrays, of the edges or legs concerned.
    nodes : tuple of hashable
        Labels of the nodes concerned.
    """

    code: str
    message: str
    edges: tuple[int, ...] = ()
    nodes: tuple[Hashable, ...] = ()
