"""A pool: one place to compute, with its limits and its policy."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ..amounts import format_seconds
from ..directives import directive_mistakes, log_folder_mistake, word_mistake
from ..errors import LakeError
from ..ids import Scope
from ..plugins import load_plugin
from ..resources import Resources
from .rules import Burst, Limits, Monitors
from .values import (
    ENGINES,
    JOBQUEUE_KINDS,
    OWN_KINDS,
    Bytes,
    ClassName,
    PoolKind,
    ScopePattern,
    Seconds,
    SettingsModel,
    refuse,
)

__all__ = ["Pool"]


#: Keys that only queues use, and keys that they require.
_OF_QUEUES: Final = ("queue", "account", "directives", "skip_directives", "interface", "log_folder", "disk_bytes")
_OF_QUEUES_NEEDED: Final = ("cores", "memory_bytes", "walltime_s")


def _key(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


class Pool(SettingsModel):
    """One place to compute. Its resources are those of one worker: a queue job, a pod, or this machine."""

    kind: PoolKind = Field(
        description="local, work-pool, a queue as named by dask-jobqueue, or that of an engine in another package"
    )
    cores: int | None = Field(
        None, ge=1, description="cores of one worker; default: all of this machine for local, else 1"
    )
    memory_bytes: Bytes | None = Field(None, alias="memory", description="memory of one worker, as in 32GiB")
    gpus: int = Field(0, ge=0, description="GPUs of one worker; for SGE and OAR, also request them in directives")
    disk_bytes: Bytes | None = Field(None, alias="disk", description="disk space of one worker; required by HTCondor")
    walltime_s: Seconds | None = Field(
        None, alias="walltime", description="walltime of one queue job or pod, as in 24h"
    )
    queue: str | None = Field(None, description="partition or queue")
    account: str | None = Field(None, description="account or project to charge")
    environment: tuple[str, ...] = Field(
        (),
        description="shell lines that a job runs first, such as module loads; the job expands `${NAME}`",
    )
    directives: tuple[str, ...] = Field((), description="further directives of the queue, as in --gres=gpu:1")
    skip_directives: tuple[str, ...] = Field(
        (),
        description="leave out generated directives that contain one of these, such as --mem where a site forbids it",
    )
    interface: str | None = Field(None, description="network interface by which compute nodes reach the dispatcher")
    python: str | None = Field(None, description="Python on the compute nodes; default: this one")
    work_root: str | None = Field(None, description="folder for work in progress; for a queue, one shared by all nodes")
    log_folder: str | None = Field(None, description="folder for the output of queue jobs")
    work_pool: str | None = Field(None, description="name of the Prefect work pool")
    options: dict[str, Any] = Field({}, description="settings of an engine in another package")
    # what and how much
    limits: Limits = Field(Limits(), description="limits on the use of the pool")
    scopes: tuple[ScopePattern, ...] = Field((), description="Scopes that may run here, as in `org-*-*`; empty: all")
    exclude_scopes: tuple[ScopePattern, ...] = Field((), description="Scopes that may not")
    protocols: tuple[ClassName, ...] = Field((), description="classes of Protocols that may run here; empty: all")
    exclude_protocols: tuple[ClassName, ...] = Field((), description="classes of Protocols that may not")
    tasks_per_job: int = Field(1, ge=1, description="Tasks per job in batch mode (`--once`), or per flow run")
    # policy
    priority: int = Field(10, ge=1, description="lower goes first: owned compute before rented")
    cost_per_gpu_hour: float = Field(0.0, ge=0, description="cost in any currency, the same for all pools")
    burst: Burst | None = Field(None, description="claim only above these thresholds; unset: always")
    # care
    heartbeat_s: Seconds = Field(20.0, alias="heartbeat", description="interval of checks of claims and cancellations")
    lease_s: Seconds = Field(300.0, alias="lease", description="a claim without a heartbeat for this long is given up")
    idle_s: Seconds = Field(300.0, alias="idle", description="a worker without work for this long ends")
    retire_before_s: Seconds = Field(
        300.0, alias="retire_before", description="Tasks are stopped this long before the walltime"
    )
    timeout_s: Seconds | None = Field(None, alias="timeout", description="an attempt that takes longer fails")
    stuck_after_s: Seconds | None = Field(
        None, alias="stuck_after", description="a unit without progress for this long is terminated"
    )
    unit_retries: int = Field(1, ge=0, description="retries of a failed ProtocolUnit within an attempt")
    output_bytes: Bytes = Field(
        2**20, alias="output", description="a longer stdout, stderr or log of a unit is stored without its middle"
    )
    monitors: Monitors = Field(Monitors(), description="limits above which nothing more is started on a worker")

    @property
    def is_local(self) -> bool:
        """Return whether its worker is this machine."""
        return self.kind == "local"

    @property
    def is_queue(self) -> bool:
        """Return whether its workers are jobs of a batch queue."""
        return self.kind in JOBQUEUE_KINDS

    @property
    def capacity(self) -> Resources:
        """Return the resources of one worker. A local pool without a number of cores uses those of this machine."""
        return Resources(self.cores or 1, self.memory_bytes, float(self.gpus))

    def runs(self, scope: str, protocol: str | None = None) -> bool:
        """Return whether Tasks of a Scope, or of all Scopes of a pattern, and of a Protocol may run here.

        Parameters
        ----------
        scope : str
            A Scope, or a pattern of which every Scope must be allowed.
        protocol : str, optional
            Class of the Protocol; None is not checked.
        """
        asked = Scope.parse(scope)
        inside = not self.scopes or any(Scope.parse(allowed).is_superset(asked) for allowed in self.scopes)
        outside = any(Scope.parse(excluded).is_superset(asked) for excluded in self.exclude_scopes)
        return inside and not outside and (protocol is None or self.runs_protocol(protocol))

    def runs_protocol(self, protocol: str) -> bool:
        """Return whether Tasks of a class of Protocol may run here."""
        return protocol not in self.exclude_protocols and (not self.protocols or protocol in self.protocols)

    @field_validator(
        "scopes",
        "exclude_scopes",
        "protocols",
        "exclude_protocols",
        "environment",
        "directives",
        "skip_directives",
        mode="before",
    )
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _makes_sense(self) -> Pool:
        refuse(
            [
                *self._against_its_kind(),
                *self._against_its_queue(),
                *self._against_its_engine(),
                *self._against_itself(),
            ]
        )
        return self

    def _against_its_queue(self) -> list[tuple[str, str]]:
        """Return texts that the queue would reject or misread."""
        if not self.is_queue:
            return []
        words = {"queue": self.queue, "account": self.account, "interface": self.interface}
        wrong = [(key, word_mistake(self.kind, key, text)) for key, text in words.items() if text is not None]
        if self.log_folder is not None:
            wrong.append(("log_folder", log_folder_mistake(self.kind, self.log_folder)))
        wrong += [("directives", text) for text in directive_mistakes(self.kind, self.directives)]
        return [(key, text) for key, text in wrong if text is not None]

    def _against_its_kind(self) -> list[tuple[str, str]]:
        """Return keys that are missing or useless for this kind."""
        needed = [*_OF_QUEUES_NEEDED] if self.is_queue else []
        needed += ["disk_bytes"] if self.kind == "htcondor" else ["work_pool"] if self.kind == "work-pool" else []
        useless = [] if self.is_queue else [*_OF_QUEUES]
        useless += ["options"] if self.kind in OWN_KINDS else []
        useless += [] if self.kind == "work-pool" else ["work_pool"]
        useless += {"local": ["environment", "python"], "htcondor": ["queue"]}.get(self.kind, [])
        missing = [name for name in needed if getattr(self, name) is None]
        given = [name for name in useless if getattr(self, name)]
        return [
            *((_key(type(self), name), f"is missing: a {self.kind} pool requires it") for name in missing),
            *((_key(type(self), name), f"does not apply to a {self.kind} pool; remove it") for name in given),
        ]

    def _against_its_engine(self) -> list[tuple[str, str]]:
        """Return mistakes in `options`, as the engine of another package defines them."""
        if self.kind in OWN_KINDS:
            return []
        try:
            model = load_plugin(ENGINES, self.kind).options
        except (LakeError, AttributeError) as e:
            return [("kind", f"the engine of {self.kind} cannot be used: {e}")]
        if model is None:
            return [("options", f"does not apply to a {self.kind} pool; remove it")] if self.options else []
        try:
            model.model_validate(self.options)
        except ValidationError as e:
            return [("options", f"{'.'.join(map(str, one['loc']))}: {one['msg']}") for one in e.errors()]
        return []

    def _against_itself(self) -> list[tuple[str, str]]:
        """Return keys that leave nothing to run."""
        mistakes = []
        if self.walltime_s is not None and self.retire_before_s >= self.walltime_s:
            walltime = format_seconds(self.walltime_s)
            mistakes.append(
                ("retire_before", f"is not shorter than the walltime of {walltime}: no Task would ever run")
            )
        if self.lease_s <= self.heartbeat_s:
            mistakes.append(("lease", "is not longer than the heartbeat: every claim would be lost"))
        if not any(self.runs(scope) for scope in self.scopes or ("*-*-*",)):
            mistakes.append(("exclude_scopes", "leaves no Scope to run"))
        if self.protocols and not any(self.runs_protocol(name) for name in self.protocols):
            mistakes.append(("exclude_protocols", "leaves no Protocol to run"))
        return mistakes
