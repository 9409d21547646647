"""What a client may ask of a lake, by name.

A call takes a lake, the caller and keyword arguments; arguments and answers are what JSON has (ScopedKeys and Scopes
as text), and bytes, so that any transport can carry them. A call about many Tasks or networks is one commit or one
read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...caller import Caller
from ...errors import NotFoundError
from ...store import Lake
from . import (
    analysis_calls,
    archive_calls,
    copy_calls,
    file_calls,
    introspection_calls,
    network_calls,
    object_calls,
    record_calls,
    restart_calls,
    result_calls,
    status_calls,
    strategy_calls,
    task_calls,
)

__all__ = ["CALLS", "perform"]

_MODULES = (
    analysis_calls,
    archive_calls,
    copy_calls,
    file_calls,
    introspection_calls,
    network_calls,
    object_calls,
    record_calls,
    restart_calls,
    result_calls,
    status_calls,
    strategy_calls,
    task_calls,
)
#: Every call by name.
CALLS = {name: getattr(module, name) for module in _MODULES for name in module.__all__}


def perform(lake: Lake, caller: Caller, name: str, arguments: Mapping[str, Any]) -> Any:
    """Answer a call.

    Parameters
    ----------
    lake : Lake
    caller : Caller
        Every call checks that the caller may do this in the Scopes concerned.
    name : str
        One of `CALLS`.
    arguments : mapping of str to object
        Its keyword arguments.

    Raises
    ------
    NotFoundError
        If there is no such call.
    """
    call = CALLS.get(name)
    if call is None:
        raise NotFoundError(f"there is no call {name!r}", name=name)
    return call(lake, caller, **arguments)
