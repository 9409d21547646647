"""Counts in messages."""

from __future__ import annotations

from alchemiscale_lake.plurals import count, verb


def test_one_is_singular_and_all_else_plural() -> None:
    assert [count(n, "good result") for n in (0, 1, 2)] == ["0 good results", "1 good result", "2 good results"]
    assert count(2, "entry", "entries") == "2 entries"
    assert [verb(n) for n in (0, 1, 2)] == ["are", "is", "are"]
