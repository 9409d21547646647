"""The word an attempt leaves that ended without a receipt: why, and where.

Whoever gives the Task back reads it for the reason in the task log. A receipt, where there is one,
counts instead.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from ..errors import NotFoundError
from ..store import Lake, attempt_folder
from .assignment import AttemptSpec

__all__ = ["Release", "ReleaseKind", "leave_release", "read_release"]

ReleaseKind = Literal["stopped", "refused", "walltime", "unreadable"]


@dataclass(frozen=True, slots=True)
class Release:
    """Why an attempt ended without a receipt.

    Parameters
    ----------
    kind : str
        "stopped": somebody wanted it, or its worker, to end. "refused": nothing was run, the Task
        goes back untouched. "walltime": stopped because the job ends; the work folder is kept.
        "unreadable": the lake, or the host, did not give what the attempt needs.
    reason : str
        For people.
    hostname : str
        Where.
    """

    kind: ReleaseKind
    reason: str
    hostname: str


def leave_release(lake: Lake, spec: AttemptSpec, release: Release) -> None:
    """Say in the lake why an attempt ended.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    lake.objects.put(_path(spec.scope, spec.attempt), json.dumps(asdict(release)).encode())


def read_release(lake: Lake, scope: str, attempt: str) -> Release | None:
    """Return why an attempt ended without a receipt, None if it did not say.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    try:
        content = json.loads(lake.objects.get(_path(scope, attempt)))
    except NotFoundError:
        return None
    return Release(content["kind"], content["reason"], content["hostname"])


def _path(scope: str, attempt: str) -> str:
    return f"{attempt_folder(scope, attempt)}/ended.json"
