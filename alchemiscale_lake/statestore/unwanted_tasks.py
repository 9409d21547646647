"""Running Tasks that are no longer wanted: their claims are released, their workers asked to stop.

A running Task is wanted while it is actioned on an active network; weight 0 counts too, it only gets no new compute.
The claim is released first, in the task log, then the worker is asked to stop: if this process dies in between, the
worker's dispatcher notices when it renews the claim.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import polars as pl

from ..caller import Caller
from ..errors import StorageError
from ..execution.assignment import AttemptSpec
from ..execution.stop_requests import ask_to_stop
from ..faults import fault_point
from ..plurals import count
from ..store import Lake, NetworkState
from ..store.parallel_requests import at_once
from ..tasks import Event, TaskStates, status

__all__ = ["freed_attempts", "release_events", "release_unwanted", "stop_attempts"]

_log = logging.getLogger(__name__)
_REASON: Final = "no longer actioned on any active network"


def release_unwanted(lake: Lake, *, caller: Caller) -> list[AttemptSpec]:
    """Release running Tasks that are not actioned on any active network, and stop them.

    Nothing is written if all are wanted; idempotent.

    Parameters
    ----------
    lake : Lake
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.

    Returns
    -------
    list of AttemptSpec
        Attempts that lost their Tasks by this call and were asked to stop.
    """

    def decide(states: TaskStates) -> list[Event]:
        if not (states.tasks["status"] == "running").any():
            return []
        return release_events(states, lake.network_log.states())

    landed = lake.task_log.commit(decide, caller=caller)
    return stop_attempts(lake, freed_attempts(landed.events))


def release_events(
    states: TaskStates,
    decided: Mapping[str, NetworkState],
    *,
    cancelled: Collection[str] | None = None,
    network: str | None = None,
    reason: str | None = None,
) -> list[Event]:
    """Return the events that release running Tasks which are not wanted.

    Parameters
    ----------
    states : TaskStates
    decided : mapping
        State of every network with a decision.
    cancelled, network : collection of str and str, optional
        Tasks that are being cancelled on this network: their actions there do not count, and no other Task is checked.
    reason : str, optional
        Why, as the user said; added to the reason of the release.
    """
    closed = [name for name, state in decided.items() if state.state != "active"]
    running = states.with_status("running").select("task")
    wanted = states.actions.filter(pl.col("weight").is_not_null() & ~pl.col("network").is_in(closed))
    if cancelled is not None:
        these = pl.DataFrame({"task": list(cancelled)}, schema={"task": pl.String})
        running = running.join(these, on="task", how="semi")
        wanted = wanted.filter(pl.col("network") != network)
    unwanted = running.join(wanted.select("task"), on="task", how="anti")
    why = _REASON if reason is None else f"{_REASON}: {reason}"
    events = (
        status.release(state, state.attempt, why)
        for state in (states.of(unwanted["task"].to_list()).values() if len(unwanted) else ())
        if state.attempt is not None
    )
    return [event for event in events if isinstance(event, Event)]


def freed_attempts(events: Iterable[Event]) -> list[AttemptSpec]:
    """Return the attempts whose Tasks these events took away: released, or set to another status."""
    return [
        AttemptSpec(event.of_attempt, event.after.task, event.after.transformation, event.after.scope)
        for event in events
        if event.of_attempt is not None and event.kind in ("released", "status")
    ]


def stop_attempts(lake: Lake, specs: Sequence[AttemptSpec]) -> list[AttemptSpec]:
    """Ask the workers of these attempts to stop, and return the attempts.

    If one cannot be asked now, a warning is logged: its dispatcher stops it when it renews the claim.

    Parameters
    ----------
    lake : Lake
    specs : sequence of AttemptSpec
        The attempts.
    """
    if not specs:
        return []
    fault_point("unwanted:before-stop")
    unheard = [spec for spec in at_once(lambda spec: _ask(lake, spec), specs) if spec is not None]
    if unheard:
        _log.warning(
            "could not ask %d of %s to stop, such as %s; each stops at its next lease renewal",
            len(unheard),
            count(len(specs), "attempt"),
            unheard[0].attempt,
        )
    return list(specs)


def _ask(lake: Lake, spec: AttemptSpec) -> AttemptSpec | None:
    try:
        ask_to_stop(lake, spec)
    except StorageError:
        return spec
    return None
