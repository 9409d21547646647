"""`alchemiscale-lake tasks`: list, create and change Tasks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..caller import Caller
from ..plurals import count, part
from ._errors import LakeGroup, put_out, say
from ._options import lake_option, refuse_before_subcommand, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    import polars as pl

    from ..statestore.task_operations import TaskOutcome
    from ..store import Lake

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., object])

_STATUSES = ("waiting", "running", "complete", "error", "invalid", "deleted")
_COLUMNS = ("task", "status", "priority", "transformation_name", "repeat", "pool", "attempt")


_status_option = click.option(
    "--status", type=click.Choice(_STATUSES), multiple=True, help="Only Tasks with this status."
)
_OPTIONS = (
    lake_option,
    scope_option,
    click.option("--network", default=None, help="Only Tasks of this network (name, ScopedKey or a prefix of it)."),
    _status_option,
    click.option("--transformation", default=None, help="Only Tasks of this Transformation (name or ScopedKey)."),
)


def _selection(command: F) -> F:
    """Add `lake`, `scope`, `network`, `status` and `transformation`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _retried(command: F) -> F:
    """Add `lake`, `scope`, `network` and `transformation`."""
    for option in reversed([option for option in _OPTIONS if option is not _status_option]):
        command = option(command)
    return command


_reason_option = click.option("--reason", default=None, help="Reason; kept in the log.")
_tasks_argument = click.argument("tasks", nargs=-1, metavar="[TASK]...")


@click.group("tasks", cls=LakeGroup, invoke_without_command=True)
@_selection
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Show at most N Tasks.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """List, create and change Tasks.

    Without a subcommand, Tasks are listed. Subcommands that change Tasks take ScopedKeys or names such as
    tyk2_a_b_complex-r0, `-` to read ScopedKeys from the first column of standard input, or the same filters;
    every Task that cannot be changed is printed with the reason.

    \b
    Examples:
      alchemiscale-lake tasks --network tyk2 --status error
      alchemiscale-lake tasks retry --network tyk2
    """
    if ctx.invoked_subcommand is None:
        _list(**options)
    else:
        refuse_before_subcommand(ctx, "lake", "scope")


@command.command("list")
@_selection
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Show at most N Tasks.")
@output_options
def list_command(**options: Any) -> None:
    """List Tasks."""
    _list(**options)


@command.command("show")
@click.argument("task")
@lake_option
def show_command(task: str, lake: str) -> None:
    """Show the history of a Task: created, claimed, attempts, decisions, results and files.

    TASK is a ScopedKey, the beginning of one, a name such as tyk2_a_b_complex-r0, or the id of an attempt.
    """
    from ..report.task_page import story_lines
    from ..statestore.task_attempts import find_task
    from ..statestore.task_story import task_story
    from ..store import Lake

    opened = Lake.open(lake)
    found, _ = find_task(opened, task)
    put_out("\n".join(story_lines(task_story(opened, found), shutil.get_terminal_size().columns)))


@command.command("stalled")
@lake_option
@scope_option
@click.option(
    "--quiet-for",
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="A running Task counts after this time without heartbeat, CPU use or writing.",
)
@output_options
def stalled_command(lake: str, scope: str | None, quiet_for: str, tsv: bool, output: str | None) -> None:
    """List Tasks that make no progress, and why.

    These are running Tasks without recent activity, and waiting Tasks that extend a failed Task or were released
    again and again.
    """
    from ..amounts import parse_seconds
    from ..query import require_scope
    from ..report import Table
    from ..statestore.stalled_tasks import stalled_tasks
    from ..store import Lake

    try:
        quiet_s = float(parse_seconds(quiet_for))
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="--quiet-for") from e
    opened = Lake.open(lake)
    require_scope(opened, scope)
    rows = stalled_tasks(opened, scope, quiet_s=quiet_s)
    table = replace(Table.of(rows), keep=("name", "why", "since", "hostname"))
    show_table(table, tsv=tsv, output=output, empty="every Task makes progress, or waits for its turn")


