"""Pools, policy and limits, as an operator writes them in `pools.yaml`.

Frozen models that refuse unknown keys. Reading the file, and telling the line of a mistake, is in
`pools_file.py`; what the numbers lead to is decided in `tasks/` and `ledger/`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from .errors import LakeError
from .ids import Scope
from .resources import Resources

__all__ = [
    "JOBQUEUE_KINDS",
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

PoolKind = Literal["local", "slurm", "pbs", "lsf", "sge", "htcondor", "oar", "moab", "work-pool"]
#: Kinds whose workers are jobs of a queue, one per class of dask-jobqueue.
JOBQUEUE_KINDS: Final = tuple(kind for kind in get_args(PoolKind) if kind not in ("local", "work-pool"))

_SECONDS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}


def _parse_seconds(value: Any) -> Any:
    """Accept seconds, `90s`, `30m`, `24h`, `2d`, `1h30m`, or a queue's `HH:MM:SS` and `D-HH:MM:SS`."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    clock = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d{2}):(\d{2})", text)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd])", text)
    if parts and re.fullmatch(r"(?:\d+(?:\.\d+)?\s*(?:min|[smhd])\s*)+", text):
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError as e:
        raise ValueError(f"{value!r} is no duration; write 90s, 30m, 24h, 2d, 1h30m or 24:00:00") from e


