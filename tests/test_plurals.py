"""Counts in messages."""

from __future__ import annotations

import re
from pathlib import Path

import alchemiscale_lake
from alchemiscale_lake.plurals import count, part, verb


def test_one_is_singular_and_all_else_plural() -> None:
    assert [count(n, "good result") for n in (0, 1, 2)] == ["0 good results", "1 good result", "2 good results"]
    assert count(2, "entry", "entries") == "2 entries"
    assert [verb(n) for n in (0, 1, 2)] == ["are", "is", "are"]


def test_a_part_of_one_is_not_counted_against_it() -> None:
    assert [part(n, 1, "Task") for n in (0, 1)] == ["0 Tasks", "1 Task"]
    assert [part(n, 2, "Task") for n in (0, 1, 2)] == ["0 of 2 Tasks", "1 of 2 Tasks", "2 of 2 Tasks"]


def test_no_message_counts_by_hand() -> None:
    """`part` and `count` make every `3 of 4 Tasks`, and no noun ends in `(s)`."""
    by_hand = re.compile(r"\} [a-z]+\(s\)|\} of \{[^{}]*\} [A-Za-z]{2,}s\b")
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted(Path(alchemiscale_lake.__file__).parent.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if by_hand.search(line) and "{part(" not in line
    ]
    assert found == []
