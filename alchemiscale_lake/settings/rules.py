"""Parts of a pools file: needs of Protocols, limits of a pool, thresholds, monitors, and quarantine of hosts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..resources import Resources
from .values import Bytes, Seconds, SettingsModel, refuse

__all__ = ["Burst", "Limits", "Monitors", "Needs", "QuarantineRules"]


class Needs(SettingsModel):
    """Needs of one Task of a Protocol, or of one ProtocolUnit of a class."""

    gpus: float = Field(0.0, ge=0, description="GPUs; 0.25 lets four share one")
    cores: int = Field(1, ge=1, description="cores, shared by its concurrent units")
    memory_bytes: Bytes | None = Field(None, alias="memory", description="as in 8GiB; unset: not counted")
    duration_s: Seconds | None = Field(
        None, alias="duration", description="expected duration, until results give a better estimate"
    )
    process: Literal["attempt", "unit"] = Field(
        "attempt", description="`unit`: a process for each unit of a Task, as with a GPU; no effect under `units`"
    )

    @property
    def resources(self) -> Resources:
        """Return the needs as resources."""
        return Resources(self.cores, self.memory_bytes, self.gpus)

    @model_validator(mode="after")
    def _can_be_had(self) -> Needs:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            refuse([("gpus", f"{self.gpus} is neither a fraction of one GPU nor a whole number of GPUs")])
        return self


class Limits(SettingsModel):
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
        refuse(mistakes)
        return self


class Burst(SettingsModel):
    """Thresholds of a rented pool: exceeding any of them lets it claim, until the budget is spent."""

    backlog_gpu_hours: float | None = Field(None, gt=0, description="predicted GPU-hours of waiting Tasks")
    oldest_waiting_s: Seconds | None = Field(None, alias="oldest_waiting", description="age of the oldest waiting Task")
    budget_per_day: float | None = Field(None, ge=0, description="in the currency of cost_per_gpu_hour")

    @model_validator(mode="after")
    def _some_threshold(self) -> Burst:
        if self.backlog_gpu_hours is None and self.oldest_waiting_s is None and self.budget_per_day is None:
            raise ValueError("has no threshold; give backlog_gpu_hours, oldest_waiting or budget_per_day")
        return self


class Monitors(SettingsModel):
    """Limits above which a worker that is already running something starts nothing more. Unset: not checked."""

    gpu_utilisation: float | None = Field(None, gt=0, le=1, description="fraction in use, averaged over the window")
    gpu_memory: float | None = Field(None, gt=0, le=1, description="fraction of the GPU's memory in use")
    memory: float | None = Field(None, gt=0, le=1, description="fraction of the host's memory in use")
    cpu: float | None = Field(None, gt=0, le=1, description="fraction of the host's CPU time in use")
    window_s: Seconds = Field(60.0, alias="window", description="averaging window")
    requeue_after_s: Seconds = Field(
        600.0, alias="requeue_after", description="a Task that has waited this long is requeued"
    )


class QuarantineRules(SettingsModel):
    """Rules for the quarantine of hosts."""

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
        refuse(mistakes)
        return self
