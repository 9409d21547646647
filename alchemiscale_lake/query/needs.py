"""Tables and named queries that a statement reads, so that a connection opens no others.

Opening a table costs as much as a small query, and most commands need a few of the 25.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..schemas import TABLES
from .named_queries import NAMED_QUERIES, statement

__all__ = ["QueryNeeds", "needed_by"]

_COMMENT: Final = re.compile(r"--[^\n]*")
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class QueryNeeds:
    """Tables and queries that a connection must have.

    Attributes
    ----------
    tables : list of str
        In the order of `TABLES`.
    queries : list of str
        Named queries, in the order in which they build on each other.
    """

    tables: list[str]
    queries: list[str]


def needed_by(names: Iterable[str]) -> QueryNeeds:
    """Return the tables and named queries that these need, these themselves, and the macro that `ask` uses.

    Parameters
    ----------
    names : iterable of str
        Tables, named queries and other files of `query/sql`.
    """
    found: set[str] = set()
    todo = [*names, "in_scope"]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _words_of(name) & (TABLES.keys() | NAMED_QUERIES.keys())
    return QueryNeeds([name for name in TABLES if name in found], [name for name in NAMED_QUERIES if name in found])


def _words_of(name: str) -> set[str]:
    """Return all words of a statement; more than the tables it reads, which does no harm."""
    if name in TABLES:
        return set()
    named = NAMED_QUERIES.get(name)
    text = statement(name) if named is None else named.sql
    return set(_WORD.findall(_COMMENT.sub("", text)))
