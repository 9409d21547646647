"""Summary of a campaign: ligands compared with experiment, agreement, a plot, and next commands."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from ..errors import MissingDependencyError
from ..ids import ScopedKey
from ..query import Connection, ask, connect
from ..store import Lake
from .plots import dg_pairs, performance_line, plot_pairs
from .table import ERROR, NO_ESTIMATE, Table
from .tables import legs_without_value

__all__ = ["Summary", "ligand_table", "summarise"]

_COLUMNS: Final = {
    "ligand": "ligand",
    "DG(MLE) (kcal/mol)": "value_kcal_mol",
    "uncertainty (kcal/mol)": "uncertainty_kcal_mol",
    "experiment (kcal/mol)": "experiment_kcal_mol",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a network.

    Attributes
    ----------
    table : Table
        Ligands: estimate, uncertainty, experiment.
    lines : tuple of str
        RMSE, the path of the plot (or why there is none), and three next commands.
    plot : Path or None
        File of the plot, if written.
    """

    table: Table
    lines: tuple[str, ...]
    plot: Path | None


def summarise(lake: Lake, network: str, *, plot: str | Path | None = None, lake_argument: str | None = None) -> Summary:
    """Summarise the newest estimates of a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    plot : path, optional
        File for the plot of estimates against experiment; by default `plots/<network>.png` in the lake if it
        is a folder, else no plot.
    lake_argument : str, optional
        Value of `--lake` in the commands; the lake's URL by default, omitted for `./lake`.
    """
    connection = connect(lake)
    ranking = ask(connection, "ligand_ranking", network=network)
    pairs = dg_pairs(ranking)
    lines = [f"{performance_line(pairs)} over {len(pairs)} ligands with experiment"] if len(pairs) else []
    target = _plot_path(lake, network, plot)
    written = None
    if len(pairs) and target is not None:
        written, line = _draw(connection, pairs, network, target)
        lines.append(line)
    if not len(pairs):
        lines.append("no ligand has an experimental value, so there is no RMSE and no plot")
    names = ask(connection, "network_states").select("network", "name")
    commands = _next_commands(network, names, lake.url if lake_argument is None else lake_argument)
    failed = _failed_ligands(connection, network)
    return Summary(ligand_table(ranking, failed), (*lines, "next:", *(f"  {c}" for c in commands)), written)


def _failed_ligands(connection: Connection, network: str) -> set[str]:
    """Return the ligands with an edge that has a failed leg."""
    failed, _ = legs_without_value(connection, network)
    edges = ask(connection, "latest_edges", network=network).rows(named=True)
    return {edge[end] for edge in edges if failed.intersection(edge["legs"]) for end in ("ligand_i", "ligand_j")}


def ligand_table(ranking: pl.DataFrame, failed: Collection[str]) -> Table:
    """Build a table of `ligand_ranking`: lowest first, ligands without a value last.

    Parameters
    ----------
    ranking : polars.DataFrame
    failed : collection of str
        Ligands without a value that print `Error`; others print `-`.
    """
    rows = []
    for row in ranking.iter_rows(named=True):
        cells = {name: row[column] for name, column in _COLUMNS.items()}
        if row["value_kcal_mol"] is None:
            missing = ERROR if row["ligand"] in failed else NO_ESTIMATE
            cells |= {"DG(MLE) (kcal/mol)": missing, "uncertainty (kcal/mol)": missing}
        rows.append(tuple(cells.values()))
    return Table(tuple(_COLUMNS), rows, precision_of={"DG(MLE) (kcal/mol)": "uncertainty (kcal/mol)"})


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
    return None if lake.local_path is None else lake.local_path / "plots" / f"{network}.png"


def _next_commands(network: str, names: pl.DataFrame, lake_argument: str) -> tuple[str, ...]:
    at = f" --lake {shlex.quote(lake_argument)}" if lake_argument not in ("", "./lake") else ""
    name = names.filter(pl.col("network") == network)["name"].item()
    is_alone = name is not None and names["name"].to_list().count(name) == 1
    called = shlex.quote(name) if is_alone else ScopedKey.from_str(network).gufe_key
    sql = "from throughput"
    return (
        f"alchemiscale-lake gather {called} --report ddg{at}",
        f'alchemiscale-lake query "{sql}"{at}',
        f"alchemiscale-lake rank {called}{at}",
    )
