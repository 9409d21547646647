"""Summary of a campaign: ligands compared with experiment, agreement, a plot, and next commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..errors import MissingDependencyError
from ..estimates.experiment_pairs import dg_pairs
from ..plurals import count
from ..query import Connection, NetworkNames, ask, connect_for
from ..store import Lake
from .campaign_page import written_page
from .ligand_table import failed_ligands, ligand_table
from .page_places import report_path, shown_place
from .plots import performance_line, plot_pairs
from .table import Table

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a network.

    Attributes
    ----------
    table : Table
        Ligands: estimate, uncertainty, experiment.
    lines : tuple of str
        RMSE, the path of the plot (or why there is none), the place of the network's page, and next commands
        without `--lake`.
    plot : Path or None
        File of the plot, if written.
    """

    table: Table
    lines: tuple[str, ...]
    plot: Path | None


def summarise(lake: Lake, network: str, *, plot: str | Path | None = None) -> Summary:
    """Summarise the newest estimates of a network, and write its page.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    plot : path, optional
        File for the plot of estimates against experiment; by default next to the page if the lake is a folder,
        else no plot.
    """
    connection = connect_for(lake, "ligand_ranking", "latest_edges", "network_legs", "network_states")
    ranking = ask(connection, "ligand_ranking", network=network)
    pairs = dg_pairs(ranking)
    lines = [f"{performance_line(pairs)} over {count(len(pairs), 'ligand')} with experiment"] if len(pairs) else []
    target = _plot_path(lake, network, plot)
    written = None
    if len(pairs) and target is not None:
        written, line = _draw(connection, pairs, network, target)
        lines.append(line)
    if not len(pairs):
        lines.append("no ligand has an experimental value, so there is no RMSE and no plot")
    place, told = written_page(lake, network)
    lines.append(told if place is None else f"page: {shown_place(place)}")
    called = NetworkNames.of(lake).arguments(network)
    commands = _next_commands(called) if ranking["value_kcal_mol"].count() else _commands_without_estimates(called)
    table = ligand_table(ranking, failed_ligands(connection, network))
    return Summary(table, (*lines, "next:", *(f"  {c}" for c in commands)), written)


def _draw(connection: Connection, pairs: pl.DataFrame, network: str, target: Path) -> tuple[Path | None, str]:
    name = ask(connection, "network_states", network=network)["name"].item()
    try:
        figure = plot_pairs(pairs, title=name)
    except MissingDependencyError as e:
        return None, f"no plot: {e}"
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)
    return target, f"plot: {target}"


def _plot_path(lake: Lake, network: str, plot: str | Path | None) -> Path | None:
    if plot is not None:
        return Path(plot)
    return None if lake.local_path is None else lake.local_path / report_path(lake, network, ".png")


def _commands_without_estimates(called: str) -> tuple[str, ...]:
    return (f"alchemiscale-lake status {called}", f"alchemiscale-lake failures {called} --group")


def _next_commands(called: str) -> tuple[str, ...]:
    return (
        f"alchemiscale-lake gather {called} --report ddg",
        'alchemiscale-lake query "from throughput"',
        f"alchemiscale-lake rank {called}",
    )
