"""Durations and amounts of memory in human-readable form: `24h`, `1h30m`, `16GiB`.

Converts text to numbers and back without loss. `settings.py` defines the settings that use them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

__all__ = ["format_bytes", "format_seconds", "parse_bytes", "parse_seconds"]

_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1}
_BYTES: Final = {
    **{unit: 1000**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))},
    **{f"{unit}i": 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p")) if unit},
}
_CLOCK: Final = re.compile(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[smhd])\s*")
_MEMORY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]i?|)b?")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
#: Durations from here on are written in days; one day itself is `24h`, as in queues.
_DAYS_FROM_S: Final = 2 * 86400


def parse_seconds(value: Any) -> Any:
    """Read a duration.

    Parameters
    ----------
    value : str or number
        `90s`, `30m`, `24h`, `2d`, `1h30m`, a queue's `HH:MM:SS` or `D-HH:MM:SS`, or seconds. Values other than text
        are returned unchanged.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    ValueError
        If it has none of these forms.
    """
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if clock := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return _to_float(Fraction(((days * 24 + hours) * 60 + minutes) * 60 + seconds), value)
    if text and not _PART.sub("", text):
        return _to_float(sum(Fraction(n) * _SECONDS[unit] for n, unit in _PART.findall(text)), value)
    if _NUMBER.fullmatch(text):
        return _to_float(Fraction(text), value)
    if re.fullmatch(r"\d+:\d\d", text):
        raise ValueError(f"{value!r} is minutes for some queues, hours for others; write 30m, 24h or 24:00:00")
    raise ValueError(f"{value!r} is not a valid duration; write 90s, 30m, 24h, 2d, 1h30m or 24:00:00")


def format_seconds(seconds: float) -> str:
    """Format a duration so that `parse_seconds` returns the same number.

    >>> format_seconds(5400), format_seconds(86400), format_seconds(0.5)
    ('1h30m', '24h', '0.5s')
    """
    if seconds != int(seconds) or seconds < 1:
        # an exponent, as in 1e-07, is not a valid duration
        return f"{Decimal(repr(seconds)):f}s"
    left, parts = int(seconds), []
    for unit in ("d", "h", "m", "s"):
        if unit == "d" and left < _DAYS_FROM_S:
            continue
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_bytes(value: Any) -> Any:
    """Read an amount of memory.

    Parameters
    ----------
    value : str or number
        `16GiB` or `16Gi` (powers of 1024), `16GB` or `16G` (powers of 1000), or bytes. Values other than text are
        returned unchanged.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        If it has none of these forms.
    """
    if not isinstance(value, str):
        return value
    found = _MEMORY.fullmatch(value.strip().lower())
    if not found:
        raise ValueError(f"{value!r} is not an amount of memory; write 16GiB, 16GB or a number of bytes")
    return int(Fraction(found[1]) * _BYTES[found[2]])


def format_bytes(count: int) -> str:
    """Format an amount of memory as briefly as possible so that `parse_bytes` returns the same number.

    >>> format_bytes(2**34), format_bytes(16 * 10**9), format_bytes(1234)
    ('16GiB', '16GB', '1234B')
    """
    exact = [f"{count // size}{unit[:1].upper()}{unit[1:]}B" for unit, size in _BYTES.items() if not count % size]
    return min(exact, key=len)


def rounded_bytes(count: int) -> str:
    """Format a size for people.

    >>> rounded_bytes(1_234_567), rounded_bytes(2 * 10**9)
    ('1.2 MB', '2.0 GB')
    """
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _to_float(exact: Fraction | int, value: str) -> float:
    try:
        return float(exact)
    except OverflowError as e:
        raise ValueError(f"{value!r} is too long for a duration; write 90s, 30m or 24h") from e
