"""Rounding of displayed numbers: one rule for every screen.

An uncertainty has two significant figures and its value as many places; an experimental value without one has two
decimals (`EXPERIMENT_DECIMALS`); any other number has four significant digits, and all digits before the point. Files
and pipes get full precision.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

__all__ = ["EXPERIMENT_DECIMALS", "round_to_uncertainty", "shown"]

#: Decimals of experimental values in kcal/mol whose uncertainty is unknown or not shown.
EXPERIMENT_DECIMALS: Final = 2

_FIGURES: Final = 2
#: Numbers below the first or from the second on are written with an exponent.
_SMALLEST, _LARGEST = 1e-4, 1e15


def shown(value: Any) -> str:
    """Return the displayed text of one cell.

    >>> shown(1234.5678), shown(0.012345678), shown(3.0), shown(2.5e-7)
    ('1235', '0.01235', '3', '2.5e-07')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    return str(value)


def round_to_uncertainty(value: Any, uncertainty: Any) -> tuple[str, str]:
    """Return both as text, rounded to the second significant figure of the uncertainty.

    Parameters
    ----------
    value : object
        Number; None if there is none.
    uncertainty : object
        Standard error in the unit of the value; None if unknown.

    Examples
    --------
    >>> round_to_uncertainty(17.418, 0.058)
    ('17.418', '0.058')
    >>> round_to_uncertainty(17.418, 12.0)
    ('17', '12')
    >>> round_to_uncertainty(-0.001, 0.25)
    ('0.00', '0.25')
    """
    if not isinstance(value, float) or not isinstance(uncertainty, float) or not 0 < uncertainty < math.inf:
        return shown(value), shown(uncertainty)
    rounded = float(f"{uncertainty:.{_FIGURES - 1}e}")  # 0.0996 has its first figure at the first place: 0.10
    places = _FIGURES - 1 - math.floor(math.log10(rounded))
    decimals = max(0, places)
    return f"{round(value, places):z.{decimals}f}", f"{rounded:.{decimals}f}"


def _number(value: float) -> str:
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if not _SMALLEST <= abs(value) < _LARGEST:
        return f"{value:.4g}"
    places = max(0, 3 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