@command.command("create")
@click.option("--network", default=None, help="Network to create Tasks for.")
@click.option(
    "--transformation", "transformations", multiple=True, help="Create Tasks for this Transformation; may be repeated."
)
@click.option(
    "--tasks-per-transformation",
    "-t",
    "--count",
    "tasks_per_transformation",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of new Tasks per Transformation.",
)
@click.option("--extends", default=None, metavar="TASK", help="Task that the new Tasks extend.")
@click.option(
    "--action/--no-action", "actioned", default=True, show_default=True, help="Action the new Tasks on the network."
)
@lake_option
@scope_option
def create_command(
    network: str | None,
    transformations: tuple[str, ...],
    tasks_per_transformation: int,
    extends: str | None,
    actioned: bool,
    lake: str,
    scope: str | None,
) -> None:
    """Create Tasks and print their ScopedKeys.

    The new Tasks are additional; `submit --tasks-per-transformation` counts existing Tasks.
    """
    from ..query import find_network, require_scope
    from ..statestore.simulation_count import multiplied_repeats
    from ..statestore.task_operations import action_tasks, create_tasks, network_transformations
    from ..statestore.transformation_names import find_transformation
    from ..store import Lake

    opened, user = Lake.open(lake), Caller.this_user()
    if network is None and (actioned or not transformations):
        raise click.UsageError("give --network, or --transformation with --no-action")
    found = None if network is None else find_network(opened, network, scope=scope)
    wanted = transformations or (() if found is None else tuple(network_transformations(opened, found)))
    require_scope(opened, scope)
    keys = [find_transformation(opened, name, scope=scope) for name in wanted for _ in range(tasks_per_transformation)]
    created = create_tasks(opened, keys, extends=extends, caller=user)
    put_out("".join(f"{task}\n" for task in created), nl=False)
    if found is not None and actioned:
        _answer(action_tasks(opened, created, found, caller=user), "created and actioned")
    else:
        say(f"{count(len(created), 'Task')} created, not actioned")
    if found is not None and created and (multiplied := multiplied_repeats(opened, found)):
        say(multiplied)


@command.command("action")
@_tasks_argument
@_selection
@click.option("--weight", type=click.FloatRange(0, 1), default=None, help="Weight of the action.  [default: 0.5]")
@_reason_option
def action_command(tasks: tuple[str, ...], weight: float | None, reason: str | None, **selection: Any) -> None:
    """Action Tasks on --network, so that they can be claimed."""
    from ..statestore.task_operations import action_tasks

    lake, user, network, chosen = _chosen(tasks, selection, needs_network=True)
    _answer(action_tasks(lake, chosen, network, weight=weight, caller=user, reason=reason), "actioned")


