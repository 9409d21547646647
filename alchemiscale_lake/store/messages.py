"""What a running attempt and its dispatcher tell each other: small objects in the attempt's folder.

They reach a worker wherever it runs and whatever engine started it. What each of them means is said
in `execution`; upkeep sweeps them once the attempt is long over.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from ..errors import NotFoundError
from .lake import Lake
from .objects import attempt_folder

__all__ = ["MESSAGES", "Message", "has_message", "leave_message", "read_message", "remove_message"]

_log = logging.getLogger(__name__)

#: Names of the objects.
Message = Literal["stop", "begun.json", "beat.json", "ended.json"]
MESSAGES: Final = frozenset[str](get_args(Message))


def leave_message(lake: Lake, scope: str, attempt: str, message: Message, content: Mapping[str, Any]) -> None:
    """Leave a message, in the place of an earlier one of its name.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    lake.objects.put(_path(scope, attempt, message), json.dumps(dict(content)).encode())


def read_message(lake: Lake, scope: str, attempt: str, message: Message) -> dict[str, Any] | None:
    """Return what a message says, None if there is none, or none that can be read.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    path = _path(scope, attempt, message)
    try:
        content = json.loads(lake.objects.get(path))
    except NotFoundError:
        return None
    except ValueError as e:
        _log.warning("%s is passed over: %s", path, e)
        return None
    return content if isinstance(content, dict) else None


def has_message(lake: Lake, scope: str, attempt: str, message: Message) -> bool:
    """Whether a message is there.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    return lake.objects.exists(_path(scope, attempt, message))


def remove_message(lake: Lake, scope: str, attempt: str, message: Message) -> None:
    """Take a message away, if it is there.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    lake.objects.delete([_path(scope, attempt, message)])


def _path(scope: str, attempt: str, message: Message) -> str:
    return f"{attempt_folder(scope, attempt)}/{message}"
