"""A network's Strategy with its limits, as stored in the log of networks."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import StrategyError

__all__ = ["MODES", "OURS", "StrategyPlan"]

#: Modules of Strategies that ship with this package.
OURS = f"{__name__.partition('.')[0]}.strategies."

Mode = Literal["full", "partial", "disabled"]
TaskScaling = Literal["proportional", "linear", "exponential"]

#: Modes in the order of how much a Strategy may do.
MODES: tuple[Mode, ...] = ("disabled", "partial", "full")


class StrategyPlan(BaseModel):
    """Strategy of a network, and its limits.

    Examples
    --------
    >>> StrategyPlan(strategy="fixed-repeats", settings={"repeats": 3}, digest="").mode
    'partial'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: str = Field(
        description="Name of an installed Strategy, `file.py:Name` of a user's own, or `package.module:Name`."
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="Its settings; defaults for those not named.")
    code: str | None = Field(default=None, description="Text of the user's file, which is what runs.")
    digest: str = Field(description="SHA-256 of code and settings.")
    needs_objects: bool = Field(default=False, description="Whether it decides on gufe objects, as stratocaster's do.")
    mode: Mode = Field(
        default="partial",
        description="`partial` creates and actions Tasks; `full` also cancels Tasks of finished Transformations; "
        "`disabled` does nothing.",
    )
    max_tasks_per_transformation: int | None = Field(
        default=None, ge=1, description="Most results and Tasks in flight of a Transformation."
    )
    max_tasks_per_network: int | None = Field(default=None, ge=1, description="Most Tasks in flight at a time.")
    max_tasks_per_round: int | None = Field(default=None, ge=1, description="Most Tasks that one round asks for.")
    task_scaling: TaskScaling = Field(
        default="proportional",
        description="How weights become numbers of Tasks. `proportional`: those of a round are shared in proportion; "
        "`linear` and `exponential`: the formulas of alchemiscale with weights relative to the largest, which need "
        "`max_tasks_per_transformation`.",
    )
    budget_gpu_hours: float | None = Field(default=None, gt=0, description="Most that the network may cost.")
    scope_budget_gpu_hours: float | None = Field(
        default=None, gt=0, description="Most that all networks of its Scope may cost together."
    )
    gpu_hours_per_day: float | None = Field(
        default=None, gt=0, description="Most that its results of 24 hours and its Tasks in flight may cost."
    )
    interval_s: float = Field(default=0.0, ge=0, description="Least time between two rounds, s.")
    errors_to_freeze: int = Field(
        default=1, ge=1, description="Tasks in error from which a Transformation gets no more."
    )
    time_limit_s: float = Field(default=600.0, gt=0, description="Time that a round may take to decide, s.")

    @classmethod
    def parse(cls, text: str) -> StrategyPlan:
        """Read a stored plan.

        Raises
        ------
        StrategyError
            If a newer version wrote what this one does not know.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as e:
            first = e.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise StrategyError(f"the network's Strategy cannot be read: {where}: {first['msg']}; set it again") from e
