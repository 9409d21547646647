"""`alchemiscale-lake run`: from a network file to free energies, in one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InactiveNetworkError, NotALakeError, NotFoundError
from ..plurals import count, verb
from ..suggestions import did_you_mean_file
from ._bar import TaskBar
from ._errors import INTERRUPTED, say
from ._files import PlotFile
from ._launch import open_lake, require_engines, session
from ._options import lake_option, pool_options, tasks_option, verbose_option
from ._show import show_summary
from ._strategy_options import settings_of, settings_option

if TYPE_CHECKING:
    from ..flow_steps.campaigns import Campaign
    from ..flow_steps.launch import Session
    from ..store import Lake

__all__ = ["command"]


@click.command("run")
@click.argument("network", required=False, type=click.Path())
@lake_option
@click.option("--scope", default=None, metavar="ORG-CAMPAIGN-PROJECT", help="Scope to store the network in.")
@click.option("--name", default=None, help="Name in the lake.  [default: the network's own]")
@tasks_option
@click.option(
    "--strategy",
    default=None,
    metavar="NAME",
    help="Strategy that chooses the Tasks, round after round, until it is finished; see `strategy list`.",
)
@settings_option
@click.option(
    "--budget",
    "budget_gpu_hours",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    metavar="GPU-HOURS",
    help="With --strategy: maximum GPU-hours for the network.",
)
@click.option("--assays", default=None, type=click.Path(), help="CSV of experimental values (ligand, value_kcal_mol).")
@click.option(
    "--assay-kind",
    type=click.Choice(["binding", "hydration", "direct"]),
    default="binding",
    show_default=True,
    help="Quantity that was measured.",
)
@click.option(
    "--plot",
    default=None,
    type=PlotFile(),
    show_default="plots/<scope>/<name>.png in the lake",
    help="Where to draw estimate against experiment.",
)
@click.option("--pool", default="local", show_default=True, help="Pool of the pools file to run in.")
@pool_options
@click.option("--resume", is_flag=True, help="Continue unfinished runs of this lake.")
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
    strategy: str | None,
    settings: tuple[str, ...],
    budget_gpu_hours: float | None,
    assays: str | None,
    assay_kind: str,
    plot: str | None,
    resume: bool,
    verbose: bool,
    **pool: Any,
) -> None:
    """Submit a network, run all of its Tasks, and print its free energies.

    NETWORK is a file or folder that `submit` can read, or the name or ScopedKey of a network in the
    lake. Every Transformation gets one Task, or --tasks-per-transformation. After any interruption,
    by Ctrl-C (a second one exits immediately), kill -9 or a power cut, `run --resume` continues: no
    result is lost, and none is counted twice. Exit code 1 if Tasks ended in error, or stay waiting
    because their Protocol is not installed here, or if the Strategy failed.

    In the progress line, queued Tasks are claimed and wait for a worker. The time left is estimated from ended
    Tasks, before that from the cost model; it is omitted if unknown.

    \b
    Example:
      alchemiscale-lake run network.json --scope org-campaign-project -t 3 --assays experiment.csv
      alchemiscale-lake run network.json --scope org-campaign-project --strategy optimal-design
    """
    plan = _plan(strategy, settings, budget_gpu_hours)
    if network is None and not resume:
        raise click.UsageError("give a NETWORK, or --resume to continue unfinished runs")
    place = _lake_for(lake, network, scope, lambda: _check(assays, pool["pool"], pool["pools_file"]))
    if network is not None:
        started = [_begin(place, network, scope, name, tasks_per_transformation, assays, assay_kind, plan)]
    else:
        started = _unfinished(place, tasks_per_transformation)
    if not started:
        say(f"{place.url} has no unfinished run; see `alchemiscale-lake status`")
        return
    again = "alchemiscale-lake run --resume"
    say(f"if this is interrupted, continue with: {again}")
    undone: list[int | None] = []
    with session(place, say=say, verbose=verbose) as flows:
        login = f" (log in with the line in {flows.login})" if flows.login else ""
        say(f"watch the run at {flows.ui_url}{login}")
        later = _later(flows)
        try:
            for campaign in started:
                undone.append(_run(flows, place, campaign, plot, pool))
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


def _plan(strategy: str | None, settings: tuple[str, ...], budget_gpu_hours: float | None) -> str | None:
    if strategy is None:
        if settings or budget_gpu_hours is not None:
            raise click.UsageError("--setting and --budget are for a --strategy")
        return None
    from ..rounds.setting import plan_of

    return plan_of(strategy, settings_of(settings), {"budget_gpu_hours": budget_gpu_hours}).model_dump_json()


def _later(flows: Session) -> str | None:
    """Return how to see the UI after this command; None if the UI outlives it."""
    if not flows.is_ours:
        return None
    if not flows.is_kept:
        return f"{flows.ui_url} ends with this command; the lake has all results"
    return f"{flows.ui_url} ends with this command; to see it later: alchemiscale-lake up"


def _check(assays: str | None, pool: str, pools_file: str | None) -> None:
    """Raise if the experimental values or the pools file cannot be read, or flows cannot run here."""
    from ..importing.assays import check_assays
    from ..pools_file import find_pools_file, load_pools

    require_engines()
    if assays is not None:
        check_assays(assays)
    path = find_pools_file(pools_file)
    if path is not None:
        pools = load_pools(path)
        if pool != "local" or pools_file is not None:
            pools.named(pool, str(path))


def _lake_for(lake: str, network: str | None, scope: str | None, check: Callable[[], None]) -> Lake:
    """Open the lake; create it only for input that passes all checks, so that bad input leaves nothing behind."""
    from ..ids import Scope
    from ..networks import read_network
    from ..networks.keys import unverified_keys
    from ..query import new_scope_note
    from ..store import Lake

    if network is None:
        return Lake.open(lake)
    if not Path(network).exists():
        try:
            return Lake.open(lake)
        except NotALakeError as e:
            meant = did_you_mean_file(network)
            raise NotFoundError(f"there is no file, folder or network {network!r}{meant or f': {e}'}") from e
    if scope is None:
        raise click.UsageError("give --scope ORG-CAMPAIGN-PROJECT to store the network in")
    Scope.parse(scope).require_specific()
    given = read_network(network)
    check()
    place = open_lake(lake, say, check=lambda: unverified_keys(given))
    if note := new_scope_note(place, scope):
        say(note)
    return place


def _begin(
    lake: Lake,
    network: str,
    scope: str | None,
    name: str | None,
    tasks_per_transformation: int | None,
    assays: str | None,
    assay_kind: str,
    plan: str | None,
) -> Campaign:
    from ..flow_steps.campaigns import network_name, new_campaign, stored_network
    from ..ids import Scope, ScopedKey
    from ..networks import read_network
    from ..networks.facts import transformation_rows
    from ..statestore.network_state import why_unclaimed
    from ..statestore.simulation_count import ONE_TASK_EACH, multiplied_repeats, simulations_of
    from ..store import now_utc

    wanted: dict[str, Any] = {"source": network}
    stored = stored_network(lake, network, scope)
    if stored is not None:
        found, wanted = stored, {"network": stored}
        scope = str(ScopedKey.from_str(found).scope)
        known = network_name(lake, found)
        if name is not None and name != known:
            raise click.UsageError(
                f"--name is for a network that is read from a file; {network} is in the lake already"
            )
        name = known
        warning = multiplied_repeats(lake, found, tasks_per_transformation or 1)
    else:
        given = read_network(network)
        found = f"{given.key}-{scope}"
        # messages and the run have the network's name, not the file's; a network of the Scope keeps its name
        name = name or network_name(lake, found) or given.name
        rows = transformation_rows(given, Scope.parse(scope or "*-*-*"), now_utc())
        warning = simulations_of([row["n_repeats"] for row in rows], tasks_per_transformation or 1)
        warning = warning and warning + ONE_TASK_EACH
    if why := why_unclaimed(lake, found):
        raise InactiveNetworkError(why)
    if warning is not None:
        say(warning)
    assert scope is not None
    tasks = (1 if plan is None else 0) if tasks_per_transformation is None else tasks_per_transformation
    return new_campaign(
        lake,
        scope,
        **wanted,
        name=name,
        tasks_per_transformation=tasks,
        assays=assays,
        assay_kind=assay_kind,
        strategy=plan,
    )


def _unfinished(lake: Lake, tasks_per_transformation: int | None) -> list[Campaign]:
    from dataclasses import replace

    from ..flow_steps.campaigns import unfinished_campaigns
    from ..statestore.network_state import why_unclaimed

    started = []
    for campaign in unfinished_campaigns(lake):
        if why := campaign.network and why_unclaimed(lake, campaign.network):
            say(f"not continued: {why}")
        else:
            started.append(campaign)
    if tasks_per_transformation is not None:
        started = [replace(campaign, tasks_per_transformation=tasks_per_transformation) for campaign in started]
    return started


def _run(flows: Session, lake: Lake, campaign: Campaign, plot: str | None, settings: dict[str, Any]) -> int | None:
    """Run one campaign and print its summary; return the number of unfinished Tasks, None if interrupted."""
    from ..statestore.task_operations import tasks_in_error

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
            strategy=campaign.strategy,
            assays=campaign.assays,
            assay_kind=campaign.assay_kind,
            **settings,
        )
    done = report.dispatched.report
    say(f"{count(done.completed, 'Task')} complete, {done.failed} failed, {done.released} released")
    if report.dispatched.interrupted:
        return None
    n_failed = tasks_in_error(lake, report.campaign.network)
    if n_failed:
        network = report.campaign.network
        say(f"{count(n_failed, 'Task')} {verb(n_failed)} in error")
        say(f"to see why: alchemiscale-lake failures {network}")
        retry = f"alchemiscale-lake tasks retry --network {network}"
        say(f"to run them again: `{retry}` and `alchemiscale-lake run {network}`")
    _show_cancelled(lake, report.campaign.network)
    show_summary(lake, report.campaign.network, plot=plot)
    undecided = _report_strategy(lake, report.campaign.network)
    return n_failed + _left_waiting(lake, report.campaign.network) + undecided


def _show_cancelled(lake: Lake, network: str) -> None:
    """Print how many Tasks stay waiting because they were cancelled, if any, and how to run them."""
    from ..statestore.task_operations import cancelled_tasks

    if n := cancelled_tasks(lake, network):
        action = f"alchemiscale-lake tasks action --network {network} --status waiting"
        say(f"{count(n, 'Task')} {verb(n, 'was', 'were')} cancelled and {verb(n, 'stays', 'stay')} waiting")
        say(f"to run {verb(n, 'it', 'them')}: `{action}` and `alchemiscale-lake run {network}`")


def _report_strategy(lake: Lake, network: str) -> int:
    """Print how far the network's Strategy, if any, has come; return 1 if it failed, else 0."""
    from ..rounds import get_strategy
    from ..rounds.round_rows import last_round

    plan, last = get_strategy(lake, network), last_round(lake, network)
    if plan is None or last is None:
        return 0
    why = last.exception or last.stop
    say(f"Strategy {plan.strategy}: {count(last.number, 'round')}, {last.state}{f': {why}' if why else ''}")
    say(f"to see why: alchemiscale-lake strategy explain {network}")
    return int(last.state == "error")


def _left_waiting(lake: Lake, network: str) -> int:
    """Count Tasks that wait because their Protocol is not installed here, and print which one."""
    from ..statestore.claims import Selection
    from ..statestore.runnable import not_runnable, stays_waiting

    left = not_runnable(lake, Selection(networks=(network,)))
    if left is None:
        return 0
    say(f"{stays_waiting(left.n_tasks)}: {'; '.join(left.why)}")
    return left.n_tasks
