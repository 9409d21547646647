"""`alchemiscale-lake gather`: update estimates and print them, as `openfe gather` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..plurals import count, part, verb
from . import _show
from ._errors import say
from ._files import PlotFile
from ._options import as_of_option, lake_option, open_lake, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..estimates.gathering import GatherReport
    from ..estimates.other_models import Model
    from ..estimators.network.leg_uncertainties import LegRule
    from ..query import Connection
    from ..store import Lake

__all__ = ["command"]

_MOST_FAILURES: Final = 5
#: Columns of a terminal that has room for the numbers of findings beside their sentences.
_WIDE: Final = 140
#: Tables, named queries and statements that the reports show.
_SHOWN: Final = (
    "assays",
    "network_states",
    "ligand_ranking",
    "latest_edges",
    "latest_findings",
    "network_legs",
    "raw_results",
)


@click.command("gather")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--report",
    type=click.Choice(["dg", "ddg", "raw", "legs", "findings"], case_sensitive=False),
    default=None,
    show_default="dg; a summary for several networks",
    help="Ligands (dg), edges between them (ddg), every result (raw), every repeat of every leg, also of ABFE, AHFE "
    "and SepTop (legs), or inconsistencies (findings).",
)
@click.option(
    "--rule",
    type=click.Choice(["pooled", "larger", "own", "sem", "sd"]),
    default=None,
    show_default="the rule that the network has kept, else pooled",
    help="Uncertainty of a leg: from the repeats of all legs of the network (pooled), or from its own results only: "
    "their standard deviation, as openfe publishes (sd), their standard error (sem), the uncertainty they report "
    "(own), or the larger of the last two (larger).",
)
@click.option(
    "--model",
    type=click.Choice(["mle", "robust", "bayesian"]),
    default="mle",
    show_default=True,
    help="With dg: maximum likelihood (mle); heavy-tailed edges (robust); or experimental values as a prior "
    "(bayesian). Only mle is stored; the others are only printed.",
)
@click.option(
    "--as-is",
    is_flag=True,
    help="Print the newest stored estimates and write nothing, as for a read-only lake.",
)
@click.option(
    "--from-objects",
    is_flag=True,
    help="First compute the missing estimates of results from their stored objects; needs gufe and the Protocols.",
)
@as_of_option
@output_options
@click.option(
    "--plot",
    default=None,
    type=PlotFile(),
    metavar="FILE",
    help="Plot estimate against experiment or, with --report findings, the closure of cycles (png, pdf, svg).",
)
@click.option(
    "--allow-partial", is_flag=True, help="With dg: print each connected part of a disconnected network separately."
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="With findings, on a terminal: also those that are not flagged. Files and pipes have all.",
)
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    report: str | None,
    rule: LegRule | None,
    model: Model,
    as_is: bool,
    from_objects: bool,
    as_of: str | None,
    tsv: bool,
    output: str | None,
    plot: str | None,
    allow_partial: bool,
    every: bool,
) -> None:
    """Update the estimates of networks, and print them.

    NETWORK is a name, a ScopedKey or a prefix of one; it may be omitted if there is only one. With --scope and
    without NETWORK, all networks of that Scope are gathered. Values are in kcal/mol. Failed Transformations print
    Error; those that have not run yet are omitted.

    \b
    Examples:
      alchemiscale-lake gather tyk2 --report ddg -o ddg.tsv
      alchemiscale-lake gather --scope 'org-campaign-*' --report findings
    """
    from ..estimates.gathering import gather_and_connect
    from ..query import connect_to_networks

    if model != "mle" and (report not in (None, "dg") or plot is not None):
        raise click.UsageError(f"--model {model} needs --report dg and no --plot")
    as_is = as_is or as_of is not None
    if as_is and (from_objects or rule is not None):
        option = "--as-is" if as_of is None else "--as-of"
        raise click.UsageError(f"{option} gathers nothing, so it excludes --from-objects and --rule")
    opened = open_lake(lake, as_of)
    networks = _networks(opened, network, scope)
    if len(networks) > 1 and (as_is or model != "mle"):
        option = "--as-of" if as_of is not None else "--as-is" if as_is else f"--model {model}"
        raise click.UsageError(f"{option} takes one network and {scope} has {len(networks)}; name one")
    if from_objects:
        _fill(opened, networks)
    done: list[GatherReport] = []
    if as_is:
        reading = connect_to_networks(opened, networks, _SHOWN)
    else:
        done, reading = gather_and_connect(opened, networks, _SHOWN, rule=rule)
    connection = reading.connection
    if len(networks) > 1:
        _show_many(connection, done, scope, report, tsv=tsv, output=output, plot=plot, every=every)
        _write_pages(opened, done)
        return
    for one in done:
        say(f"{part(one.n_regathered, one.n_transformations, 'Transformation')} had new results")
    (name,) = networks
    if model != "mle":
        _show_model(connection, name, model, tsv=tsv, output=output)
        return
    if report == "legs":
        _show_legs(opened, connection, name, tsv=tsv, output=output)
    else:
        _show_one(connection, name, report or "dg", tsv=tsv, output=output, allow_partial=allow_partial, every=every)
    _warn_of_unmatched_assays(opened, connection, name)
    if plot is not None:
        _draw(connection, name, report or "dg", Path(plot))
    for one in done:
        _write_page(opened, one, reading.seq)


def _warn_of_unmatched_assays(lake: Lake, connection: Connection, network: str) -> None:
    if connection.sql("select 1 from assays limit 1").fetchall():
        from ..ids import ScopedKey
        from ..importing.assays import unmatched_assays

        unmatched = unmatched_assays(lake, ScopedKey.from_str(network).scope)
        if unmatched is not None:
            say(unmatched)


def _write_page(lake: Lake, gathered: GatherReport, seq: int) -> None:
    """Write the page of a network, unless it shows the present state already, and say where it is."""
    from ..report.page_places import kept_page, shown_place

    place, told = kept_page(lake, gathered.network, seq=seq, number=gathered.round), ""
    if place is None:
        from ..report.campaign_page import written_page

        place, told = written_page(lake, gathered.network)
    say(told if place is None else f"page: {shown_place(place)}")


def _write_pages(lake: Lake, done: list[GatherReport]) -> None:
    """Write the pages of the networks that changed, and say once where they are."""
    from ..report.campaign_page import written_page

    pages = [written_page(lake, one.network) for one in done if one.new_round]
    failed = [told for place, told in pages if place is None]
    if len(failed) < len(pages):
        say(f"{count(len(pages) - len(failed), 'page')} written, in plots/ of {lake.url}")
    for told in failed[:1]:
        say(f"{told} ({len(failed)} such)" if len(failed) > 1 else told)


def _networks(lake: Lake, network: str | None, scope: str | None) -> list[str]:
    from ..query import find_network, networks_in

    if network is None and scope is not None:
        return networks_in(lake, scope)
    return [find_network(lake, network, scope=scope)]


def _fill(lake: Lake, networks: list[str]) -> None:
    """Compute missing estimates of results from their objects, and print the outcome."""
    from ..estimates.object_estimates import fill_estimates

    report = fill_estimates(lake, networks)
    say(f"estimates of {part(report.n_filled, report.n_missing, 'result')} without one computed from their objects")
    for failure in report.failures[:_MOST_FAILURES]:
        say(f"  {failure}")
    if len(report.failures) > _MOST_FAILURES:
        say(f"  and {len(report.failures) - _MOST_FAILURES} more")


def _show_model(connection: Connection, network: str, model: Model, *, tsv: bool, output: str | None) -> None:
    from ..report.other_models import model_table

    estimates = model_table(connection, network, model)
    show_table(estimates.table, tsv=tsv, output=output, counted=estimates.counted)
    for remark in estimates.remarks:
        say(remark)


def _screen_of_findings(tsv: bool, output: str | None, *, every: bool) -> tuple[bool, bool]:
    """Return whether only flagged findings, and only some columns, are shown; files and pipes get all."""
    if not _show.is_for_people(tsv, output):
        return False, False
    from rich.console import Console

    return not every, Console().width < _WIDE


def _show_legs(lake: Lake, connection: Connection, network: str, *, tsv: bool, output: str | None) -> None:
    from ..report.leg_table import legs_table

    estimates = legs_table(lake, connection, network)
    show_table(estimates.table, tsv=tsv, output=output, counted=estimates.counted)
    for remark in estimates.remarks:
        say(remark)


def _show_one(
    connection: Connection,
    network: str,
    report: str,
    *,
    tsv: bool,
    output: str | None,
    allow_partial: bool,
    every: bool,
) -> None:
    from ..report import REPORTS
    from ..report.findings import findings_table, n_flagged

    if report == "findings":
        flagged_only, brief = _screen_of_findings(tsv, output, every=every)
        estimates = findings_table(connection, network, flagged_only=flagged_only, brief=brief)
    else:
        estimates = REPORTS[report](connection, network, allow_partial=allow_partial)
    empty = "" if report == "findings" else "no rows"
    show_table(estimates.table, tsv=tsv, output=output, counted=estimates.counted, empty=empty)
    for remark in estimates.remarks:
        say(remark)
    flagged = n_flagged(connection, network).get(network, 0)
    if flagged and report != "findings":
        see = f"`alchemiscale-lake gather {network} --report findings`"
        say(f"{count(flagged, 'finding')} {verb(flagged)} flagged: see {see}")


def _show_many(
    connection: Connection,
    done: list[GatherReport],
    scope: str | None,
    report: str | None,
    *,
    tsv: bool,
    output: str | None,
    plot: str | None,
    every: bool,
) -> None:
    from ..query import ask
    from ..report.findings import findings_table, gathered_table
    from ..report.tables import rule_remark

    if plot is not None or report not in (None, "findings"):
        option = "--plot" if plot is not None else f"--report {report}"
        raise click.UsageError(f"{option} takes one network and {scope} has {len(done)}; name one")
    if report == "findings":
        flagged_only, brief = _screen_of_findings(tsv, output, every=every)
        found = findings_table(connection, None, scope=scope, flagged_only=flagged_only, brief=brief)
        show_table(found.table, tsv=tsv, output=output, counted=found.counted, empty="")
        for remark in found.remarks:
            say(remark)
    else:
        show_table(gathered_table(connection, done), tsv=tsv, output=output, counted=count(len(done), "network"))
    edges = ask(connection, "latest_edges")
    for one in done:
        for remark in rule_remark(one.network, edges.filter(edges["network"] == one.network)):
            say(f"{one.network}: {remark}")
    n_new = sum(one.new_round for one in done)
    n_legs = sum(one.n_regathered for one in done)
    gathered, legs, changed = count(len(done), "network"), count(n_legs, "Transformation"), count(n_new, "network")
    say(f"{gathered} gathered: {legs} had new results, {changed} changed")


def _draw(connection: Connection, network: str, report: str, target: Path) -> None:
    from ..estimates.cycle_closures import cycle_closures
    from ..estimates.experiment_pairs import ddg_pairs, dg_pairs
    from ..query import ask
    from ..report import performance_line, plot_pairs
    from ..report.error_plots import plot_cycle_closures

    title = ask(connection, "network_states", network=network)["name"].item()
    if report == "findings":
        closures = cycle_closures(connection, network)
        plot_cycle_closures(closures, title=title).savefig(target)
        say(f"wrote {target} ({count(len(closures), 'independent cycle')})")
        return
    ranking = ask(connection, "ligand_ranking", network=network)
    edges = report == "ddg"
    pairs = ddg_pairs(ask(connection, "latest_edges", network=network), ranking) if edges else dg_pairs(ranking)
    figure = plot_pairs(pairs, quantity="ΔΔG" if edges else "ΔG", title=title)
    figure.savefig(target)
    say(f"wrote {target} ({count(len(pairs), 'edge' if edges else 'ligand')}; {performance_line(pairs)})")
