"""Format 2: repeats within one result are replicates of their own (table `replicates`)."""

from __future__ import annotations

from .step import Step

__all__ = ["TO_2"]

TO_2 = Step(2, "table replicates")
