"""Runs that the Prefect server shows as running although their processes are gone."""

from __future__ import annotations

from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort
from prefect.states import Crashed

__all__ = ["close_stale_runs"]

#: The server's limit per response; further runs are not updated, since they are only a view.
_MOST = 200
_ALIVE = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def close_stale_runs() -> None:
    """Mark runs as crashed that were running when an earlier server ended; call this before any run starts.

    Only for a server that serves one process at a time: then no run shown as running can be alive.
    """
    died: State[Any] = Crashed(message="the process that ran it ended")
    flow_state = FlowRunFilterState(type=FlowRunFilterStateType(any_=_ALIVE))
    task_state = TaskRunFilterState(type=TaskRunFilterStateType(any_=_ALIVE))
    with get_client(sync_client=True) as client:
        flow_runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=flow_state), sort=FlowRunSort.ID_DESC, limit=_MOST
        )
        for flow_run in flow_runs:
            client.set_flow_run_state(flow_run.id, died, force=True)
        task_runs = client.read_task_runs(
            task_run_filter=TaskRunFilter(state=task_state), sort=TaskRunSort.ID_DESC, limit=_MOST
        )
        for task_run in task_runs:
            client.set_task_run_state(task_run.id, died, force=True)
