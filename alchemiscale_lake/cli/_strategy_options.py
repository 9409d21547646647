"""Options of a Strategy: its settings and limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

__all__ = ["plan_options", "settings_of", "settings_option"]

#: `settings: tuple[str, ...]`
settings_option = click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Setting of the Strategy, its value as JSON or text; may be repeated.",
)


def plan_options(command: Any) -> Any:
    """Add the limits of a Strategy: fields of `rounds.StrategyPlan`."""
    hours, tasks = click.FloatRange(min=0, min_open=True), click.IntRange(min=1)
    options = (
        click.option(
            "--mode",
            type=click.Choice(["full", "partial", "disabled"]),
            default="partial",
            show_default=True,
            help="Create and action Tasks (partial); also cancel those of finished Transformations (full).",
        ),
        click.option(
            "--budget", "budget_gpu_hours", type=hours, metavar="GPU-HOURS",
            help="Maximum GPU-hours for the network.",
        ),
        click.option(
            "--scope-budget", "scope_budget_gpu_hours", type=hours, metavar="GPU-HOURS",
            help="Maximum GPU-hours for the Scope.",
        ),
        click.option(
            "--daily-budget", "gpu_hours_per_day", type=hours, metavar="GPU-HOURS",
            help="Maximum GPU-hours in any 24 hours.",
        ),
        click.option(
            "--max-tasks-per-transformation", type=tasks, metavar="N",
            help="Maximum number of results and Tasks in flight per Transformation.",
        ),
        click.option(
            "--max-tasks-per-network", type=tasks, metavar="N", help="Maximum number of Tasks in flight at a time."
        ),
        click.option(
            "--max-tasks-per-round", type=tasks, metavar="N", help="Maximum number of Tasks that a round creates."
        ),
        click.option(
            "--task-scaling",
            type=click.Choice(["proportional", "linear", "exponential"]),
            default="proportional",
            show_default=True,
            help="Scaling of weights to numbers of Tasks.",
        ),
        click.option(
            "--interval", "interval_s", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
            help="Minimum time between two rounds.",
        ),
        click.option(
            "--time-limit",
            "time_limit_s",
            type=click.FloatRange(min=0, min_open=True),
            default=600.0,
            show_default=True,
            metavar="SECONDS",
            help="Time that a Strategy from a file may take to decide.",
        ),
        click.option(
            "--errors-to-freeze", type=tasks, default=1, show_default=True, metavar="N",
            help="Number of Tasks in error at which a Transformation gets no more.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(given: Sequence[str]) -> dict[str, Any]:
    """Return settings from NAME=VALUE; a value that is not JSON is text."""
    settings: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--setting takes NAME=VALUE, not {one!r}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings
