"""Counts in messages: `1 Task`, `2 Tasks`."""

from __future__ import annotations

__all__ = ["count", "part", "verb"]


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    Parameters
    ----------
    n : int
    noun : str
        In the singular.
    plural : str, optional
        Default: the noun with `s`.

    Examples
    --------
    >>> count(1, "good result"), count(0, "Task"), count(2, "box", "boxes")
    ('1 good result', '0 Tasks', '2 boxes')
    """
    return f"{n} {noun if n == 1 else plural or f'{noun}s'}"


def verb(n: int, one: str = "is", many: str = "are") -> str:
    """Return the form of a verb for a number.

    Parameters
    ----------
    n : int
        Number of the subject.
    one : str, default "is"
        Form for exactly one.
    many : str, default "are"
        Form for all other numbers.

    Examples
    --------
    >>> verb(1), verb(2), verb(1, "has", "have")
    ('is', 'are', 'has')
    """
    return one if n == 1 else many


def part(n: int, total: int, noun: str, plural: str | None = None) -> str:
    """Return how many of a total, with the noun; the total is omitted if it is one.

    Parameters
    ----------
    n, total : int
    noun : str
        In the singular.
    plural : str, optional
        Default: the noun with `s`.

    Examples
    --------
    >>> part(1, 18, "Task"), part(1, 1, "Task"), part(0, 1, "Task")
    ('1 of 18 Tasks', '1 Task', '0 Tasks')
    """
    return count(n, noun, plural) if total == 1 else f"{n} of {count(total, noun, plural)}"
