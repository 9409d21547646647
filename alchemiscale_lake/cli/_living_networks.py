"""Commands of `networks` for living networks: copy, merge, merge-scopes, extend, history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from ..caller import Caller
from ..ids import ScopedKey
from ..plurals import count, verb
from ._errors import put_out, say
from ._files import ExistingFile
from ._options import lake_option, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..statestore.network_copies import NetworkCopy
    from ..store import Lake

__all__ = ["LIVING_COMMANDS"]

_STATES: Final = ("active", "inactive", "invalid", "deleted")
_to_option = click.option(
    "--to", "target", required=True, metavar="ORG-CAMPAIGN-PROJECT", help="Scope to write to; it may be new."
)
_state_option = click.option("--state", type=click.Choice(_STATES), default=None, help="State of the new network.")
_dry_run_option = click.option("--dry-run", is_flag=True, help="Report what would be written; write nothing.")


@click.command("copy")
@click.argument("network")
@_to_option
@click.option("--name", default=None, help="Name of the copy; by default, that of the network.")
@_state_option
@_dry_run_option
@lake_option
@scope_option
@output_options
def copy_command(
    network: str,
    target: str,
    name: str | None,
    state: str | None,
    dry_run: bool,
    lake: str,
    scope: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Copy a network to another Scope, with its finished Tasks and their results.

    Results are stored once: the copy refers to them. Waiting and failed Tasks, Strategies and restart
    patterns stay behind. Repeating it adds what the network has gained since.

    \b
    Examples:
      alchemiscale-lake networks copy tyk2 --to org-campaign-archive --dry-run
      alchemiscale-lake networks copy tyk2 --to org-campaign-archive --name "tyk2 of spring"
    """
    from ..statestore.network_copies import copy_network

    opened, (found,) = _find(lake, [network], scope)
    copy = copy_network(opened, found, target, name=name, state=state, caller=Caller.this_user(), dry_run=dry_run)
    _show([copy], dry_run, tsv=tsv, output=output)


