"""`alchemiscale-lake strategy`: let the lake choose what to compute next."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..caller import Caller
from ..plurals import count
from ._errors import LakeGroup, say
from ._files import TargetFile
from ._options import group_lake_option, group_scope_option, lake_option, pools_option, scope_option
from ._show import is_for_people, output_options, show_table
from ._strategy_options import plan_options, settings_of, settings_option

if TYPE_CHECKING:
    from ..rounds import RoundReport
    from ..store import Lake

__all__ = ["command", "outcome_of"]

_network_argument = click.argument("network")
_networks_argument = click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
_reason_option = click.option("--reason", default=None, help="Reason; kept in the log.")

_WORDS = {
    "asked": "{tasks} created",
    "idle": "nothing to compute for now",
    "finished": "finished",
    "error": "the Strategy failed",
    "dormant": "nothing has ended since the last round",
    "early": "its interval has not passed",
    "disabled": "its Strategy is disabled",
    "inactive": "it is not active",
}


@click.group("strategy", cls=LakeGroup)
@group_lake_option
@group_scope_option
def command() -> None:
    """Let a Strategy choose what to compute next, round after round.

    A network is given by its name, its ScopedKey, or a prefix of the ScopedKey. `run` runs rounds by
    itself; elsewhere, `advance` does, for example from cron or the deployment advance-network.

    \b
    Examples:
      alchemiscale-lake strategy set tyk2 optimal-design --budget 500
      alchemiscale-lake strategy advance tyk2
      alchemiscale-lake strategy explain tyk2
      alchemiscale-lake strategy report tyk2 -o tyk2-rounds.html
    """


@command.command("list")
@output_options
def list_command(tsv: bool, output: str | None) -> None:
    """List the installed Strategies with their settings and defaults.

    \b
    Example:
      alchemiscale-lake strategy list
    """
    from ..report.strategies import strategies_table

    show_table(strategies_table(), tsv=tsv, output=output)


@command.command("set")
@_networks_argument
@click.argument("strategy")
@settings_option
@plan_options
@_reason_option
@lake_option
@scope_option
def set_command(
    networks: tuple[str, ...],
    strategy: str,
    settings: tuple[str, ...],
    reason: str | None,
    lake: str,
    scope: str | None,
    **limits: Any,
) -> None:
    """Set the Strategy of networks; it replaces the one they have.

    STRATEGY is a name from `strategy list`; `file.py:Name`, a class of your own whose source is stored; or
    `package.module:Name`, which must be installed where rounds are run. Name may be a Strategy of stratocaster.

    \b
    Examples:
      alchemiscale-lake strategy set tyk2 fixed-repeats --setting repeats=4
      alchemiscale-lake strategy set tyk2 ./mine.py:MyStrategy --max-tasks-per-round 20
      alchemiscale-lake strategy set tyk2 stratocaster.strategies:ConnectivityStrategy --setting max_runs=3
    """
    from ..rounds import set_strategy

    opened, found = _find(lake, networks, scope)
    plan = set_strategy(
        opened, found, strategy, settings=settings_of(settings), caller=Caller.this_user(), reason=reason, **limits
    )
    say(f"{count(len(found), 'network')} set to Strategy {plan.strategy}")
    say(f"next: alchemiscale-lake strategy advance {' '.join(found)}")


@command.command("show")
@_network_argument
@lake_option
@scope_option
@output_options
def show_command(network: str, lake: str, scope: str | None, tsv: bool, output: str | None) -> None:
    """Show the Strategy of a network, and its rounds.

    \b
    Example:
      alchemiscale-lake strategy show tyk2
    """
    from ..report.rounds import rounds_table
    from ..rounds import get_strategy

    opened, (found,) = _find(lake, [network], scope)
    plan = get_strategy(opened, found)
    if plan is None:
        say("no Strategy is set; see `alchemiscale-lake strategy set --help`")
    else:
        limits = plan.model_dump(
            exclude={"strategy", "settings", "code", "digest", "mode", "needs_objects"}, exclude_defaults=True
        )
        say(f"Strategy {plan.strategy} {json.dumps(plan.settings, sort_keys=True)}")
        say(", ".join([f"mode {plan.mode}", *(f"{name.replace('_', ' ')} {value}" for name, value in limits.items())]))
    table = rounds_table(opened, found)
    show_table(table, tsv=tsv, output=output, counted=count(len(table.rows), "round"))


@command.command("explain")
@_network_argument
@click.option(
    "--round",
    "number",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Number of the round.  [default: the last]",
)
@click.option("--each", is_flag=True, help="One row per Transformation; the default except on a terminal.")
@lake_option
@scope_option
@output_options
def explain_command(
    network: str, number: int | None, each: bool, lake: str, scope: str | None, tsv: bool, output: str | None
) -> None:
    """Explain what a round gave each Transformation, and why.

    On a terminal, Transformations with the same reason share a row.

    \b
    Examples:
      alchemiscale-lake strategy explain tyk2 --round 2
      alchemiscale-lake strategy explain tyk2 --each
    """
    from ..errors import NotFoundError
    from ..report.rounds import explanation_summary, explanation_table

    opened, (found,) = _find(lake, [network], scope)
    table = explanation_table(opened, found, number)
    if not table.rows:
        which = "no round yet" if number is None else f"no round {number}"
        raise NotFoundError(f"{network} has {which}; see `alchemiscale-lake strategy show {found}`")
    n = len(table.rows)
    if is_for_people(tsv, output) and not each:
        table = explanation_summary(table)
        if len(table.rows) < n:
            say(f"{count(n, 'Transformation')}; --each shows a row of each")
    show_table(table, tsv=tsv, output=output)


@command.command("report")
@_network_argument
@click.option(
    "-o",
    "--output",
    default=None,
    type=TargetFile(allow_dash=True),
    show_default="<name>-rounds.html in the lake",
    metavar="FILE",
    help="Output file; `-` is standard output.",
)
@click.option("--as-is", is_flag=True, help="Show the newest stored estimates, and write nothing to the tables.")
@pools_option
@lake_option
@scope_option
def report_command(
    network: str, output: str | None, as_is: bool, pools_file: str | None, lake: str, scope: str | None
) -> None:
    """Write a report of a network's rounds as one HTML page.

    The page shows the network by status and uncertainty, uncertainty against GPU-hours with the forecast to
    the target, what the last round asked for and why, and from which design files the network has grown. It
    loads nothing from elsewhere. Estimates are updated first.

    \b
    Example:
      alchemiscale-lake strategy report tyk2 -o tyk2-rounds.html
    """
    from ..estimates.gathering import gather_network
    from ..pools_file import find_pools_file, load_pools
    from ..report.page_places import shown_place
    from ..report.round_page import round_page, write_round_page
    from ..rounds.network_progress import network_progress

    path = find_pools_file(pools_file)
    opened, (found,) = _find(lake, [network], scope)
    if not as_is:
        gather_network(opened, found)
    progress = network_progress(opened, found, pools=None if path is None else load_pools(path))
    if output is None:
        place, line = write_round_page(opened, found, progress=progress)
        say(line if place is None else f"wrote {shown_place(place)}")
        click.get_current_context().exit(1 if place is None else 0)
    page = round_page(opened, found, progress=progress)
    if output == "-":
        sys.stdout.write(page.html)
        return
    Path(output).write_text(page.html, encoding="utf-8", newline="\n")
    say(f"wrote {output} ({count(page.n_rounds, 'round')})")


@command.command("clear")
@_networks_argument
@_reason_option
@lake_option
@scope_option
def clear_command(networks: tuple[str, ...], reason: str | None, lake: str, scope: str | None) -> None:
    """Clear the Strategy of networks; Tasks and rounds are kept.

    \b
    Example:
      alchemiscale-lake strategy clear tyk2
    """
    from ..rounds import clear_strategy

    opened, found = _find(lake, networks, scope)
    cleared = clear_strategy(opened, found, caller=Caller.this_user(), reason=reason)
    say(f"{count(len(cleared), 'Strategy', 'Strategies')} cleared")
    for network in set(found) - set(cleared):
        say(f"  {network} had none")


@command.command("advance")
@click.argument("networks", nargs=-1, metavar="[NETWORK...]")
@click.option("--now", is_flag=True, help="Run a round even if nothing has ended since the last one.")
@pools_option
@lake_option
@scope_option
@click.pass_context
def advance_command(
    ctx: click.Context, networks: tuple[str, ...], now: bool, pools_file: str | None, lake: str, scope: str | None
) -> None:
    """Run the next round of networks; without NETWORK, of all that have a Strategy.

    A round is run if a Task has completed or failed since the last one, links have changed, or the Strategy was set
    again. Repeating it, also by two processes at once, creates no Task twice. Exit code 1 if a Strategy failed.

    \b
    Example:
      alchemiscale-lake strategy advance --scope 'org-campaign-*'
    """
    from ..pools_file import find_pools_file, load_pools
    from ..query import networks_in
    from ..rounds import advance_network

    path = find_pools_file(pools_file)
    pools = None if path is None else load_pools(path)
    if networks:
        opened, found = _find(lake, networks, scope)
    else:
        from ..store import Lake

        opened = Lake.open(lake)
        found = [n for n in networks_in(opened, scope or "*-*-*") if n in opened.network_log.strategies()]
        if not found:
            say("no network has a Strategy; see `alchemiscale-lake strategy set --help`")
    failed, asked = False, 0
    for network in found:
        report = advance_network(opened, network, caller=Caller.this_user(), pools=pools, now=now)
        say(f"{_name(opened, network)}: {outcome_of(report)}")
        failed |= (report.last_state or report.state) == "error"
        asked += report.n_tasks
    if asked:
        say("next: alchemiscale-lake dispatch")
    ctx.exit(1 if failed else 0)


# --- shared helpers --------------------------------------------------------------------------------


def outcome_of(report: RoundReport) -> str:
    """Return what a round came to, in words."""
    text = _WORDS[report.state].format(tasks=count(report.n_tasks, "Task"))
    if report.state != "asked" and report.n_tasks:
        text += f"; {count(report.n_tasks, 'Task')} of round {report.round} created"
    if report.n_cancelled:
        text += f"; {count(report.n_cancelled, 'Task')} cancelled"
    number = f"round {report.round}, " if report.round is not None else ""
    why = report.exception or report.stop
    return f"{number}{text}" + (f": {why}" if why else "")


def _name(lake: Lake, network: str) -> str:
    from ..flow_steps.campaigns import network_name

    return network_name(lake, network) or network


def _find(lake: str, networks: Sequence[str], scope: str | None) -> tuple[Lake, list[str]]:
    from ..query import find_networks
    from ..store import Lake

    opened = Lake.open(lake)
    return opened, list(dict.fromkeys(find_networks(opened, networks, scope=scope)))
