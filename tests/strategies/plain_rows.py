"""Transformations between ChemicalSystems of one letter each, for tests of Strategies."""

from __future__ import annotations

from alchemiscale_lake.strategies import NetworkRows, TransformationRow

__all__ = ["rows_of", "state"]


def rows_of(*pairs: str, results: tuple[int, ...] = ()) -> list[TransformationRow]:
    """Return Transformations between states of one letter each."""
    counts = results or (0,) * len(pairs)
    return [
        TransformationRow(key=f"T{k}-{pair}", state_a=pair[0], state_b=pair[1], n_results=n)
        for k, (pair, n) in enumerate(zip(pairs, counts, strict=True))
    ]


def state(rows: list[TransformationRow]) -> NetworkRows:
    """Return the network of these Transformations."""
    return NetworkRows(transformations=tuple(rows))
