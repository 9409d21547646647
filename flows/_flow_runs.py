"""The flow runs of one pool as the Prefect API tells of them: list, create, cancel, give up.

Every failure to reach the API is a StorageError. What follows from what it tells is decided in
`_work_pool.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, WorkPoolStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling, Crashed
from prefect.utilities.callables import parameter_schema

from alchemiscale_lake.errors import SettingsError, StorageError

from .run_assignment import run_assignment

__all__ = ["LIVE", "FlowRuns", "SeenRun", "open_flow_runs"]

#: States of a flow run that has not ended.
LIVE: Final = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
#: Prefect's own limit to one answer.
_PAGE: Final = 200
_TIMEOUT_S: Final = 20.0
_ATTEMPT: Final = "attempt:"
#: Importable wherever the package is installed: no code is fetched.
_ENTRYPOINT: Final = "flows.run_assignment.run_assignment"
#: Without a step that chooses the folder Prefect copies the worker's, with all that lies in it.
_PULL: Final = [{"prefect.deployments.steps.set_working_directory": {"directory": "/"}}]


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A flow run as it was last seen.

    Attributes
    ----------
    id : UUID
    lake, assignment : str
        Its parameters.
    attempts : tuple of str
    state, state_name, message : str
        Type, such as RUNNING; name, such as AwaitingRetry; what Prefect says of it.
    since : datetime
        When it came into this state.
    n_starts : int
        How often it began to run.
    """

    id: UUID
    lake: str
    assignment: str
    attempts: tuple[str, ...]
    state: str
    state_name: str
    message: str
    since: datetime
    n_starts: int

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class FlowRuns:
    """The flow runs of the deployment that a pool has in its work pool.

    Parameters
    ----------
    client : SyncPrefectClient
    deployment : UUID
    work_pool : str
    job_variables : frozenset of str
        Names of those that the work pool knows.
    """

    client: SyncPrefectClient
    deployment: UUID
    work_pool: str
    job_variables: frozenset[str]

    def live(self) -> list[SeenRun]:
        """Return those that have not ended.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        return self._read({"state": {"type": {"any_": list(LIVE)}}})

    def read(self, ids: Collection[UUID]) -> list[SeenRun]:
        """Return these, in whatever state they are; one that was deleted is missing.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        wanted = sorted(str(each) for each in ids)
        pages = (wanted[start : start + _PAGE] for start in range(0, len(wanted), _PAGE))
        return [run for page in pages for run in self._read({"id": {"any_": page}})]

    def _read(self, criteria: Mapping[str, Any]) -> list[SeenRun]:
        of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[self.deployment]))
        runs: list[FlowRun] = []
        with _answering():
            while len(runs) % _PAGE == 0:
                page = self.client.read_flow_runs(
                    flow_run_filter=FlowRunFilter.model_validate(criteria),
                    deployment_filter=of_deployment,
                    sort=FlowRunSort.ID_DESC,
                    limit=_PAGE,
                    offset=len(runs),
                )
                if not page:
                    break
                runs += page
        # a run that ends while the pages are read shifts the rest: seen twice, or next time
        return list({seen.id: seen for seen in map(_seen, runs)}.values())

    def create(
        self,
        assignment: str,
        attempts: Sequence[str],
        *,
        name: str,
        parameters: Mapping[str, Any],
        job_variables: Mapping[str, Any],
    ) -> SeenRun:
        """Create the flow run of an assignment; if there is one, that is returned.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        SettingsError
            If it refuses.
        """
        try:
            with _answering():
                run = self.client.create_flow_run_from_deployment(
                    self.deployment,
                    name=name,
                    parameters={**parameters, "assignment": assignment},
                    tags=["alchemiscale-lake", *(f"{_ATTEMPT}{attempt}" for attempt in attempts)],
                    idempotency_key=assignment,
                    job_variables=dict(job_variables),
                )
        except httpx.HTTPStatusError as e:
            raise SettingsError(
                f"Prefect refused a flow run in work pool {self.work_pool!r} ({e.response.status_code}: "
                f"{e.response.text[:300]})",
                work_pool=self.work_pool,
            ) from e
        return _seen(run)

    def cancel(self, run: UUID) -> None:
        """Cancel a flow run: one that has not begun is gone at once, the process of another gets SIGTERM.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        self._set_state(run, Cancelling(message="its Tasks are not wanted any more"), force=False)

    def drop(self, run: UUID, reason: str) -> None:
        """Cancel a flow run that nobody runs now: Prefect would wait for the end of the pod that it once had.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        self._set_state(run, Cancelled(message=reason), force=True)

    def give_up(self, run: UUID, reason: str) -> None:
        """Note that nobody runs this flow run any more.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        self._set_state(run, Crashed(message=reason), force=True)

    def _set_state(self, run: UUID, state: Any, *, force: bool) -> None:
        # one that was deleted, or whose end was quicker, needs nothing more
        with contextlib.suppress(ObjectNotFound, httpx.HTTPStatusError), _answering():
            self.client.set_flow_run_state(run, state, force=force)

    def obstacle(self) -> str | None:
        """Say why nothing would begin in the work pool now; None if something would.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        try:
            with _answering():
                pool = self.client.read_work_pool(self.work_pool)
        except ObjectNotFound:
            return f"work pool {self.work_pool!r} is gone"
        if pool.is_paused or pool.status == WorkPoolStatus.PAUSED:
            return f"work pool {self.work_pool!r} is paused; `prefect work-pool resume {self.work_pool}` goes on"
        if pool.status == WorkPoolStatus.NOT_READY and not (pool.is_push_pool or pool.is_managed_pool):
            return f"no worker serves work pool {self.work_pool!r}; `prefect worker start --pool {self.work_pool}`"
        return None


