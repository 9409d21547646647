"""Suggestions for misspelt names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from typing import Final

__all__ = ["closest", "did_you_mean", "did_you_mean_file"]

_LEAST: Final = 0.6
#: A part of a name counts for less than the whole.
_OF_A_PART: Final = 0.9
#: Likeness of two file names of which one is probably a misspelling: many end alike.
_SIMILAR_FILE: Final = 0.8
#: Likeness of two keys of which one is probably a misspelling: class and Scope are often the same, tokens are random.
_SIMILAR_KEY: Final = 0.9
_TOKEN: Final = re.compile(r"[0-9a-f]{24,}")
_MOST_FILES: Final = 2000
_BETWEEN_PARTS: Final = re.compile(r"[^0-9a-z]+")


def did_you_mean(word: str, known: Iterable[str], *, least: float = _LEAST) -> str:
    """Return `; did you mean 'x'?` for the most similar known name, whole or in part; empty if none is similar.

    Parameters
    ----------
    word : str
        Name as entered.
    known : iterable of str
        Names that exist.
    least : float, default 0.6
        Least likeness of a name, from 0 to 1.

    Examples
    --------
    >>> did_you_mean("staus", ["status", "submit"])
    "; did you mean 'status'?"
    >>> did_you_mean("tik2", ["jacs/tyk2", "jacs/mcl1"])
    "; did you mean 'jacs/tyk2'?"
    >>> did_you_mean("xyz", ["status", "submit"])
    ''

    Keys of other objects are not suggested, only misspelt ones:

    >>> did_you_mean("Task-0123456789abcdef0123456789abcdef-o-c-p", ["Task-fedcba9876543210fedcba9876543210-o-c-p"])
    ''
    """
    best = closest(word, known, least=least)
    return "" if best is None else f"; did you mean {best!r}?"


def did_you_mean_file(path: str | Path) -> str:
    """Return `; did you mean 'x'?` for the most similar name in the folder of a missing file; empty if none is similar.

    Parameters
    ----------
    path : str or Path
        File or folder that does not exist.
    """
    missing = Path(path)
    try:
        with os.scandir(missing.parent) as entries:
            names = [entry.name for entry in islice(entries, _MOST_FILES)]
    except OSError:
        return ""
    best = max(names, key=lambda name: (_ratio(missing.name, name), name), default="")
    return f"; did you mean {str(missing.with_name(best))!r}?" if _ratio(missing.name, best) >= _SIMILAR_FILE else ""


def closest(word: str, known: Iterable[str], *, least: float = _LEAST) -> str | None:
    """Return the most similar known name, as in `did_you_mean`; None if none is similar.

    Parameters
    ----------
    word : str
        Name as entered.
    known : iterable of str
        Names that exist.
    least : float, default 0.6
        Least likeness of a name, from 0 to 1.
    """
    least = max(least, _SIMILAR_KEY) if _TOKEN.search(word.lower()) else least
    likeness = {name: _likeness(word.lower(), name.lower()) for name in sorted(known)}
    best = max(likeness, key=lambda name: likeness[name], default=None)
    return None if best is None or likeness[best] < least else best


def _likeness(word: str, name: str) -> float:
    """Return how similar a word is to a name, or to a part of it, from 0 to 1."""
    parts = _BETWEEN_PARTS.split(name)
    return max(_ratio(word, name), *(_OF_A_PART * _ratio(word, part) for part in parts))


def _ratio(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio()
