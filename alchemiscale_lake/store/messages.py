"""Messages between a running attempt and its dispatcher: small objects in the attempt's folder.

They reach a worker wherever it runs and whatever engine started it. `execution` defines their meaning; maintenance
removes them long after the attempt ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

from pydantic import TypeAdapter

from ..errors import NotFoundError, ObjectTooLargeError
from ..texts import storable
from .lake import Lake
from .objects import attempt_folder

__all__ = ["MESSAGES", "Message", "has_message", "leave_message", "read_message", "remove_message"]

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _T = TypeVar("_T", bound=DataclassInstance)
else:
    _T = TypeVar("_T")

_log = logging.getLogger(__name__)

#: Larger messages are not read.
_LARGEST_BYTES: Final = 64 * 2**10
#: Range of times that every library here can handle.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)

#: Names of the objects.
Message = Literal["stop", "begun.json", "beat.json", "ended.json"]
MESSAGES: Final = frozenset[str](get_args(Message))


def leave_message(lake: Lake, scope: str, attempt: str, message: Message, content: Mapping[str, Any]) -> None:
    """Write a message; it replaces an earlier one of the same name.

    Parameters
    ----------
    lake : Lake
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt.
    message : Message
        Name of the message.
    content : mapping of str to object
        What is written, as JSON.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    lake.objects.put(_path(scope, attempt, message), json.dumps(dict(content)).encode())


def read_message(lake: Lake, scope: str, attempt: str, message: Message, kind: type[_T]) -> _T | None:
    """Return a message; None if there is none, or if it cannot be read.

    Anyone who may run Tasks may have written it, so an invalid message is logged as a warning and counts as missing.

    Parameters
    ----------
    lake : Lake
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt.
    message : Message
        Name of the message.
    kind : type
        A dataclass; unknown keys are ignored.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    path = _path(scope, attempt, message)
    try:
        return _parse(lake.objects.get(path, limit=_LARGEST_BYTES), kind)
    except NotFoundError:
        return None
    except (ValueError, RecursionError, ObjectTooLargeError) as e:
        _log.warning("%s is ignored because it is not a valid message: %s", path, storable(str(e), 300))
        return None


def _parse(data: bytes, kind: type[_T]) -> _T:
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError(f"{type(content).__name__} instead of an object")  # noqa: TRY004
    said: _T = _adapter(kind).validate_python({k: storable(v) if isinstance(v, str) else v for k, v in content.items()})
    for field in fields(said):
        value = getattr(said, field.name)
        if isinstance(value, datetime) and not (value.tzinfo and _EARLIEST <= value <= _LATEST):
            raise ValueError(f"{field.name}: {value} is not a valid UTC time")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError(f"{field.name} has more than 64 bits")
    return said


@cache
def _adapter(kind: type[_T]) -> TypeAdapter[_T]:
    return TypeAdapter(kind)


def has_message(lake: Lake, scope: str, attempt: str, message: Message) -> bool:
    """Return whether a message exists.

    Parameters
    ----------
    lake : Lake
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt.
    message : Message
        Name of the message.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    return lake.objects.exists(_path(scope, attempt, message))


def remove_message(lake: Lake, scope: str, attempt: str, message: Message) -> None:
    """Delete a message if it exists.

    Parameters
    ----------
    lake : Lake
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt.
    message : Message
        Name of the message.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    lake.objects.delete([_path(scope, attempt, message)])


def _path(scope: str, attempt: str, message: Message) -> str:
    return f"{attempt_folder(scope, attempt)}/{message}"
