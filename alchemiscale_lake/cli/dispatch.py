"""`alchemiscale-lake dispatch`: run the waiting Tasks of a lake."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from ..plurals import count
from ._bar import TaskBar
from ._errors import INTERRUPTED, say
from ._launch import dispatch_once, session
from ._options import lake_of_pools, lake_option, pool_options, verbose_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dispatch.dispatch_report import DispatchReport
    from ..statestore.claims import Selection
    from ..store import Lake

__all__ = ["command"]


@click.command("dispatch")
@click.argument("pool", default="local")
@lake_option
@click.option(
    "--scope", "scopes", multiple=True, metavar="ORG-CAMPAIGN-PROJECT", help="Only these Scopes ('*' is the wildcard)."
)
@click.option("--network", "networks", multiple=True, help="Only these networks, by name or ScopedKey.")
@pool_options
@click.option("--drain/--forever", default=True, show_default=True, help="Exit when no Task is left, or wait for more.")
@click.option("--once", is_flag=True, help="Collect finished jobs, submit new ones and exit; for cron.")
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    lake: str,
    pool: str,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    once: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Run the waiting Tasks of a lake, in one pool.

    POOL is defined in a pools file (see `alchemiscale-lake pools`); without a pools file it is this machine.
    Several dispatchers, on any machines, may work on one lake. Ctrl-C releases running Tasks; a second
    Ctrl-C exits immediately. Nothing is lost either way.

    Exit code 1 if Tasks ended in error.

    In the progress line, queued Tasks are claimed and wait for a worker.

    \b
    Examples:
      alchemiscale-lake dispatch --workers 4 --scope 'org-campaign-*'
      alchemiscale-lake dispatch cluster --pools pools.yaml --forever
      alchemiscale-lake dispatch cluster --pools pools.yaml --once
    """
    from ..store import Lake

    place = Lake.open(lake_of_pools(ctx, lake, settings["pools_file"]))
    selection = _selection(place, scopes, networks, is_patient=not (once or settings["drain"]))
    seq = place.task_log.states().seq
    if once and not _needs_prefect(pool, settings["pools_file"]):
        if settings.pop("workers") or settings.pop("cores_per_task"):
            raise click.UsageError("--workers and --cores-per-task apply to this machine, and --once to a queue")
        with TaskBar() as bar:
            del settings["drain"]
            report = dispatch_once(place, pool, selection=selection, on_progress=bar, **settings)
        _conclude(report)
        _exit_on_errors(ctx, place, selection, seq)
        return
    selected = {"scopes": [str(scope) for scope in selection.scopes], "networks": list(selection.networks)}
    with session(place, say=say, verbose=verbose) as flows, TaskBar() as bar:
        done = flows.call("dispatch", bar, lake=place.url, pool=pool, once=once, **selected, **settings)
    _conclude(done.report)
    if done.interrupted:
        say(f"to continue: alchemiscale-lake dispatch {shlex.quote(pool)}")
        ctx.exit(INTERRUPTED)
    _exit_on_errors(ctx, place, selection, seq)


def _selection(lake: Lake, scopes: Sequence[str], networks: Sequence[str], *, is_patient: bool) -> Selection:
    """Return the selection; a Scope without networks is an error, or a warning if the dispatcher waits for it."""
    from ..errors import NotFoundError
    from ..ids import Scope
    from ..query import find_networks, require_scope
    from ..statestore.claims import Selection
    from ..statestore.network_state import why_unclaimed

    for scope in scopes:
        try:
            require_scope(lake, scope)
        except NotFoundError as e:
            if not is_patient:
                raise
            say(f"Warning: {e}; waiting for one", fg="yellow")
    # --scope selects Tasks, not where networks are looked up
    found = tuple(find_networks(lake, networks, with_scope=True))
    for why in filter(None, (why_unclaimed(lake, network) for network in found)):
        say(f"Warning: {why}", fg="yellow")
    return Selection(tuple(Scope.parse(scope) for scope in scopes), found)


def _exit_on_errors(ctx: click.Context, lake: Lake, selection: Selection, seq: int) -> None:
    """Exit with 1 if Tasks ended in error after a commit of the log."""
    from ..statestore.task_operations import failed_since

    n_failed = failed_since(lake, selection, seq)
    if n_failed:
        say(f"{count(n_failed, 'Task')} ended in error; see `alchemiscale-lake failures`")
        ctx.exit(1)


def _needs_prefect(pool: str, pools_file: str | None) -> bool:
    from ..engines.registry import engine_of
    from ..pools_file import find_pools_file, load_pools

    path = find_pools_file(pools_file)
    known = {} if path is None else load_pools(path).pools
    return pool in known and engine_of(known[pool].kind).needs_prefect


def _conclude(report: DispatchReport) -> None:
    line = f"{report.completed} complete, {report.failed} failed, {report.released} released"
    if report.restarted:
        line += f", {report.restarted} restarted"
    if report.in_flight:
        line += f", {report.in_flight} in flight"
    say(line)
