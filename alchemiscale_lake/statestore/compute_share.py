"""Share of the running Tasks that a Scope has, among the Scopes next to it."""

from __future__ import annotations

import polars as pl

from ..caller import Caller
from ..errors import InvalidScopeError
from ..ids import Scope
from ..store import Lake

__all__ = ["compute_share"]


def compute_share(lake: Lake, scope: Scope | str, *, caller: Caller) -> float:
    """Return the fraction of the running Tasks of Scopes of one level that run in one of them.

    Of an organisation among all; of a campaign among those of its organisation; of a project among those of its
    campaign. Nothing else is disclosed about the others.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str
        Wildcards may follow the organisation.
    caller : Caller
        Needs the right to read the Scope.

    Returns
    -------
    float
        From 0 to 1; 0 if nothing runs.

    Raises
    ------
    InvalidScopeError
        If it names no organisation.
    PermissionDeniedError
    """
    wanted = Scope.parse(scope)
    named = [part for part in (wanted.org, wanted.campaign, wanted.project) if part is not None]
    if not named:
        raise InvalidScopeError("a share is that of an organisation, a campaign or a project; name one", scope="*-*-*")
    caller.require("read", [str(wanted)])
    running = lake.task_log.states().with_status("running")["scope"].str.split("-")
    beside = running.to_frame("scope")
    for level, part in enumerate(named[:-1]):
        beside = beside.filter(pl.col("scope").list.get(level) == part)
    own = beside.filter(pl.col("scope").list.get(len(named) - 1) == named[-1])
    return len(own) / len(beside) if len(beside) else 0.0
