"""The flow runs of one pool in the Prefect API: list, create, cancel, give up.

Every failure to reach the API is a StorageError. Decisions are made in `work_pool`.
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

from ..errors import SettingsError, StorageError
from ..prefect_api.flow_entry_points import load_flow

__all__ = ["LIVE", "FlowRuns", "SeenRun", "open_flow_runs"]

#: States of a flow run that has not ended.
LIVE: Final = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
#: Prefect's limit per response.
_PAGE: Final = 200
_TIMEOUT_S: Final = 20.0
_ATTEMPT: Final = "attempt:"
#: Importable from the installed package: no code is fetched.
_ENTRYPOINT: Final = "alchemiscale_lake.flows.run_assignment.run_assignment"
#: Without a step that sets the folder, Prefect copies the worker's folder with all its contents.
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
        State type, such as RUNNING; state name, such as AwaitingRetry; Prefect's message.
    since : datetime
        When it entered this state.
    n_starts : int
        Number of times it started.
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
        """Return whether it has not ended."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class FlowRuns:
    """The flow runs of a pool's deployment in its work pool.

    Parameters
    ----------
    client : SyncPrefectClient
    deployment : UUID
    work_pool : str
    job_variables : frozenset of str
        Names of the job variables of the work pool.
    """

    client: SyncPrefectClient
    deployment: UUID
    work_pool: str
    job_variables: frozenset[str]

    def live(self) -> list[SeenRun]:
        """Return the flow runs that have not ended.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        return self._read({"state": {"type": {"any_": list(LIVE)}}})

    def read(self, ids: Collection[UUID]) -> list[SeenRun]:
        """Return these flow runs, in any state; deleted ones are missing.

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
        # a run that ends while pages are read shifts the rest, which are then seen twice or next time
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
        """Create the flow run of an assignment; return the existing one if there is one.

        Parameters
        ----------
        assignment : str
            Identifier of the stored assignment; prevents duplicates.
        attempts : sequence of str
            Identifiers of its attempts.
        name : str
            Readable name of the flow run.
        parameters : mapping of str to object
            Parameters of the flow.
        job_variables : mapping of str to object
            Variables of the work pool's job template.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        SettingsError
            If Prefect rejects it.
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
                f"Prefect rejected a flow run in work pool {self.work_pool!r} ({e.response.status_code}: "
                f"{e.response.text[:300]})",
                work_pool=self.work_pool,
            ) from e
        return _seen(run)

    def cancel(self, run: UUID) -> None:
        """Cancel a flow run: one that has not started is cancelled at once, the process of another gets SIGTERM.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        self._set_state(run, Cancelling(message="its Tasks are no longer needed"), force=False)

    def drop(self, run: UUID, reason: str) -> None:
        """Cancel a flow run that is not running: Prefect would wait for the end of its former pod.

        Parameters
        ----------
        run : UUID
            Identifier of the flow run.
        reason : str
            Message shown in the Prefect UI.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        self._set_state(run, Cancelled(message=reason), force=True)

    def give_up(self, run: UUID, reason: str) -> None:
        """Mark a flow run as crashed, because nothing runs it any more.

        Parameters
        ----------
        run : UUID
            Identifier of the flow run.
        reason : str
            Message shown in the Prefect UI.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        self._set_state(run, Crashed(message=reason), force=True)

    def _set_state(self, run: UUID, state: Any, *, force: bool) -> None:
        # nothing to do for a run that was deleted or has just ended
        with contextlib.suppress(ObjectNotFound, httpx.HTTPStatusError), _answering():
            self.client.set_flow_run_state(run, state, force=force)

    def obstacle(self) -> str | None:
        """Return why no flow run would start in the work pool now; None if one would.

        Raises
        ------
        StorageError
            If the Prefect API does not answer.
        """
        try:
            with _answering():
                pool = self.client.read_work_pool(self.work_pool)
        except ObjectNotFound:
            return f"work pool {self.work_pool!r} was deleted"
        if pool.is_paused or pool.status == WorkPoolStatus.PAUSED:
            return f"work pool {self.work_pool!r} is paused; run `prefect work-pool resume {self.work_pool}`"
        if pool.status == WorkPoolStatus.NOT_READY and not (pool.is_push_pool or pool.is_managed_pool):
            return f"work pool {self.work_pool!r} has no worker; run `prefect worker start --pool {self.work_pool}`"
        return None


@contextlib.contextmanager
def open_flow_runs(pool: str, work_pool: str) -> Iterator[FlowRuns]:
    """Yield the flow runs of a pool; create their deployment if there is none.

    Parameters
    ----------
    pool : str
        Name of the pool.
    work_pool : str
        Name of the Prefect work pool.

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
    run_assignment = load_flow("run-assignment")
    full_name = f"{run_assignment.name}/{name}"
    try:
        found = client.read_deployment_by_name(full_name)
    except ObjectNotFound:
        return client.create_deployment(
            flow_id=client.create_flow(run_assignment),
            name=name,
            description="Runs assignments of a dispatcher, which creates the flow runs.",
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
    """Raise StorageError if the API does not respond, is temporarily unavailable, or the client was closed."""
    try:
        yield
    except httpx.HTTPStatusError as e:
        if e.response.status_code < 500 and e.response.status_code != 429:
            raise
        raise StorageError(f"the Prefect API returns status {e.response.status_code}; trying again") from e
    except (httpx.HTTPError, OSError) as e:
        raise StorageError(f"the Prefect API does not respond ({type(e).__name__}: {e}); trying again") from e
    except RuntimeError as e:
        # of httpx, without a class of its own: handles are asked for their state after their executor was closed
        if "has been closed" not in str(e):
            raise
        raise StorageError("the connection to the Prefect API is closed") from e


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
