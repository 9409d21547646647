"""An attempt that leaves messages in a lake, without running."""

from __future__ import annotations

from alchemiscale_lake.execution.assignment import AttemptSpec

SCOPE = "org-campaign-project"
SPEC = AttemptSpec("attempt", f"Task-1-{SCOPE}", f"Transformation-1-{SCOPE}", SCOPE)