@contextlib.contextmanager
def open_flow_runs(pool: str, work_pool: str) -> Iterator[FlowRuns]:
    """Yield the flow runs of a pool; their deployment is created if there is none.

    Raises
    ------
    SettingsError
        If Prefect has no such work pool, or the deployment belongs to another.
    StorageError
        If the Prefect API does not answer.
    """
    with contextlib.ExitStack() as stack:
        with _answering():
            client = stack.enter_context(get_client(sync_client=True, httpx_settings={"timeout": _TIMEOUT_S}))
            known = _job_variables(client, work_pool)
            deployment = _deployment(client, f"run-assignment-{pool}", work_pool)
        yield FlowRuns(client, deployment, work_pool, known)


def _job_variables(client: SyncPrefectClient, work_pool: str) -> frozenset[str]:
    try:
        template = client.read_work_pool(work_pool).base_job_template
    except ObjectNotFound as e:
        raise SettingsError(
            f"Prefect has no work pool {work_pool!r}; create it with `prefect work-pool create {work_pool} "
            "--type kubernetes --base-job-template deployments/kubernetes/base-job-template.json` (or --type process, "
            "docker, ecs)",
            work_pool=work_pool,
        ) from e
    return frozenset(template.get("variables", {}).get("properties", {}))


def _deployment(client: SyncPrefectClient, name: str, work_pool: str) -> UUID:
    full_name = f"{run_assignment.name}/{name}"
    try:
        found = client.read_deployment_by_name(full_name)
    except ObjectNotFound:
        return client.create_deployment(
            flow_id=client.create_flow(run_assignment),
            name=name,
            description="Runs what a dispatcher hands out; it makes the flow runs itself.",
            entrypoint=_ENTRYPOINT,
            work_pool_name=work_pool,
            pull_steps=_PULL,
            parameter_openapi_schema=parameter_schema(run_assignment).model_dump_for_openapi(),
            enforce_parameter_schema=True,
        )
    if found.work_pool_name != work_pool:
        raise SettingsError(
            f"deployment {full_name!r} belongs to work pool {found.work_pool_name!r}, not to {work_pool!r}; "
            f"delete it (`prefect deployment delete {full_name}`), or rename the pool",
            work_pool=work_pool,
        )
    return found.id


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turn an API that does not answer, or only says that it cannot now, into a StorageError."""
    try:
        yield
    except httpx.HTTPStatusError as e:
        if e.response.status_code < 500 and e.response.status_code != 429:
            raise
        raise StorageError(f"the Prefect API answers {e.response.status_code}; trying again") from e
    except (httpx.HTTPError, OSError) as e:
        raise StorageError(f"the Prefect API does not answer ({type(e).__name__}: {e}); trying again") from e


def _seen(run: FlowRun) -> SeenRun:
    state = run.state
    assert state is not None, "the API gives every flow run a state"
    return SeenRun(
        id=run.id,
        lake=str(run.parameters.get("lake")),
        assignment=str(run.parameters.get("assignment")),
        attempts=tuple(tag.removeprefix(_ATTEMPT) for tag in run.tags if tag.startswith(_ATTEMPT)),
        state=state.type.value,
        state_name=state.name or "",
        message=state.message or "",
        since=state.timestamp,
        n_starts=run.run_count,
    )
