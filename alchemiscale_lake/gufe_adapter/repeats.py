"""Numbers of repeats in the names of units, and the pairing of legs that are repeated independently.

Both paths to the replicates of a result use this: `results`, with the Protocol, and `networks`, without gufe. The n-th
repeat of one leg has nothing to do with the n-th of another, but as they are independent, the scatter of any pairing
estimates the sum of the legs' variances. It takes each leg with the same repeats.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

__all__ = ["paired_repeats", "repeat_number"]

_REPEAT: Final = re.compile(r"\brepeat[ _](\d+)")


def repeat_number(name: str) -> int | None:
    """Return the number of the repeat in the name of a unit, as in `... repeat 0 generation 0`; None without one."""
    numbers = _REPEAT.findall(name)
    return int(numbers[-1]) if numbers else None


def paired_repeats(legs: Iterable[Collection[int | None]]) -> list[int]:
    """Return the sorted numbers of the repeats if every leg has each of them once, and there are at least two.

    Parameters
    ----------
    legs : iterable of collection of int or None
        Numbers of the repeats of each leg.

    Returns
    -------
    list of int
        Empty if repeats cannot be paired: then the result counts as one.
    """
    given = [(set(numbers), len(numbers)) for numbers in legs]
    if not given:
        return []
    first = given[0][0]
    if None in first or len(first) < 2 or any(numbers != first or n != len(first) for numbers, n in given):
        return []
    return sorted(number for number in first if number is not None)
