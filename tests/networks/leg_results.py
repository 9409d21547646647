"""Units of a Protocol with legs."""

from __future__ import annotations

from typing import Any

from tests.quickrun_files import kcal


def unit(value: float, number: int = 0, **corrections: float) -> dict[str, Any]:
    """A unit with the estimate of a repeat; corrections by the end of their names."""
    named = {f"standard_state_correction{end}": kcal(of) for end, of in corrections.items()}
    outputs = {"unit_estimate": kcal(value), "unit_estimate_error": kcal(0.5), **named}
    return {"name": f"Analysis: leg, repeat {number} generation 0", "outputs": outputs}
