"""`alchemiscale-lake networks`: list networks, set their state and weight, have failures restarted.

Copies, merges and the history of networks are in `_living_networks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..caller import Caller
from ..plurals import count
from ._errors import LakeGroup, say
from ._living_networks import LIVING_COMMANDS
from ._options import is_on_command_line, lake_option, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..store import Lake

__all__ = ["command"]

_STATES = ("active", "inactive", "invalid", "deleted")
_network_argument = click.argument("network")
_networks_argument = click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
_pattern_option = click.option(
    "--pattern", "patterns", multiple=True, required=True, help="Regular expression; may be repeated."
)
_max_option = click.option(
    "--max", "most", type=click.IntRange(min=1), required=True, metavar="N", help="Maximum number of restarts per Task."
)
_reason_option = click.option("--reason", default=None, help="Reason; kept in the log.")


F = TypeVar("F", bound=Callable[..., object])


def _list_options(command: F) -> F:
    """Add `states`, `lake`, `scope`, `tsv` and `output`."""
    states = click.option(
        "--state", "states", type=click.Choice(_STATES), multiple=True, help="Only networks in this state."
    )
    for option in (output_options, scope_option, lake_option, states):
        command = option(command)
    return command


@click.group("networks", cls=LakeGroup, invoke_without_command=True)
@_list_options
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """List networks, set their state and weight, copy, merge and grow them.

    Without a subcommand, networks are listed. A network is given by its name, its ScopedKey, or a prefix of the
    ScopedKey.

    \b
    Examples:
      alchemiscale-lake networks list
      alchemiscale-lake networks set-state tyk2 inactive --reason "wrong protonation"
      alchemiscale-lake networks restart-patterns add tyk2 --pattern CUDA_ERROR --max 3
      alchemiscale-lake networks copy tyk2 --to org-campaign-archive
      alchemiscale-lake networks history tyk2
    """
    if ctx.invoked_subcommand is None:
        _list(**options)
    elif any(is_on_command_line(ctx, name) for name in options):
        raise click.UsageError(f"put the options after '{ctx.invoked_subcommand}'")


@command.command("list")
@_list_options
def list_command(**options: Any) -> None:
    """List networks in any state, including deleted ones.

    \b
    Example:
      alchemiscale-lake networks list --state inactive
    """
    _list(**options)


@command.command("set-state")
@_networks_argument
@click.argument("state", type=click.Choice(_STATES), metavar="STATE")
@_reason_option
@lake_option
@scope_option
def set_state_command(networks: tuple[str, ...], state: str, reason: str | None, lake: str, scope: str | None) -> None:
    """Set networks active, inactive, invalid or deleted.

    Tasks are claimed from active networks only. Running Tasks that no active network needs any more are
    released, and their workers stop within seconds. Nothing is erased: any state can be set again.

    \b
    Example:
      alchemiscale-lake networks set-state tyk2 mcl1 inactive
    """
    from ..statestore.network_state import set_network_state

    opened, found = _find(lake, networks, scope)
    stopped = set_network_state(opened, found, state, caller=Caller.this_user(), reason=reason)
    say(f"{count(len(found), 'network')} set {state}")
    if stopped:
        say(f"{count(len(stopped), 'running Task')} stopped and released")


@command.command("set-weight")
@_networks_argument
@click.argument("weight", type=click.FloatRange(0, 1))
@_reason_option
@lake_option
@scope_option
def set_weight_command(
    networks: tuple[str, ...], weight: float, reason: str | None, lake: str, scope: str | None
) -> None:
    """Set the relative weight of networks; 0 gets no new compute, and running Tasks continue.

    \b
    Example:
      alchemiscale-lake networks set-weight tyk2 0.9
    """
    from ..statestore.network_state import set_network_weight

    opened, found = _find(lake, networks, scope)
    set_network_weight(opened, found, weight, caller=Caller.this_user(), reason=reason)
    say(f"{count(len(found), 'network')} set to weight {weight}")


@command.group("restart-patterns", cls=LakeGroup)
def restart_patterns() -> None:
    """Restart Tasks whose failures match a pattern.

    Patterns are regular expressions, searched for in the tracebacks of a Task's latest failure. Every match
    counts as one restart for that pattern and Task. A Task is restarted until a matching pattern has reached
    its maximum; then, or if no pattern matches, it is cancelled on the network and stays in error.
    """


@restart_patterns.command("list")
@_network_argument
@lake_option
@scope_option
@output_options
def list_patterns_command(network: str, lake: str, scope: str | None, tsv: bool, output: str | None) -> None:
    """List the restart patterns of a network, and the restarts they caused.

    \b
    Example:
      alchemiscale-lake networks restart-patterns list tyk2
    """
    from ..report.networks import restart_patterns_table

    opened, (found,) = _find(lake, [network], scope)
    show_table(restart_patterns_table(opened, found), tsv=tsv, output=output)


@restart_patterns.command("add")
@_network_argument
@_pattern_option
@_max_option
@lake_option
@scope_option
def add_patterns_command(network: str, patterns: tuple[str, ...], most: int, lake: str, scope: str | None) -> None:
    """Add restart patterns, and apply them to Tasks in error at once.

    A pattern that already exists gets the new maximum, and its count restarts from zero.

    \b
    Example:
      alchemiscale-lake networks restart-patterns add tyk2 --pattern "CUDA_ERROR|NaN" --max 3
    """
    from ..statestore.restarts import add_task_restart_patterns

    opened, (found,) = _find(lake, [network], scope)
    decisions = add_task_restart_patterns(opened, found, patterns, most, caller=Caller.this_user())
    restarted = {d.task for d in decisions if d.kind == "restarted"}
    cancelled = {d.task for d in decisions if d.kind == "cancelled"} - restarted
    say(f"{count(len(set(patterns)), 'pattern')} added")
    if decisions:
        say(f"of the Tasks in error, {len(restarted)} restarted and {len(cancelled)} cancelled")


@restart_patterns.command("set")
@_network_argument
@_pattern_option
@_max_option
@lake_option
@scope_option
def set_patterns_command(network: str, patterns: tuple[str, ...], most: int, lake: str, scope: str | None) -> None:
    """Change the maximum number of restarts of patterns; their counts are kept.

    \b
    Example:
      alchemiscale-lake networks restart-patterns set tyk2 --pattern NaN --max 5
    """
    from ..statestore.restarts import set_task_restart_patterns_allowed_restarts

    opened, (found,) = _find(lake, [network], scope)
    changed = set_task_restart_patterns_allowed_restarts(opened, found, patterns, most, caller=Caller.this_user())
    _answer(patterns, changed, "changed")


@restart_patterns.command("remove")
@_network_argument
@_pattern_option
@lake_option
@scope_option
def remove_patterns_command(network: str, patterns: tuple[str, ...], lake: str, scope: str | None) -> None:
    """Remove restart patterns.

    \b
    Example:
      alchemiscale-lake networks restart-patterns remove tyk2 --pattern NaN
    """
    from ..statestore.restarts import remove_task_restart_patterns

    opened, (found,) = _find(lake, [network], scope)
    _answer(patterns, remove_task_restart_patterns(opened, found, patterns, caller=Caller.this_user()), "removed")


@restart_patterns.command("clear")
@_network_argument
@lake_option
@scope_option
def clear_patterns_command(network: str, lake: str, scope: str | None) -> None:
    """Remove all restart patterns of a network. Failed Tasks stay in error and actioned.

    \b
    Example:
      alchemiscale-lake networks restart-patterns clear tyk2
    """
    from ..statestore.restarts import clear_task_restart_patterns

    opened, (found,) = _find(lake, [network], scope)
    removed = clear_task_restart_patterns(opened, found, caller=Caller.this_user())
    say(f"{count(len(removed), 'pattern')} removed")


for living in LIVING_COMMANDS:
    command.add_command(living)


# --- shared helpers --------------------------------------------------------------------------------


def _list(states: tuple[str, ...], lake: str, scope: str | None, tsv: bool, output: str | None) -> None:
    from ..query import require_scope
    from ..report.networks import networks_table
    from ..store import Lake

    opened = Lake.open(lake)
    require_scope(opened, scope)
    table = networks_table(opened, scope, states)
    show_table(table, tsv=tsv, output=output, counted=count(len(table.rows), "network"), empty="no networks")


def _find(lake: str, networks: Sequence[str], scope: str | None) -> tuple[Lake, list[str]]:
    from ..query import find_network
    from ..store import Lake

    opened = Lake.open(lake)
    return opened, list(dict.fromkeys(find_network(opened, name, scope=scope) for name in networks))


def _answer(asked: Sequence[str], done: Sequence[str], what: str) -> None:
    """Print the outcome for the patterns; exit with 1 if the network lacks any of them."""
    missing = sorted(set(asked) - set(done))
    say(f"{count(len(done), 'pattern')} {what}")
    for pattern in missing:
        say(f"  {pattern!r} is not a restart pattern of this network")
    if missing:
        click.get_current_context().exit(1)
