"""The one tree of errors.

Every error a user can meet is a `LakeError`; it is either a `TransientError` (trying again may
help) or a `TerminalError` (something must change first). A message says what happened, with which
value, and what to do next; the facts are also attributes, so that programs need not parse text.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AmbiguousScopeError",
    "CommitConflictError",
    "ContentError",
    "DamagedError",
    "EstimationError",
    "ExecutionError",
    "HostFaultError",
    "InvalidKeyError",
    "InvalidNetworkError",
    "InvalidScopeError",
    "InvalidTransitionError",
    "LakeError",
    "LakeExistsError",
    "LakeVersionError",
    "MissingClassError",
    "MissingDependencyError",
    "NotALakeError",
    "NotBegunError",
    "NotFoundError",
    "NotWritableError",
    "ObjectTooLargeError",
    "QueryError",
    "ReceiptError",
    "ResultFileError",
    "SchemaError",
    "SettingsError",
    "SigningKeyError",
    "StorageError",
    "TerminalError",
    "TransientError",
    "UnitConversionError",
    "UpkeepRunningError",
]


class LakeError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    message : str
        What happened, with which value, and what to do next.
    **facts
        The same facts as attributes (`error.facts["table"]`).
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.facts))


def _rebuild(cls: type[LakeError], message: str, facts: dict[str, Any]) -> LakeError:
    return cls(message, **facts)


class TransientError(LakeError):
    """The same call may succeed if made again."""


class TerminalError(LakeError):
    """The same call will fail again until something changes."""


# --- the lake ---------------------------------------------------------------------------------


class NotALakeError(TerminalError):
    """The folder or URL holds no lake."""


class LakeExistsError(TerminalError):
    """A lake, or something else, already lies where a new one was to be created."""


class LakeVersionError(TerminalError):
    """The lake was written by a version this one does not understand."""


class SchemaError(TerminalError):
    """Rows break the columns or rules of their table; nothing was written."""


class CommitConflictError(TransientError):
    """Other writers kept winning the race for a commit."""


class StorageError(TransientError):
    """The folder or bucket did not answer, or refused."""


class NotWritableError(StorageError):
    """The folder may only be read, by this user or by anybody."""


class UpkeepRunningError(TransientError):
    """Another upkeep of the same lake is at it."""


# --- names ------------------------------------------------------------------------------------


class InvalidScopeError(TerminalError):
    """Not a Scope, or a wildcard Scope where a specific one is needed."""


class AmbiguousScopeError(TerminalError):
    """A name fits several Scopes, networks or Tasks."""


class InvalidKeyError(TerminalError):
    """Not a ScopedKey or gufe key."""


class NotFoundError(TerminalError):
    """The lake holds nothing under this key or name."""


class ObjectTooLargeError(TerminalError):
    """An object of the lake is larger than anything that belongs there."""


class QueryError(TerminalError):
    """DuckDB refused a query; the message is DuckDB's."""


# --- content ----------------------------------------------------------------------------------


class ContentError(TerminalError):
    """A file or object cannot be read: damaged, too large, or nested too deeply."""


class DamagedError(ContentError):
    """Something in the lake does not have the content that was written."""


# --- networks and Tasks -----------------------------------------------------------------------


class InvalidNetworkError(TerminalError):
    """A file or object is not a network that can be stored; nothing was written."""


class InvalidTransitionError(TerminalError):
    """A Task may not change from the status it has to the one asked for."""


# --- code that may be missing -----------------------------------------------------------------


class MissingDependencyError(TerminalError):
    """An optional package is needed here and not installed."""


class MissingClassError(MissingDependencyError):
    """A gufe object's class cannot be imported where it is needed."""


# --- running and reckoning --------------------------------------------------------------------


class ExecutionError(TerminalError):
    """A ProtocolDAG could not be run."""


class HostFaultError(TransientError):
    """The host cannot do its part: no space, no processes, a folder that cannot be written. No Task's fault."""


class ReceiptError(TerminalError):
    """A receipt cannot be read or does not fit its attempt."""


class ResultFileError(TerminalError):
    """A file holds no results that can be imported; nothing was written."""


class SigningKeyError(TerminalError):
    """The key by which receipts of a lake are signed cannot be read."""


class NotBegunError(TransientError):
    """What was handed out was never begun: the queue did not take it, or its worker had gone."""


class EstimationError(TerminalError):
    """Numbers do not allow the estimate asked for."""


class UnitConversionError(TerminalError):
    """A value's unit is missing or not an energy."""


# --- configuration ----------------------------------------------------------------------------


class SettingsError(TerminalError):
    """A setting has an unknown key or an impossible value."""
