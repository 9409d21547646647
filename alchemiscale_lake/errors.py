"""The error hierarchy.

Every error that a user can see is a `LakeError`; it is either a `TransientError` (a retry may help) or a
`TerminalError` (something must change first). A message states what happened, with which value, and what to do next;
the facts are also attributes, so that programs need not parse text.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AmbiguousScopeError",
    "ArchiveError",
    "CommitConflictError",
    "ContentError",
    "DamagedError",
    "DamagedMarkerError",
    "EstimationError",
    "ExecutionError",
    "HostFaultError",
    "InactiveNetworkError",
    "InvalidArgumentError",
    "InvalidKeyError",
    "InvalidNetworkError",
    "InvalidScopeError",
    "InvalidTransitionError",
    "LakeError",
    "LakeExistsError",
    "LakeVersionError",
    "MissingClassError",
    "MissingDependencyError",
    "MissingMarkerError",
    "MissingTableError",
    "NotALakeError",
    "NotFoundError",
    "NotStartedError",
    "NotWritableError",
    "ObjectTooLargeError",
    "PermissionDeniedError",
    "QueryError",
    "ReceiptError",
    "ResultFileError",
    "SchemaError",
    "SettingsError",
    "SigningKeyError",
    "StorageError",
    "StrategyError",
    "TasksRunningError",
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
    """The same call may succeed if retried."""


class TerminalError(LakeError):
    """The same call will fail again until something changes."""


# --- the lake ---------------------------------------------------------------------------------


class NotALakeError(TerminalError):
    """The folder or URL does not contain a lake."""


class MissingMarkerError(NotALakeError):
    """The tables of a lake are there, but its marker is not."""


class DamagedMarkerError(NotALakeError):
    """The tables of a lake are there, but its marker cannot be read."""


class LakeExistsError(TerminalError):
    """A lake, or something else, already exists where a new one was to be created."""


class LakeVersionError(TerminalError):
    """The lake was written by an unsupported version."""


class SchemaError(TerminalError):
    """Rows violate the columns or rules of their table; nothing was written."""


class CommitConflictError(TransientError):
    """Other writers kept winning the race for a commit."""


class StorageError(TransientError):
    """The folder or bucket did not answer, or rejected the request."""


class NotWritableError(StorageError):
    """The folder is read-only, for this user or for everybody."""


class TasksRunningError(TransientError):
    """Tasks are running, and this needs a lake without running Tasks."""


class UpkeepRunningError(TransientError):
    """Maintenance of the same lake is already running."""


# --- rights ------------------------------------------------------------------------------------


class PermissionDeniedError(TerminalError):
    """The caller lacks a right in a Scope."""


# --- names ------------------------------------------------------------------------------------


class InvalidScopeError(TerminalError):
    """Not a Scope, or a wildcard Scope where a specific one is needed."""


class AmbiguousScopeError(TerminalError):
    """A name matches several Scopes, networks or Tasks."""


class InvalidArgumentError(TerminalError, ValueError):
    """An argument has a value that is not possible, whatever the lake has; nothing was changed."""


class InvalidKeyError(TerminalError):
    """Not a ScopedKey or gufe key."""


class NotFoundError(TerminalError):
    """The lake has nothing under this key or name."""


class InactiveNetworkError(TerminalError):
    """The network is not active or has weight 0, so none of its Tasks would run."""


class ObjectTooLargeError(TerminalError):
    """An object of the lake is larger than anything that belongs there."""


class QueryError(TerminalError):
    """DuckDB rejected a query; the message is DuckDB's."""


# --- content ----------------------------------------------------------------------------------


class ContentError(TerminalError):
    """A file or object cannot be read: damaged, too large, or nested too deeply."""


class DamagedError(ContentError):
    """Something in the lake differs from what was written."""


class MissingTableError(DamagedError):
    """A table is missing that every lake of this format has."""


# --- networks and Tasks -----------------------------------------------------------------------


class InvalidNetworkError(TerminalError):
    """A file or object is not a network that can be stored; nothing was written."""


class InvalidTransitionError(TerminalError):
    """A Task cannot change from its current status to the requested one."""


# --- missing code -----------------------------------------------------------------------------


class MissingDependencyError(TerminalError):
    """An optional package is required here and not installed."""


class MissingClassError(MissingDependencyError):
    """A gufe object's class cannot be imported where it is needed."""


# --- execution and estimation -----------------------------------------------------------------


class ExecutionError(TerminalError):
    """A ProtocolDAG could not be run."""


class HostFaultError(TransientError):
    """The host lacks something: disk space, processes, a writable folder. Not a Task's fault."""


class ArchiveError(TerminalError):
    """An archive cannot be written or read, or is not whole."""


class ReceiptError(TerminalError):
    """A receipt cannot be read or does not fit its attempt."""


class ResultFileError(TerminalError):
    """A file contains no results that can be imported; nothing was written."""


class SigningKeyError(TerminalError):
    """The key that receipts of a lake are signed with cannot be read."""


class NotStartedError(TransientError):
    """An assignment was never started: the queue rejected it, or its worker was gone."""


class EstimationError(TerminalError):
    """The data do not allow the requested estimate."""


class UnitConversionError(TerminalError):
    """A value has no unit, or its unit is not an energy."""


# --- configuration ----------------------------------------------------------------------------


class StrategyError(TerminalError):
    """A Strategy has unsuitable settings, cannot be loaded, or returned what is not a proposal."""


class SettingsError(TerminalError):
    """A setting has an unknown key or an impossible value."""
