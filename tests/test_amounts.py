"""Durations and memory: common forms, and back again without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.amounts import format_bytes, format_seconds, parse_bytes, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("30m", 1800.0),
        ("30min", 1800.0),
        ("24h", 86400.0),
        ("2d", 172800.0),
        ("1h30m", 5400.0),
        ("1d 2h", 93600.0),
        ("0.5h", 1800.0),
        (" 24H ", 86400.0),
        ("24:00:00", 86400.0),
        ("00:00:30", 30.0),
        ("1-12:00:00", 129600.0),
        ("100:00:00", 360000.0),
        ("60", 60.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "h", "-1h", "1x", "1h x", "24:60:00", "1e3s", "nan", "inf", "1..5h"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid duration"):
        parse_seconds(text)


def test_what_queues_disagree_about_is_refused() -> None:
    with pytest.raises(ValueError, match="minutes for some queues, hours for others"):
        parse_seconds("24:00")


def test_a_number_beyond_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="too long for a duration"):
        parse_seconds("9" * 400 + "d")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("16GiB", 2**34),
        ("16Gi", 2**34),
        ("16 gib", 2**34),
        ("16GB", 16 * 10**9),
        ("16G", 16 * 10**9),
        ("500 MB", 500 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("1TiB", 2**40),
        ("1234B", 1234),
        ("1234", 1234),
    ],
)
def test_memory(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "lots", "GiB", "-1GB", "16GiBs", "1e9", "16 G B"])
def test_no_memory(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory"):
        parse_bytes(text)


@pytest.mark.parametrize("value", [None, 12, 1.5, [1]])
def test_values_that_are_not_text_are_unchanged(value: object) -> None:
    assert parse_seconds(value) is value
    assert parse_bytes(value) is value


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_durations_round_trip(seconds: float) -> None:
    assert parse_seconds(format_seconds(seconds)) == seconds


@given(st.integers(min_value=0, max_value=10**9))
def test_whole_seconds_round_trip(seconds: int) -> None:
    assert parse_seconds(format_seconds(seconds)) == seconds


@given(st.integers(min_value=0))
def test_memory_round_trips(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == count


@given(st.integers(1, 1023), st.sampled_from(["MiB", "GiB", "TiB"]))
def test_memory_is_written_as_it_was_meant(number: int, unit: str) -> None:
    assert len(format_bytes(parse_bytes(f"{number}{unit}"))) <= len(f"{number}{unit}")


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_seconds, parse_bytes):
        try:
            assert parse(text) >= 0
        except ValueError as e:
            assert repr(text) in str(e)  # noqa: PT017 - either is right