@command.command("cancel")
@_tasks_argument
@_selection
@_reason_option
def cancel_command(tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Cancel Tasks on --network: they are no longer claimed for it, and keep their status."""
    from ..statestore.task_operations import cancel_tasks

    lake, user, network, chosen = _chosen(tasks, selection, needs_network=True)
    _answer(cancel_tasks(lake, chosen, network, caller=user, reason=reason), "cancelled")


@command.command("set-status")
@click.argument("to", type=click.Choice(["waiting", "invalid", "deleted"]))
@_tasks_argument
@_selection
@_reason_option
def set_status_command(to: str, tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set Tasks waiting, invalid or deleted; the last two also apply to every Task that extends them."""
    from ..statestore.task_operations import set_tasks_status

    lake, user, _, chosen = _chosen(tasks, selection)
    _answer(set_tasks_status(lake, chosen, to, caller=user, reason=reason), f"set {to}")


@command.command("retry")
@_tasks_argument
@_retried
@_reason_option
def retry_command(tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set Tasks in error waiting, so that `run` or `dispatch` runs them again: all in the lake, or those selected.

    \b
    Examples:
      alchemiscale-lake tasks retry
      alchemiscale-lake tasks retry --network tyk2
    """
    from ..statestore.task_operations import TaskOutcome, set_tasks_status

    lake, user, _, chosen = _chosen(tasks, {**selection, "status": ("error",)})
    if not chosen:
        say("no Task is in error")
        return
    # what runs would be taken from its worker
    states = lake.task_log.states().of(chosen)
    others = {task: state.status for task, state in states.items() if state.status != "error"}
    refused = [TaskOutcome(task, ok=False, reason=f"it is {status}, not in error") for task, status in others.items()]
    failed = [task for task in chosen if task not in others]
    done = set_tasks_status(lake, failed, "waiting", caller=user, reason=reason or "retry") if failed else []
    if any(outcome.ok for outcome in done):
        say("next: alchemiscale-lake dispatch")
    _answer([*done, *refused], "set waiting")


@command.command("set-priority")
@click.argument("priority", type=click.IntRange(min=1))
@_tasks_argument
@_selection
@_reason_option
def set_priority_command(priority: int, tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set the priority of Tasks; the lower number goes first."""
    from ..statestore.task_operations import set_tasks_priority

    lake, user, _, chosen = _chosen(tasks, selection)
    done = set_tasks_priority(lake, chosen, priority, caller=user, reason=reason)
    _answer(done, f"set to priority {priority}")


@command.command("set-weight")
@click.argument("weight", type=click.FloatRange(0, 1))
@_tasks_argument
@_selection
@_reason_option
def set_weight_command(weight: float, tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set the weight with which Tasks are actioned on --network; 0 gets no compute."""
    from ..statestore.task_operations import set_tasks_weight

    lake, user, network, chosen = _chosen(tasks, selection, needs_network=True)
    done = set_tasks_weight(lake, chosen, network, weight, caller=user, reason=reason)
    _answer(done, f"set to weight {weight}")


# --- shared helpers --------------------------------------------------------------------------------


def _list(*, lake: str, limit: int | None, tsv: bool, output: str | None, **selection: Any) -> None:
    from ..report import STATUS_STYLES, Table
    from ..store import Lake

    rows = _select(Lake.open(lake), **selection)
    shown = rows if limit is None else rows.head(limit)
    where = ("scope",) if shown["scope"].n_unique() > 1 else ()
    table = Table.of(shown.select(*_COLUMNS, *where))
    styled = Table(table.columns, table.rows, row_styles=tuple(STATUS_STYLES[status] for status in shown["status"]))
    show_table(styled, tsv=tsv, output=output)
    if len(shown) < len(rows):
        say(f"{part(len(shown), len(rows), 'Task')} shown")


def _select(
    lake: Lake, *, scope: str | None, network: str | None, status: Sequence[str], transformation: str | None
) -> pl.DataFrame:
    """Return the matching Tasks, sorted by Transformation and repeat."""
    import polars as pl

    from ..query import ask, connect_for, find_network, require_scope
    from ..statestore.task_names import repeat_numbers
    from ..statestore.task_operations import network_transformations
    from ..statestore.transformation_names import find_transformations

    require_scope(lake, scope)
    connection = connect_for(lake, "task_states", "transformations")
    rows = ask(connection, "task_states", scope=scope)
    names = connection.sql("select transformation, name as transformation_name from transformations").pl()
    rows = rows.join(repeat_numbers(lake).drop("transformation"), on="task", how="left")
    if status:
        rows = rows.filter(pl.col("status").is_in(status))
    if network is not None:
        members = network_transformations(lake, find_network(lake, network, scope=scope))
        rows = rows.filter(pl.col("transformation").is_in(members))
    rows = rows.join(names, on="transformation", how="left")
    if transformation is not None:
        rows = rows.filter(pl.col("transformation").is_in(find_transformations(lake, transformation, scope=scope)))
    return rows.sort("scope", "transformation_name", "transformation", "repeat", "task")


def _chosen(
    tasks: Sequence[str], selection: dict[str, Any], *, needs_network: bool = False
) -> tuple[Lake, Caller, str, list[str]]:
    """Return lake, user, network (or '') and the Tasks that were named, piped in or selected."""
    from ..query import find_network
    from ..store import Lake

    lake = Lake.open(selection.pop("lake"))
    network = ""
    if needs_network:
        network = find_network(lake, selection["network"], scope=selection["scope"])
    if "-" in tasks:
        lines = sys.stdin.read().splitlines()
        first_column = (line.split("\t")[0].strip() for line in lines)
        tasks = [word for word in first_column if word not in ("", "task")]  # skip the header of a piped table
    elif not tasks:
        if not any(selection.values()):
            raise click.UsageError("give Tasks, or select them with --network, --status, --transformation or --scope")
        tasks = _select(lake, **selection)["task"].to_list()
    else:
        tasks = _found(lake, tasks)
    return lake, Caller.this_user(), network, list(dict.fromkeys(tasks))


def _found(lake: Lake, words: Sequence[str]) -> list[str]:
    """Return the ScopedKeys of Tasks named on the command line; a misspelt one is an error before anything changes."""
    from ..statestore.task_attempts import find_task

    known = lake.task_log.states().of(words)
    return [word if word in known else find_task(lake, word)[0] for word in words]


def _answer(outcomes: Sequence[TaskOutcome], done: str) -> None:
    """Print the outcome for the Tasks; exit with 1 if any was refused."""
    refused = [outcome for outcome in outcomes if not outcome.ok]
    say(f"{part(len(outcomes) - len(refused), len(outcomes), 'Task')} {done}")
    for outcome in refused:
        say(f"  {outcome.task}: {outcome.reason}")
    if refused:
        click.get_current_context().exit(1)
