"""`alchemiscale-lake tasks`: list, create and change Tasks."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..caller import Caller
from ..plurals import count, part
from ._errors import LakeGroup, put_out, say
from ._options import commands_here, lake_option, refuse_before_subcommand, scope_option
from ._show import output_options, show_table
from ._task_selection import chosen_tasks, retry_options, select_tasks, selection_options

if TYPE_CHECKING:
    from ..statestore.task_operations import TaskOutcome

__all__ = ["command"]

_COLUMNS = ("task", "status", "priority", "transformation_name", "repeat", "pool", "attempt")
_reason_option = click.option("--reason", default=None, help="Reason; kept in the log.")
_tasks_argument = click.argument("tasks", nargs=-1, metavar="[TASK]...")


@click.group("tasks", cls=LakeGroup, invoke_without_command=True)
@selection_options
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
@selection_options
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Show at most N Tasks.")
@output_options
def list_command(**options: Any) -> None:
    """List Tasks.

    \b
    Example:
      alchemiscale-lake tasks list --network tyk2 --status running
    """
    _list(**options)


@command.command("show")
@click.argument("task")
@lake_option
def show_command(task: str, lake: str) -> None:
    """Show the history of a Task: created, claimed, attempts, decisions, results and files.

    TASK is a ScopedKey, the beginning of one, a name such as tyk2_a_b_complex-r0, or the id of an attempt.

    \b
    Example:
      alchemiscale-lake tasks show tyk2_a_b_complex-r0
    """
    from ..report.task_page import story_lines
    from ..statestore.task_attempts import find_task
    from ..statestore.task_story import task_story
    from ..store import Lake

    opened = Lake.open(lake)
    found, _ = find_task(opened, task)
    lines = story_lines(task_story(opened, found), shutil.get_terminal_size().columns)
    put_out("\n".join(commands_here(lines)))


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

    \b
    Example:
      alchemiscale-lake tasks stalled --quiet-for 2h
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

    \b
    Example:
      alchemiscale-lake tasks create --network tyk2 --transformation a_b_complex --tasks-per-transformation 2
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
@selection_options
@click.option("--weight", type=click.FloatRange(0, 1), default=None, help="Weight of the action.  [default: 0.5]")
@_reason_option
def action_command(tasks: tuple[str, ...], weight: float | None, reason: str | None, **selection: Any) -> None:
    """Action Tasks on --network, so that they can be claimed.

    \b
    Example:
      alchemiscale-lake tasks action --network tyk2 --status waiting
    """
    from ..statestore.task_operations import action_tasks

    lake, user, network, chosen = chosen_tasks(tasks, selection, needs_network=True)
    _answer(action_tasks(lake, chosen, network, weight=weight, caller=user, reason=reason), "actioned")


@command.command("cancel")
@_tasks_argument
@selection_options
@_reason_option
def cancel_command(tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Cancel Tasks on --network: they are no longer claimed for it, and keep their status.

    \b
    Example:
      alchemiscale-lake tasks cancel --network tyk2 tyk2_a_b_complex-r0
    """
    from ..statestore.task_operations import cancel_tasks

    lake, user, network, chosen = chosen_tasks(tasks, selection, needs_network=True)
    _answer(cancel_tasks(lake, chosen, network, caller=user, reason=reason), "cancelled")


@command.command("set-status")
@click.argument("to", type=click.Choice(["waiting", "invalid", "deleted"]))
@_tasks_argument
@selection_options
@_reason_option
def set_status_command(to: str, tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set Tasks waiting, invalid or deleted; the last two also apply to every Task that extends them.

    \b
    Example:
      alchemiscale-lake tasks set-status invalid tyk2_a_b_complex-r0 --reason "wrong charges"
    """
    from ..statestore.task_operations import set_tasks_status

    lake, user, _, chosen = chosen_tasks(tasks, selection)
    _answer(set_tasks_status(lake, chosen, to, caller=user, reason=reason), f"set {to}")


@command.command("retry")
@_tasks_argument
@retry_options
@_reason_option
def retry_command(tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set Tasks in error waiting, so that `run` or `dispatch` runs them again: all in the lake, or those selected.

    \b
    Examples:
      alchemiscale-lake tasks retry
      alchemiscale-lake tasks retry --network tyk2
    """
    from ..statestore.task_operations import TaskOutcome, set_tasks_status

    lake, user, _, chosen = chosen_tasks(tasks, {**selection, "status": ("error",)})
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
@selection_options
@_reason_option
def set_priority_command(priority: int, tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set the priority of Tasks; the lower number goes first.

    \b
    Example:
      alchemiscale-lake tasks set-priority 1 --network tyk2 --status waiting
    """
    from ..statestore.task_operations import set_tasks_priority

    lake, user, _, chosen = chosen_tasks(tasks, selection)
    done = set_tasks_priority(lake, chosen, priority, caller=user, reason=reason)
    _answer(done, f"set to priority {priority}")


@command.command("set-weight")
@click.argument("weight", type=click.FloatRange(0, 1))
@_tasks_argument
@selection_options
@_reason_option
def set_weight_command(weight: float, tasks: tuple[str, ...], reason: str | None, **selection: Any) -> None:
    """Set the weight with which Tasks are actioned on --network; 0 gets no compute.

    \b
    Example:
      alchemiscale-lake tasks set-weight 0.9 --network tyk2 --transformation a_b_complex
    """
    from ..statestore.task_operations import set_tasks_weight

    lake, user, network, chosen = chosen_tasks(tasks, selection, needs_network=True)
    done = set_tasks_weight(lake, chosen, network, weight, caller=user, reason=reason)
    _answer(done, f"set to weight {weight}")


# --- shared helpers --------------------------------------------------------------------------------


def _list(*, lake: str, limit: int | None, tsv: bool, output: str | None, **selection: Any) -> None:
    from ..report import STATUS_STYLES, Table
    from ..store import Lake

    rows = select_tasks(Lake.open(lake), **selection)
    shown = rows if limit is None else rows.head(limit)
    where = ("scope",) if shown["scope"].n_unique() > 1 else ()
    table = Table.of(shown.select(*_COLUMNS, *where))
    styled = Table(table.columns, table.rows, row_styles=tuple(STATUS_STYLES[status] for status in shown["status"]))
    show_table(styled, tsv=tsv, output=output)
    if len(shown) < len(rows):
        say(f"{part(len(shown), len(rows), 'Task')} shown")


def _answer(outcomes: Sequence[TaskOutcome], done: str) -> None:
    """Print the outcome for the Tasks; exit with 1 if any was refused."""
    refused = [outcome for outcome in outcomes if not outcome.ok]
    say(f"{part(len(outcomes) - len(refused), len(outcomes), 'Task')} {done}")
    for outcome in refused:
        say(f"  {outcome.task}: {outcome.reason}")
    if refused:
        click.get_current_context().exit(1)
