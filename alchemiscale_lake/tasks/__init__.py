"""Pure rules about Tasks: what may follow what, and who is claimed next. Nothing here reads or writes."""

from __future__ import annotations

from .claiming import choose
from .states import Event, TaskState, TaskStates
from .status import Refusal

__all__ = ["Event", "Refusal", "TaskState", "TaskStates", "choose"]
