"""`alchemiscale-lake run`: a network from its file to its free energies, on this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotALakeError, NotFoundError
from ._bar import TaskBar
from ._errors import INTERRUPTED, say
from ._launch import Session, open_lake, session
from ._options import at_lake, lake_option, pool_options, tasks_option, verbose_option
from ._show import show_summary

if TYPE_CHECKING:
    from ..ledger.campaigns import Campaign
    from ..store import Lake

__all__ = ["command"]


@click.command("run")
@click.argument("network", required=False, type=click.Path())
@lake_option
@click.option("--scope", default=None, metavar="ORG-CAMPAIGN-PROJECT", help="Scope to store the network in.")
@click.option("--name", default=None, help="Name in the lake.  [default: the network's own]")
@tasks_option
@click.option("--assays", default=None, type=click.Path(), help="CSV of experimental values (ligand, value_kcal_mol).")
@click.option(
    "--assay-kind",
    type=click.Choice(["binding", "hydration", "direct"]),
    default="binding",
    show_default=True,
    help="What was measured.",
)
@click.option(
    "--plot",
    default=None,
    type=click.Path(dir_okay=False),
    show_default="plots/ in the lake",
    help="Where to draw estimate against experiment.",
)
@click.option("--pool", default="local", show_default=True, help="The pool to run in; see the pools file.")
@pool_options
@click.option("--resume", is_flag=True, help="Continue what was begun in this lake and is not finished.")
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    network: str | None,
    lake: str,
    scope: str | None,
    name: str | None,
    tasks_per_transformation: int | None,
    assays: str | None,
    assay_kind: str,
    plot: str | None,
    resume: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Submit a network, run all of its Tasks, and print its free energies.

    NETWORK is a file or folder as `submit` takes it, or the name or ScopedKey of a network in the
    lake. Every Transformation gets one Task, or --tasks-per-transformation. Interrupted in any way,
    by Ctrl-C (twice: at once), by kill -9, by a power cut, `run --resume` continues to the same
    end: no result is lost, none counted twice. Exit code 1 if Tasks ended in error,
    or stay waiting because their Protocol is not installed here.

    Progress counts as running what workers run, and as queued what is claimed and waits for a worker. The time
    left is estimated from Tasks that ended, before that from the cost model; it is left out where nothing is known.

    \b
    Example:
      alchemiscale-lake run network.json --scope org-campaign-project -t 3 --assays experiment.csv
    """
    if network is None and not resume:
        raise click.UsageError("give a NETWORK, or --resume to continue what was begun")
    place = _lake_for(lake, network, scope)
    if network is not None:
        begun = [_begin(place, network, scope, name, tasks_per_transformation, assays, assay_kind)]
    else:
        begun = _unfinished(place, tasks_per_transformation)
    if not begun:
        say(f"nothing is left to resume in {place.url}; see `alchemiscale-lake status{at_lake(lake)}`")
        return
    again = f"alchemiscale-lake run --resume{at_lake(lake)}"
    say(f"if this is interrupted, continue with: {again}")
    undone: list[int | None] = []
    with session(place, say=say, verbose=verbose) as flows:
        login = f" (it asks for the line in {flows.login})" if flows.login else ""
        say(f"watch it at {flows.ui_url}{login}")
        later = _later(flows, at_lake(lake))
        try:
            for campaign in begun:
                undone.append(_run(flows, place, lake, campaign, plot, settings))
                if undone[-1] is None:
                    break
        finally:
            if later is not None:
                say(later)
    if None in undone:
        say(f"stopped; to continue: {again}")
        ctx.exit(INTERRUPTED)
    if any(undone):
        ctx.exit(1)


def _later(flows: Session, at: str) -> str | None:
    """Say how to see the pages that end with this command; None where they go on."""
    if not flows.is_ours:
        return None
    if not flows.is_kept:
        return f"{flows.ui_url} ends with this command, and its pages with it; the lake holds all results"
    return f"{flows.ui_url} ends with this command; to look at its pages later: alchemiscale-lake up{at}"


