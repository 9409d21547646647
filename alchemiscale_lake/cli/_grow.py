"""`alchemiscale-lake networks grow`: one night of a living network, without a Prefect server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..caller import Caller
from ..plurals import count, verb
from ._errors import put_out, say
from ._launch import open_lake
from ._options import lake_option, pools_option, tasks_option
from ._strategy_options import plan_options, settings_of, settings_option
from .strategy import outcome_of

if TYPE_CHECKING:
    from ..rounds.growth import DesignGrowth

__all__ = ["grow_command"]


@click.command("grow")
@click.argument("name")
@click.option("--from", "source", required=True, metavar="FOLDER|URL", help="Where design files are put.")
@click.option("--scope", required=True, metavar="ORG-CAMPAIGN-PROJECT", help="Scope of the network.")
@tasks_option
@click.option("--strategy", default=None, metavar="STRATEGY", help="Strategy, if the network has never had one.")
@settings_option
@plan_options
@click.option("--retry-refused", is_flag=True, help="Read refused files again although they have not changed.")
@click.option(
    "--settle", "settle_s", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
    help="Age from which a file in a folder is taken to be complete.",
)  # fmt: skip
@pools_option
@lake_option
def grow_command(
    name: str,
    source: str,
    scope: str,
    tasks_per_transformation: int | None,
    strategy: str | None,
    settings: tuple[str, ...],
    retry_refused: bool,
    settle_s: float,
    pools_file: str | None,
    lake: str,
    **limits: Any,
) -> None:
    """Grow a living network by new design files, gather it, and run the next round of its Strategy.

    NAME is the network's. Every network file (.json, .json.gz, .json.zst) in the folder or prefix is picked up
    once, and again if it changes; the network grows by the Transformations that it does not have yet. Files that
    cannot be read are refused, with the reason beside them. Run it from cron, or deploy living-network. Exit
    code 1 if a step failed.

    \b
    Example:
      alchemiscale-lake networks grow tyk2 --from designs --scope org-campaign-project --strategy optimal-design
    """
    from ..ids import Scope
    from ..pools_file import find_pools_file, load_pools
    from ..report.page_places import shown_place
    from ..report.round_page import write_round_page
    from ..rounds.design_source import DesignSource
    from ..rounds.night import run_night
    from ..rounds.setting import plan_of

    plan = None if strategy is None else plan_of(strategy, settings_of(settings), limits)
    path = find_pools_file(pools_file)
    wanted = Scope.parse(scope).require_specific()
    # bad input must not leave an empty lake behind
    place = open_lake(lake, say, check=lambda: DesignSource(source, settle_s=settle_s))
    night = run_night(
        place,
        source,
        wanted,
        name,
        caller=Caller.this_user(),
        plan=plan,
        tasks_per_transformation=tasks_per_transformation or 0,
        pools=None if path is None else load_pools(path),
        settle_s=settle_s,
        retry_refused=retry_refused,
    )
    for line in _growth_lines(name, night.growth):
        say(line)
    if night.round is not None:
        say(f"{name}: {outcome_of(night.round)}")
    elif night.n_tasks:
        say(f"{count(night.n_tasks, 'Task')} created")
    if night.network is not None:
        put_out(night.network)
        page, line = write_round_page(place, night.network)
        say(line if page is None else f"page of rounds: {shown_place(page)}")
    for failure in night.failures:
        say(f"failed: {failure}")
    if night.n_tasks:
        say("next: alchemiscale-lake dispatch")
    click.get_current_context().exit(1 if night.failures else 0)


def _growth_lines(name: str, growth: DesignGrowth | None) -> list[str]:
    if growth is None:
        return []
    lines = []
    if growth.paused:
        lines.append(f"{name} is not active, so nothing was picked up; see `alchemiscale-lake networks list`")
    elif growth.grown:
        new = count(growth.n_new_transformations, "new Transformation")
        lines.append(f"{name} has grown by {new} from {count(len(growth.grown), 'file')}: {', '.join(growth.grown)}")
    else:
        lines.append(f"{name} has not grown: no file has anything new")
    if growth.changed:
        lines.append(f"{count(len(growth.changed), 'file')} changed since last time: {', '.join(growth.changed)}")
    outcomes = ["refused"] * len(growth.refused) + ["waiting"] * len(growth.waiting)
    lines += [f"{outcome}: {reason}" for outcome, reason in zip(outcomes, growth.reasons, strict=True)]
    if growth.n_unsettled:
        waits = verb(growth.n_unsettled, "was", "were")
        lines.append(
            f"{count(growth.n_unsettled, 'file')} {waits} changed just now and may be incomplete: run it again later"
        )
    if growth.note is not None:
        lines.append(f"the reasons were not written beside the files: {growth.note}")
    return lines
