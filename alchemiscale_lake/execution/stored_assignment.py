"""Stored assignments: kept in the lake until a job or a pod runs them.

`assignments/<id>.json`. The engine that submitted a job records which assignment it runs.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from typing import Any, Final

from ..errors import LakeVersionError
from ..resources import Resources
from ..settings import FileRules, Monitors
from ..store import Lake, make_private_folder
from .assignment import Assignment, AttemptSpec, ExtendedFile

__all__ = ["load_assignment", "new_assignment_id", "store_assignment"]

#: Format 1 has no secrets, format 2 no `process_per_unit`, format 3 no `files` but `keep`, which was not used.
_FORMAT: Final = 4


def new_assignment_id() -> str:
    """Return a fresh id (32 hexadecimal digits)."""
    return uuid.uuid4().hex


def store_assignment(lake: Lake, assignment: Assignment) -> str:
    """Store an assignment in the lake; return its id.

    Parameters
    ----------
    lake : Lake
    assignment : Assignment
        Attempts that one worker runs together, and their settings.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    assignment_id = new_assignment_id()
    models = {name: getattr(assignment, name).model_dump(mode="json") for name in ("monitors", "files")}
    content = asdict(assignment) | models
    # a reader can sign receipts of its attempts
    make_private_folder(lake.local_path, "assignments")
    data = json.dumps({"format": _FORMAT, "assignment": content}).encode()
    lake.objects.put_exclusive(_path(assignment_id), data)
    return assignment_id


def load_assignment(lake: Lake, assignment_id: str) -> Assignment:
    """Return a stored assignment.

    Parameters
    ----------
    lake : Lake
    assignment_id : str
        Identifier, as returned by `store_assignment`.

    Raises
    ------
    NotFoundError
        If the lake has none with this id.
    LakeVersionError
        If another version of alchemiscale-lake wrote it in an unsupported format.
    StorageError
        If the lake does not answer.
    """
    stored = json.loads(lake.objects.get(_path(assignment_id)))
    if stored["format"] not in range(1, _FORMAT + 1):
        raise LakeVersionError(
            f"assignment {assignment_id} has format {stored['format']}, this version supports 1 to {_FORMAT}; "
            "install the same version of alchemiscale-lake for dispatchers and workers",
            format=stored["format"],
        )
    content: dict[str, Any] = {name: value for name, value in stored["assignment"].items() if name != "keep"}
    return Assignment(
        **content
        | {
            "attempts": tuple(_spec(spec) for spec in content["attempts"]),
            "resources": Resources(**content["resources"]),
            "unit_needs": {name: Resources(**needs) for name, needs in content["unit_needs"].items()},
            "monitors": Monitors(**content["monitors"]),
            "files": FileRules(**content.get("files", {})),
        }
    )


def _spec(content: dict[str, Any]) -> AttemptSpec:
    resources = content["resources"]
    built = {
        "resources": None if resources is None else Resources(**resources),
        "extends_files": tuple(ExtendedFile(**file) for file in content.get("extends_files", ())),
    }
    return AttemptSpec(**content | built)


def _path(assignment_id: str) -> str:
    return f"assignments/{assignment_id}.json"
