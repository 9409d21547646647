"""Pools, policy and limits, as written by an operator in `pools.yaml`.

Frozen models that reject unknown keys. `pools_file` reads the file and reports the line of a mistake; `tasks/` and
`statestore/` apply the settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from .amounts import format_bytes, format_seconds, parse_bytes, parse_seconds
from .directives import directive_mistakes, log_folder_mistake, word_mistake
from .errors import LakeError, SettingsError
from .ids import Scope
from .plugins import load_plugin, plugin_names
from .resources import Resources
from .suggestions import did_you_mean

__all__ = [
    "ANY_PROTOCOL",
    "ENGINES",
    "JOBQUEUE_KINDS",
    "OWN_KINDS",
    "Burst",
    "Bytes",
    "Limits",
    "Monitors",
    "Needs",
    "Pool",
    "PoolKind",
    "Pools",
    "QuarantineRules",
    "Seconds",
]

#: Group of entry points by which engines are found: names are kinds of pools (`engines.registry`).
ENGINES: Final = "alchemiscale_lake.engines"
#: Kinds whose workers are jobs of a queue, one per class of dask-jobqueue.
JOBQUEUE_KINDS: Final = ("slurm", "pbs", "lsf", "sge", "htcondor", "oar", "moab")
#: Kinds with keys of their own in a pool; those of other packages have a section `options`.
OWN_KINDS: Final = ("local", *JOBQUEUE_KINDS, "work-pool")
#: Key in `protocols`: needs of every class that neither the file nor this package lists.
ANY_PROTOCOL: Final = "*"
#: A smaller amount of memory is a number with a missing unit.
_LEAST_MEMORY_BYTES: Final = 1024**2
#: Tolerance for shares that add up to one.
_ROUNDING: Final = 1e-6


def _check_bytes(value: int) -> int:
    if value < _LEAST_MEMORY_BYTES:
        raise ValueError(f"{format_bytes(value)} is less than 1MiB; give the unit, as in {max(value, 1)}GiB")
    return value


def _parse_scope(value: Any) -> Any:
    try:
        return str(Scope.parse(value))
    except LakeError as e:
        raise ValueError(str(e)) from e


def _check_class(value: str) -> str:
    if not value.isidentifier():
        raise ValueError(f"{value!r} is not a class name; omit the module, as in RelativeHybridTopologyProtocol")
    return value


def _check_class_or_any(value: str) -> str:
    return value if value == ANY_PROTOCOL else _check_class(value)


def _check_kind(value: str) -> str:
    if value not in OWN_KINDS and value not in (known := [*OWN_KINDS, *_kinds_elsewhere()]):
        *most, last = (repr(kind) for kind in known)
        expected = f"{', '.join(most)} or {last}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return value


def _kinds_elsewhere() -> list[str]:
    """Return the kinds of pools whose engines are in other packages."""
    return [kind for kind in plugin_names(ENGINES) if kind not in OWN_KINDS]


def _no_bool(value: Any) -> Any:
    # it would be accepted as 0 or 1
    if value is True or value is False:
        raise ValueError(f"{str(value).lower()} is not allowed here; give a number or text")
    return value


PoolKind = Annotated[str, AfterValidator(_check_kind)]
Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), AfterValidator(_check_bytes)]
ScopePattern = Annotated[str, BeforeValidator(_parse_scope)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, le=1)]
ClassName = Annotated[str, AfterValidator(_check_class)]
ClassNameOrAny = Annotated[str, AfterValidator(_check_class_or_any)]
#: It becomes part of the names of jobs, deployments and objects.
PoolName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=63)]


def _refuse(mistakes: Iterable[tuple[str, str]]) -> None:
    """Raise one ValueError with a line `key: what` for every mistake, so that all are reported at once."""
    lines = [f"{key}: {what}" for key, what in mistakes]
    if lines:
        raise ValueError("\n".join(lines))


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_bool(cls, value: Any) -> Any:
        return _no_bool(value)


class Needs(_Model):
    """Needs of one Task of a Protocol, or of one ProtocolUnit of a class."""

    gpus: float = Field(0.0, ge=0, description="GPUs; 0.25 lets four share one")
    cores: int = Field(1, ge=1, description="cores, shared by its concurrent units")
    memory_bytes: Bytes | None = Field(None, alias="memory", description="as in 8GiB; unset: not counted")
    duration_s: Seconds | None = Field(
        None, alias="duration", description="expected duration, until results give a better estimate"
    )

    @property
    def resources(self) -> Resources:
        """Return the needs as resources."""
        return Resources(self.cores, self.memory_bytes, self.gpus)

    @model_validator(mode="after")
    def _can_be_had(self) -> Needs:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            _refuse([("gpus", f"{self.gpus} is neither a fraction of one GPU nor a whole number of GPUs")])
        return self


class Limits(_Model):
    """Limits on the use of a pool."""

    minimum: int = Field(0, ge=0, description="workers kept even without work")
    maximum: int = Field(
        10, ge=1, description="maximum number of workers (queue jobs, pods, slots of worker processes)"
    )
    soft: int | None = Field(
        None, ge=0, description="Tasks in flight above which only Tasks that no other pool can run are claimed"
    )
    hard: int | None = Field(None, ge=0, description="maximum number of Tasks in flight")
    submit_at_once: int = Field(20, ge=1, description="maximum number of jobs submitted per turn")

    @model_validator(mode="after")
    def _in_order(self) -> Limits:
        mistakes = []
        if self.minimum > self.maximum:
            mistakes.append(("minimum", f"{self.minimum} is above the maximum of {self.maximum}"))
        if self.soft is not None and self.hard is not None and self.soft > self.hard:
            mistakes.append(("soft", f"{self.soft} is above the hard limit of {self.hard}"))
        _refuse(mistakes)
        return self


class Burst(_Model):
    """When a rented pool may claim: exceeding any threshold opens it, the budget closes it."""

    backlog_gpu_hours: float | None = Field(None, gt=0, description="predicted GPU-hours of waiting Tasks")
    oldest_waiting_s: Seconds | None = Field(None, alias="oldest_waiting", description="age of the oldest waiting Task")
    budget_per_day: float | None = Field(None, ge=0, description="in the currency of cost_per_gpu_hour")

    @model_validator(mode="after")
    def _some_threshold(self) -> Burst:
        if self.backlog_gpu_hours is None and self.oldest_waiting_s is None and self.budget_per_day is None:
            raise ValueError("has no threshold; give backlog_gpu_hours, oldest_waiting or budget_per_day")
        return self


class Monitors(_Model):
    """Limits above which a worker that is already running something starts nothing more. Unset: not checked."""

    gpu_utilisation: float | None = Field(None, gt=0, le=1, description="fraction in use, averaged over the window")
    gpu_memory: float | None = Field(None, gt=0, le=1, description="fraction of the GPU's memory in use")
    memory: float | None = Field(None, gt=0, le=1, description="fraction of the host's memory in use")
    cpu: float | None = Field(None, gt=0, le=1, description="fraction of the host's CPU time in use")
    window_s: Seconds = Field(60.0, alias="window", description="averaging window")
    requeue_after_s: Seconds = Field(
        600.0, alias="requeue_after", description="a Task that has waited this long is requeued"
    )


class QuarantineRules(_Model):
    """When a host is quarantined, and for how long."""

    failures: int = Field(3, ge=1, description="fast failures without a success in between that lead to quarantine")
    window_s: Seconds = Field(3600.0, alias="window", description="older failures are ignored")
    fast_s: Seconds = Field(300.0, alias="fast", description="a failure within this time from the start is fast")
    penalty_s: Seconds = Field(
        600.0, alias="penalty", description="duration of the first quarantine; doubled for each further one"
    )
    longest_s: Seconds = Field(86400.0, alias="longest", description="maximum duration of a quarantine")
    penalty_expires_after_s: Seconds = Field(
        86400.0, alias="penalty_expires_after", description="time since a quarantine that halves the next penalty"
    )

    @model_validator(mode="after")
    def _in_order(self) -> QuarantineRules:
        mistakes = []
        if self.longest_s < self.penalty_s:
            mistakes.append(("longest", "is shorter than the first penalty"))
        if self.fast_s > self.window_s:
            mistakes.append(("fast", "is longer than the window in which failures are counted"))
        _refuse(mistakes)
        return self


#: Keys that only queues use, and keys that they require.
_OF_QUEUES: Final = ("queue", "account", "directives", "skip_directives", "interface", "log_folder", "disk_bytes")
_OF_QUEUES_NEEDED: Final = ("cores", "memory_bytes", "walltime_s")


def _key(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


class Pool(_Model):
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
        _refuse(
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


class Pools(_Model):
    """The whole file."""

    lake: str | None = Field(None, description="lake of the pools; --lake and ALCHEMISCALE_LAKE take precedence")
    pools: dict[PoolName, Pool] = Field(min_length=1, description="places to compute, by name")
    shares: dict[ScopePattern, Share] = Field(
        {},
        description="fractions of all running Tasks for Scopes, as in 0.5; other Scopes split the rest",
    )
    protocols: dict[ClassNameOrAny, Needs] = Field(
        {}, description="needs of a Task, by class of Protocol; `*`: of any unknown class"
    )
    units: dict[ClassName, Needs] = Field(
        {}, description="share of a Task's resources that a ProtocolUnit needs, by class of ProtocolUnit"
    )
    hosts: QuarantineRules = Field(QuarantineRules(), description="when a host is quarantined")

    def named(self, name: str, file: str = "the pools file") -> Pool:
        """Return a pool by its name.

        Parameters
        ----------
        name : str
            Name of the pool.
        file : str, default "the pools file"
            Name of the file, for the message.

        Raises
        ------
        SettingsError
            If there is none; the message, which begins with `file`, suggests the one that was probably meant.
        """
        if name not in self.pools:
            meant = did_you_mean(name, self.pools) or f"; it has {', '.join(self.pools)}"
            raise SettingsError(f"{file} has no pool {name!r}{meant}", pool=name)
        return self.pools[name]

    @field_validator("shares")
    @classmethod
    def _parts_of_a_whole(cls, shares: dict[str, float]) -> dict[str, float]:
        # a Scope's share may be divided among its campaigns, so only the widest are summed
        scopes = {name: Scope.parse(name) for name in shares}
        widest = [n for n, one in scopes.items() if not any(o != one and o.is_superset(one) for o in scopes.values())]
        whole = math.fsum(shares[name] for name in widest)
        if whole > 1.0 + _ROUNDING:
            raise ValueError(f"they add up to {whole:g}; give fractions of 1")
        return shares
