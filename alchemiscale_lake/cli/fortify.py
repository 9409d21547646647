"""`alchemiscale-lake fortify`: propose redundant edges of a network, and add them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ..plurals import count
from ._errors import put_out, say
from ._files import ExistingFile
from ._options import lake_option, scope_option
from ._show import output_options, show_table

if TYPE_CHECKING:
    from ..rounds.fortify import Fortified

__all__ = ["command"]


@click.command("fortify")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option("-n", "most", type=click.IntRange(min=1), default=5, show_default=True, help="Edges to propose at most.")
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default=None,
    help="Kind of the edges, if the network has several.",
)
@click.option(
    "--reach",
    type=click.IntRange(min=2),
    default=3,
    show_default=True,
    help="Only ligands at most so many edges apart.",
)
@click.option(
    "--pairs",
    type=ExistingFile(),
    default=None,
    help="CSV with columns ligand_i and ligand_j: the only candidates.",
)
@click.option(
    "--uncertainty",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    show_default="the median of the network's edges",
    metavar="KCAL_MOL",
    help="Expected uncertainty of a new edge.",
)
@click.option(
    "--planner",
    default=None,
    metavar="FILE.py:FUNCTION",
    help="Makes Transformations of the proposed pairs; the network with them is submitted.",
)
@output_options
def command(
    network: str | None,
    lake: str,
    scope: str | None,
    most: int,
    kind: str | None,
    reach: int,
    pairs: str | None,
    uncertainty: float | None,
    planner: str | None,
    tsv: bool,
    output: str | None,
) -> None:
    """Propose redundant edges, with the uncertainty of the ligands that each leads to.

    Edges that join parts of a network come first, then those that close cycles over edges that nothing else
    checks, then those that reduce the uncertainty most; each is proposed as if those before it were computed. Nothing
    is submitted without --planner: give the pairs (-o FILE.csv) to the program that plans your networks, such
    as konnektor. A planner is a function of an AlchemicalNetwork and two names of ligands that returns Transformations.

    \b
    Examples:
      alchemiscale-lake fortify tyk2 -n 3
      alchemiscale-lake fortify tyk2 --pairs good_mappings.csv -o proposed.csv
      alchemiscale-lake fortify tyk2 --planner plan.py:with_lomap
    """
    from ..estimates.fortification import proposed_edges
    from ..estimates.gathering import gather_and_connect
    from ..query import find_network
    from ..report import Table
    from ..rounds.fortify import load_edge_planner
    from ..store import Lake

    plan = None if planner is None else load_edge_planner(planner)
    opened = Lake.open(lake)
    found = find_network(opened, network, scope=scope)
    _, reading = gather_and_connect(opened, [found], ("latest_edges", "networks"))
    proposals = proposed_edges(
        reading.connection,
        found,
        most=most,
        kind=kind,
        reach=reach,
        pairs=None if pairs is None else _read_pairs(pairs),
        uncertainty_kcal_mol=uncertainty,
    )
    table = replace(Table.of(proposals), keep=("ligand_i", "ligand_j", "mean_uncertainty_after_kcal_mol"))
    show_table(
        table,
        tsv=tsv,
        output=output,
        counted=count(len(proposals), "edge"),
        empty="no edge to propose: no two ligands without one are near each other; give --pairs, or a larger --reach",
    )
    if plan is not None and len(proposals):
        from ..rounds.fortify import add_edges

        _tell(add_edges(opened, found, proposals, plan))


def _read_pairs(path: str) -> list[tuple[str, str]]:
    import polars as pl

    from ..errors import SettingsError

    rows = pl.read_csv(path, infer_schema=False)
    lacking = sorted({"ligand_i", "ligand_j"} - set(rows.columns))
    if lacking:
        raise SettingsError(f"{path} has no column {' and '.join(lacking)}; it has {', '.join(rows.columns)}")
    return [(i, j) for i, j in rows.select("ligand_i", "ligand_j").iter_rows()]


def _tell(fortified: Fortified) -> None:
    for i, j in fortified.not_made:
        say(f"the planner made no Transformation of {i} -> {j}")
    submission = fortified.submission
    if submission is None:
        return
    put_out(submission.network)
    say(
        f"{submission.name or 'network'}: {count(submission.n_transformations, 'Transformation')} "
        f"({submission.n_new_transformations} new) for {count(len(fortified.made), 'more edge')}"
    )
    for note in (submission.note_on_name, submission.note_on_keys):
        if note is not None:
            say(note)
    say(f"next: alchemiscale-lake run {submission.network}")