@click.command("merge")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@_to_option
@click.option("--name", required=True, help="Name of the new network.")
@_state_option
@_dry_run_option
@lake_option
@scope_option
@output_options
def merge_command(
    networks: tuple[str, ...],
    target: str,
    name: str,
    state: str | None,
    dry_run: bool,
    lake: str,
    scope: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Make one network of several, with every Transformation and every result once.

    The networks may be in different Scopes; they stay as they are. The same calculation is recognised
    under other keys and names. Give networks that share a name as
    `SCOPE/NAME`.

    \b
    Examples:
      alchemiscale-lake networks merge tyk2-march tyk2-april --name tyk2 --to org-campaign-tyk2
      alchemiscale-lake networks merge org-ada-tyk2/tyk2 org-bob-tyk2/tyk2 --name tyk2 --to org-all-tyk2 --dry-run
    """
    from ..statestore.network_copies import merge_networks

    opened, found = _find(lake, networks, scope)
    merged = merge_networks(opened, found, name, target, state=state, caller=Caller.this_user(), dry_run=dry_run)
    _show([merged], dry_run, tsv=tsv, output=output)


@click.command("merge-scopes")
@click.argument("scopes", nargs=-1, required=True, metavar="SCOPE...")
@_to_option
@_dry_run_option
@lake_option
@output_options
def merge_scopes_command(
    scopes: tuple[str, ...], target: str, dry_run: bool, lake: str, tsv: bool, output: str | None
) -> None:
    """Copy all active networks of Scopes to one Scope, with their finished Tasks and results.

    A network whose name is taken there is called `NAME from SCOPE`. A dry run looks at each network by
    itself, so it counts what two of them share twice.

    \b
    Example:
      alchemiscale-lake networks merge-scopes org-campaign-ada org-campaign-bob --to org-campaign-all
    """
    from ..statestore.network_copies import merge_scopes
    from ..store import Lake

    copies = merge_scopes(Lake.open(lake), scopes, target, caller=Caller.this_user(), dry_run=dry_run)
    _show(copies, dry_run, tsv=tsv, output=output)


@click.command("extend")
@click.argument("network")
@click.argument("ligands", type=ExistingFile(), metavar="LIGANDS.sdf")
@click.option("--name", required=True, help="Name of the new network.")
@click.option(
    "--planner",
    default="konnektor",
    show_default=True,
    metavar="NAME",
    help="Proposes edges: konnektor, package.module:function or file.py:function.",
)
@_dry_run_option
@lake_option
@scope_option
def extend_command(
    network: str, ligands: str, name: str, planner: str, dry_run: bool, lake: str, scope: str | None
) -> None:
    """Add ligands to a network: plan edges, give them the network's legs, store a larger network.

    The new network contains the former one and uses its Tasks and results. A planner of your own is a function
    of the network's ligands, its atom mappings and the new ligands; it returns atom mappings.

    \b
    Examples:
      alchemiscale-lake networks extend tyk2 april.sdf --name tyk2-april --dry-run
      alchemiscale-lake networks extend tyk2 april.sdf --name tyk2-april --planner planner.py:propose
    """
    from ..statestore.network_extension import extend_network

    opened, (found,) = _find(lake, [network], scope)
    done = extend_network(opened, found, ligands, name, planner=planner, caller=Caller.this_user(), dry_run=dry_run)
    for edge in done.edges:
        put_out(edge)
    size = f"{count(len(done.ligands), 'ligand')} and {count(len(done.edges), 'Transformation')}"
    if done.submission is not None and not done.submission.new:
        say(f"{done.submission.name or done.submission.network} exists already, with these {size}")
    else:
        say(f"{size} {'would be ' if dry_run else ''}added")
    if done.submission is None:
        say("nothing was written")
    else:
        say(f"next: alchemiscale-lake run {done.submission.network}")


@click.command("growth")
@click.argument("network", required=False)
@lake_option
@scope_option
@output_options
def growth_command(network: str | None, lake: str, scope: str | None, tsv: bool, output: str | None) -> None:
    """Show how a network grew: what each revision added, and which results it reused.

    A revision is a network that contains an earlier one of its Scope, or was made from it. Any revision can
    be given; without one, all networks are listed.

    \b
    Examples:
      alchemiscale-lake networks growth tyk2
      alchemiscale-lake networks growth --scope org-campaign-tyk2 -o growth.csv
    """
    from ..query import require_scope
    from ..report.network_growth import growth_table
    from ..store import Lake

    if network is None:
        opened, found = Lake.open(lake), None
        require_scope(opened, scope)
    else:
        opened, (found,) = _find(lake, [network], scope)
    table = growth_table(opened, found, scope)
    show_table(table, tsv=tsv, output=output, counted=count(len(table.rows), "revision"), empty="no networks")


LIVING_COMMANDS: Final = (copy_command, merge_command, merge_scopes_command, extend_command, growth_command)


# --- shared helpers --------------------------------------------------------------------------------


def _find(lake: str, networks: Sequence[str], scope: str | None) -> tuple[Lake, list[str]]:
    from ..query import find_networks
    from ..store import Lake

    opened = Lake.open(lake)
    return opened, list(dict.fromkeys(find_networks(opened, networks, scope=scope)))


def _show(copies: Sequence[NetworkCopy], dry_run: bool, *, tsv: bool, output: str | None) -> None:
    from ..amounts import format_bytes
    from ..report.network_growth import copies_table

    show_table(copies_table(copies), tsv=tsv, output=output)
    n_results = sum(copy.n_results for copy in copies)
    n_bytes = sum(copy.n_referenced_bytes for copy in copies)
    known = sum(copy.n_known_results for copy in copies)
    would = "would be " if dry_run else ""
    added = f"{count(n_results, 'result')} {would}added by reference ({format_bytes(n_bytes)} not copied)"
    say(f"{added if n_results else 'no result is new'}, {known} known")
    if n_assays := sum(copy.n_assays for copy in copies):
        say(f"{count(n_assays, 'experimental value')} {would}added")
    if n_same := sum(copy.n_recognised for copy in copies):
        say(f"{count(n_same, 'Transformation')} {verb(n_same)} the same calculation under another key")
    if dry_run:
        say("nothing was written")
        return
    one = copies[0].network
    command = "gather" if n_results or known else "run"
    several = len(copies) > 1 and command == "gather"
    say(f"next: alchemiscale-lake {command} {f'--scope {ScopedKey.from_str(one).scope}' if several else one}")
