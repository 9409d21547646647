"""Flow `run_assignment`: run the Tasks of one assignment, in the pod or process that Prefect started for it.

It needs the lake, and the Prefect API only for its own state: if the API is unavailable, receipts are still
written to the lake.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import psutil
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Completed

from ..execution import Assignment, execute_assignment
from ..execution.job import stop_all
from ..execution.release import read_release
from ..execution.start_markers import write_start_marker
from ..execution.stored_assignment import load_assignment
from ..plurals import count
from ..prefect_api.credentials import load_credentials
from ..store import Lake

__all__ = ["run_assignment"]

_ENDS_AT: Final = "ALCHEMISCALE_LAKE_JOB_ENDS_AT"


@flow(
    name="run-assignment",
    description="Run an assignment stored by a dispatcher. Started by dispatchers, not by users.",
    persist_result=False,
)
def run_assignment(lake: str, assignment: str, walltime_s: float | None = None) -> State[Any]:
    """Run an assignment stored by a dispatcher.

    A failed Task leaves a receipt and does not fail this flow. When it is cancelled or its pod evicted, the flow
    releases its Tasks.

    Args:
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        assignment: Id of the assignment.
        walltime_s: Time limit of this process in seconds, from its start. Tasks are stopped before.
    """
    load_credentials()
    if walltime_s is not None:
        os.environ.setdefault(_ENDS_AT, str(psutil.Process().create_time() + walltime_s))
    place = Lake.open(lake)
    to_run = _without_released(place, load_assignment(place, assignment))
    write_start_marker(place, to_run)
    finished = _execute(to_run) if to_run.attempts else []
    n_released = len(to_run.attempts) - len(finished)
    return Completed(message=f"{count(len(finished), 'Task')} ran, {n_released} were released")


def _without_released(lake: Lake, assignment: Assignment) -> Assignment:
    """Exclude attempts released by an earlier pod of this flow run: their Tasks may have been claimed since."""
    left = tuple(spec for spec in assignment.attempts if read_release(lake, spec.scope, spec.attempt) is None)
    return replace(assignment, attempts=left)


def _execute(assignment: Assignment) -> list[str]:
    # in a separate thread: Prefect turns SIGTERM into an exception anywhere in the main thread
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="assignment") as thread:
        running = thread.submit(execute_assignment, assignment)
        try:
            return running.result()
        except TerminationSignal:
            stop_all("the flow run was cancelled, or its pod evicted")
            # leaving the block waits until every attempt has reported why it ended
            raise
