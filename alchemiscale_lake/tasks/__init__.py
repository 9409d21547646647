"""Pure rules for Tasks: allowed transitions, restart patterns, what to claim next. No reads, no writes."""

from __future__ import annotations

from .claiming import choose
from .states import Event, TaskState, TaskStates
from .status import Refusal

__all__ = ["Event", "Refusal", "TaskState", "TaskStates", "choose"]
