"""The seam below the client: something that carries a call to a lake and brings the answer."""

from __future__ import annotations

from typing import Any, Protocol

from ..caller import Caller
from ..store import Lake
from .calls import perform

__all__ = ["InProcess", "Transport"]


class Transport(Protocol):
    """Carries calls to a lake."""

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Return the answer to a call, see `client.calls`.

        Parameters
        ----------
        name : str
        **arguments
            Its keyword arguments.

        Raises
        ------
        LakeError
            As the call does.
        """
        ...

    @property
    def place(self) -> str:
        """Return where the lake is."""
        ...


class InProcess:
    """Answers calls in this process, with its rights on the storage.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    """

    def __init__(self, lake: Lake, caller: Caller) -> None:
        self.lake, self.caller = lake, caller

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Return the answer to a call.

        Parameters
        ----------
        name : str
        **arguments
            Its keyword arguments.
        """
        return perform(self.lake, self.caller, name, arguments)

    @property
    def place(self) -> str:
        """Return the lake's URL."""
        return self.lake.url
