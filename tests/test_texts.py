from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.texts import storable


@given(st.text(st.characters()), st.integers(100, 400))
def test_whatever_it_is_a_table_takes_it(text: str, limit: int) -> None:
    stored = storable(text * 5, limit)
    assert pa.array([stored], pa.string()).to_pylist() == [stored]
    assert "\0" not in stored
    assert len(stored) <= limit
    assert storable(stored, 10 * limit) == stored


@pytest.mark.parametrize("text", ["", "ValueError: no", "Å → ångström", "a\nb\tc"])
def test_good_text_is_left_alone(text: str) -> None:
    assert storable(text) == text


def test_lone_surrogates_stay_readable() -> None:
    assert storable("file \udce4.txt\0") == "file \\udce4.txt\N{REPLACEMENT CHARACTER}"


def test_escapes_count_against_the_limit() -> None:
    assert len(storable("\ud800" * 1500, 2000)) <= 2000


def test_head_and_tail_of_a_long_text_are_kept() -> None:
    text = "ValueError: " + "x" * 50_000_000 + " at line 7"
    began = time.process_time()
    stored = storable(text, 2000, whole="units/00/exception.txt")
    assert time.process_time() - began < 5.0
    assert len(stored) <= 2000
    assert stored.startswith("ValueError: x")
    assert stored.endswith("x at line 7")
    assert "characters omitted; the whole text is units/00/exception.txt" in stored
