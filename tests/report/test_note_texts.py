"""What people read of notes."""

from __future__ import annotations

import pytest

from alchemiscale_lake.report.note_texts import without_codes


@pytest.mark.parametrize(
    ("note", "read"),
    [
        ("experiment-pinned: nodes on the absolute scale: 22", "nodes on the absolute scale: 22"),
        ("disconnected: two parts", "two parts"),
        ("legs-combined: 2 legs; exact-leg: one is exact", "2 legs; one is exact"),
        ("complex: no value", "complex: no value"),
        ("a ratio of 3: too high", "a ratio of 3: too high"),
        ("", ""),
    ],
)
def test_codes_are_left_out_and_nothing_else(note: str, read: str) -> None:
    assert without_codes(note) == read