def _lake_for(lake: str, network: str | None, scope: str | None) -> Lake:
    """Open the lake; create it only for a network that can be stored, so that a mistake leaves nothing behind."""
    from ..ids import Scope
    from ..networks import read_network
    from ..store import Lake

    if network is None:
        return Lake.open(lake)
    if not Path(network).exists():
        try:
            return Lake.open(lake)
        except NotALakeError as e:
            raise NotFoundError(f"{network!r} is neither a file or folder here nor a network, for {e}") from e
    if scope is None:
        raise click.UsageError("give the --scope that the network is to be stored in, as org-campaign-project")
    Scope.parse(scope).require_specific()
    read_network(network)
    return open_lake(lake, say)


def _begin(
    lake: Lake,
    network: str,
    scope: str | None,
    name: str | None,
    tasks_per_transformation: int | None,
    assays: str | None,
    assay_kind: str,
) -> Campaign:
    from ..ids import Scope, ScopedKey
    from ..ledger.campaigns import network_name, new_campaign
    from ..ledger.multiplied import multiplied_repeats, simulations_of
    from ..networks import read_network
    from ..networks.facts import transformation_rows
    from ..query import find_network
    from ..store import now_utc

    wanted: dict[str, Any] = {"source": network}
    if not Path(network).exists():
        try:
            wanted = {"network": find_network(lake, network, scope=scope)}
        except NotFoundError as e:
            raise NotFoundError(f"{network!r} is neither a file or folder here nor a network in {lake.url}") from e
        scope = str(ScopedKey.from_str(wanted["network"]).scope)
        name = name or network_name(lake, wanted["network"])
        said = multiplied_repeats(lake, wanted["network"], tasks_per_transformation or 1)
    else:
        rows = transformation_rows(read_network(network), Scope.parse(scope or "*-*-*"), now_utc())
        said = simulations_of([row["n_repeats"] for row in rows], tasks_per_transformation or 1)
    if said is not None:
        say(said)
    assert scope is not None
    tasks = 1 if tasks_per_transformation is None else tasks_per_transformation
    return new_campaign(
        lake,
        scope,
        **wanted,
        name=name,
        tasks_per_transformation=tasks,
        assays=assays,
        assay_kind=assay_kind,
    )


def _unfinished(lake: Lake, tasks_per_transformation: int | None) -> list[Campaign]:
    from dataclasses import replace

    from ..ledger.campaigns import unfinished_campaigns

    begun = unfinished_campaigns(lake)
    if tasks_per_transformation is not None:
        begun = [replace(campaign, tasks_per_transformation=tasks_per_transformation) for campaign in begun]
    return begun


def _run(
    flows: Session, lake: Lake, lake_argument: str, campaign: Campaign, plot: str | None, settings: dict[str, Any]
) -> int | None:
    """Run one campaign and print its summary; return how many Tasks are not done, None if it was interrupted."""
    from ..ledger.tasks import tasks_in_error

    say(f"{campaign.title} ({campaign.scope})")
    with TaskBar() as bar:
        report = flows.call(
            "run-campaign",
            bar,
            network=campaign.network or campaign.source,
            scope=campaign.scope,
            lake=lake.url,
            name=campaign.name,
            tasks_per_transformation=campaign.tasks_per_transformation,
            assays=campaign.assays,
            assay_kind=campaign.assay_kind,
            **settings,
        )
    done = report.dispatched.report
    say(f"{done.completed} Tasks complete, {done.failed} failed, {done.released} handed back")
    if report.dispatched.interrupted:
        return None
    n_failed = tasks_in_error(lake, report.campaign.network)
    if n_failed:
        at = at_lake(lake_argument)
        name = shlex.quote(report.campaign.title)
        say(f"{n_failed} Task(s) are in error")
        say(f"why: alchemiscale-lake failures {name}{at}")
        say(f"to run them again: alchemiscale-lake tasks retry --network {name}{at}; alchemiscale-lake run {name}{at}")
    show_summary(lake, report.campaign.network, plot=plot, lake_argument=lake_argument)
    return n_failed + _left_waiting(lake, report.campaign.network)


def _left_waiting(lake: Lake, network: str) -> int:
    """Count Tasks that wait because their Protocol is not installed here, and say which that is."""
    from ..ledger.claims import Selection
    from ..ledger.runnable import not_runnable

    left = not_runnable(lake, Selection(networks=(network,)))
    if left is None:
        return 0
    say(f"{left.n_tasks} Task(s) could not run here and stay waiting: {'; '.join(left.why)}")
    return left.n_tasks