def _parse_bytes(value: Any) -> Any:
    """Accept bytes, or `500 MB`, `16 GiB`, `16G`."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?", value.strip().lower())
    if not found:
        raise ValueError(f"{value!r} is no amount of memory; write 16GiB, 16GB or a number of bytes")
    return int(float(found[1]) * _BYTES[found[2]])


def _parse_scope(value: Any) -> Any:
    try:
        return str(Scope.parse(value))
    except LakeError as e:
        raise ValueError(str(e)) from e


Seconds = Annotated[float, BeforeValidator(_parse_seconds), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(_parse_bytes), Field(gt=0)]
ScopePattern = Annotated[str, BeforeValidator(_parse_scope)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, populate_by_name=True)


class Needs(_Model):
    """What one Task of a Protocol, or one ProtocolUnit of a class, takes."""

    gpus: float = Field(0.0, ge=0, description="GPUs; 0.25 lets four share one")
    cores: int = Field(1, ge=1)
    memory_bytes: Bytes | None = Field(None, alias="memory", description="as in 8GiB; unset: not counted")
    duration_s: Seconds | None = Field(None, alias="duration", description="declared, until results tell better")

    @property
    def resources(self) -> Resources:
        """As resources."""
        return Resources(self.cores, self.memory_bytes, self.gpus)


class Limits(_Model):
    """How much of a pool is used."""

    minimum: int = Field(0, ge=0, description="workers kept although there is no work")
    maximum: int = Field(10, ge=1, description="workers (queue jobs, pods, worker processes' slots) at most")
    soft: int | None = Field(None, ge=0, description="Tasks in flight beyond which only Tasks no other pool takes come")
    hard: int | None = Field(None, ge=0, description="Tasks in flight at most")
    submit_at_once: int = Field(20, ge=1, description="jobs submitted per turn at most")


class Burst(_Model):
    """When a rented pool may claim: any threshold passed opens it, the budget closes it."""

    backlog_gpu_hours: float | None = Field(None, gt=0, description="predicted GPU-hours that wait")
    oldest_waiting_s: Seconds | None = Field(None, alias="oldest_waiting", description="age of the oldest waiting Task")
    budget_per_day: float | None = Field(None, ge=0, description="in the currency of cost_per_gpu_hour")

    @model_validator(mode="after")
    def _some_threshold(self) -> Burst:
        if self.backlog_gpu_hours is None and self.oldest_waiting_s is None and self.budget_per_day is None:
            raise ValueError("burst names no threshold; give backlog_gpu_hours, oldest_waiting or budget_per_day")
        return self


class Monitors(_Model):
    """When a worker that already runs something starts nothing beside it. Unset: not looked at."""

    gpu_utilisation: float | None = Field(None, gt=0, le=1, description="fraction in use, averaged over the window")
    gpu_memory: float | None = Field(None, gt=0, le=1)
    memory: float | None = Field(None, gt=0, le=1)
    cpu: float | None = Field(None, gt=0, le=1)
    window_s: Seconds = Field(60.0, alias="window")
    give_back_after_s: Seconds = Field(
        600.0, alias="give_back_after", description="a Task that waited so long goes back"
    )


class QuarantineRules(_Model):
    """When a host is held to be bad, and for how long."""

    failures: int = Field(3, ge=1, description="fast failures, without a success between, that lead to quarantine")
    window_s: Seconds = Field(3600.0, alias="window", description="within so long")
    fast_s: Seconds = Field(300.0, alias="fast", description="a failure within this time of the start is fast")
    penalty_s: Seconds = Field(600.0, alias="penalty", description="the first quarantine; each further one doubles")
    longest_s: Seconds = Field(86400.0, alias="longest")
    forgive_after_s: Seconds = Field(
        86400.0, alias="forgive_after", description="good conduct that halves the next penalty"
    )


class Pool(_Model):
    """One place to compute."""

    kind: PoolKind
    # one worker: a queue job, a pod, or this machine
    cores: int | None = Field(None, ge=1, description="of one worker; local: all cores of this machine, else 1")
    memory_bytes: Bytes | None = Field(None, alias="memory")
    gpus: int = Field(0, ge=0)
    walltime_s: Seconds | None = Field(None, alias="walltime", description="of one queue job or pod")
    queue: str | None = Field(None, description="partition or queue")
    account: str | None = Field(None, description="account or project that is charged")
    environment: tuple[str, ...] = Field((), description="shell lines that a job runs first: modules, activation")
    directives: tuple[str, ...] = Field((), description="further directives of the queue, as in --gres=gpu:1")
    interface: str | None = Field(None, description="network interface that compute nodes reach the dispatcher by")
    python: str | None = Field(None, description="Python on the compute nodes; this one, by default")
    work_root: str | None = Field(None, description="folder for work in progress; on a queue, one that all nodes share")
    log_folder: str | None = Field(None, description="where queue jobs write their output")
    work_pool: str | None = Field(None, description="name of the Prefect work pool")
    # what and how much
    limits: Limits = Limits()
    scopes: tuple[ScopePattern, ...] = ()
    exclude_scopes: tuple[ScopePattern, ...] = ()
    protocols: tuple[str, ...] = Field((), description="classes of Protocols; empty: all")
    exclude_protocols: tuple[str, ...] = ()
    tasks_per_job: int = Field(1, ge=1, description="Tasks handed to one job in single shot, or to one flow run")
    # policy
    priority: int = Field(10, ge=1, description="lower goes first: owned compute before rented")
    cost_per_gpu_hour: float = Field(0.0, ge=0)
    burst: Burst | None = Field(None, description="only past these thresholds; unset: baseload")
    # care
    heartbeat_s: Seconds = Field(
        20.0, alias="heartbeat", description="how often claims and cancellations are looked at"
    )
    lease_s: Seconds = Field(300.0, alias="lease", description="a claim without news for so long is given up")
    idle_s: Seconds = Field(300.0, alias="idle", description="a worker without work ends after so long")
    retire_before_s: Seconds = Field(
        300.0, alias="retire_before", description="Tasks are stopped so long before walltime"
    )
    timeout_s: Seconds | None = Field(None, alias="timeout", description="an attempt that takes longer fails")
    stuck_after_s: Seconds | None = Field(
        None, alias="stuck_after", description="a unit without progress for so long is ended"
    )
    unit_retries: int = Field(1, ge=0)
    monitors: Monitors = Monitors()

    @property
    def capacity(self) -> Resources:
        """Of one worker. The cores of a local pool that names none are those of this machine."""
        return Resources(self.cores or 1, self.memory_bytes, float(self.gpus))

    @field_validator(
        "scopes", "exclude_scopes", "protocols", "exclude_protocols", "environment", "directives", mode="before"
    )
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Pool:
        if (self.work_pool is None) == (self.kind == "work-pool"):
            raise ValueError("work_pool is named for kind work-pool, and only there")
        if self.kind in JOBQUEUE_KINDS:
            missing = [
                n
                for n, v in (("cores", self.cores), ("memory", self.memory_bytes), ("walltime", self.walltime_s))
                if v is None
            ]
            if missing:
                raise ValueError(f"a {self.kind} pool needs {', '.join(missing)}: its queue wants to know")
        if self.kind not in JOBQUEUE_KINDS:
            given = [n for n in ("queue", "account", "directives", "interface", "log_folder") if getattr(self, n)]
            if given:
                raise ValueError(f"{', '.join(given)} mean nothing to a {self.kind} pool; remove them")
        if self.limits.minimum > self.limits.maximum:
            raise ValueError("limits.minimum is above limits.maximum")
        if self.walltime_s is not None and self.retire_before_s >= self.walltime_s:
            raise ValueError("retire_before is not shorter than walltime: no Task would ever run")
        return self


class Pools(_Model):
    """The whole file."""

    lake: str | None = Field(None, description="the lake the pools work for; --lake and ALCHEMISCALE_LAKE win")
    pools: dict[str, Pool] = Field(min_length=1)
    shares: dict[ScopePattern, float] = Field({}, description="parts of all running Tasks that Scopes are entitled to")
    protocols: dict[str, Needs] = Field({}, description="needs by class of Protocol")
    units: dict[str, Needs] = Field({}, description="needs by class of ProtocolUnit, within its Task's")
    hosts: QuarantineRules = QuarantineRules()
