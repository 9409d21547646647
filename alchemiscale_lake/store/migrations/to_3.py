"""Format 3: what every Transformation computes (table `calculations`).

The step creates the table. What the Transformations of older lakes compute is recorded by `statestore.calculations`.
"""

from __future__ import annotations

from .step import Step

__all__ = ["TO_3"]

TO_3 = Step(3, "table calculations")
