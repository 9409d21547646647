"""`alchemiscale-lake networks`: list networks, set state and weight, link nodes, have failures restarted.

Copies, merges and the growth of networks are in `_living_networks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..caller import Caller
from ..plurals import count
from ._errors import LakeGroup, say
from ._grow import grow_command
from ._living_networks import LIVING_COMMANDS
from ._options import group_lake_option, group_scope_option, lake_option, refuse_before_subcommand, scope_option
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
    """List networks, set their state and weight, link their nodes, copy, merge and grow them.

    Without a subcommand, networks are listed. A network is given by its name, its ScopedKey, or a prefix of the
    ScopedKey.

    \b
    Examples:
      alchemiscale-lake networks list
      alchemiscale-lake networks set-state tyk2 inactive --reason "wrong protonation"
      alchemiscale-lake networks restart-patterns add tyk2 --pattern CUDA_ERROR --max 3
      alchemiscale-lake networks copy tyk2 --to org-campaign-archive
      alchemiscale-lake networks growth tyk2
      alchemiscale-lake networks grow tyk2 --from designs --scope org-campaign-project
    """
    if ctx.invoked_subcommand is None:
        _list(**options)
    else:
        refuse_before_subcommand(ctx, "lake", "scope")


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


@command.command("link")
@_network_argument
@click.argument("nodes", nargs=-1, metavar="[NODE NODE]")
@click.option("--offset", type=float, default=0.0, show_default=True, metavar="KCAL_MOL", help="Second minus first.")
@click.option(
    "--uncertainty", type=click.FloatRange(min=0), default=None, metavar="KCAL_MOL", help="Its standard error."
)
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default=None,
    show_default="all that the network has for both nodes",
    help="What the nodes measure.",
)
@click.option("--withdraw", is_flag=True, help="Withdraw the link; it is kept in the log.")
@click.option("--list", "listed", is_flag=True, help="List the links of the network's Scope.")
@_reason_option
@lake_option
@scope_option
@output_options
def link_command(
    network: str,
    nodes: tuple[str, ...],
    offset: float,
    uncertainty: float | None,
    kind: str | None,
    withdraw: bool,
    listed: bool,
    reason: str | None,
    lake: str,
    scope: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Declare the difference between two nodes of a network that no Transformation computes.

    An example is one ligand in two structures of a protein. Nodes are ligands as `gather` prints them. The next
    `gather` uses the link like an edge, in every network of the Scope that has both nodes, until an edge
    between them has a result.

    \b
    Examples:
      alchemiscale-lake networks link tyk2 "lig_1 in ProteinComponent-1a2b3c4d" \\
        "lig_1 in ProteinComponent-5e6f7a8b" --uncertainty 0.3
      alchemiscale-lake networks link tyk2 lig_1 lig_9 --offset -0.4 --uncertainty 0.5
      alchemiscale-lake networks link tyk2 lig_1 lig_9 --withdraw
      alchemiscale-lake networks link tyk2 --list
    """
    from ..estimates.links import declare_link, withdraw_link
    from ..ids import ScopedKey

    if listed + withdraw + (uncertainty is not None) != 1:
        raise click.UsageError("give one of --uncertainty (to declare a link), --withdraw and --list")
    if len(nodes) != (0 if listed else 2):
        raise click.UsageError("--list takes a network only" if listed else "give a network and two of its nodes")
    opened, (found,) = _find(lake, [network], scope)
    place = ScopedKey.from_str(found).scope
    if listed:
        _list_links(opened, str(place), tsv=tsv, output=output)
        return
    if withdraw:
        kinds = withdraw_link(opened, place, *nodes, kind=kind, reason=reason)
        say(f"{count(len(kinds), 'link')} withdrawn ({', '.join(kinds)})")
    elif uncertainty is not None:
        kinds = declare_link(
            opened,
            found,
            *nodes,
            offset_kcal_mol=offset,
            uncertainty_kcal_mol=uncertainty,
            kind=kind,
            reason=reason,
        )
        say(f"{count(len(kinds), 'link')} declared ({', '.join(kinds)}): {nodes[1]} minus {nodes[0]} is {offset:g}")
    say(f"next: alchemiscale-lake gather {found}")


@command.group("restart-patterns", cls=LakeGroup)
@group_lake_option
@group_scope_option
def restart_patterns() -> None:
    """Restart Tasks whose failures match a pattern.

    Patterns are regular expressions, searched for in the tracebacks of a Task's latest failure. Every match
    counts as one restart for that pattern and Task. A Task is restarted until a matching pattern has reached
    its maximum; then, or if no pattern matches, it is cancelled on the network and stays in error.

    \b
    Example:
      alchemiscale-lake networks restart-patterns add tyk2 --pattern CUDA_ERROR --max 3
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


for living in (grow_command, *LIVING_COMMANDS):
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


def _list_links(lake: Lake, scope: str, *, tsv: bool, output: str | None) -> None:
    from ..estimates.links import current_links
    from ..report import Table

    columns = (
        "ligand_i",
        "ligand_j",
        "value_kcal_mol",
        "uncertainty_kcal_mol",
        "kind",
        "actor",
        "declared_at",
        "reason",
    )
    links = current_links(lake, scope)
    empty = f"{scope} has no declared link"
    show_table(Table.of(links.select(columns)), tsv=tsv, output=output, counted=count(len(links), "link"), empty=empty)


def _find(lake: str, networks: Sequence[str], scope: str | None) -> tuple[Lake, list[str]]:
    from ..query import find_networks
    from ..store import Lake

    opened = Lake.open(lake)
    return opened, list(dict.fromkeys(find_networks(opened, networks, scope=scope)))


def _answer(asked: Sequence[str], done: Sequence[str], what: str) -> None:
    """Print the outcome for the patterns; exit with 1 if the network lacks any of them."""
    missing = sorted(set(asked) - set(done))
    say(f"{count(len(done), 'pattern')} {what}")
    for pattern in missing:
        say(f"  {pattern!r} is not a restart pattern of this network")
    if missing:
        click.get_current_context().exit(1)
