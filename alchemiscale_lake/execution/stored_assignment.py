"""Assignments that outlive whoever made them: kept in the lake until a job or a pod comes to run them.

`assignments/<id>.json`. Which job runs which is noted by the engine that submitted it.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import Any, Final

from ..errors import LakeVersionError
from ..resources import Resources
from ..settings import Monitors
from ..store import Lake, make_private_folder
from .assignment import Assignment, AttemptSpec

__all__ = ["load_assignment", "new_assignment_id", "store_assignment"]

#: 1: without secrets.
_FORMAT: Final = 2


def new_assignment_id() -> str:
    """Return a fresh id (32 hexadecimal digits)."""
    return uuid.uuid4().hex


def store_assignment(lake: Lake, assignment: Assignment) -> str:
    """Keep an assignment in the lake; return its id.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    assignment_id = new_assignment_id()
    content = asdict(assignment) | {"monitors": assignment.monitors.model_dump(mode="json")}
    # whoever reads it can sign receipts of its attempts
    make_private_folder(lake.local_path, "assignments")
    data = json.dumps({"format": _FORMAT, "assignment": content}).encode()
    lake.objects.put_exclusive(_path(assignment_id), data)
    return assignment_id


def load_assignment(lake: Lake, assignment_id: str) -> Assignment:
    """Return an assignment that was kept.

    Raises
    ------
    NotFoundError
        If the lake holds none under this id.
    LakeVersionError
        If another version of alchemiscale-lake wrote it in a way that this one does not understand.
    StorageError
        If the lake does not answer.
    """
    stored = json.loads(lake.objects.get(_path(assignment_id)))
    if stored["format"] not in range(1, _FORMAT + 1):
        raise LakeVersionError(
            f"assignment {assignment_id} has format {stored['format']}, this version knows 1 to {_FORMAT}; "
            "run the same alchemiscale-lake where Tasks are dispatched and where they are computed",
            format=stored["format"],
        )
    content: dict[str, Any] = stored["assignment"]
    return Assignment(
        **content
        | {
            "attempts": tuple(_spec(spec) for spec in content["attempts"]),
            "resources": Resources(**content["resources"]),
            "unit_needs": {name: Resources(**needs) for name, needs in content["unit_needs"].items()},
            "monitors": Monitors(**content["monitors"]),
            "keep": tuple(content["keep"]),
        }
    )


def _spec(content: dict[str, Any]) -> AttemptSpec:
    resources = content["resources"]
    return AttemptSpec(**content | {"resources": None if resources is None else Resources(**resources)})


def _path(assignment_id: str) -> str:
    return f"assignments/{assignment_id}.json"
