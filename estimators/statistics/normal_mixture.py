"""Width of a mixture of normal distributions, as one standard deviation.

Owns the convention for all uncertainties that are only known as a distribution: the 97.5 % point over 1.96, so that
plus and minus 1.96 of it cover 95 %.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

__all__ = ["NORMAL_95", "mixture_sd"]

#: Half the width of a normal 95 % interval in standard deviations.
NORMAL_95: Final = 1.959963984540054

FloatArray = NDArray[np.float64]


def mixture_sd(sd: FloatArray, weight: FloatArray) -> float:
    """Return the 97.5 % point over 1.96 of a mixture of normal distributions around zero.

    Parameters
    ----------
    sd : ndarray, shape (p,)
        Standard deviations, not all zero.
    weight : ndarray, shape (p,)
        Their probabilities, which sum to one.
    """
    positive = (sd > 0) & (weight > 0)
    if not positive.any():
        return 0.0

    def beyond(log_point: float) -> float:
        tails = special.ndtr(-np.exp(log_point) / sd[positive])
        return float(weight[positive] @ tails) - 0.025

    low, high = np.log(float(sd[positive].min()) * 1e-3), np.log(float(sd[positive].max()) * 2.0)
    if beyond(low) <= 0:  # nearly all of it is zero
        return 0.0
    return float(np.exp(optimize.brentq(beyond, low, high, xtol=1e-10)) / NORMAL_95)
