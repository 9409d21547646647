"""Every step that the rules allow: which status may follow which, by which event.

`status.py` decides, this is the same as a table, for checks of what was logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TRANSITIONS"]

_ALL: Final = ("waiting", "running", "complete", "error", "invalid", "deleted")
_OPEN: Final = ("waiting", "running", "error")


def _same(*statuses: str) -> frozenset[tuple[str, str]]:
    return frozenset((status, status) for status in statuses)


def _to(after: str, *before: str) -> frozenset[tuple[str, str]]:
    return frozenset((status, after) for status in before)


#: Event -> pairs of the statuses before and after; before its creation, a Task has the status "".
TRANSITIONS: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "created": _to("waiting", ""),
    "actioned": _same(*_OPEN),
    "cancelled": _same(*_ALL),
    "weight": _same(*_ALL),
    "priority": _same(*_ALL),
    "claimed": _to("running", "waiting"),
    "renewed": _same("running"),
    "completed": _to("complete", *_OPEN),
    "failed": _to("error", "running", "complete"),
    "released": _to("waiting", "running"),
    "expired": _to("waiting", "running"),
    "restarted": _to("waiting", "error"),
    "status": _to("waiting", *_OPEN)
    | _to("invalid", *_OPEN, "complete", "invalid")
    | _to("deleted", *_OPEN, "complete", "deleted"),
}
